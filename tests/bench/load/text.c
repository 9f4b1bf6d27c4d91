/*
 * load/text.c: messages as people write them, all different, the same in every run.
 *
 * Small ones are text of invented words, of which a few are frequent: it compresses about as written
 * language does.  Above ATTACHED_FROM a message is a short text and an attachment in base64 of random
 * octets, which hardly compresses.  Both are cut from pools made at the start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum {
	LINE = 76,
	POOL = 4 << 20,
	WORDS = 4096,
	WORD_MAX = 12,
	ATTACHED_FROM = 16 << 10,
	LETTER = 1500, /* text above an attachment */
	NEEDLE_EVERY = 100, /* every such subject has "needle" in it */
};

static char *prose, *attachment;
static size_t prose_n, attachment_n;

static unsigned long long draw(unsigned long long *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void make_words(char words[WORDS][WORD_MAX + 1], unsigned long long *random)
{
	static const char vowels[] = "aeiou", consonants[] = "bcdfghklmnprstvwz";

	for (size_t i = 0; i < WORDS; i++) {
		size_t n = 2 + draw(random) % (WORD_MAX - 2);

		for (size_t j = 0; j < n; j++)
			words[i][j] =
				j % 2 ? vowels[draw(random) % 5] : consonants[draw(random) % 17];
		words[i][n] = 0;
	}
}

static void make_prose(unsigned long long *random)
{
	static char words[WORDS][WORD_MAX + 1];
	size_t column = 0;

	make_words(words, random);
	prose = malloc(POOL);
	while (prose_n + 2 * LINE < POOL) {
		/* The product of two draws: low numbers are frequent, as words are. */
		const char *word = words[(draw(random) % 64) * (draw(random) % 64)];
		size_t n = strlen(word);

		if (column + n + 1 > LINE - 2) {
			memcpy(prose + prose_n, "\r\n", 2);
			prose_n += 2;
			column = 0;
		}
		memcpy(prose + prose_n, word, n);
		prose[prose_n + n] = ' ';
		prose_n += n + 1;
		column += n + 1;
	}
	memcpy(prose + prose_n, "\r\n", 2);
	prose_n += 2;
}

static void make_attachment(unsigned long long *random)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	attachment = malloc(POOL);
	while (attachment_n + LINE + 2 <= POOL) {
		for (size_t i = 0; i < LINE; i++)
			attachment[attachment_n++] = digits[draw(random) % 64];
		attachment[attachment_n++] = '\r';
		attachment[attachment_n++] = '\n';
	}
}

void text_setup(void)
{
	unsigned long long random = 88172645463325252ULL;

	make_prose(&random);
	make_attachment(&random);
}

/* About n octets of whole lines from anywhere in the pool. */
static void add_lines(struct text *t, const char *pool, size_t pool_n, size_t n)
{
	while (n > 0) {
		size_t most = n < pool_n / 2 ? n : pool_n / 2;
		size_t from = draw(&t->random) % (pool_n - most);
		const char *start = memchr(pool + from, '\n', pool_n - from);
		const char *end;

		if (!start || (size_t)(pool + pool_n - start - 1) < most)
			continue;
		start++;
		end = memchr(start + most - 1, '\n', (size_t)(pool + pool_n - start) - most + 1);
		most = (size_t)(end + 1 - start);
		memcpy(t->p + t->n, start, most);
		t->n += most;
		n -= most < n ? most : n;
	}
}

static void add(struct text *t, const char *s)
{
	size_t n = strlen(s);

	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static long size_of(struct text *t)
{
	unsigned long long d = draw(&t->random) % 100;

	if (options.size > 0)
		return options.size;
	return d < 70 ? 2048 : d < 90 ? 8192 : d < 99 ? 40960 : 512 << 10;
}

static void add_header(struct text *t, long m)
{
	char user[300];

	account_name((int)(m % options.accounts), user, sizeof(user));
	/* Who has logged in must write under an address of its own. */
	t->n = (size_t)snprintf(t->p, t->room,
				"From: Some Sender <%s>\r\nTo: <%s>\r\n"
				"Subject: Letter %ld about %s %.20s\r\nDate: Fri, 20 Nov 2026 "
				"10:%02ld:%02ld +0000\r\n"
				"Message-ID: <%llx.%ld@client.test>\r\nMIME-Version: 1.0\r\n",
				options.password ? user : "sender@client.test", user, m,
				m % NEEDLE_EVERY == 0 ? "a needle" : "the hay",
				prose + (size_t)(m % 1000) * 2 * LINE + 2, m / 60 % 60, m % 60,
				draw(&t->random), m);
	/* A subject cut from prose may have had the end of a line in it. */
	for (char *p = strstr(t->p, "Subject:"), *end = strstr(p, "\r\nDate:"); p < end; p++)
		if (*p == '\r' || *p == '\n')
			*p = 'x';
}

void text_make(struct text *t, long m)
{
	size_t size;

	if (t->random == 0)
		t->random = 0x9E3779B97F4A7C15ULL ^ (unsigned long long)(m + 1) * 2654435761ULL;
	size = (size_t)size_of(t);
	if (t->room < size + 4096) {
		t->room = size + 4096;
		t->p = realloc(t->p, t->room);
	}
	add_header(t, m);
	if (size < ATTACHED_FROM) {
		add(t, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
		if (size > t->n + LINE)
			add_lines(t, prose, prose_n, size - t->n - LINE / 2);
	} else {
		add(t, "Content-Type: multipart/mixed; boundary=\"=_part_7\"\r\n\r\n"
		       "--=_part_7\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
		add_lines(t, prose, prose_n, LETTER);
		add(t, "--=_part_7\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\n"
		       "Content-Transfer-Encoding: base64\r\n"
		       "Content-Disposition: attachment; filename=\"data.bin\"\r\n\r\n");
		add_lines(t, attachment, attachment_n, size - t->n - LINE / 2);
		add(t, "--=_part_7--\r\n");
	}
	add(t, ".\r\n");
}

size_t text_size(const struct text *t)
{
	return t->n - 3;
}
