/*
 * Tests of proto/imap: the parsers of commands.
 */
#include "cuts.h"

#include "proto/imap/command.h"

struct parsed {
	struct arena arena;
	struct imap_command cmd;
	struct imap_problem problem;
	enum err err;
};

static struct imap_parse_mode selected(void)
{
	return (struct imap_parse_mode){ .state = IMAP_SELECTED };
}

/* text must outlive p. */
static void parse(struct parsed *p, struct view text, struct imap_parse_mode mode)
{
	memset(p, 0, sizeof(*p));
	arena_init(&p->arena, IMAP_PARSE_ARENA_MAX);
	p->err = imap_parse(&p->arena, text, mode, &p->cmd, &p->problem);
	if (p->err)
		assert_non_null(p->problem.text);
}

static enum err error_in(struct imap_parse_mode mode, struct view text)
{
	struct parsed p;

	parse(&p, text, mode);
	arena_done(&p.arena);
	return p.err;
}

static enum err error_of(struct view text)
{
	return error_in(selected(), text);
}

#define OKAY(text)     assert_int_equal(error_of(VIEW(text)), OK)
#define REFUSED(text)  assert_int_equal(error_of(VIEW(text)), ERR_SYNTAX)
#define PARSE(p, text) parse(&(p), VIEW(text), selected()), assert_int_equal((p).err, OK)

static void tags_and_states(void **state)
{
	struct parsed p;

	PARSE(p, "a1 noop");
	assert_view(p.cmd.tag, "a1");
	assert_int_equal(p.cmd.info->id, IMAP_CMD_NOOP);
	arena_done(&p.arena);
	REFUSED("");
	REFUSED("a");
	REFUSED(" NOOP");
	REFUSED("+ NOOP");
	REFUSED("a+ NOOP");
	REFUSED("a NOOP x");
	REFUSED("a (");
	assert_int_equal(error_of(VIEW("a FROB")), ERR_UNSUPPORTED);
	assert_int_equal(error_of(VIEW("a UID NOOP")), ERR_UNSUPPORTED);
	assert_int_equal(error_of(VIEW("a LOGIN x y")), ERR_WRONG_STATE);
	parse(&p, VIEW("t1 FETCH 1 ALL"), (struct imap_parse_mode){ .state = IMAP_AUTH });
	assert_int_equal(p.err, ERR_WRONG_STATE);
	assert_view(p.problem.tag, "t1");
	arena_done(&p.arena);
}

static void tag_limit(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000);

	buf_add_fill(&text, 'a', IMAP_TAG_MAX);
	buf_add(&text, VIEW(" NOOP"));
	assert_int_equal(error_of(buf_view(&text)), OK);
	buf_clear(&text);
	buf_add_fill(&text, 'a', IMAP_TAG_MAX + 1);
	buf_add(&text, VIEW(" NOOP"));
	assert_int_equal(error_of(buf_view(&text)), ERR_LIMIT);
}

static void login(void **state)
{
	struct imap_parse_mode mode = { .state = IMAP_NONAUTH };
	struct parsed p;

	parse(&p, VIEW("a LOGIN \"u\\\"\\\\x\" {3}\r\np w"), mode);
	assert_int_equal(p.err, OK);
	assert_view(p.cmd.login.user, "u\"\\x");
	assert_view(p.cmd.login.password, "p w");
	arena_done(&p.arena);
	parse(&p, VIEW("a LOGIN {0+}\r\n \"\""), mode);
	assert_int_equal(p.err, OK);
	assert_int_equal(p.cmd.login.user.n, 0);
	arena_done(&p.arena);
	assert_int_equal(error_in(mode, VIEW("a LOGIN {2}\r\n\0x y")), ERR_SYNTAX);
	assert_int_equal(error_in(mode, VIEW("a LOGIN {9}\r\nx y")), ERR_SYNTAX);
	assert_int_equal(error_in(mode, VIEW("a LOGIN \"x\\y\" z")), ERR_SYNTAX);
	assert_int_equal(error_in(mode, VIEW("a LOGIN \"x\\\" z")), ERR_SYNTAX);
	parse(&p, VIEW("a AUTHENTICATE PLAIN dGVzdA=="), mode);
	assert_int_equal(p.err, OK);
	assert_true(p.cmd.authenticate.has_initial);
	assert_view(p.cmd.authenticate.initial, "dGVzdA==");
	arena_done(&p.arena);
	parse(&p, VIEW("a AUTHENTICATE EXTERNAL ="), mode);
	assert_int_equal(p.err, OK);
	assert_true(p.cmd.authenticate.has_initial);
	assert_int_equal(p.cmd.authenticate.initial.n, 0);
	arena_done(&p.arena);
}

