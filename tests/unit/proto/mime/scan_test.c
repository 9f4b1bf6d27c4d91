/*
 * tests/unit/proto/mime/scan_test.c: structure, offsets, limits and malformed messages.
 */
#include "proto/mime/scan.h"

#include "mime_test.h"

struct scanned {
	struct arena arena;
	struct view text;
	char *copy;
	struct mime_part *root;
	struct buf dump;
};

static void scan(struct scanned *s, struct view text)
{
	arena_init(&s->arena, MIME_SCAN_ARENA_MAX);
	buf_init(&s->dump, DUMP_MAX);
	s->copy = tight_copy(text);
	s->text = view_of(s->copy, text.n);
	s->root = (struct mime_part *)s; /* canary */
	assert_int_equal(mime_scan(&s->arena, s->text, &s->root), OK);
	check_tree(s->text, s->root);
	dump_tree(&s->dump, s->text, s->root, true, false);
	assert_int_equal(buf_err(&s->dump), OK);
}

static void scan_done(struct scanned *s)
{
	arena_done(&s->arena);
	buf_done(&s->dump);
	free(s->copy);
}

#define check_scan(literal, want)                                                                  \
	do {                                                                                       \
		struct scanned s_;                                                                 \
		scan(&s_, VIEW(literal));                                                          \
		assert_view(buf_view(&s_.dump), want);                                             \
		scan_done(&s_);                                                                    \
	} while (0)

#define check_flags(literal, want)                                                                 \
	do {                                                                                       \
		struct scanned s_;                                                                 \
		scan(&s_, VIEW(literal));                                                          \
		assert_int_equal(s_.root->flags, (want));                                          \
		scan_done(&s_);                                                                    \
	} while (0)

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static void test_plain(void **state)
{
	check_scan("", "text/plain<>");
	check_scan("\r\n", "text/plain<>");
	check_scan("Subject: x\r\n\r\nhello\r\n", "text/plain<hello\r\n>");
	check_scan("Subject: x\n\nhello\n", "text/plain<hello\n>");
	check_scan("Subject: x\r\n", "text/plain<>");
	check_scan("Subject: x", "text/plain<>");
	check_scan("\r\nbody", "text/plain<body>");
	check_scan("no header at all\r\nmore", "text/plain<no header at all\r\nmore>");
	check_scan("A: 1\r\nnot a field\r\nB: 2\r\n\r\nx",
		   "text/plain<not a field\r\nB: 2\r\n\r\nx>");
	check_scan(" A: 1\r\n\r\nx", "text/plain< A: 1\r\n\r\nx>");
	check_scan("From a@b Mon\nContent-Type: text/html\n\nx", "text/html<x>");
	check_scan("From a@b Mon\n", "text/plain<>");
	check_scan("Content-Type: message/rfc822\n\nFrom a@b\nContent-Type: text/html\n\nx",
		   "message/rfc822(text/html<x>)");
	check_scan("Content-Type: IMAGE/Png\r\n\r\nx", "image/png<x>");
	check_scan("Content-Type:\r\n image/png\r\n\r\nx", "image/png<x>");
	check_scan("Content-Type: text / html (c)\r\n\r\nx", "text/html<x>");
}

