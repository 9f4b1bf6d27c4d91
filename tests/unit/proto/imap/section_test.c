/*
 * Tests of proto/imap: sections, part tables, ENVELOPE and BODYSTRUCTURE.
 */
#include "cuts.h"

#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "proto/imap/section.h"

static const char message[] = "From: A <a@x.test>\r\n"
			      "To: g: b@x.test, c@x.test;\r\n"
			      "Subject: caf\xc3\xa9 \"q\"\r\n"
			      "Content-Type: multipart/mixed; boundary=b; x=\"y z\"\r\n"
			      "\r\n"
			      "pre\r\n"
			      "--b\r\n"
			      "Content-Type: text/plain\r\n"
			      "Content-ID: <i@x>\r\n"
			      "\r\n"
			      "one\r\n"
			      "two\r\n"
			      "--b\r\n"
			      "Content-Type: message/rfc822\r\n"
			      "Content-Disposition: attachment; filename=m.eml\r\n"
			      "\r\n"
			      "Subject: inner\r\n"
			      "Content-Type: multipart/alternative; boundary=c\r\n"
			      "\r\n"
			      "--c\r\n"
			      "\r\n"
			      "deep\r\n"
			      "--c--\r\n"
			      "--b--\r\n";

struct scanned {
	struct arena arena;
	struct mime_part *root;
	struct imap_parts parts;
};

static void scan(struct scanned *s)
{
	arena_init(&s->arena, MIME_SCAN_ARENA_MAX);
	assert_int_equal(mime_scan(&s->arena, view_str(message), &s->root), OK);
	assert_int_equal(imap_parts_of(&s->arena, s->root, &s->parts), OK);
}

/* The octets of a section, or "NIL". */
static struct view section(const struct scanned *s, enum imap_section_kind kind, uint32_t a,
			   uint32_t b, uint32_t c)
{
	uint32_t path[3] = { a, b, c };
	struct imap_section spec = { .kind = kind,
				     .path = path,
				     .path_n = (a > 0) + (size_t)(b > 0) + (c > 0) };
	struct imap_extent e = imap_section_find(s->parts, &spec);

	return e.none ? VIEW("NIL")
		      : view_part(view_str(message), (size_t)e.from, (size_t)(e.to - e.from));
}

static void sections(void **state)
{
	struct scanned s;

	scan(&s);
	assert_int_equal(section(&s, IMAP_SECTION_ALL, 0, 0, 0).n, sizeof(message) - 1);
	assert_true(view_starts(section(&s, IMAP_SECTION_TEXT, 0, 0, 0), VIEW("pre\r\n")));
	assert_true(view_ends(section(&s, IMAP_SECTION_HEADER, 0, 0, 0), VIEW("\r\n\r\n")));
	assert_view(section(&s, IMAP_SECTION_ALL, 1, 0, 0), "one\r\ntwo");
	assert_view(section(&s, IMAP_SECTION_MIME, 1, 0, 0),
		    "Content-Type: text/plain\r\nContent-ID: <i@x>\r\n\r\n");
	assert_view(section(&s, IMAP_SECTION_HEADER, 1, 0, 0), "NIL");
	assert_view(section(&s, IMAP_SECTION_ALL, 1, 1, 0), "NIL");
	assert_view(section(&s, IMAP_SECTION_HEADER, 2, 0, 0),
		    "Subject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n");
	assert_view(section(&s, IMAP_SECTION_TEXT, 2, 0, 0), "--c\r\n\r\ndeep\r\n--c--");
	assert_view(section(&s, IMAP_SECTION_ALL, 2, 1, 0), "deep");
	assert_view(section(&s, IMAP_SECTION_MIME, 2, 1, 0), "\r\n");
	assert_view(section(&s, IMAP_SECTION_ALL, 2, 2, 0), "NIL");
	assert_view(section(&s, IMAP_SECTION_ALL, 3, 0, 0), "NIL");
	arena_done(&s.arena);
}

static void tables_are_kept(void **state)
{
	struct scanned s;
	struct imap_parts again;
	struct buf CLEANUP(buf_done) code = BUF_INIT(1000);

	scan(&s);
	imap_parts_encode(&code, s.parts);
	assert_int_equal(imap_parts_decode(&s.arena, buf_view(&code), &again), OK);
	assert_int_equal(again.n, s.parts.n);
	for (size_t i = 0; i < again.n; i++) {
		assert_int_equal(again.at[i].parent, s.parts.at[i].parent);
		assert_int_equal(again.at[i].child, s.parts.at[i].child);
		assert_int_equal(again.at[i].next, s.parts.at[i].next);
		assert_int_equal(again.at[i].kind, s.parts.at[i].kind);
		assert_int_equal(again.at[i].encoding, s.parts.at[i].encoding);
		assert_int_equal(again.at[i].header_at, s.parts.at[i].header_at);
		assert_int_equal(again.at[i].body_end, s.parts.at[i].body_end);
	}
	for (struct cuts c = cuts_short_heads(buf_view(&code)); cuts_next(&c);)
		assert_int_equal(imap_parts_decode(&s.arena, c.piece, &again), ERR_CORRUPT);
	for (size_t i = 0; i < code.n; i++) {
		code.p[i] = (char)(code.p[i] ^ 0x41);
		(void)!imap_parts_decode(&s.arena, buf_view(&code), &again);
		code.p[i] = (char)(code.p[i] ^ 0x41);
	}
	arena_done(&s.arena);
}

