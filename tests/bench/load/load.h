/*
 * tests/bench/load: many clients at once, for measuring a mail server from outside.
 *
 * One thread a client, blocking calls: what is measured is the server, not this program.  Accounts are
 * user0@DOMAIN and so on.  It trusts what it talks to (a server on loopback that the measurement has
 * started) and so has no limits but its buffers.
 */
#ifndef POSTHOLD_BENCH_LOAD_H
#define POSTHOLD_BENCH_LOAD_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { CLIENTS_MAX = 1000, ACCOUNTS_MAX = 1000 };

struct options {
	int port, clients, accounts, per_connection;
	int imap_port; /* smtp: watch the messages arrive there; 0: do not */
	int smtp_port; /* idle: where the messages are sent */
	long messages; /* at most so many */
	double seconds; /* and none is begun after this time; 0: no such limit */
	long size; /* octets of a message; 0: a mixture */
	double rate; /* a second over all clients; 0: as fast as it goes */
	double patience; /* seconds without progress after which waiting for messages ends */
	bool tls; /* smtp: TLS from the first octet */
	bool pipelining; /* smtp: MAIL, RCPT and DATA at once */
	bool clear; /* IMAP without TLS */
	const char *domain;
	const char *password; /* smtp: log in; IMAP: needed */
	const char *imap_password; /* smtp with imap_port */
	const char *user; /* IMAP: this account instead of user0... */
	const char *flag; /* store: what is set */
};

extern struct options options;

/* ---- connection.c: lines over TCP or TLS ---- */

struct connection {
	int fd;
	SSL *ssl;
	char *room;
	size_t at, n;
	unsigned long long received;
};

/* What the untagged part of an IMAP answer had in it. */
struct answer {
	long lines; /* untagged responses */
	long numbers; /* in SEARCH responses */
	long exists; /* of the last EXISTS; -1: none */
	long messages; /* of the last STATUS; -1: none */
};

void connection_setup(void);
bool connection_open(struct connection *c, int port, bool encrypted);
void connection_close(struct connection *c);
bool connection_put(struct connection *c, const char *bytes, size_t n);
bool connection_say(struct connection *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The next line, its LF excluded; borrowed until the next call; NULL at the end. */
const char *connection_line(struct connection *c, size_t *ret_n);
/* The code of an SMTP reply; 0 at the end. */
int smtp_reply(struct connection *c);
/* Read to the tagged line; true when it is OK.  ret may be NULL. */
bool imap_answer(struct connection *c, const char *tag, struct answer *ret);
/* Connect, wait for the greeting, log in. */
bool imap_login(struct connection *c, int port, const char *user, const char *password);

/* ---- text.c: messages as people write them ---- */

struct text {
	char *p; /* ends with the line of one dot */
	size_t n, room;
	unsigned long long random;
};

void text_setup(void);
/* Message number m; t->n counts the final dot line, text_size() does not. */
void text_make(struct text *t, long m);
size_t text_size(const struct text *t);

/* ---- main.c: the clients and what they find ---- */

struct client {
	int number;
	pthread_t thread;
	struct connection c;
	struct text text;
};

double now(void);
/* The number of the next message to send, -1 when that is enough. */
long next_message(void);
void add_latency(double seconds);
/* Octets of messages that the server has taken. */
void add_octets(size_t n);
/* One more failure; the first one's words are reported. */
void add_failure(const struct connection *c, const char *what);
void account_name(int number, char *ret, size_t n);

/* ---- smtp.c, imap.c: the modes ---- */

void *smtp_client(void *client);
void *login_client(void *client);
void *append_client(void *client);
void store_run(void);
void idle_run(void);
/* Prints its own result. */
void imap_run(int count, char **commands);
/* Messages of account accepted by SMTP so far. */
long smtp_accepted(int account);
/* Before sending: count what each account has.  After: wait until each has what was accepted for it. */
bool watch_begin(void);
/* Messages that can be seen. */
long watch_end(void);

#endif
