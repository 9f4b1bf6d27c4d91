/*
 * Tests of roles/mailbox/imap: SEARCH, and synchronisation by CONDSTORE and QRESYNC.
 */
#include "imap_fixture.h"

static void searches(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "\\Seen", simple);
	append(f, s, "INBOX", "\\Flagged", nested);
	append(f, s, "INBOX", "",
	       "From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\nX-Tag: blue\r\n"
	       "Subject: =?utf-8?b?w4RwZmVs?=\r\n\r\nnothing\r\n");
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a SEARCH SEEN\r\n", "** SEARCH 1\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH NOT SEEN\r\n", "** SEARCH 2 3\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH OR SEEN FLAGGED UNDELETED\r\n", "** SEARCH 1 2\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH FROM ann\r\n", "** SEARCH 1\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH SUBJECT HELLO\r\n", "** SEARCH 1\r\na OK *\r\n");
	assert_talk(f, s,
		    "a SEARCH CHARSET UTF-8 FROM {7}\r\nJ\xc3\xbcrgen SUBJECT \"\xc3\xa4PFEL\"\r\n",
		    "+ *\r\n** SEARCH 3\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH HEADER X-Tag BLUE\r\n", "** SEARCH 3\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH HEADER Message-ID \"\"\r\n", "** SEARCH 1\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH BODY \"hello world\"\r\n", "** SEARCH 2\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH TEXT inner\r\n", "** SEARCH 2\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH TEXT absent\r\n", "** SEARCH\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH ON 21-Nov-2026 UID 2:*\r\n", "** SEARCH 2 3\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH LARGER 155\r\n", "** SEARCH 2\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH RETURN (MIN MAX COUNT) ALL\r\n",
		    "** ESEARCH (TAG \"a\") MIN 1 MAX 3 COUNT 3\r\na OK *\r\n");
	assert_talk(f, s, "a UID SEARCH RETURN () 1,3\r\n",
		    "** ESEARCH (TAG \"a\") UID ALL 1,3\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH RETURN (PARTIAL 2:5) ALL\r\n",
		    "** ESEARCH (TAG \"a\") PARTIAL (2:5 2:3)\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH RETURN (PARTIAL -1:-2) ALL\r\n",
		    "** ESEARCH (TAG \"a\") PARTIAL (-1:-2 2:3)\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH RETURN (PARTIAL 9:10) ALL\r\n",
		    "** ESEARCH (TAG \"a\") PARTIAL (9:10 NIL)\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH RETURN (SAVE) UNSEEN\r\nb FETCH $ UID\r\n",
		    "a OK *\r\n** 2 FETCH (UID 2)\r\n** 3 FETCH (UID 3)\r\nb OK *\r\n");
	assert_talk(f, s, "a SEARCH $ FLAGGED\r\n", "** SEARCH 2\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH CHARSET KOI8-R ALL\r\n", "a NO [BADCHARSET (*)] *\r\n");
	assert_talk(f, s, "a SEARCH MODSEQ 1\r\n",
		    "** OK [HIGHESTMODSEQ *] *\r\n** SEARCH 1 2 3 (MODSEQ *)\r\na OK *\r\n");
	talk(f, s, "a ENABLE IMAP4rev2\r\n");
	assert_talk(f, s, "a SEARCH ALL\r\n", "** ESEARCH (TAG \"a\") ALL 1:3*\r\na OK *\r\n");
	imap_session_free(&s);
}

/* In the words of the client, whatever the sender's charset was; from the columns and from the octets. */
static void charsets(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "",
	       "Subject: =?gb2312?B?xOO6ww==?=\r\nContent-Type: text/plain; charset=koi8-r\r\n"
	       "Content-Transfer-Encoding: 8bit\r\n\r\n\xe4\xc1\r\n");
	append(f, s, "INBOX", "",
	       "Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n"
	       "From: =?windows-1251?Q?=C4=E0?= <a@example.test>\r\n\r\nx\r\n");
	talk(f, s, "a SELECT INBOX\r\n");
	talk(f, s, "a ENABLE UTF8=ACCEPT\r\n");
	for (int i = 0; i < 2; i++) { /* the second time out of the cache */
		assert_talk(f, s, "a SEARCH SUBJECT \"你好\"\r\n", "** SEARCH 1\r\na OK *\r\n");
		assert_talk(f, s, "a SEARCH SUBJECT \"日本\"\r\n", "** SEARCH 2\r\na OK *\r\n");
		assert_talk(f, s, "a SEARCH FROM \"дА\"\r\n", "** SEARCH 2\r\na OK *\r\n");
		assert_talk(f, s, "a SEARCH BODY \"ДА\"\r\n", "** SEARCH 1\r\na OK *\r\n");
	}
	imap_session_free(&s);
}