static void header_subsets(void **state)
{
	static const struct view names[] = { VIEW_INIT("b"), VIEW_INIT("C") };
	struct imap_views views = { names, 2 };
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000);
	struct view header = VIEW("A: 1\r\nB: 2\r\n folded\r\nb: 3\r\nC: 4");

	imap_add_header_fields(&out, header, views, false);
	assert_view(buf_view(&out), "B: 2\r\n folded\r\nb: 3\r\nC: 4\r\n\r\n");
	buf_clear(&out);
	imap_add_header_fields(&out, header, views, true);
	assert_view(buf_view(&out), "A: 1\r\n\r\n");
	buf_clear(&out);
	imap_add_header_fields(&out, VIEW(""), views, true);
	assert_view(buf_view(&out), "\r\n");
}

/* Kept cuts may be damaged: no mixture is told. */
static void body_of_damaged_cuts(struct view full, struct view cuts)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);
	char bad[16] = { 0 };

	for (size_t n = 0; n < full.n; n++) /* too short for the last cut, but where it ends */
		assert_int_equal(imap_add_body_cut(&out, view_head(full, n), cuts),
				 n == full.n - 1 ? OK : ERR_CORRUPT);
	buf_clear(&out);
	bad[3] = 5; /* 5..6, then 4..4: not ascending */
	bad[7] = 1;
	bad[11] = 4;
	assert_int_equal(imap_add_body_cut(&out, full, view_of(bad, 16)), ERR_CORRUPT);
	assert_int_equal(out.n, 0);
	memset(bad, 0xff, 8);
	assert_int_equal(imap_add_body_cut(&out, full, view_of(bad, 8)), ERR_CORRUPT);
	assert_int_equal(out.n, 0);
}

static void structure(void **state)
{
	struct scanned s;
	struct arena scratch;
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) full = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) cuts = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) body = BUF_INIT(10000);

	scan(&s);
	arena_init(&scratch, MIME_ENVELOPE_ARENA_MAX);
	assert_int_equal(
		imap_add_bodystructure(&out, &scratch, view_str(message), s.root, true, &cuts), OK);
	assert_view(buf_view(&out), "((\"text\" \"plain\" NIL \"<i@x>\" NIL "
				    "\"7BIT\" 8 1 NIL NIL NIL "
				    "NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 85 (NIL "
				    "\"inner\" NIL NIL NIL NIL NIL "
				    "NIL NIL NIL) ((\"text\" \"plain\" (\"charset\" \"us-ascii\") "
				    "NIL NIL \"7BIT\" 4 0 NIL "
				    "NIL NIL NIL) \"alternative\" (\"boundary\" \"c\") NIL NIL "
				    "NIL) 6 NIL (\"attachment\" "
				    "(\"filename\" \"m.eml\")) NIL NIL) \"mixed\" (\"boundary\" "
				    "\"b\" \"x\" \"y z\") NIL NIL "
				    "NIL)");
	buf_add(&full, buf_view(&out));
	buf_clear(&out);
	assert_int_equal(
		imap_add_bodystructure(&out, &scratch, view_str(message), s.root, false, NULL), OK);
	assert_true(view_ends(buf_view(&out), VIEW(" 6) \"mixed\")")));
	assert_int_equal(imap_add_body_cut(&body, buf_view(&full), buf_view(&cuts)), OK);
	assert_true(view_eq(buf_view(&body), buf_view(&out)));
	body_of_damaged_cuts(buf_view(&full), buf_view(&cuts));
	arena_done(&scratch);
	arena_done(&s.arena);
}

static void envelope(void **state)
{
	struct arena a;
	struct mime_envelope e;
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);

	arena_init(&a, MIME_ENVELOPE_ARENA_MAX);
	assert_int_equal(mime_envelope_parse(&a, view_str(message), &e), OK);
	imap_add_envelope(&out, &e);
	assert_view(
		buf_view(&out),
		"(NIL {9}\r\ncaf\xc3\xa9 \"q\" ((\"A\" NIL \"a\" \"x.test\")) ((\"A\" NIL \"a\" "
		"\"x.test\")) ((\"A\" NIL \"a\" \"x.test\")) ((NIL NIL \"g\" NIL)(NIL NIL \"b\" "
		"\"x.test\")(NIL NIL \"c\" \"x.test\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),	  cmocka_unit_test(tables_are_kept),
		cmocka_unit_test(header_subsets), cmocka_unit_test(structure),
		cmocka_unit_test(envelope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