static void test_multipart(void **state)
{
	check_scan(MIXED "--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n",
		   "multipart/mixed{text/plain<one>,text/html<two>}");
	/* Bare LF, and both kinds mixed. */
	check_scan("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\r\n--b--\n",
		   "multipart/mixed{text/plain<one>,text/plain<two>}");
	/* An empty line before the delimiter belongs to the part, once. */
	check_scan(MIXED "--b\r\n\r\none\r\n\r\n--b--", "multipart/mixed{text/plain<one\r\n>}");
	check_scan(MIXED "--b\r\n\r\n--b\r\n--b\r\n\r\n\r\n--b--",
		   "multipart/mixed{text/plain<>,text/plain<>,text/plain<>}");
	/* Transport padding, and text behind the boundary (RFC 2046#5.1.1). */
	check_scan(MIXED "--b  \t\r\n\r\none\r\n--b ignored\r\n\r\ntwo\r\n--b-- ignored\r\nend",
		   "multipart/mixed{text/plain<one>,text/plain<two>}");
	/* A boundary cannot end in a blank, but some are declared so. */
	check_scan(
		"Content-Type: multipart/mixed; boundary=\"b  \"\r\n\r\n--b  \r\n\r\n1\r\n--b  --",
		"multipart/mixed{text/plain<1>}");
	/* Not a boundary. */
	check_scan(MIXED "--b\r\n\r\n--bc\r\n--\r\n-b\r\n --b\r\nx--b\r\n--b-\r\n--B\r\n--b--",
		   "multipart/mixed{text/plain<--bc\r\n--\r\n-b\r\n --b\r\nx--b\r\n--b-\r\n--B>}");
	check_scan(MIXED
		   "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--",
		   "multipart/mixed{message/rfc822(text/plain<inner>)}");
	check_scan("Content-Type: multipart/digest; boundary=b\r\n\r\n"
		   "--b\r\n\r\nSubject: 1\r\n\r\none\r\n--b\r\nContent-Type: "
		   "text/plain\r\n\r\ntwo\r\n--b--",
		   "multipart/digest{message/rfc822(text/plain<one>),text/plain<two>}");
	check_scan("Content-Type: message/global\r\n\r\nA: 1\r\n\r\nx",
		   "message/global(text/plain<x>)");
	check_scan("Content-Type: message/delivery-status\r\n\r\nA: 1\r\n\r\nx",
		   "message/delivery-status<A: 1\r\n\r\nx>");
}

#define NESTED                                                                                     \
	"Content-Type: multipart/mixed; boundary=out\r\n\r\npre\r\n--out\r\n"                      \
	"Content-Type: multipart/alternative; boundary=out-in\r\n\r\n"

static void test_nested(void **state)
{
	check_scan(
		NESTED
		"--out-in\r\n\r\n1\r\n--out-in\r\n\r\n2\r\n--out-in--\r\n--out\r\n\r\n3\r\n--out--",
		"multipart/mixed{multipart/alternative{text/plain<1>,text/plain<2>},text/"
		"plain<3>}");
	/* The outer boundary ends inner parts whose own end is missing. */
	check_scan(NESTED "--out-in\r\n\r\n1\r\n--out\r\n\r\n3\r\n--out--",
		   "multipart/mixed{multipart/alternative{text/plain<1>},text/plain<3>}");
	check_scan(NESTED "--out-in\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n--out--\r\n",
		   "multipart/mixed{multipart/alternative{message/rfc822(text/plain<>)}}");
	/* The inner one never comes. */
	check_scan(NESTED "text\r\n--out\r\n\r\n3\r\n--out--",
		   "multipart/mixed{text/plain<text>,text/plain<3>}");
	/* Inner and outer alike: inner first, outer again after the inner end. */
	check_scan(MIXED "--b\r\n" MIXED "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n--b--",
		   "multipart/mixed{multipart/mixed{text/plain<1>},text/plain<2>}");
	/* Behind the closing delimiter nothing of that boundary counts. */
	check_scan(MIXED "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n",
		   "multipart/mixed{text/plain<1>}");
	/* A boundary that ends like a closing delimiter of the other. */
	check_scan("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
		   "Content-Type: multipart/mixed; "
		   "boundary=\"x--\"\r\n\r\n--x--\r\n\r\n1\r\n--x----\r\n--x--",
		   "multipart/mixed{multipart/mixed{text/plain<1>}}");
}

