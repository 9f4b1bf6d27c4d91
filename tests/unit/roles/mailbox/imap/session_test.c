/*
 * Tests of roles/mailbox/imap: dialogues with a session on a real store.
 */
#include "imap_fixture.h"

static void says_who_is_logged_in(void **state)
{
	struct fixture *f = *state;
	struct imap_session_hooks hooks = { .ctx = f, .wake = fixture_wake };
	struct imap_session *s = NULL;

	assert_int_equal(imap_session_new(&f->config, &hooks, VIEW("a1"), &s), OK);
	assert_talk(f, s, "", "a1 OK [CAPABILITY IMAP4rev1 IMAP4rev2 *] Logged in\r\n");
	imap_session_free(&s);
	assert_null(s);
}

static void any_state_commands(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	assert_talk(f, s, "a CAPABILITY\r\n", "** CAPABILITY IMAP4rev1 *\r\na OK *\r\n");
	assert_talk(f, s, "a NOOP\r\nb noop \r\n", "a OK *\r\nb OK *\r\n");
	assert_talk(f, s, "a ID NIL\r\n", "** ID (*)\r\na OK *\r\n");
	assert_talk(f, s, "a ID (\"name\" \"x\" \"version\" NIL)\r\n", "** ID (*)\r\na OK *\r\n");
	assert_talk(f, s, "a NAMESPACE\r\n", "** NAMESPACE ((\"\" \"/\")) NIL NIL\r\na OK *\r\n");
	assert_talk(f, s, "a FROB\r\n", "a BAD Unknown command\r\n");
	assert_talk(f, s, "a LOGIN x y\r\n", "a BAD Not allowed now\r\n");
	assert_talk(f, s, "a FETCH 1 FLAGS\r\n", "a BAD Not allowed now\r\n");
	assert_talk(f, s, "a APPEND INBOX\r\n", "a BAD *\r\n");
	assert_talk(f, s, "\r\n", "** BAD *\r\n");
	assert_talk(f, s, "a LOGOUT\r\n", "** BYE *\r\na OK *\r\n");
	assert_true(imap_session_closed(s));
	imap_session_free(&s);
}

static void too_many_bad_commands(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	for (int i = 0; i < IMAP_BAD_COMMANDS - 1; i++)
		talk(f, s, "a FROB\r\n");
	assert_false(imap_session_closed(s));
	assert_talk(f, s, "a FROB\r\n", "a BAD *\r\n** BYE *\r\n");
	assert_true(imap_session_closed(s));
	imap_session_free(&s);
}