static void names(void **state)
{
	struct parsed p;

	PARSE(p, "a SELECT &AOQ-x");
	assert_view(p.cmd.select.mailbox.name, "\xc3\xa4x");
	arena_done(&p.arena);
	PARSE(p, "a SELECT a&b");
	assert_int_equal(p.cmd.select.mailbox.err, ERR_SYNTAX);
	arena_done(&p.arena);
	parse(&p, VIEW("a SELECT \"\xc3\xa4&x\""),
	      (struct imap_parse_mode){ .state = IMAP_AUTH, .utf8 = true });
	assert_int_equal(p.err, OK);
	assert_view(p.cmd.select.mailbox.name, "\xc3\xa4&x");
	arena_done(&p.arena);
	PARSE(p, "a CREATE x/ (USE (\\Sent \\Odd))");
	assert_view(p.cmd.create.mailbox.name, "x");
	assert_int_equal(p.cmd.create.use, IMAP_USE_SENT);
	assert_true(p.cmd.create.bad_use);
	arena_done(&p.arena);
	PARSE(p, "a SELECT x (CONDSTORE QRESYNC (7 8 1:5 (1,3 2,4)))");
	assert_true(p.cmd.select.condstore && p.cmd.select.qresync);
	assert_int_equal(p.cmd.select.q.uidvalidity, 7);
	assert_int_equal(p.cmd.select.q.modseq, 8);
	assert_true(p.cmd.select.q.has_known);
	assert_int_equal(p.cmd.select.q.match_uid.n, 2);
	arena_done(&p.arena);
	OKAY("a SELECT x (QRESYNC (7 8 (1 1)))");
	REFUSED("a SELECT x (QRESYNC (7))");
	REFUSED("a SELECT x ()");
	REFUSED("a SELECT");
	REFUSED("a SELECT x y");
	OKAY("a RENAME x {1}\r\ny");
	OKAY("a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ)");
	REFUSED("a STATUS x ()");
	REFUSED("a STATUS x (FOO)");
}

static void lists(void **state)
{
	struct parsed p;

	PARSE(p, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a% \"b*\") RETURN (CHILDREN STATUS "
		 "(SIZE))");
	assert_int_equal(p.cmd.list.patterns.n, 2);
	assert_view(p.cmd.list.patterns.at[1], "b*");
	assert_true(p.cmd.list.options & IMAP_LIST_RECURSIVE);
	assert_true(p.cmd.list.options & IMAP_LIST_RETURN_STATUS);
	assert_int_equal(p.cmd.list.status, IMAP_STATUS_SIZE);
	arena_done(&p.arena);
	PARSE(p, "a LIST \"\" \"\"");
	assert_true(p.cmd.list.asked_root);
	arena_done(&p.arena);
	OKAY("a LIST () \"\" (x) RETURN ()");
	REFUSED("a LIST (RECURSIVEMATCH) \"\" x");
	REFUSED("a LIST (X) \"\" x");
	REFUSED("a LIST \"\" x RETURN (X)");
	OKAY("a LSUB \"\" *");
	REFUSED("a LSUB (SUBSCRIBED) \"\" *");
}