/* What needs kept columns. */
static void kept_columns(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "", simple);
	append(f, s, "INBOX", "", nested);
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a SEARCH SENTON 15-Feb-2007\r\n", "** SEARCH 1\r\na OK *\r\n");
	assert_talk(f, s, "a SEARCH SENTSINCE 16-Feb-2007\r\n", "** SEARCH\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1:2 PREVIEW\r\n",
		    "** 1 FETCH (PREVIEW \"body one\")\r\n** 2 FETCH (PREVIEW \"hello world\")\r\n"
		    "a OK *\r\n");
	assert_talk(f, s, "a FETCH 2,1 (UID ENVELOPE BODY.PEEK[HEADER.FIELDS (Date)])\r\n",
		    "** 1 FETCH (UID 1 ENVELOPE (*) BODY[HEADER.FIELDS (Date)] {41}\r\nDate: "
		    "*\r\n\r\n)\r\n"
		    "** 2 FETCH (UID 2 ENVELOPE (*) BODY[HEADER.FIELDS (Date)] {2}\r\n\r\n)\r\na "
		    "OK *\r\n");
	imap_session_free(&s);
}

static int64_t racing_clock(void)
{
	return fixture_now += 50;
}

/* A search that takes longer than it may is ended; the session goes on. */
static void a_long_search_ends(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s;

	f->config.search_ms = 1000;
	s = session_open(f);
	for (int i = 0; i < 40; i++)
		append(f, s, "INBOX", "", simple);
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a SEARCH TEXT absent\r\n", "** SEARCH\r\na OK *\r\n");
	f->config.mono_ms = racing_clock;
	assert_talk(f, s, "a SEARCH TEXT absent\r\nb NOOP\r\n", "a NO [LIMIT] *\r\nb OK *\r\n");
	imap_session_free(&s);
}

/* Between the slices of one session's search another one is served. */
static void searches_share_the_process(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	for (int i = 0; i < 40; i++)
		append(f, s, "INBOX", "", simple);
	talk(f, s, "a SELECT INBOX\r\n");
	f->config.mono_ms = racing_clock;
	imap_session_input(s, VIEW("a SEARCH TEXT absent\r\nb NOOP\r\n"));
	assert_int_equal(imap_session_output(s).n, 0);
	assert_true(imap_session_run(s));
	assert_int_equal(imap_session_output(s).n, 0);
	imap_session_bye(s, "Going down");
	assert_true(imap_session_closed(s));
	assert_view(imap_session_output(s), "* BYE Going down\r\n");
	imap_session_free(&s);
}

static void condstore(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "", simple);
	append(f, s, "INBOX", "", simple);
	talk(f, s, "a SELECT INBOX (CONDSTORE)\r\n");
	assert_talk(f, s, "a STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)\r\n",
		    "** 1 FETCH (MODSEQ (*) FLAGS (\\Recent))\r\na OK [MODIFIED 1] *\r\n");
	assert_talk(f, s, "a STORE 1 +FLAGS.SILENT (\\Seen)\r\n",
		    "** 1 FETCH (MODSEQ (*))\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1:* (FLAGS) (CHANGEDSINCE 99999)\r\n", "a OK *\r\n");
	assert_talk(f, s, "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)\r\n", "a BAD *\r\n");
	assert_talk(f, s, "a FETCH 2 MODSEQ\r\n", "** 2 FETCH (MODSEQ (*))\r\na OK *\r\n");
	imap_session_free(&s);
}

static void qresync(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);
	unsigned validity;
	unsigned long long modseq;
	char say[128];
	const char *heard;

	for (int i = 0; i < 4; i++)
		append(f, s, "INBOX", "", simple);
	assert_talk(f, s, "a SELECT INBOX (QRESYNC (1 1))\r\n", "a BAD *\r\n");
	assert_talk(f, s, "a ENABLE QRESYNC\r\n", "** ENABLED QRESYNC\r\na OK *\r\n");
	heard = talk(f, s, "a SELECT INBOX\r\n");
	assert_int_equal(sscanf(strstr(heard, "[UIDVALIDITY"), "[UIDVALIDITY %u]", &validity), 1);
	assert_int_equal(sscanf(strstr(heard, "[HIGHESTMODSEQ"), "[HIGHESTMODSEQ %llu]", &modseq),
			 1);
	talk(f, s, "a STORE 2,3 +FLAGS (\\Deleted)\r\n");
	assert_talk(f, s, "a EXPUNGE\r\n", "** VANISHED 2:3\r\na OK [HIGHESTMODSEQ *] *\r\n");
	talk(f, s, "a STORE 2 +FLAGS (\\Seen)\r\n");
	talk(f, s, "a UNSELECT\r\n");
	snprintf(say, sizeof(say), "a SELECT INBOX (QRESYNC (%u %llu 1:4))\r\n", validity, modseq);
	assert_heard(f, s, say, "* VANISHED (EARLIER) 2:3\r\n* 2 FETCH (UID 4 MODSEQ (");
	snprintf(say, sizeof(say), "a UID FETCH 1:* FLAGS (CHANGEDSINCE %llu VANISHED)\r\n",
		 modseq);
	assert_heard(f, s, say, "* VANISHED (EARLIER) 2:3\r\n* 2 FETCH (UID 4 MODSEQ (");
	imap_session_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
		TEST(searches),
		cmocka_unit_test_setup_teardown(searches, fixture_setup_bare, fixture_teardown),
		TEST(charsets),
		cmocka_unit_test_setup_teardown(charsets, fixture_setup_bare, fixture_teardown),
		TEST(kept_columns),
		TEST(a_long_search_ends),
		TEST(searches_share_the_process),
		TEST(condstore),
		TEST(qresync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