static void mailboxes(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	assert_talk(f, s, "a CREATE one/two\r\n", "a OK [MAILBOXID (M*)] *\r\n");
	assert_talk(f, s, "a CREATE one/two\r\n", "a NO [ALREADYEXISTS] *\r\n");
	assert_talk(f, s, "a LIST \"\" one/%\r\n",
		    "** LIST (\\HasNoChildren) \"/\" one/two\r\na OK *\r\n");
	assert_talk(f, s, "a LIST \"\" %ne\r\n", "** LIST (\\HasChildren) \"/\" one\r\na OK *\r\n");
	assert_talk(f, s, "a LIST \"\" \"\"\r\n", "** LIST (\\Noselect) \"/\" \"\"\r\na OK *\r\n");
	assert_talk(f, s, "a LIST \"\" inbox\r\n",
		    "** LIST (\\HasNoChildren) \"/\" INBOX\r\na OK *\r\n");
	assert_talk(f, s, "a LIST (SPECIAL-USE) \"\" *\r\n",
		    "** LIST (*\\Archive) \"/\" Archive\r\n** LIST (*\\Drafts) \"/\" Drafts\r\n"
		    "** LIST (*\\Junk) \"/\" Junk\r\n** LIST (*\\Sent) \"/\" Sent\r\n"
		    "** LIST (*\\Trash) \"/\" Trash\r\na OK *\r\n");
	assert_talk(f, s, "a SUBSCRIBE one/two\r\nb SUBSCRIBE gone\r\n", "a OK *\r\nb OK *\r\n");
	assert_heard(f, s, "a LIST (SUBSCRIBED) \"\" (one/* gone)\r\n",
		     "* LIST (\\NonExistent \\Subscribed) \"/\" gone\r\n"
		     "* LIST (\\HasNoChildren \\Subscribed) \"/\" one/two\r\n");
	assert_heard(f, s, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" o%\r\n",
		     "\"/\" one (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
	assert_heard(f, s, "a LSUB \"\" %\r\n", "* LSUB (\\Noselect) \"/\" one\r\n");
	assert_heard(f, s, "a LSUB \"\" one/*\r\n", "* LSUB () \"/\" one/two\r\n");
	assert_talk(f, s, "a LIST \"\" one/* RETURN (STATUS (MESSAGES UIDNEXT))\r\n",
		    "** LIST (*) \"/\" one/two\r\n** STATUS one/two (MESSAGES 0 UIDNEXT *)\r\n"
		    "a OK *\r\n");
	assert_talk(f, s, "a RENAME one/two three\r\n", "a OK *\r\n");
	assert_talk(
		f, s, "a STATUS three (MESSAGES UNSEEN RECENT SIZE DELETED)\r\n",
		"** STATUS three (MESSAGES 0 RECENT 0 UNSEEN 0 DELETED 0 SIZE 0)\r\na OK *\r\n");
	assert_talk(f, s, "a STATUS one/two (MESSAGES)\r\n", "a NO [NONEXISTENT] *\r\n");
	assert_talk(f, s, "a DELETE three\r\nb DELETE three\r\nc DELETE INBOX\r\n",
		    "a OK *\r\nb NO [NONEXISTENT] *\r\nc NO [CANNOT] *\r\n");
	assert_talk(f, s, "a CREATE \"a\\\\b\" (USE (\\All))\r\n", "a NO [USEATTR] *\r\n");
	assert_talk(f, s, "a CREATE x*y\r\n", "a BAD *\r\n");
	assert_talk(f, s, "a CREATE \"x*y\"\r\n", "a NO [CANNOT] *\r\n");
	assert_talk(f, s, "a SELECT \"&bad\"\r\n", "a NO [CANNOT] *\r\n");
	imap_session_free(&s);
}

static void names_are_utf7_until_rev2(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	assert_talk(f, s, "a CREATE &AOQ-ffin\r\n", "a OK *\r\n");
	assert_heard(f, s, "a LIST \"\" &AOQ-*\r\n", "\"/\" &AOQ-ffin\r\n");
	assert_talk(f, s, "a ENABLE IMAP4rev2 X-NO\r\n", "** ENABLED IMAP4rev2\r\na OK *\r\n");
	assert_talk(f, s, "a ENABLE IMAP4rev2\r\n", "** ENABLED\r\na OK *\r\n");
	assert_heard(f, s, "a LIST \"\" \"\xc3\xa4*\"\r\n",
		     "\"/\" \"\xc3\xa4"
		     "ffin\"\r\n");
	/* NFD comes out as NFC. */
	assert_heard(f, s,
		     "a STATUS \"a\xcc\x88"
		     "ffin\" (MESSAGES)\r\n",
		     "STATUS \"\xc3\xa4"
		     "ffin\" (MESSAGES 0)");
	imap_session_free(&s);
}

static void select_and_examine(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "", simple);
	append(f, s, "INBOX", "\\Seen $Work", simple);
	assert_talk(f, s, "a SELECT INBOX\r\n",
		    "** FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
		    "** OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work "
		    "\\**)] *\r\n** 2 EXISTS\r\n** 2 RECENT\r\n** OK [UNSEEN 1] *\r\n"
		    "** OK [UIDVALIDITY *] *\r\n** OK [UIDNEXT 3] *\r\n"
		    "** OK [HIGHESTMODSEQ *] *\r\n** OK [MAILBOXID (M*)] *\r\n"
		    "a OK [READ-WRITE] *\r\n");
	assert_talk(f, s, "a FETCH 1:* (FLAGS UID)\r\n",
		    "** 1 FETCH (FLAGS (\\Recent) UID 1)\r\n"
		    "** 2 FETCH (FLAGS (\\Seen \\Recent $Work) UID 2)\r\na OK *\r\n");
	assert_heard(f, s, "a EXAMINE inbox\r\n", "* OK [CLOSED] ");
	assert_talk(f, s, "a STORE 1 FLAGS (\\Seen)\r\n", "a NO [CANNOT] *\r\n");
	assert_talk(f, s, "a FETCH 3 FLAGS\r\n", "a BAD *\r\n");
	assert_talk(f, s, "a UID FETCH 77 FLAGS\r\n", "a OK *\r\n");
	assert_talk(f, s, "a UNSELECT\r\nb CHECK\r\n", "a OK *\r\nb BAD *\r\n");
	assert_talk(f, s, "a SELECT nope\r\n", "a NO [NONEXISTENT] *\r\n");
	imap_session_free(&s);
}