static void fetches(void **state)
{
	struct parsed p;

	PARSE(p, "a UID FETCH 1:*,7 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (To \"X Y\")]<5.9> BODY) "
		 "(CHANGEDSINCE 9 VANISHED)");
	assert_true(p.cmd.uid);
	assert_int_equal(p.cmd.fetch.n, 3);
	assert_int_equal(p.cmd.fetch.items[1].kind, IMAP_FETCH_SECTION);
	assert_true(p.cmd.fetch.items[1].peek);
	assert_int_equal(p.cmd.fetch.items[1].section.kind, IMAP_SECTION_HEADER_FIELDS);
	assert_int_equal(p.cmd.fetch.items[1].section.path_n, 2);
	assert_int_equal(p.cmd.fetch.items[1].section.path[1], 2);
	assert_view(p.cmd.fetch.items[1].section.names.at[1], "X Y");
	assert_int_equal(p.cmd.fetch.items[1].offset, 5);
	assert_int_equal(p.cmd.fetch.items[1].length, 9);
	assert_int_equal(p.cmd.fetch.items[2].kind, IMAP_FETCH_BODY);
	assert_int_equal(p.cmd.fetch.modseq, 9);
	arena_done(&p.arena);
	PARSE(p, "a FETCH 1 FULL");
	assert_int_equal(p.cmd.fetch.n, 5);
	arena_done(&p.arena);
	OKAY("a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)");
	OKAY("a FETCH $ BINARY[1.2]<0.5>");
	OKAY("a FETCH 1 (BINARY.SIZE[3] BINARY.PEEK[])");
	OKAY("a FETCH 1 (PREVIEW (LAZY) PREVIEW)");
	OKAY("a FETCH 1 BODY[1.MIME]");
	REFUSED("a FETCH 1 BODY[MIME]");
	REFUSED("a FETCH 1 BODY[0]");
	REFUSED("a FETCH 1 BODY[1.]");
	REFUSED("a FETCH 1 BODY[1");
	REFUSED("a FETCH 1 BODY[]<0.0>");
	REFUSED("a FETCH 1 BODY[]<0>");
	REFUSED("a FETCH 1 BODY.PEEK");
	REFUSED("a FETCH 1 BINARY[TEXT]");
	REFUSED("a FETCH 1 BINARY.SIZE[1]<0.5>");
	REFUSED("a FETCH 1 (ALL)");
	REFUSED("a FETCH 1 ()");
	REFUSED("a FETCH 1 ALLX");
	REFUSED("a FETCH 0 ALL");
	REFUSED("a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)");
	assert_int_equal(error_of(VIEW("a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)")),
			 ERR_RANGE);
}

static void searches(void **state)
{
	struct parsed p;

	PARSE(p, "a SEARCH RETURN (MIN SAVE) CHARSET utf-8 OR (SEEN NEW) NOT FROM x 1:3 UID 5");
	assert_int_equal(p.cmd.search.returns,
			 IMAP_RETURN_GIVEN | IMAP_RETURN_MIN | IMAP_RETURN_SAVE);
	assert_int_equal(p.cmd.search.root->op, IMAP_SEARCH_AND);
	assert_int_equal(p.cmd.search.root->child->op, IMAP_SEARCH_OR);
	assert_int_equal(p.cmd.search.root->child->child->op, IMAP_SEARCH_AND);
	assert_int_equal(p.cmd.search.root->child->child->next->op, IMAP_SEARCH_NOT);
	assert_int_equal(p.cmd.search.root->child->next->op, IMAP_SEARCH_SEQ);
	assert_int_equal(p.cmd.search.root->child->next->next->op, IMAP_SEARCH_UID);
	arena_done(&p.arena);
	PARSE(p, "a SEARCH SINCE 1-Jan-1970 BEFORE \"02-Jan-1970\" LARGER 5 KEYWORD $x");
	assert_int_equal(p.cmd.search.root->child->number, 0);
	assert_int_equal(p.cmd.search.root->child->next->number, 1);
	arena_done(&p.arena);
	PARSE(p, "a SEARCH MODSEQ \"/flags/\\\\seen\" all 12");
	assert_true(p.cmd.search.modseq);
	assert_int_equal(p.cmd.search.root->child->number, 12);
	arena_done(&p.arena);
	PARSE(p, "a SEARCH CHARSET x ALL");
	assert_true(p.cmd.search.bad_charset);
	arena_done(&p.arena);
	OKAY("a SEARCH ANSWERED BCC x BODY y CC z DELETED DRAFT FLAGGED HEADER a b OLD ON "
	     "1-Feb-2020 "
	     "RECENT SENTBEFORE 1-Feb-2020 SENTON 1-Feb-2020 SENTSINCE 1-Feb-2020 SMALLER 1 "
	     "SUBJECT s "
	     "TEXT t TO u UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNKEYWORD k UNSEEN OLDER 5 "
	     "YOUNGER 6 "
	     "SAVEDBEFORE 1-Feb-2020 SAVEDON 1-Feb-2020 SAVEDSINCE 1-Feb-2020 SAVEDATESUPPORTED "
	     "EMAILID E1 THREADID T1 $");
	REFUSED("a SEARCH");
	REFUSED("a SEARCH ()");
	REFUSED("a SEARCH (SEEN");
	REFUSED("a SEARCH OR SEEN");
	REFUSED("a SEARCH NOT");
	REFUSED("a SEARCH SINCE 31-Feb-2020");
	REFUSED("a SEARCH YOUNGER 0");
	REFUSED("a SEARCH RETURN (PARTIAL 1) ALL");
	REFUSED("a SEARCH RETURN (PARTIAL 1:*) ALL");
	REFUSED("a SEARCH RETURN (PARTIAL 1:-5) ALL");
	REFUSED("a SEARCH RETURN (ALL PARTIAL 1:5) ALL");
	REFUSED("a SEARCH RETURN (X) ALL");
}