static void test_malformed(void **state)
{
	check_flags(MIXED "text", MIME_PART_NO_PARTS);
	check_flags("Content-Type: multipart/mixed\r\n\r\n--b\r\n", MIME_PART_NO_BOUNDARY);
	check_flags("Content-Type: multipart/mixed; boundary=\"   \"\r\n\r\n--\r\n",
		    MIME_PART_NO_BOUNDARY);
	check_flags(MIXED "--b\r\n\r\nx", MIME_PART_UNCLOSED);
	check_flags(MIXED "pre\r\n--b\r\n\r\nx\r\n--b--\r\npost",
		    MIME_PART_PREAMBLE | MIME_PART_EPILOGUE);
	check_flags(MIXED "\r\n--b\r\n\r\nx\r\n--b--\r\n \r\n", 0);
	check_flags("Content-Type: text\r\n\r\nx", MIME_PART_BAD_TYPE);
	check_flags("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx", MIME_PART_DUPLICATE);
	check_flags("Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\n--a--",
		    MIME_PART_DUPLICATE);
	check_flags("Content-Disposition: attachment; filename=a; filename=b\r\n\r\nx",
		    MIME_PART_DUPLICATE);
	check_flags("Content-Transfer-Encoding: base64 (really)\r\n\r\nx", MIME_PART_BAD_ENCODING);
	check_flags("Content-Transfer-Encoding: base64\0\r\n\r\nx", MIME_PART_BAD_ENCODING);
	check_flags("Content-Transfer-Encoding: rot13\r\n\r\nx", MIME_PART_BAD_ENCODING);
	check_flags("A: 1\r\njunk\r\n\r\nx", MIME_PART_BAD_HEADER);
	check_flags("Content-Transfer-Encoding: base64\r\n" MIXED "--b\r\n\r\nx\r\n--b--",
		    MIME_PART_ENCODED);
	check_flags("Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\n\r\nQQ==",
		    MIME_PART_ENCODED);
	check_scan("Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\n\r\nQQ==",
		   "application/octet-stream<QQ==>");
	/* An ambiguous header: the first one counts. */
	check_scan("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx", "a/b<x>");
	/* A delimiter within a header. */
	check_scan(MIXED "--b\r\nContent-Type: text/html\r\n--b\r\n\r\n2\r\n--b--",
		   "multipart/mixed{text/html<>,text/plain<2>}");
	check_scan("Content-Type: multipart/mixed; "
		   "boundary=\"a:b\"\r\n\r\n--a:b\r\n--a:b\r\n\r\nx\r\n--a:b--",
		   "multipart/mixed{text/plain<>,text/plain<x>}");
}

static void test_offsets(void **state)
{
	static const char text[] =
		MIXED "pre\r\n--b\r\nA: 1\r\n\r\none\r\ntwo\r\n--b--\r\npost\r\n";
	struct scanned s;

	scan(&s, VIEW(MIXED "pre\r\n--b\r\nA: 1\r\n\r\none\r\ntwo\r\n--b--\r\npost\r\n"));

	const struct mime_part *root = s.root, *p = root->child;

	assert_view(mime_part_header(s.text, root), MIXED);
	assert_view(mime_part_header(s.text, p), "A: 1\r\n\r\n");
	assert_view(mime_part_body(s.text, p), "one\r\ntwo");
	assert_int_equal(p->body_lines, 1);
	assert_int_equal(root->body_end, sizeof(text) - 1);
	assert_view(view_part(s.text, root->body_at, root->preamble_end - root->body_at),
		    "pre\r\n");
	assert_view(view_from(s.text, root->epilogue_at), "post\r\n");
	assert_int_equal(root->body_lines, 8);
	scan_done(&s);
}

static void test_fields(void **state)
{
	struct scanned s;

	scan(&s, VIEW("Content-Type: text/plain; charset=UTF-8; name=\"a b\"\r\n"
		      "content-transfer-encoding: Quoted-Printable\r\n"
		      "Content-ID: <x@y>\r\n"
		      "Content-Description: two\r\n words\r\n"
		      "Content-MD5: abc=\r\n"
		      "Content-Language: de, en-GB ,\r\n"
		      "Content-Location: http://a\r\n"
		      "Content-Disposition: attachment; filename*=utf-8''%C3%A4.txt\r\n\r\nx"));

	const struct mime_part *p = s.root;
	struct buf CLEANUP(buf_done) name = BUF_INIT(100);
	struct view tag;
	size_t at = 0;

	assert_view(mime_part_charset(p), "UTF-8");
	assert_int_equal(p->encoding_kind, MIME_QP);
	assert_view(p->encoding, "Quoted-Printable");
	assert_view(p->id, "<x@y>");
	assert_view(p->description, "two words");
	assert_view(p->md5, "abc=");
	assert_view(p->location, "http://a");
	assert_view(p->disposition, "attachment");
	assert_int_equal(p->params.n, 2);
	assert_view(p->raw_disposition_params.at[0].name, "filename*");
	mime_param_add_utf8(&name, mime_part_filename(p), NULL);
	assert_view(buf_view(&name), "\xc3\xa4.txt");
	assert_true(mime_language_next(p->language, &at, &tag));
	assert_view(tag, "de");
	assert_true(mime_language_next(p->language, &at, &tag));
	assert_view(tag, "en-GB");
	assert_false(mime_language_next(p->language, &at, &tag));
	scan_done(&s);

	scan(&s, VIEW("Content-Description:\r\n\r\n"));
	assert_non_null(s.root->description.p);
	assert_null(s.root->id.p);
	assert_null(s.root->encoding.p);
	assert_int_equal(s.root->encoding_kind, MIME_7BIT);
	assert_int_equal(s.root->raw_params.n, 1);
	assert_view(s.root->raw_params.at[0].value, "us-ascii");
	scan_done(&s);
}

