/*
 * load/main.c: options, threads, figures.
 *
 *	bench-load smtp   --port P --clients N --accounts A [--tls] [--auth PASSWORD] [--pipelining]
 *			  [--per-connection K] [--imap-port Q --imap-auth PASSWORD]
 *	bench-load login  --port P --clients N --accounts A --auth PASSWORD
 *	bench-load append --port P --clients N --accounts A --auth PASSWORD [--user U]
 *	bench-load store  --port P --auth PASSWORD [--user U] [--flag FLAG]
 *	bench-load idle   --port P --smtp-port Q --auth PASSWORD [--user U] --rate R
 *	bench-load imap   --port P --auth PASSWORD [--user U] COMMAND...
 *
 * All: --messages M at most, --seconds S begin none after, --size OCTETS (0: mixed), --rate R a second,
 * --domain D, --clear IMAP without TLS.  smtp: the replies to the final dot are timed; with --imap-port it
 * then waits until every account shows what was accepted for it.  login: connection, TLS and log-in.
 * idle: from the end of the text to the EXISTS of another session.  imap: each command to its tagged reply.
 *
 * The result is one line of JSON; the exit code 1 when anything failed.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { LATENCIES_MAX = 4000000, FAILURES_MAX = 1000 };

struct options options = {
	.clients = 1,
	.accounts = 1,
	.per_connection = 100,
	.messages = 1000000000,
	.size = 2048,
	.patience = 30,
	.domain = "example.test",
	.flag = "\\Flagged",
};

static atomic_long given;
static double *latencies;
static atomic_long latency_count;
static atomic_long failures;
static atomic_llong octets;
static char first_failure[300];
static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static double begin;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void account_name(int number, char *ret, size_t n)
{
	snprintf(ret, n, "user%d@%s", number, options.domain);
}

long next_message(void)
{
	long m = atomic_fetch_add(&given, 1);
	double wait = options.rate > 0 ? begin + (double)m / options.rate - now() : 0;

	if (m >= options.messages || atomic_load(&failures) >= FAILURES_MAX)
		return -1;
	if (wait > 0)
		usleep((unsigned)(wait * 1e6));
	return options.seconds > 0 && now() - begin > options.seconds ? -1 : m;
}

void add_latency(double seconds)
{
	long at = atomic_fetch_add(&latency_count, 1);

	if (at < LATENCIES_MAX)
		latencies[at] = seconds;
}

void add_octets(size_t n)
{
	atomic_fetch_add(&octets, (long long)n);
}

/* The last line that came is most often the reason; quotes are taken out of it. */
void add_failure(const struct connection *c, const char *what)
{
	pthread_mutex_lock(&failure_lock);
	if (atomic_fetch_add(&failures, 1) == 0) {
		const char *l = c->room && c->at > 0 ? c->room + c->at - 1 : "";
		size_t n = 0;

		while (c->room && l > c->room && l[-1] != '\n')
			l--;
		while (c->room && l + n < c->room + c->at && l[n] != '\r' && l[n] != '\n')
			n++;
		snprintf(first_failure, sizeof(first_failure), "%s: %.*s", what,
			 (int)(n > 200 ? 200 : n), l);
		for (char *p = first_failure; *p; p++)
			if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
				*p = ' ';
	}
	pthread_mutex_unlock(&failure_lock);
	usleep(1000);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(long n, double p)
{
	return n ? latencies[(long)(ceil((double)n * p) > 0 ? ceil((double)n * p) - 1 : 0)] * 1000
		 : 0;
}

static void print_result(double seconds, long delivered, double delivered_seconds)
{
	long n = atomic_load(&latency_count);
	long kept = n < LATENCIES_MAX ? n : LATENCIES_MAX;

	qsort(latencies, (size_t)kept, sizeof(*latencies), compare);
	printf("{\"done\":%ld,\"failed\":%ld,\"error\":\"%s\",\"seconds\":%.4f,\"octets\":%lld,", n,
	       atomic_load(&failures), first_failure, seconds, atomic_load(&octets));
	printf("\"per_second\":%.2f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%."
	       "3f",
	       (double)n / seconds, percentile(kept, 0.5), percentile(kept, 0.9),
	       percentile(kept, 0.99), percentile(kept, 1));
	if (options.imap_port)
		printf(",\"delivered\":%ld,\"delivered_seconds\":%.4f,"
		       "\"delivered_per_second\":%.2f",
		       delivered, delivered_seconds, (double)delivered / delivered_seconds);
	printf("}\n");
}

static void run_clients(void *(*run)(void *))
{
	static struct client clients[CLIENTS_MAX];
	double seconds;
	long delivered = 0;

	if (options.imap_port && !watch_begin()) {
		print_result(1, 0, 1);
		return;
	}
	begin = now();
	for (int i = 0; i < options.clients; i++) {
		clients[i].number = i;
		clients[i].c.fd = -1;
		if (pthread_create(&clients[i].thread, NULL, run, &clients[i])) {
			fprintf(stderr, "bench-load: thread: %s\n", strerror(errno));
			exit(1);
		}
	}
	for (int i = 0; i < options.clients; i++)
		pthread_join(clients[i].thread, NULL);
	seconds = now() - begin;
	if (options.imap_port)
		delivered = watch_end();
	print_result(seconds, delivered, now() - begin);
}

static void run_alone(void (*run)(void))
{
	begin = now();
	run();
	print_result(now() - begin, 0, 1);
}

static bool take_number(const char *name, const char *value)
{
	struct {
		const char *name;
		int *to;
	} rows[] = {
		{ "--port", &options.port },
		{ "--smtp-port", &options.smtp_port },
		{ "--imap-port", &options.imap_port },
		{ "--clients", &options.clients },
		{ "--accounts", &options.accounts },
		{ "--per-connection", &options.per_connection },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) == 0) {
			*rows[i].to = (int)strtol(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool take(const char *name, const char *value)
{
	struct {
		const char *name;
		const char **to;
	} rows[] = {
		{ "--domain", &options.domain },
		{ "--auth", &options.password },
		{ "--imap-auth", &options.imap_password },
		{ "--user", &options.user },
		{ "--flag", &options.flag },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) == 0) {
			*rows[i].to = value;
			return true;
		}
	}
	if (strcmp(name, "--messages") == 0)
		options.messages = strtol(value, NULL, 10);
	else if (strcmp(name, "--size") == 0)
		options.size = strtol(value, NULL, 10);
	else if (strcmp(name, "--seconds") == 0)
		options.seconds = strtod(value, NULL);
	else if (strcmp(name, "--rate") == 0)
		options.rate = strtod(value, NULL);
	else if (strcmp(name, "--patience") == 0)
		options.patience = strtod(value, NULL);
	else
		return take_number(name, value);
	return true;
}

/* Returns the index of the first word that is no option, -1 for a mistake. */
static int take_options(int argc, char **argv)
{
	int i = 2;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		bool *flag = strcmp(argv[i], "--clear") == 0	    ? &options.clear
			     : strcmp(argv[i], "--tls") == 0	    ? &options.tls
			     : strcmp(argv[i], "--pipelining") == 0 ? &options.pipelining
								    : NULL;

		if (flag) {
			*flag = true;
			i++;
		} else if (i + 1 < argc && take(argv[i], argv[i + 1])) {
			i += 2;
		} else {
			fprintf(stderr, "bench-load: what is %s?\n", argv[i]);
			return -1;
		}
	}
	if (options.clients < 1 || options.clients > CLIENTS_MAX || options.accounts < 1 ||
	    options.accounts > ACCOUNTS_MAX) {
		fprintf(stderr, "bench-load: up to %d clients and %d accounts\n", CLIENTS_MAX,
			ACCOUNTS_MAX);
		return -1;
	}
	return i;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int rest = take_options(argc, argv);

	if (rest < 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	connection_setup();
	text_setup();
	latencies = calloc(LATENCIES_MAX, sizeof(*latencies));
	if (strcmp(mode, "smtp") == 0)
		run_clients(smtp_client);
	else if (strcmp(mode, "login") == 0)
		run_clients(login_client);
	else if (strcmp(mode, "append") == 0)
		run_clients(append_client);
	else if (strcmp(mode, "store") == 0)
		run_alone(store_run);
	else if (strcmp(mode, "idle") == 0)
		run_alone(idle_run);
	else if (strcmp(mode, "imap") == 0)
		imap_run(argc - rest, argv + rest);
	else {
		fprintf(stderr, "bench-load: smtp, login, append, store, idle or imap?\n");
		return 2;
	}
	return atomic_load(&failures) > 0;
}
