/*
 * tests/bench/load.c: many clients at once, for measuring a mail server from outside.
 *
 *	bench-load smtp  --port P --clients N --messages M --size OCTETS --accounts A --domain D
 *	                 [--per-connection K] [--tls implicit] [--auth PASSWORD] [--rate R]
 *	bench-load login --port P --clients N --messages M --accounts A --domain D --auth PASSWORD
 *	bench-load imap  --port P --auth PASSWORD --user U [--clear] COMMAND...
 *	bench-load append --port P --clients N --messages M --size OCTETS --user U --auth PASSWORD [--clear]
 *	bench-load idle  --port P --smtp-port Q --messages M --rate R --user U --auth PASSWORD [--clear]
 *
 * One thread a client, blocking calls: what is measured is the server.  Accounts are user0@D and so on.
 * The result is one line of JSON.  smtp: replies to the final dot are timed; login: a connection, TLS,
 * log-in and log-out each; imap: each command is timed to its tagged reply, what comes is counted and
 * thrown away; idle: time from the end of DATA to the EXISTS line of another session.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, CLIENTS_MAX = 1000, LATENCIES_MAX = 4000000 };

struct options {
	int port, smtp_port, clients, accounts, per_connection;
	long messages, size;
	double rate; /* a second over all clients; 0: as fast as it goes */
	bool tls, clear;
	const char *domain, *password, *user;
};

struct connection {
	int fd;
	SSL *ssl;
	char *room;
	size_t at, n;
	unsigned long long received;
};

struct client {
	int number;
	pthread_t thread;
	struct connection c;
};

static struct options options = { .clients = 1,
				  .accounts = 1,
				  .per_connection = 100,
				  .messages = 1,
				  .size = 2048,
				  .domain = "example.test",
				  .user = "user0@example.test" };
static SSL_CTX *tls;
static atomic_long next_message;
static double *latencies;
static atomic_long latency_count;
static atomic_long failures;
static double begin;
static char *body;
static size_t body_n;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void add_latency(double seconds)
{
	long at = atomic_fetch_add(&latency_count, 1);

	if (at < LATENCIES_MAX)
		latencies[at] = seconds;
}

static bool connection_open(struct connection *c, int port, bool encrypted)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->at = c->n = 0;
	c->ssl = NULL;
	if (!c->room)
		c->room = malloc(ROOM);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!encrypted)
		return true;
	c->ssl = SSL_new(tls);
	SSL_set_fd(c->ssl, c->fd);
	return SSL_connect(c->ssl) == 1;
}

static void connection_close(struct connection *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->ssl = NULL;
}

static bool put(struct connection *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = c->ssl ? SSL_write(c->ssl, bytes, (int)n)
				      : send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static bool say(struct connection *c, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return put(c, line, (size_t)n);
}

static bool more(struct connection *c)
{
	ssize_t n;

	if (c->at > 0) {
		memmove(c->room, c->room + c->at, c->n - c->at);
		c->n -= c->at;
		c->at = 0;
	}
	if (c->n == ROOM)
		return false;
	n = c->ssl ? SSL_read(c->ssl, c->room + c->n, (int)(ROOM - c->n))
		   : recv(c->fd, c->room + c->n, ROOM - c->n, 0);
	if (n <= 0)
		return false;
	c->n += (size_t)n;
	c->received += (unsigned long long)n;
	return true;
}

/* The next line without its end; NULL at the end. */
static const char *line(struct connection *c, size_t *ret_n)
{
	for (;;) {
		char *nl = memchr(c->room + c->at, '\n', c->n - c->at);

		if (nl) {
			const char *start = c->room + c->at;

			*ret_n = (size_t)(nl - start);
			c->at = (size_t)(nl - c->room) + 1;
			return start;
		}
		if (!more(c))
			return NULL;
	}
}

/* The code of an SMTP reply, 0 at the end. */
static int reply(struct connection *c)
{
	size_t n;
	const char *l;

	do {
		l = line(c, &n);
		if (!l || n < 3)
			return 0;
	} while (n > 3 && l[3] == '-');
	return (l[0] - '0') * 100 + (l[1] - '0') * 10 + (l[2] - '0');
}

/* Read until the tagged line; true when it is OK.  Literals are skipped as bytes. */
static bool tagged(struct connection *c, const char *tag)
{
	size_t tag_n = strlen(tag), n;
	const char *l;

	while ((l = line(c, &n))) {
		const char *brace = n > 2 && l[n - 2] == '}' ? memrchr(l, '{', n) : NULL;
		long literal = brace ? strtol(brace + 1, NULL, 10) : 0;

		if (n > tag_n && memcmp(l, tag, tag_n) == 0 && l[tag_n] == ' ')
			return strncmp(l + tag_n + 1, "OK", 2) == 0;
		while (literal > 0) {
			size_t have = c->n - c->at;
			size_t take = have < (size_t)literal ? have : (size_t)literal;

			c->at += take;
			literal -= (long)take;
			if (literal > 0) {
				c->at = c->n = 0;
				if (!more(c))
					return false;
			}
		}
	}
	return false;
}

static void make_body(void)
{
	size_t max = (size_t)options.size + 200;

	body = malloc(max);
	body_n = (size_t)snprintf(
		body, max,
		"From: sender@client.test\r\nTo: user@%s\r\nSubject: Measurement of a letter\r\n"
		"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\n",
		options.domain);
	while (body_n + 72 < (size_t)options.size) {
		for (size_t i = 0; i < 70; i++, body_n++)
			body[body_n] = (char)('a' + (i * 7 + body_n) % 26);
		body[body_n++] = '\r';
		body[body_n++] = '\n';
	}
}

/* At a given rate, when it is message number m's time. */
static void pace(long m)
{
	double wait = options.rate > 0 ? begin + (double)m / options.rate - now() : 0;

	if (wait > 0)
		usleep((unsigned)(wait * 1e6));
}

static bool smtp_hello(struct connection *c)
{
	if (!connection_open(c, options.port, options.tls) || reply(c) != 220)
		return false;
	if (!say(c, "EHLO client.test\r\n") || reply(c) != 250)
		return false;
	return true;
}

static bool smtp_login(struct connection *c, int account)
{
	char plain[600], text[900];
	int n = snprintf(plain, sizeof(plain), "%cuser%d@%s%c%s", 0, account, options.domain, 0,
			 options.password);

	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)plain, n);
	return say(c, "AUTH PLAIN %s\r\n", text) && reply(c) == 235;
}