static const struct mime_part *find(const struct scanned *s, const char *section)
{
	uint32_t path[8];
	size_t n = 0;

	for (; *section; section++)
		if (*section != '.')
			path[n++] = (uint32_t)(*section - '0');
	return mime_part_find(s->root, path, n);
}

static void check_section(const struct scanned *s, const char *section, const char *body)
{
	const struct mime_part *p = find(s, section);

	if (!body) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_true(view_eq(mime_part_body(s->text, p), view_str(body)));
}

/* RFC 9051#6.4.5.1 */
static void test_sections(void **state)
{
	struct scanned s;

	scan(&s,
	     VIEW(MIXED "--b\r\n\r\nP1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
			"A: 1\r\n\r\nP21\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
			"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nP31\r\n--c\r\n"
			"\r\nP32\r\n--c--\r\n--b--"));
	check_section(&s, "1", "P1");
	check_section(&s, "1.1", NULL);
	check_section(&s, "2", "A: 1\r\n\r\nP21");
	check_section(&s, "2.1", "P21");
	check_section(&s, "2.1.1", NULL);
	check_section(&s, "2.2", NULL);
	check_section(&s, "3.1", "P31");
	check_section(&s, "3.2", "P32");
	check_section(&s, "3.3", NULL);
	check_section(&s, "4", NULL);
	check_section(&s, "0", NULL);
	assert_ptr_equal(find(&s, ""), s.root);

	struct buf CLEANUP(buf_done) section = BUF_INIT(100);

	mime_part_add_section(&section, find(&s, "3.2"));
	assert_view(buf_view(&section), "3.2");
	buf_clear(&section);
	mime_part_add_section(&section, find(&s, "2.1"));
	assert_view(buf_view(&section), "2.1");
	buf_clear(&section);
	mime_part_add_section(&section, s.root);
	assert_view(buf_view(&section), "");
	scan_done(&s);

	scan(&s, VIEW("A: 1\r\n\r\nwhole"));
	check_section(&s, "1", "whole");
	check_section(&s, "1.1", NULL);
	check_section(&s, "2", NULL);
	buf_clear(&section);
	mime_part_add_section(&section, s.root);
	assert_view(buf_view(&section), "1");
	scan_done(&s);
}

/* n levels of multipart, each the only part of the one above, and a leaf. */
static void add_nested(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "Content-Type: multipart/mixed; boundary=b%zu.\r\n\r\n--b%zu.\r\n", i,
			 i);
	buf_add(out, VIEW("\r\nleaf"));
}

