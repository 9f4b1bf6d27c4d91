/*
 * imap_fixture.h: an account with a store in a temporary folder, and sessions that are talked to.
 */
#ifndef IMAP_FIXTURE_H
#define IMAP_FIXTURE_H

#include "folder.h"

#include "base/buf.h"
#include "proto/mime/charset_table.h"
#include "roles/mailbox/imap/digest.h"
#include "roles/mailbox/imap/search_cache.h"
#include "roles/mailbox/imap/session.h"

UNUSED static const char simple[] = "From: Ann <ann@example.test>\r\n"
				    "To: Bob <bob@example.test>\r\n"
				    "Subject: Hello\r\n"
				    "Date: Thu, 15 Feb 2007 01:02:03 +0200\r\n"
				    "Message-ID: <1@example.test>\r\n"
				    "\r\n"
				    "body one\r\n";

UNUSED static const char nested[] = "From: a@example.test\r\n"
				    "Content-Type: multipart/mixed; boundary=\"b\"\r\n"
				    "\r\n"
				    "--b\r\n"
				    "Content-Type: text/plain; charset=utf-8\r\n"
				    "Content-Transfer-Encoding: base64\r\n"
				    "\r\n"
				    "aGVsbG8gd29ybGQ=\r\n"
				    "--b\r\n"
				    "Content-Type: message/rfc822\r\n"
				    "\r\n"
				    "Subject: inner\r\n"
				    "X-A: 1\r\n"
				    "\r\n"
				    "inner body\r\n"
				    "--b--\r\n";

struct fixture {
	char path[FOLDER_PATH_MAX];
	int dir;
	struct store *store;
	struct store_key key;
	struct digest_maker digest;
	struct search_cache search_cache;
	struct imap_session_config config;
	unsigned wakes;
	struct buf heard; /* what the last talk answered */
};

static int64_t fixture_now = 1000; /* milliseconds, moved by tests */

static inline int64_t fixture_mono(void)
{
	return fixture_now;
}

static inline int64_t fixture_wall(void)
{
	return 1795232934; /* 2026-11-21 03:48:54 UTC */
}

static inline void fixture_wake(void *ctx)
{
	struct fixture *f = ctx;

	f->wakes++;
}

static inline int fixture_open(void **state, bool digests, uint64_t quota)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct store_keys keys;
	struct store_config config;

	assert_non_null(f);
	keys = (struct store_keys){ &f->key, 1 };
	f->dir = folder_new(f->path, "imap");
	f->key.generation = 1;
	memset(f->key.key, 0x5a, sizeof(f->key.key));
	digest_maker_init(&f->digest, &mime_table_converter);
	search_cache_init(&f->search_cache);
	config = (struct store_config){ .account = 7,
					.quota_bytes = quota,
					.digest = digests ? mailbox_digest : NULL,
					.digest_ctx = &f->digest };
	assert_int_equal(store_open(f->dir, &keys, &config, &f->store), OK);
	f->config = (struct imap_session_config){ .store = f->store,
						  .account = VIEW("user@example.test"),
						  .mono_ms = fixture_mono,
						  .wall = fixture_wall,
						  .converter = &mime_table_converter,
						  .search_cache = &f->search_cache };
	buf_init(&f->heard, (size_t)1 << 28);
	*state = f;
	return 0;
}

static inline int fixture_setup(void **state)
{
	return fixture_open(state, true, 0);
}

/* Nothing is kept beside the messages: everything comes from their octets. */
static inline int fixture_setup_bare(void **state)
{
	return fixture_open(state, false, 0);
}

static inline int fixture_setup_quota(void **state)
{
	return fixture_open(state, true, 1000);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_abort(&f->store);
	digest_maker_done(&f->digest);
	search_cache_clear(&f->search_cache);
	buf_done(&f->heard);
	folder_remove(f->dir, f->path);
	free(f);
	return 0;
}

static inline struct imap_session *session_open(struct fixture *f)
{
	struct imap_session_hooks hooks = { .ctx = f, .wake = fixture_wake };
	struct imap_session *s = NULL;

	assert_int_equal(imap_session_new(&f->config, &hooks, VIEW_EMPTY, &s), OK);
	return s;
}

/* Run until the session waits; output leaves at most `window` octets at a time. */
static inline void session_turns(struct fixture *f, struct imap_session *s, struct view input,
				 size_t window)
{
	bool more = true;

	for (unsigned turns = 0; more && turns < 1000000; turns++) {
		size_t taken = imap_session_input(s, input);
		struct view out;

		input = view_from(input, taken);
		more = imap_session_run(s) || taken;
		out = view_head(imap_session_output(s), window);
		assert_true(imap_session_output(s).n <= IMAP_OUTPUT_MAX);
		buf_add(&f->heard, out);
		imap_session_sent(s, out.n);
		more = more || out.n || (input.n && taken);
	}
	assert_int_equal(f->heard.err, OK);
}

/* Say something and hear the answer.  Borrowed until the next talk. */
static inline const char *talk(struct fixture *f, struct imap_session *s, const char *text)
{
	buf_clear(&f->heard);
	session_turns(f, s, view_str(text), SIZE_MAX);
	return buf_cstr(&f->heard);
}

/* "*" in a pattern stands for anything without a line end. */
static inline bool glob(const char *pattern, const char *text)
{
	const char *star = NULL;
	const char *back = NULL;

	while (*text) {
		if (*pattern == '*' && pattern[1] == '*') { /* "**" is a star */
			if (*text == '*') {
				pattern += 2;
				text++;
				continue;
			}
		} else if (*pattern == '*') {
			star = pattern++;
			back = text;
			continue;
		} else if (*pattern == *text) {
			pattern++;
			text++;
			continue;
		}
		if (!star || *back == '\n')
			return false;
		pattern = star + 1;
		text = ++back;
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

#define assert_talk(f, s, say, pattern) talk_at((f), (s), (say), (pattern), __FILE__, __LINE__)

static inline void talk_at(struct fixture *f, struct imap_session *s, const char *say,
			   const char *pattern, const char *file, int line)
{
	const char *got = talk(f, s, say);

	if (glob(pattern, got))
		return;
	print_error("C: %s\nS: %s\nwanted: %s\n", say, got, pattern);
	_fail(file, line);
}

/* The answer to say contains part. */
#define assert_heard(f, s, say, part) heard_at((f), (s), (say), (part), __FILE__, __LINE__)

static inline void heard_at(struct fixture *f, struct imap_session *s, const char *say,
			    const char *part, const char *file, int line)
{
	const char *got = talk(f, s, say);

	if (strstr(got, part))
		return;
	print_error("C: %s\nS: %s\nno: %s\n", say, got, part);
	_fail(file, line);
}

static inline void append(struct fixture *f, struct imap_session *s, const char *mailbox,
			  const char *flags, const char *message)
{
	struct buf CLEANUP(buf_done) say = BUF_INIT((size_t)1 << 26);

	buf_addf(&say, "ap APPEND %s (%s) {%zu}\r\n%s\r\n", mailbox, flags, strlen(message),
		 message);
	assert_heard(f, s, buf_cstr(&say), "ap OK");
}

#endif