static void fetch_items(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	append(f, s, "INBOX", "", simple);
	append(f, s, "INBOX", "", nested);
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(
		f, s, "a FETCH 1 (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE)\r\n",
		"** 1 FETCH (ENVELOPE (\"Thu, 15 Feb 2007 01:02:03 +0200\" \"Hello\" "
		"((\"Ann\" NIL \"ann\" \"example.test\")) ((\"Ann\" NIL \"ann\" \"example.test\")) "
		"((\"Ann\" NIL \"ann\" \"example.test\")) ((\"Bob\" NIL \"bob\" \"example.test\")) "
		"NIL NIL NIL \"<1@example.test>\") "
		"BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 10 "
		"1 NIL "
		"NIL NIL NIL) "
		"BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 10 1) "
		"RFC822.SIZE 155)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject date)]\r\n",
		    "** 1 FETCH (BODY[HEADER.FIELDS (subject date)] {57}\r\nSubject: Hello\r\n"
		    "Date: Thu, 15 Feb 2007 01:02:03 +0200\r\n\r\n)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (X-NO)]\r\n",
		    "** 1 FETCH (BODY[HEADER.FIELDS (X-NO)] {2}\r\n\r\n)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 BODY[TEXT]<1.3>\r\n",
		    "** 1 FETCH (BODY[TEXT]<1> {3}\r\nody FLAGS (\\Seen \\Recent))\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 BODY[TEXT]<99.3>\r\n",
		    "** 1 FETCH (BODY[TEXT]<99> \"\")\r\na OK *\r\n");
	assert_talk(
		f, s,
		"a FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[3])\r\n",
		"** 2 FETCH (BODY[1] {16}\r\naGVsbG8gd29ybGQ= BODY[2.HEADER] {26}\r\n"
		"Subject: inner\r\nX-A: 1\r\n\r\n BODY[2.TEXT] {10}\r\ninner body BODY[3] NIL)\r\n"
		"a OK *\r\n");
	assert_talk(f, s, "a FETCH 2 (BINARY.PEEK[1] BINARY.SIZE[1] BINARY.PEEK[1]<6.3>)\r\n",
		    "** 2 FETCH (BINARY[1] ~{11}\r\nhello world BINARY.SIZE[1] 11 "
		    "BINARY[1]<6> ~{3}\r\nwor)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 2 BODY.PEEK[2.HEADER.FIELDS.NOT (subject)]\r\n",
		    "** 2 FETCH (BODY[2.HEADER.FIELDS.NOT (subject)] {10}\r\nX-A: 1\r\n\r\n)\r\na "
		    "OK *\r\n");
	assert_talk(f, s, "a FETCH 2 BODY.PEEK[1.MIME]\r\n",
		    "** 2 FETCH (BODY[1.MIME] {78}\r\nContent-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n)\r\na OK *\r\n");
	assert_talk(
		f, s, "a UID FETCH 2 FAST\r\n",
		"** 2 FETCH (UID 2 FLAGS (\\Recent) INTERNALDATE \"21-Nov-2026 03:48:54 +0000\" "
		"RFC822.SIZE *)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 (EMAILID THREADID)\r\n",
		    "** 1 FETCH (EMAILID (E*) THREADID NIL)\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1 RFC822\r\n",
		    "** 1 FETCH (RFC822 {155}\r\n*\r\n*\r\n*\r\n*\r\n*\r\n*\r\nbody "
		    "one\r\n)\r\na OK *\r\n");
	imap_session_free(&s);
}

