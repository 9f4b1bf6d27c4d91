/*
 * load/imap.c: clients that log in, append, set flags, wait in IDLE, or say what they are told to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

void *login_client(void *arg)
{
	struct client *client = arg;
	struct connection *c = &client->c;
	long m;

	while ((m = next_message()) >= 0) {
		double start = now();
		char user[300];

		account_name((int)(m % options.accounts), user, sizeof(user));
		if (imap_login(c, options.port, user, options.password)) {
			add_latency(now() - start);
			if (!connection_say(c, "b LOGOUT\r\n") || !imap_answer(c, "b", NULL))
				add_failure(c, "LOGOUT");
		} else {
			add_failure(c, "log-in");
		}
		connection_close(c);
	}
	return NULL;
}

static bool append_one(struct connection *c, struct text *text, long m)
{
	double start;
	size_t n;

	text_make(text, m);
	start = now();
	/* The line of the dot becomes the end of the command: one write for both. */
	memcpy(text->p + text_size(text), "\r\n", 2);
	if (!connection_say(c, "c APPEND INBOX {%zu}\r\n", text_size(text)) ||
	    !connection_line(c, &n) || !connection_put(c, text->p, text_size(text) + 2) ||
	    !imap_answer(c, "c", NULL))
		return false;
	add_latency(now() - start);
	add_octets(text_size(text));
	return true;
}

/* Each client to an account of its own, or all to options.user. */
void *append_client(void *arg)
{
	struct client *client = arg;
	char user[300];
	long m;

	account_name(client->number % options.accounts, user, sizeof(user));
	if (!imap_login(&client->c, options.port, options.user ? options.user : user,
			options.password)) {
		add_failure(&client->c, "log-in");
		return NULL;
	}
	while ((m = next_message()) >= 0) {
		if (!append_one(&client->c, &client->text, m)) {
			add_failure(&client->c, "APPEND");
			break;
		}
	}
	connection_close(&client->c);
	return NULL;
}

static bool open_inbox(struct connection *c, struct answer *ret)
{
	char user[300];

	account_name(0, user, sizeof(user));
	return imap_login(c, options.port, options.user ? options.user : user, options.password) &&
	       connection_say(c, "s SELECT INBOX\r\n") && imap_answer(c, "s", ret);
}

/* One message a command, each answered before the next is sent. */
void store_run(void)
{
	struct connection c = { .fd = -1 };
	long m;

	if (!open_inbox(&c, NULL)) {
		add_failure(&c, "SELECT");
		return;
	}
	while ((m = next_message()) >= 0) {
		double start = now();

		if (!connection_say(&c, "f STORE %ld +FLAGS (%s)\r\n", m + 1, options.flag) ||
		    !imap_answer(&c, "f", NULL)) {
			add_failure(&c, "STORE");
			break;
		}
		add_latency(now() - start);
	}
	connection_close(&c);
}

/* ---- IDLE ---- */

struct sending {
	_Atomic double *ends; /* of the text of message i; 0: not yet */
	char *user;
};

static void *idle_sender(void *arg)
{
	struct sending *s = arg;
	struct connection c = { .fd = -1 };
	struct text text = { 0 };
	bool fine = connection_open(&c, options.smtp_port, false) && smtp_reply(&c) == 220 &&
		    connection_say(&c, "EHLO client.test\r\n") && smtp_reply(&c) == 250;
	long m;

	while (fine && (m = next_message()) >= 0) {
		text_make(&text, m);
		fine = connection_say(&c, "MAIL FROM:<sender@client.test>\r\n") &&
		       smtp_reply(&c) == 250 && connection_say(&c, "RCPT TO:<%s>\r\n", s->user) &&
		       smtp_reply(&c) == 250 && connection_say(&c, "DATA\r\n") &&
		       smtp_reply(&c) == 354 && connection_put(&c, text.p, text.n);
		atomic_store(&s->ends[m], now());
		fine = fine && smtp_reply(&c) == 250;
	}
	if (!fine)
		add_failure(&c, "sending");
	connection_close(&c);
	return NULL;
}

/* EXISTS with a number tells of all messages up to it: servers may tell of several at once. */
static void idle_read(struct connection *c, const struct sending *s, long before)
{
	long told = 0;
	const char *l;
	size_t n;

	while (told < options.messages && (l = connection_line(c, &n))) {
		double at = now();
		char *end;
		long exists = n > 2 ? strtol(l + 2, &end, 10) : 0;

		if (n < 9 || l[0] != '*' || strncmp(end, " EXISTS", 7) != 0)
			continue;
		for (; told < exists - before && told < options.messages; told++)
			add_latency(at - atomic_load(&s->ends[told]));
	}
	if (told < options.messages)
		add_failure(c, "IDLE ended");
}

/* One session in IDLE, one that sends: how long until the first is told? */
void idle_run(void)
{
	struct connection reader = { .fd = -1 };
	struct sending s = { .ends = calloc((size_t)options.messages, sizeof(*s.ends)) };
	struct answer answer;
	pthread_t sender;
	char user[300];
	size_t n;

	account_name(0, user, sizeof(user));
	s.user = user;
	if (options.user)
		snprintf(user, sizeof(user), "%s", options.user);
	if (!open_inbox(&reader, &answer) || answer.exists < 0 ||
	    !connection_say(&reader, "i IDLE\r\n") || !connection_line(&reader, &n)) {
		add_failure(&reader, "IDLE");
	} else if (pthread_create(&sender, NULL, idle_sender, &s) == 0) {
		idle_read(&reader, &s, answer.exists);
		pthread_join(sender, NULL);
	}
	connection_close(&reader);
	free(s.ends);
}

void imap_run(int count, char **commands)
{
	struct connection c = { .fd = -1 };
	char user[300];

	account_name(0, user, sizeof(user));
	if (!imap_login(&c, options.port, options.user ? options.user : user, options.password)) {
		add_failure(&c, "log-in");
		printf("[]\n");
		return;
	}
	printf("[");
	for (int i = 0; i < count; i++) {
		unsigned long long before = c.received;
		struct answer answer;
		double start = now();
		bool fine = connection_say(&c, "t %s\r\n", commands[i]) &&
			    imap_answer(&c, "t", &answer);

		printf("%s{\"ok\":%s,\"seconds\":%.6f,\"octets\":%llu,\"lines\":%ld,\"numbers\":%"
		       "ld,"
		       "\"exists\":%ld,\"messages\":%ld}",
		       i ? "," : "", fine ? "true" : "false", now() - start, c.received - before,
		       answer.lines, answer.numbers, answer.exists, answer.messages);
		if (!fine) {
			add_failure(&c, commands[i]);
			break;
		}
	}
	printf("]\n");
	connection_close(&c);
}