static bool smtp_message(struct connection *c, long m)
{
	double start;
	int account = (int)(m % options.accounts);
	bool fine;

	if (options.password)
		fine = say(c, "MAIL FROM:<user%d@%s>\r\n", account, options.domain);
	else
		fine = say(c, "MAIL FROM:<sender@client.test>\r\n");
	if (!fine || reply(c) != 250)
		return false;
	if (!say(c, "RCPT TO:<user%d@%s>\r\n", account, options.domain) || reply(c) != 250)
		return false;
	if (!say(c, "DATA\r\n") || reply(c) != 354)
		return false;
	if (!put(c, body, body_n) || !put(c, ".\r\n", 3))
		return false;
	start = now();
	if (reply(c) != 250)
		return false;
	add_latency(now() - start);
	return true;
}

static void *run_smtp(void *arg)
{
	struct client *client = arg;
	struct connection *c = &client->c;
	long m;
	int left = 0;

	while ((m = atomic_fetch_add(&next_message, 1)) < options.messages) {
		pace(m);
		if (left == 0) {
			connection_close(c);
			left = options.per_connection;
			if (!smtp_hello(c) ||
			    (options.password && !smtp_login(c, (int)(m % options.accounts)))) {
				atomic_fetch_add(&failures, 1);
				left = 0;
				continue;
			}
		}
		left--;
		if (!smtp_message(c, m)) {
			atomic_fetch_add(&failures, 1);
			left = 0;
		}
		if (options.per_connection == 1 && left == 0 && c->fd >= 0)
			say(c, "QUIT\r\n");
	}
	connection_close(c);
	return NULL;
}

static bool imap_login(struct connection *c, const char *user)
{
	size_t n;

	return connection_open(c, options.port, !options.clear) && line(c, &n) &&
	       say(c, "a LOGIN \"%s\" \"%s\"\r\n", user, options.password) && tagged(c, "a");
}

static void *run_login(void *arg)
{
	struct client *client = arg;
	long m;

	while ((m = atomic_fetch_add(&next_message, 1)) < options.messages) {
		char user[300];
		double start = now();

		snprintf(user, sizeof(user), "user%d@%s", (int)(m % options.accounts),
			 options.domain);
		if (imap_login(&client->c, user) && say(&client->c, "b LOGOUT\r\n") &&
		    tagged(&client->c, "b"))
			add_latency(now() - start);
		else
			atomic_fetch_add(&failures, 1);
		connection_close(&client->c);
	}
	return NULL;
}

static void *run_append(void *arg)
{
	struct client *client = arg;
	struct connection *c = &client->c;

	if (!imap_login(c, options.user)) {
		atomic_fetch_add(&failures, 1);
		return NULL;
	}
	while (atomic_fetch_add(&next_message, 1) < options.messages) {
		double start = now();
		size_t n;

		if (!say(c, "c APPEND INBOX {%zu}\r\n", body_n) || !line(c, &n) ||
		    !put(c, body, body_n) || !say(c, "\r\n") || !tagged(c, "c")) {
			atomic_fetch_add(&failures, 1);
			break;
		}
		add_latency(now() - start);
	}
	connection_close(c);
	return NULL;
}

static void run_imap(int argc, char **argv)
{
	struct connection c = { .fd = -1 };

	if (!imap_login(&c, options.user))
		fail("log-in");
	printf("[");
	for (int i = 0; i < argc; i++) {
		unsigned long long before = c.received;
		double start = now();
		bool fine = say(&c, "t%d %s\r\n", i, argv[i]);
		char tag[16];

		snprintf(tag, sizeof(tag), "t%d", i);
		fine = fine && tagged(&c, tag);
		printf("%s{\"ok\":%s,\"seconds\":%.6f,\"octets\":%llu}", i ? "," : "",
		       fine ? "true" : "false", now() - start, c.received - before);
	}
	printf("]\n");
	connection_close(&c);
}