static void flags_and_expunge(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	for (int i = 0; i < 4; i++)
		append(f, s, "INBOX", "", simple);
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a STORE 1,3 +FLAGS (\\Deleted NIL)\r\n",
		    "** FLAGS (* NIL)\r\n** OK [PERMANENTFLAGS *]*\r\n"
		    "** 1 FETCH (FLAGS (\\Deleted \\Recent NIL))\r\n"
		    "** 3 FETCH (FLAGS (\\Deleted \\Recent NIL))\r\na OK *\r\n");
	assert_talk(f, s, "a STORE 2 FLAGS.SILENT \\Flagged\r\n", "a OK *\r\n");
	assert_talk(f, s, "a UID STORE 2 -FLAGS \\Flagged\r\n",
		    "** 2 FETCH (UID 2 FLAGS (\\Recent))\r\na OK *\r\n");
	assert_talk(f, s, "a UID EXPUNGE 1:2\r\n", "** 1 EXPUNGE\r\na OK *\r\n");
	assert_talk(f, s, "a EXPUNGE\r\n", "** 2 EXPUNGE\r\na OK *\r\n");
	assert_talk(f, s, "a FETCH 1:* UID\r\n",
		    "** 1 FETCH (UID 2)\r\n** 2 FETCH (UID 4)\r\na OK *\r\n");
	assert_talk(f, s, "a COPY 1:2 Trash\r\n", "a OK [COPYUID * 2,4 1:2] *\r\n");
	assert_talk(f, s, "a COPY 1 nope\r\n", "a NO [TRYCREATE] *\r\n");
	assert_talk(f, s, "a UID MOVE 4 Trash\r\n",
		    "** OK [COPYUID * 4 3] *\r\n** 2 EXPUNGE\r\na OK *\r\n");
	assert_talk(
		f, s, "a STORE 1 +FLAGS \\Deleted\r\nb CLOSE\r\nc STATUS INBOX (MESSAGES)\r\n",
		"** 1 FETCH (*)\r\na OK *\r\nb OK *\r\n** STATUS INBOX (MESSAGES 0)\r\nc OK *\r\n");
	imap_session_free(&s);
}

/* What one session does the other is told, but no EXPUNGE during FETCH, STORE, SEARCH. */
static void two_sessions(void **state)
{
	struct fixture *f = *state;
	struct imap_session *a = session_open(f);
	struct imap_session *b = session_open(f);

	for (int i = 0; i < 3; i++)
		append(f, a, "INBOX", "", simple);
	talk(f, a, "a SELECT INBOX\r\n");
	assert_heard(f, b, "a SELECT INBOX\r\n", "* 0 RECENT");
	talk(f, a, "a STORE 1 +FLAGS (\\Deleted)\r\n");
	talk(f, a, "a STORE 2 +FLAGS (\\Flagged)\r\n");
	talk(f, a, "a EXPUNGE\r\n");
	assert_talk(f, b, "a FETCH 2 UID\r\n",
		    "** 2 FETCH (UID 2)\r\n** 2 FETCH (UID 2 FLAGS (\\Flagged))\r\na OK *\r\n");
	assert_talk(f, b, "a FETCH 1 FLAGS\r\n", "a NO [EXPUNGEISSUED] *\r\n");
	assert_talk(f, b, "a SEARCH ALL\r\n", "** SEARCH 2 3\r\na OK *\r\n");
	assert_talk(f, b, "a UID SEARCH ALL\r\n", "** SEARCH 2 3\r\n** 1 EXPUNGE\r\na OK *\r\n");
	append(f, a, "INBOX", "\\Seen", simple);
	assert_talk(f, b, "a NOOP\r\n", "** 3 EXISTS\r\na OK *\r\n");
	talk(f, a, "a DELETE INBOX\r\n");
	imap_session_free(&a);
	imap_session_free(&b);
}