static void test_depth(void **state)
{
	struct scanned s;
	struct buf CLEANUP(buf_done) text = BUF_INIT(DUMP_MAX);
	const struct mime_part *p;

	add_nested(&text, MIME_DEPTH_MAX - 1);
	scan(&s, buf_view(&text));
	for (p = s.root; p->child; p = p->child)
		assert_int_equal(p->flags, MIME_PART_UNCLOSED);
	assert_int_equal(p->depth, MIME_DEPTH_MAX);
	assert_int_equal(p->flags, 0);
	assert_view(mime_part_body(s.text, p), "leaf");
	scan_done(&s);

	buf_clear(&text);
	add_nested(&text, MIME_DEPTH_MAX);
	scan(&s, buf_view(&text));
	for (p = s.root; p->child; p = p->child)
		;
	assert_int_equal(p->depth, MIME_DEPTH_MAX);
	assert_int_equal(p->flags, MIME_PART_DEPTH);
	assert_view(p->declared_type, "multipart");
	assert_view(p->type, "application");
	assert_true(view_ends(mime_part_body(s.text, p), VIEW("leaf")));
	scan_done(&s);

	buf_clear(&text);
	add_nested(&text, 100000);
	scan(&s, buf_view(&text));
	scan_done(&s);

	buf_clear(&text);
	for (size_t i = 0; i < 100000; i++)
		buf_add(&text, VIEW("Content-Type: message/rfc822\r\n\r\n"));
	scan(&s, buf_view(&text));
	for (p = s.root; p->child; p = p->child)
		;
	assert_int_equal(p->depth, MIME_DEPTH_MAX);
	assert_int_equal(p->flags, MIME_PART_DEPTH);
	scan_done(&s);
}

