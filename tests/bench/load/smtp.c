/*
 * load/smtp.c: clients that send, and the counting of what arrives.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

static atomic_long accepted[ACCOUNTS_MAX];
static struct {
	struct connection c;
	long before;
} watched[ACCOUNTS_MAX];

long smtp_accepted(int account)
{
	return atomic_load(&accepted[account]);
}

static bool log_in(struct connection *c, int account)
{
	char user[300], plain[900], text[1300];
	int n;

	account_name(account, user, sizeof(user));
	n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, options.password);
	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)plain, n);
	return connection_say(c, "AUTH PLAIN %s\r\n", text) && smtp_reply(c) == 235;
}

static bool hello(struct connection *c, int account)
{
	return connection_open(c, options.port, options.tls) && smtp_reply(c) == 220 &&
	       connection_say(c, "EHLO client.test\r\n") && smtp_reply(c) == 250 &&
	       (!options.password || log_in(c, account));
}

static bool ask(struct connection *c, const char *command, int code)
{
	if (!options.pipelining)
		return connection_put(c, command, strlen(command)) && smtp_reply(c) == code;
	return true;
}

static bool envelope(struct connection *c, int account)
{
	char user[300], sender[300], from[400], to[400];

	account_name(account, user, sizeof(user));
	if (options.password)
		account_name(account, sender, sizeof(sender));
	else
		snprintf(sender, sizeof(sender), "sender@client.test");
	snprintf(from, sizeof(from), "MAIL FROM:<%s>\r\n", sender);
	snprintf(to, sizeof(to), "RCPT TO:<%s>\r\n", user);
	if (options.pipelining)
		return connection_say(c, "%s%sDATA\r\n", from, to) && smtp_reply(c) == 250 &&
		       smtp_reply(c) == 250 && smtp_reply(c) == 354;
	return ask(c, from, 250) && ask(c, to, 250) && ask(c, "DATA\r\n", 354);
}

/* The time counts from the end of the text to the reply. */
static bool send_one(struct client *client, long m)
{
	struct connection *c = &client->c;
	int account = (int)(m % options.accounts);
	double start;

	text_make(&client->text, m);
	if (!envelope(c, account) || !connection_put(c, client->text.p, client->text.n))
		return false;
	start = now();
	if (smtp_reply(c) != 250)
		return false;
	add_latency(now() - start);
	add_octets(text_size(&client->text));
	atomic_fetch_add(&accepted[account], 1);
	return true;
}

void *smtp_client(void *arg)
{
	struct client *client = arg;
	struct connection *c = &client->c;
	long m;
	int left = 0;

	while ((m = next_message()) >= 0) {
		if (left == 0) {
			if (c->fd >= 0)
				connection_say(c, "QUIT\r\n");
			connection_close(c);
			if (!hello(c, (int)(m % options.accounts))) {
				add_failure(c, "connecting");
				continue;
			}
			left = options.per_connection;
		}
		left--;
		if (!send_one(client, m)) {
			add_failure(c, "sending");
			left = 0;
		}
	}
	connection_close(c);
	return NULL;
}

static long count(struct connection *c)
{
	struct answer answer;

	if (!connection_say(c, "n STATUS INBOX (MESSAGES)\r\n") || !imap_answer(c, "n", &answer))
		return -1;
	return answer.messages;
}

bool watch_begin(void)
{
	for (int i = 0; i < options.accounts; i++) {
		char user[300];

		account_name(i, user, sizeof(user));
		if (!imap_login(&watched[i].c, options.imap_port, user, options.imap_password) ||
		    (watched[i].before = count(&watched[i].c)) < 0) {
			add_failure(&watched[i].c, "logging in to watch");
			return false;
		}
	}
	return true;
}

/* One account after the other: the last one decides, and the server is asked little. */
long watch_end(void)
{
	double progress = now();
	long sum = 0;

	for (int i = 0; i < options.accounts; i++) {
		long seen = 0, wanted = watched[i].before + smtp_accepted(i), n;

		while ((n = count(&watched[i].c)) >= 0 && n < wanted &&
		       now() - progress < options.patience) {
			if (n > seen)
				progress = now();
			seen = n;
			usleep(2000);
		}
		if (n == wanted)
			progress = now();
		else
			add_failure(&watched[i].c,
				    n < 0 ? "counting" : "messages are missing or too many");
		sum += n < 0 ? 0 : n - watched[i].before;
	}
	return sum;
}