static void idle_tells_at_once(void **state)
{
	struct fixture *f = *state;
	struct imap_session *a = session_open(f);
	struct imap_session *b = session_open(f);

	append(f, a, "INBOX", "", simple);
	talk(f, a, "a SELECT INBOX\r\n");
	talk(f, b, "a SELECT INBOX\r\n");
	assert_talk(f, b, "i IDLE\r\n", "+ idling\r\n");
	assert_int_equal(f->wakes, 0);
	append(f, a, "INBOX", "", simple);
	assert_true(f->wakes > 0);
	assert_talk(f, b, "", "** 2 EXISTS\r\n");
	talk(f, a, "a STORE 1 +FLAGS (\\Deleted)\r\n");
	assert_talk(f, b, "", "** 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n");
	talk(f, a, "a EXPUNGE\r\n");
	assert_talk(f, b, "", "** 1 EXPUNGE\r\n");
	assert_true(imap_session_quiet(b));
	assert_talk(f, b, "DONE\r\n", "i OK *\r\n");
	assert_talk(f, b, "i IDLE\r\nnonsense\r\n", "+ idling\r\ni BAD *\r\n");
	fixture_now += 29 * 60 * 1000;
	imap_session_expire(b);
	assert_false(imap_session_closed(b));
	fixture_now += 61 * 1000;
	imap_session_expire(b);
	assert_talk(f, b, "", "** BYE *\r\n");
	assert_true(imap_session_closed(b));
	imap_session_free(&a);
	imap_session_free(&b);
}

static void a_deleted_mailbox_ends_others(void **state)
{
	struct fixture *f = *state;
	struct imap_session *a = session_open(f);
	struct imap_session *b = session_open(f);

	talk(f, a, "a CREATE x\r\nb SELECT x\r\n");
	talk(f, b, "a SELECT x\r\n");
	assert_talk(f, a, "a DELETE x\r\nb NOOP\r\n", "** OK [CLOSED] *\r\na OK *\r\nb OK *\r\n");
	assert_talk(f, b, "a NOOP\r\n", "** BYE *\r\n");
	assert_true(imap_session_closed(b));
	imap_session_free(&a);
	imap_session_free(&b);
}

static void limits_of_append(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s;
	struct buf CLEANUP(buf_done) say = BUF_INIT((size_t)1 << 20);

	f->config.message_size = 100;
	s = session_open(f);
	for (int over = 0; over < 2; over++) {
		buf_clear(&say);
		buf_addf(&say, "a APPEND INBOX {%d}\r\n", 100 + over);
		buf_add_fill(&say, 'x', over ? 0 : 100);
		buf_add_str(&say, over ? "" : "\r\n");
		assert_talk(f, s, buf_cstr(&say),
			    over ? "a NO [TOOBIG] *\r\n" : "+ OK\r\na OK *\r\n");
	}
	/* 64 messages at once, and one more. */
	for (int over = 0; over < 2; over++) {
		buf_clear(&say);
		buf_add_str(&say, "a APPEND INBOX");
		for (int i = 0; i < 64 + over; i++)
			buf_add_str(&say, " {1+}\r\nx");
		buf_add_str(&say, "\r\nb NOOP\r\n");
		assert_talk(f, s, buf_cstr(&say),
			    over ? "a NO [LIMIT] *\r\nb OK *\r\n" : "a OK *\r\nb OK *\r\n");
	}
	imap_session_free(&s);
}