/* n times what, then last. */
static enum err repeated(const char *head, const char *what, size_t n, const char *last,
			 const char *tail, size_t tails)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT((size_t)1 << 20);

	buf_add_str(&text, head);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&text, what);
	buf_add_str(&text, last);
	for (size_t i = 0; i < tails; i++)
		buf_add_str(&text, tail);
	return error_of(buf_view(&text));
}

static void limits(void **state)
{
	size_t n = IMAP_SEARCH_DEPTH_MAX;

	assert_int_equal(repeated("a SEARCH ", "NOT ", n - 1, "ALL", "", 0), OK);
	assert_int_equal(repeated("a SEARCH ", "NOT ", n, "ALL", "", 0), ERR_LIMIT);
	assert_int_equal(repeated("a SEARCH ", "OR ", 10000, "ALL", " ALL", 10000), ERR_LIMIT);
	n = IMAP_PAREN_DEPTH_MAX;
	assert_int_equal(repeated("a SEARCH ", "(", n, "ALL", ")", n), OK);
	assert_int_equal(repeated("a SEARCH ", "(", n + 1, "ALL", ")", n + 1), ERR_LIMIT);
	n = IMAP_SEARCH_KEYS_MAX;
	assert_int_equal(repeated("a SEARCH ", "ALL ", n - 2, "ALL", "", 0), OK);
	assert_int_equal(repeated("a SEARCH ", "ALL ", n - 1, "ALL", "", 0), ERR_LIMIT);
	n = IMAP_FETCH_ITEMS_MAX;
	assert_int_equal(repeated("a FETCH 1 (", "UID ", n - 1, "UID)", "", 0), OK);
	assert_int_equal(repeated("a FETCH 1 (", "UID ", n, "UID)", "", 0), ERR_LIMIT);
	n = IMAP_SECTION_PATH_MAX;
	assert_int_equal(repeated("a FETCH 1 BODY[", "1.", n - 1, "1]", "", 0), OK);
	assert_int_equal(repeated("a FETCH 1 BODY[", "1.", n, "1]", "", 0), ERR_LIMIT);
	n = IMAP_HEADER_NAMES_MAX;
	assert_int_equal(repeated("a FETCH 1 BODY[HEADER.FIELDS (", "x ", n - 1, "x)]", "", 0), OK);
	assert_int_equal(repeated("a FETCH 1 BODY[HEADER.FIELDS (", "x ", n, "x)]", "", 0),
			 ERR_LIMIT);
	n = IMAP_FLAGS_MAX;
	assert_int_equal(repeated("a STORE 1 FLAGS (", "x ", n - 1, "x)", "", 0), OK);
	assert_int_equal(repeated("a STORE 1 FLAGS (", "x ", n, "x)", "", 0), ERR_LIMIT);
	n = IMAP_FLAG_LEN_MAX;
	assert_int_equal(repeated("a STORE 1 FLAGS ", "x", n - 1, "x", "", 0), OK);
	assert_int_equal(repeated("a STORE 1 FLAGS ", "x", n, "x", "", 0), ERR_LIMIT);
	n = IMAP_PATTERNS_MAX;
	assert_int_equal(repeated("a LIST \"\" (", "x ", n - 1, "x)", "", 0), OK);
	assert_int_equal(repeated("a LIST \"\" (", "x ", n, "x)", "", 0), ERR_LIMIT);
	n = IMAP_ENABLE_MAX;
	assert_int_equal(repeated("a ENABLE ", "x ", n - 1, "x", "", 0), OK);
	assert_int_equal(repeated("a ENABLE ", "x ", n, "x", "", 0), ERR_LIMIT);
	n = IMAP_ID_PAIRS_MAX;
	assert_int_equal(repeated("a ID (", "\"a\" NIL ", n - 1, "\"a\" NIL)", "", 0), OK);
	assert_int_equal(repeated("a ID (", "\"a\" NIL ", n, "\"a\" NIL)", "", 0), ERR_LIMIT);
	assert_int_equal(repeated("a FETCH ", "1,", IMAP_SEQ_RANGES_MAX, "1 ALL", "", 0),
			 ERR_LIMIT);
}