/* One session in IDLE, one that sends: how long until the first is told? */
static void run_idle(void)
{
	struct connection reader = { .fd = -1 }, sender = { .fd = -1 };
	const char *l;
	size_t n;

	if (!imap_login(&reader, options.user) || !say(&reader, "s SELECT INBOX\r\n") ||
	    !tagged(&reader, "s") || !say(&reader, "i IDLE\r\n") || !line(&reader, &n))
		fail("IDLE");
	options.port = options.smtp_port;
	options.tls = false;
	options.password = NULL;
	begin = now();
	for (long m = 0; m < options.messages; m++) {
		double start;

		pace(m);
		if (m % options.per_connection == 0) {
			connection_close(&sender);
			if (!smtp_hello(&sender))
				fail("sending");
		}
		if (!say(&sender, "MAIL FROM:<sender@client.test>\r\n") || reply(&sender) != 250 ||
		    !say(&sender, "RCPT TO:<%s>\r\n", options.user) || reply(&sender) != 250 ||
		    !say(&sender, "DATA\r\n") || reply(&sender) != 354 ||
		    !put(&sender, body, body_n) || !put(&sender, ".\r\n", 3))
			fail("sending");
		start = now();
		if (reply(&sender) != 250)
			fail("sending");
		do
			l = line(&reader, &n);
		while (l && !memmem(l, n, "EXISTS", 6));
		if (!l)
			fail("IDLE ended");
		add_latency(now() - start);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double p)
{
	long n = atomic_load(&latency_count);

	return n ? latencies[(long)((double)(n - 1) * p)] * 1000 : 0;
}

static void report(double seconds)
{
	long n = atomic_load(&latency_count);

	qsort(latencies, (size_t)n, sizeof(*latencies), compare);
	printf("{\"done\":%ld,\"failed\":%ld,\"seconds\":%.4f,\"per_second\":%.1f,\"p50_ms\":%.3f,"
	       "\"p90_ms\":%.3f,"
	       "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
	       n, atomic_load(&failures), seconds, (double)n / seconds, percentile(0.5),
	       percentile(0.9), percentile(0.99), percentile(1));
}

static void run_clients(void *(*run)(void *))
{
	static struct client clients[CLIENTS_MAX];

	begin = now();
	for (int i = 0; i < options.clients; i++) {
		clients[i].number = i;
		clients[i].c.fd = -1;
		if (pthread_create(&clients[i].thread, NULL, run, &clients[i]))
			fail("thread");
	}
	for (int i = 0; i < options.clients; i++)
		pthread_join(clients[i].thread, NULL);
	report(now() - begin);
}

static bool take(const char *name, const char *value)
{
	struct {
		const char *name;
		int *to;
	} numbers[] = { { "--port", &options.port },
			{ "--smtp-port", &options.smtp_port },
			{ "--clients", &options.clients },
			{ "--accounts", &options.accounts },
			{ "--per-connection", &options.per_connection } };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].to = (int)strtol(value, NULL, 10);
			return true;
		}
	}
	if (strcmp(name, "--messages") == 0)
		options.messages = strtol(value, NULL, 10);
	else if (strcmp(name, "--size") == 0)
		options.size = strtol(value, NULL, 10);
	else if (strcmp(name, "--rate") == 0)
		options.rate = strtod(value, NULL);
	else if (strcmp(name, "--tls") == 0)
		options.tls = true;
	else if (strcmp(name, "--domain") == 0)
		options.domain = value;
	else if (strcmp(name, "--auth") == 0)
		options.password = value;
	else if (strcmp(name, "--user") == 0)
		options.user = value;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int i = 2;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		if (strcmp(argv[i], "--clear") == 0) {
			options.clear = true;
			i++;
		} else if (i + 1 < argc && take(argv[i], argv[i + 1])) {
			i += 2;
		} else {
			fprintf(stderr, "bench-load: what is %s?\n", argv[i]);
			return 2;
		}
	}
	if (options.clients < 1 || options.clients > CLIENTS_MAX || options.accounts < 1)
		return 2;
	tls = SSL_CTX_new(TLS_client_method());
	latencies = calloc(LATENCIES_MAX, sizeof(*latencies));
	make_body();
	if (strcmp(mode, "smtp") == 0)
		run_clients(run_smtp);
	else if (strcmp(mode, "login") == 0)
		run_clients(run_login);
	else if (strcmp(mode, "append") == 0)
		run_clients(run_append);
	else if (strcmp(mode, "imap") == 0)
		run_imap(argc - i, argv + i);
	else if (strcmp(mode, "idle") == 0) {
		run_idle();
		report(now() - begin);
	} else {
		fprintf(stderr, "bench-load: smtp, login, append, imap or idle?\n");
		return 2;
	}
	return atomic_load(&failures) > 0;
}