/* All sessions of a process together: at it, past it, and free again however an APPEND ends. */
static void memory_of_appends(void **state)
{
	struct fixture *f = *state;
	struct imap_append_memory memory = { .max = 300 };
	struct imap_session *a, *b, *c;
	struct buf CLEANUP(buf_done) say = BUF_INIT(1000);

	f->config.append_memory = &memory;
	a = session_open(f);
	b = session_open(f);
	c = session_open(f);
	assert_talk(f, a, "a APPEND INBOX {200}\r\n", "+ OK\r\n");
	assert_talk(f, b, "b APPEND INBOX {100}\r\n", "+ OK\r\n");
	assert_talk(f, c, "c APPEND INBOX {1}\r\n", "c NO [LIMIT] *\r\n");
	assert_talk(f, c, "c APPEND INBOX {1+}\r\nx\r\nd NOOP\r\n", "c NO [LIMIT] *\r\nd OK *\r\n");
	buf_add_fill(&say, 'x', 200);
	buf_add_str(&say, "\r\n");
	assert_talk(f, a, buf_cstr(&say), "a OK *\r\n");
	assert_int_equal(memory.used, 100);
	assert_talk(f, c, "c APPEND INBOX {200}\r\n", "+ OK\r\n");
	assert_talk(f, a, "a APPEND INBOX {1}\r\n", "a NO [LIMIT] *\r\n");
	imap_session_free(&b); /* its client went away */
	imap_session_bye(c, "stopping");
	assert_int_equal(memory.used, 0);
	assert_talk(f, a, "a APPEND INBOX {1}\r\n", "+ OK\r\n");
	imap_session_free(&a);
	imap_session_free(&c);
	assert_int_equal(memory.used, 0);
}

static void quota(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	assert_talk(f, s, "a GETQUOTAROOT INBOX\r\n",
		    "** QUOTAROOT INBOX \"\"\r\n** QUOTA \"\" (STORAGE 0 0)\r\na OK *\r\n");
	assert_talk(f, s, "a GETQUOTA \"x\"\r\n", "a NO [NONEXISTENT] *\r\n");
	for (int i = 0; i < 6; i++)
		append(f, s, "INBOX", "", simple);
	assert_talk(f, s, "a APPEND INBOX {155}\r\n", "a NO [OVERQUOTA] *\r\n");
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a COPY 1:2 Trash\r\n", "a NO [OVERQUOTA] *\r\n");
	assert_talk(f, s, "a MOVE 1:2 Trash\r\n",
		    "** OK [COPYUID *] *\r\n** 1 EXPUNGE\r\n** 1 EXPUNGE\r\na OK *\r\n");
	imap_session_free(&s);
}

static void appends(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	assert_talk(f, s,
		    "a APPEND INBOX (\\Seen) \" 1-Feb-2020 10:00:00 +0100\" {12+}\r\nA: "
		    "b\r\n\r\nbody\r\n",
		    "a OK [APPENDUID * 1] *\r\n");
	assert_talk(f, s, "a APPEND {5}\r\nINBOX {12}\r\nA: b\r\n\r\nbody {8+}\r\nB: c\r\n\r\n\r\n",
		    "+ *\r\n+ *\r\na OK [APPENDUID * 2:3] *\r\n");
	assert_talk(f, s, "a APPEND nope {5}\r\n", "a NO [TRYCREATE] *\r\n");
	assert_talk(f, s, "a APPEND nope {5+}\r\nhello\r\nb NOOP\r\n",
		    "a NO [TRYCREATE] *\r\nb OK *\r\n");
	assert_talk(f, s, "a APPEND INBOX {99999999999}\r\n", "a NO [TOOBIG] *\r\n");
	assert_talk(f, s, "a APPEND INBOX UTF8 (~{8+}\r\nB: c\r\n\r\n)\r\n", "a OK *\r\n");
	assert_talk(f, s, "a APPEND INBOX {8+}\r\nB: c\r\n\r\n junk\r\n", "a BAD *\r\n");
	assert_talk(f, s, "a STATUS INBOX (MESSAGES)\r\n",
		    "** STATUS INBOX (MESSAGES 4)\r\na OK *\r\n");
	talk(f, s, "a SELECT INBOX\r\n");
	assert_talk(f, s, "a FETCH 1 INTERNALDATE\r\n",
		    "** 1 FETCH (INTERNALDATE \" 1-Feb-2020 10:00:00 +0100\")\r\na OK *\r\n");
	assert_talk(f, s, "a APPEND INBOX {5000+}\r\n", "a BAD [TOOBIG] *\r\n** BYE *\r\n");
	imap_session_free(&s);
}