static void changes(void **state)
{
	struct parsed p;

	PARSE(p, "a STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x NIL)");
	assert_true(p.cmd.store.silent && p.cmd.store.unchanged_since);
	assert_int_equal(p.cmd.store.op, IMAP_STORE_ADD);
	assert_int_equal(p.cmd.store.flags.flags, IMAP_FLAG_SEEN);
	assert_int_equal(p.cmd.store.flags.keywords.n, 2);
	arena_done(&p.arena);
	OKAY("a STORE 1 FLAGS ()");
	OKAY("a STORE 1 -FLAGS \\deleted \\seen");
	REFUSED("a STORE 1 FLAGS");
	REFUSED("a STORE 1 FLAGS \\Odd");
	REFUSED("a STORE 1 FLAGS (a");
	REFUSED("a STORE 1 FLAGSX a");
	OKAY("a UID EXPUNGE 1:5");
	REFUSED("a UID EXPUNGE");
	REFUSED("a EXPUNGE 1");
	OKAY("a UID MOVE 1 {1}\r\nx");
	PARSE(p, "a APPEND {1}\r\nx (\\Seen k) \" 1-Feb-2020 10:00:00 +0100\" UTF8 (~{7+}");
	assert_view(p.cmd.append.mailbox.name, "x");
	assert_true(p.cmd.append.item.has_date && p.cmd.append.item.utf8 &&
		    p.cmd.append.item.binary);
	assert_int_equal(p.cmd.append.item.zone, 60);
	assert_int_equal(p.cmd.append.item.size, 7);
	arena_done(&p.arena);
	REFUSED("a APPEND x");
	REFUSED("a APPEND x \"bad date\" {1}");
	REFUSED("a APPEND x () () {1}");
}

static void append_continues(void **state)
{
	struct arena a;
	struct imap_append_item item = { .size = CANARY };
	const char *problem = NULL;
	bool more = true;

	arena_init(&a, 10000);
	assert_int_equal(imap_parse_append_next(&a, VIEW(""), false, &item, &more, &problem), OK);
	assert_false(more);
	assert_int_equal(
		imap_parse_append_next(&a, VIEW(") (\\Seen) {5}"), true, &item, &more, &problem),
		OK);
	assert_true(more);
	assert_int_equal(item.size, 5);
	item.size = CANARY;
	assert_int_equal(imap_parse_append_next(&a, VIEW(")"), false, &item, &more, &problem),
			 ERR_SYNTAX);
	assert_int_equal(imap_parse_append_next(&a, VIEW(""), true, &item, &more, &problem),
			 ERR_SYNTAX);
	assert_int_equal(imap_parse_append_next(&a, VIEW(" x"), false, &item, &more, &problem),
			 ERR_SYNTAX);
	assert_true(item.size == CANARY);
	assert_non_null(problem);
	arena_done(&a);
}

/* Every prefix of commands that are good is read without a byte beyond it. */
static void every_cut(void **state)
{
	static const struct view good[] = {
		VIEW_INIT(
			"a UID FETCH 1:*,7 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (To \"X Y\")]<5.9>)"),
		VIEW_INIT("a SEARCH RETURN (PARTIAL -1:-5) CHARSET UTF-8 OR (SEEN) NOT FROM "
			  "{3}\r\nabc"),
		VIEW_INIT("a LIST (SUBSCRIBED) \"&AOQ-\" (a% \"b\\\"*\") RETURN (STATUS (SIZE))"),
		VIEW_INIT("a STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x)"),
		VIEW_INIT("a APPEND x (\\Seen) \" 1-Feb-2020 10:00:00 +0100\" UTF8 (~{7+}"),
		VIEW_INIT("a SELECT x (CONDSTORE QRESYNC (7 8 1:5 (1,3 2,4)))"),
		VIEW_INIT("a ID (\"a\" NIL \"b\" \"c\")"),
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (struct cuts c = cuts_heads(good[i]); cuts_next(&c);) {
			struct parsed p;

			parse(&p, c.piece, selected());
			if (c.piece.n == good[i].n)
				assert_int_equal(p.err, OK);
			arena_done(&p.arena);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_and_states), cmocka_unit_test(tag_limit),
		cmocka_unit_test(login),	   cmocka_unit_test(names),
		cmocka_unit_test(lists),	   cmocka_unit_test(fetches),
		cmocka_unit_test(searches),	   cmocka_unit_test(limits),
		cmocka_unit_test(changes),	   cmocka_unit_test(append_continues),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