static void test_count(void **state)
{
	struct scanned s;
	struct buf CLEANUP(buf_done) text = BUF_INIT(DUMP_MAX);

	buf_add(&text, VIEW(MIXED));
	for (size_t i = 1; i < MIME_PARTS_MAX; i++)
		buf_add(&text, VIEW("--b\r\n\r\nx\r\n"));

	size_t full = text.n;

	buf_add(&text, VIEW("--b--\r\n"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->children, MIME_PARTS_MAX - 1);
	assert_int_equal(s.root->flags, 0);
	assert_int_equal(s.root->last->flags, 0);
	scan_done(&s);

	buf_truncate(&text, full);
	buf_add(&text, VIEW("--b\r\n\r\none too many\r\n--b--\r\n"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->children, MIME_PARTS_MAX - 1);
	assert_int_equal(s.root->last->flags, MIME_PART_COUNT);
	assert_view(mime_part_body(s.text, s.root->last),
		    "x\r\n--b\r\n\r\none too many\r\n--b--\r\n");
	scan_done(&s);

	/* The part too many would be the message inside a part. */
	buf_truncate(&text, full - strlen("--b\r\n\r\nx\r\n"));
	buf_add(&text,
		VIEW("--b\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n\r\nx\r\n--b--\r\n"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->last->flags, MIME_PART_COUNT);
	assert_view(mime_part_body(s.text, s.root->last), "A: 1\r\n\r\nx");
	scan_done(&s);
}

static void test_boundary_length(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(DUMP_MAX);

	for (size_t past = 0; past <= 1; past++) {
		struct scanned s;

		buf_clear(&text);
		buf_add(&text, VIEW("Content-Type: multipart/mixed; boundary="));
		buf_add_fill(&text, 'b', MIME_BOUNDARY_MAX + past);
		buf_add(&text, VIEW("\r\n\r\n--"));
		buf_add_fill(&text, 'b', MIME_BOUNDARY_MAX + past);
		buf_add(&text, VIEW("\r\n\r\nx"));
		scan(&s, buf_view(&text));
		assert_int_equal(s.root->kind, past ? MIME_LEAF : MIME_MULTIPART);
		assert_int_equal(s.root->flags, past ? MIME_PART_NO_BOUNDARY : MIME_PART_UNCLOSED);
		scan_done(&s);
	}
}

/* THREATS 2.13: linear time.  The sizes are such that quadratic work would never end. */
static void test_linear(void **state)
{
	struct scanned s;
	struct buf CLEANUP(buf_done) text = BUF_INIT(DUMP_MAX);

	add_nested(&text, MIME_DEPTH_MAX - 1);
	buf_add(&text, VIEW("\r\n"));
	for (size_t i = 0; i < 1000000; i++)
		buf_add(&text, VIEW("--b0.x\r\n"));
	scan(&s, buf_view(&text));
	scan_done(&s);

	buf_clear(&text);
	buf_add(&text, VIEW("Content-Type: text/plain"));
	for (size_t i = 0; i < 10000; i++)
		buf_addf(&text, ";\r\n filename*%zu*=x", i);
	buf_add(&text, VIEW("\r\n\r\nx"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->flags & MIME_PART_BAD_PARAM, MIME_PART_BAD_PARAM);
	scan_done(&s);

	buf_clear(&text);
	for (size_t i = 0; i < 500000; i++)
		buf_add(&text, VIEW("To: x\r\n"));
	buf_add(&text, VIEW("\r\nx"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->flags, MIME_PART_BIG_HEADER);
	scan_done(&s);

	buf_clear(&text);
	buf_add(&text, VIEW(MIXED));
	for (size_t i = 0; i < 2000000; i++)
		buf_add(&text, VIEW("--b\r\n"));
	scan(&s, buf_view(&text));
	assert_int_equal(s.root->last->flags, MIME_PART_COUNT | MIME_PART_BAD_HEADER);
	scan_done(&s);
}

/* Values are left out when a message has too many, and the arena that is promised is enough. */
static void test_value_budget(void **state)
{
	struct scanned s;
	struct buf CLEANUP(buf_done) text = BUF_INIT(DUMP_MAX);
	size_t left_out = 0;

	buf_add(&text, VIEW(MIXED));
	for (size_t i = 1; i < MIME_PARTS_MAX; i++) {
		buf_add(&text, VIEW("--b\r\nContent-Type: text/plain"));
		for (size_t k = 0; k < MIME_PARAM_SECTIONS_MAX; k++)
			buf_addf(&text, ";a%zu=b", k);
		buf_add(&text, VIEW("\r\nContent-Description: "));
		for (size_t k = 0; k < 1000; k++)
			buf_add(&text, VIEW("xxxxxxxx\r\n "));
		buf_add(&text, VIEW("\r\n\r\n"));
	}
	scan(&s, buf_view(&text));
	for (const struct mime_part *p = s.root; p; p = mime_part_walk(s.root, p))
		left_out += (p->flags & MIME_PART_TEXT_LIMIT) != 0;
	assert_true(left_out > 0 && left_out < MIME_PARTS_MAX);
	scan_done(&s);
}

static void test_memory(void **state)
{
	static const char text[] = MIXED "--b\r\n\r\nx\r\n--b--";
	struct mime_part canary, *root = &canary;
	struct arena arena;

	for (size_t max = 0; max < 4096; max += 16) {
		arena_init(&arena, max);

		enum err err = mime_scan(&arena, view_str(text), &root);

		assert_true(err == OK || (err == ERR_NOMEM && root == &canary));
		arena_done(&arena);
		root = &canary;
	}
}

/* Every head of a message is a message: no crash, promises kept. */
static void test_every_cut(void **state)
{
	struct view text = VIEW(
		NESTED "--out-in\r\nContent-Type: message/rfc822\r\n\r\nSubject:\r\n"
		       " folded\r\nContent-Type: text/html; charset=\"x\\\"y\"; a*0*=u''%41;"
		       " a*1=b\r\n\r\n<b>\r\n--out-in--\r\nepi\r\n--out\r\n\r\n3\r\n--out--\r\n");

	for (size_t n = 0; n <= text.n; n++) {
		struct scanned s;

		scan(&s, view_head(text, n));
		scan_done(&s);
	}
}

static void test_header_only(void **state)
{
	struct arena arena;
	struct mime_part *p = NULL;
	struct view text = VIEW(MIXED "--b\r\n\r\nx");

	arena_init(&arena, MIME_SCAN_ARENA_MAX);
	assert_int_equal(mime_scan_header(&arena, text, &p), OK);
	assert_int_equal(p->kind, MIME_MULTIPART);
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->body_at, strlen(MIXED));
	assert_int_equal(p->body_end, text.n);
	assert_null(p->child);
	assert_int_equal(mime_scan_header(&arena, VIEW("Content-Type: text/html\r\n"), &p), OK);
	assert_int_equal(p->flags, MIME_PART_BAD_HEADER);
	assert_view(p->subtype, "html");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),		cmocka_unit_test(test_multipart),
		cmocka_unit_test(test_nested),		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_offsets),		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_sections),	cmocka_unit_test(test_depth),
		cmocka_unit_test(test_count),		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_value_budget),	cmocka_unit_test(test_memory),
		cmocka_unit_test(test_every_cut),	cmocka_unit_test(test_header_only),
		cmocka_unit_test(test_boundary_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