static void a_nul_is_refused(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);

	buf_clear(&f->heard);
	session_turns(f, s, VIEW("a APPEND INBOX {3+}\r\nA\0B\r\nb NOOP\r\n"), SIZE_MAX);
	assert_true(glob("a NO NUL *\r\nb OK *\r\n", buf_cstr(&f->heard)));
	buf_clear(&f->heard);
	session_turns(f, s, VIEW("a NO\0OP\r\n"), SIZE_MAX);
	assert_true(glob("a BAD *\r\n** BYE *\r\n", buf_cstr(&f->heard)));
	assert_true(imap_session_closed(s));
	imap_session_free(&s);
}

/* A long FETCH goes on as the client reads, and never holds more than its share. */
static void a_long_fetch_is_resumed(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);
	struct buf CLEANUP(buf_done) big = BUF_INIT((size_t)1 << 23);
	struct buf CLEANUP(buf_done) once = BUF_INIT((size_t)1 << 28);

	buf_add(&big, VIEW("Subject: big\r\n\r\n"));
	while (big.n < 700000)
		buf_add(&big, VIEW("0123456789 0123456789 0123456789 0123456789\r\n"));
	for (int i = 0; i < 5; i++)
		append(f, s, "INBOX", "", buf_cstr(&big));
	talk(f, s, "a SELECT INBOX\r\n");
	talk(f, s, "a FETCH 1:* (UID BODY.PEEK[])\r\n");
	assert_true(f->heard.n > 5 * big.n);
	buf_add(&once, buf_view(&f->heard));
	buf_clear(&f->heard);
	session_turns(f, s, VIEW("a FETCH 1:* (UID BODY.PEEK[])\r\n"), 10007);
	assert_true(view_eq(buf_view(&f->heard), buf_view(&once)));
	imap_session_free(&s);
}

static void a_command_that_is_too_long(void **state)
{
	struct fixture *f = *state;
	struct imap_session *s = session_open(f);
	struct buf CLEANUP(buf_done) say = BUF_INIT((size_t)1 << 20);

	buf_add(&say, VIEW("a SEARCH SUBJECT \""));
	buf_add_fill(&say, 'x', 70000);
	buf_add(&say, VIEW("\"\r\nb NOOP\r\n"));
	assert_talk(f, s, buf_cstr(&say), "a BAD [TOOBIG] *\r\nb OK *\r\n");
	assert_talk(f, s, "a SELECT {70000}\r\nb NOOP\r\n", "a NO [TOOBIG] *\r\nb OK *\r\n");
	imap_session_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
		TEST(says_who_is_logged_in),
		TEST(any_state_commands),
		TEST(too_many_bad_commands),
		TEST(mailboxes),
		TEST(names_are_utf7_until_rev2),
		TEST(select_and_examine),
		TEST(fetch_items),
		TEST(flags_and_expunge),
		TEST(two_sessions),
		TEST(idle_tells_at_once),
		TEST(a_deleted_mailbox_ends_others),
		TEST(limits_of_append),
		TEST(memory_of_appends),
		cmocka_unit_test_setup_teardown(quota, fixture_setup_quota, fixture_teardown),
		cmocka_unit_test_setup_teardown(fetch_items, fixture_setup_bare, fixture_teardown),
		TEST(appends),
		TEST(a_nul_is_refused),
		TEST(a_long_fetch_is_resumed),
		TEST(a_command_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
