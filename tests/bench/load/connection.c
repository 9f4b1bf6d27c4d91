/*
 * load/connection.c: lines over TCP or TLS, replies of SMTP, answers of IMAP.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { ROOM = 1 << 18 };

static SSL_CTX *tls;

void connection_setup(void)
{
	tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(tls, SSL_MODE_AUTO_RETRY);
	/* Every connection is a new one, as for a client that was just started. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
}

bool connection_open(struct connection *c, int port, bool encrypted)
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

void connection_close(struct connection *c)
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

bool connection_put(struct connection *c, const char *bytes, size_t n)
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

bool connection_say(struct connection *c, const char *format, ...)
{
	char line[2048];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return (size_t)n < sizeof(line) && connection_put(c, line, (size_t)n);
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

const char *connection_line(struct connection *c, size_t *ret_n)
{
	size_t searched = 0;

	for (;;) {
		char *start = c->room + c->at;
		char *nl = memchr(start + searched, '\n', c->n - c->at - searched);

		if (nl) {
			*ret_n = (size_t)(nl - start);
			c->at += *ret_n + 1;
			return start;
		}
		searched = c->n - c->at;
		if (!more(c))
			return NULL;
	}
}

int smtp_reply(struct connection *c)
{
	const char *l;
	size_t n;

	do {
		l = connection_line(c, &n);
		if (!l || n < 3)
			return 0;
	} while (n > 3 && l[3] == '-');
	return (l[0] - '0') * 100 + (l[1] - '0') * 10 + (l[2] - '0');
}

static bool skip(struct connection *c, size_t n)
{
	while (n > 0) {
		size_t have = c->n - c->at;
		size_t take = have < n ? have : n;

		c->at += take;
		n -= take;
		if (n > 0 && !more(c))
			return false;
	}
	return true;
}

static bool begins(const char *l, size_t n, const char *word)
{
	size_t word_n = strlen(word);

	return n >= word_n && memcmp(l, word, word_n) == 0;
}

/* One untagged line; l[n] is its LF, so that strtol stops there. */
static void look_at(const char *l, size_t n, struct answer *a)
{
	char *end;
	long number;
	const char *found;

	a->lines++;
	if (begins(l, n, "* SEARCH")) {
		for (size_t i = 8; i < n; i++)
			a->numbers +=
				l[i] == ' ' && i + 1 < n && l[i + 1] >= '0' && l[i + 1] <= '9';
		return;
	}
	if (begins(l, n, "* STATUS")) {
		found = memmem(l, n, "MESSAGES ", 9);
		if (found)
			a->messages = strtol(found + 9, NULL, 10);
		return;
	}
	number = strtol(l + 2, &end, 10);
	if (begins(end, n - (size_t)(end - l), " EXISTS"))
		a->exists = number;
}

bool imap_answer(struct connection *c, const char *tag, struct answer *ret)
{
	struct answer unused, *a = ret ? ret : &unused;
	size_t tag_n = strlen(tag), n;
	bool inside = false; /* behind a literal, in the middle of a response */
	const char *l;

	*a = (struct answer){ .exists = -1, .messages = -1 };
	while ((l = connection_line(c, &n))) {
		const char *brace = n > 2 && l[n - 2] == '}' ? memrchr(l, '{', n) : NULL;
		long literal = brace ? strtol(brace + 1, NULL, 10) : 0;

		if (!inside && n > tag_n && begins(l, n, tag) && l[tag_n] == ' ')
			return begins(l + tag_n + 1, n - tag_n - 1, "OK");
		if (!inside && begins(l, n, "* "))
			look_at(l, n, a);
		inside = brace != NULL;
		if (literal > 0 && !skip(c, (size_t)literal))
			return false;
	}
	return false;
}

bool imap_login(struct connection *c, int port, const char *user, const char *password)
{
	size_t n;

	return connection_open(c, port, !options.clear) && connection_line(c, &n) &&
	       connection_say(c, "a LOGIN \"%s\" \"%s\"\r\n", user, password) &&
	       imap_answer(c, "a", NULL);
}
