/*
 * tests/unit/proto/mime/corpus_test.c: messages of other projects, read from outside the tree.
 *
 * The folder is named by POSTHOLD_TESTDATA, else ../shared/testdata beside the project; without it
 * the tests skip.  Where we read a message differently on purpose, the table says which section
 * decides.
 */
#include <glob.h>
#include <jansson.h>

#include "cuts.h"
#include "mime_test.h"
#include "proto/mime/envelope.h"
#include "proto/mime/header.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	CUT_MAX = 1500, /* every cut up to here is tried */
};

static void data_path(struct buf *out, const char *name)
{
	const char *root = getenv("POSTHOLD_TESTDATA");

	buf_clear(out);
	if (root)
		buf_add_str(out, root);
	else
		buf_add_str(out, SOURCE_ROOT "/../shared/testdata");
	buf_addf(out, "/%s", name);
}

static void read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char room[4096];
	size_t n;

	assert_non_null(f);
	buf_clear(out);
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		buf_add(out, view_of(room, n));
	fclose(f);
	assert_int_equal(buf_err(out), OK);
}

/* The files that match, at least one; else the test is skipped. */
static void list_files(const char *pattern, glob_t *ret)
{
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);

	data_path(&path, pattern);
	if (glob(buf_cstr(&path), 0, NULL, ret) != 0) {
		print_message("no test data: %s\n", buf_cstr(&path));
		buf_done(&path); /* skip does not come back */
		skip();
	}
}

static bool cut_tag(struct view *rest, struct view tag)
{
	if (!view_starts(*rest, tag))
		return false;
	*rest = view_from(*rest, tag.n);
	return true;
}

static void add_unescaped(struct buf *out, struct view text)
{
	static const struct {
		struct view from;
		char to;
	} entities[] = { { VIEW_INIT("&lt;"), '<' },
			 { VIEW_INIT("&gt;"), '>' },
			 { VIEW_INIT("&quot;"), '"' },
			 { VIEW_INIT("&amp;"), '&' } };

	while (text.n) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(entities) && !found; i++) {
			found = cut_tag(&text, entities[i].from);
			if (found)
				buf_add_char(out, entities[i].to);
		}
		if (!found) {
			buf_add_char(out, text.p[0]);
			text = view_from(text, 1);
		}
	}
}

/* The tree in XML in the form of dump_tree without types, bodies trimmed. */
static void dump_xml(struct buf *out, struct view xml)
{
	bool first = true;
	struct buf CLEANUP(buf_done) body = BUF_INIT(FILE_MAX);

	while (xml.n) {
		if (cut_tag(&xml, VIEW("<body-part>"))) {
			if (!first)
				buf_add_char(out, ',');
			first = false;
		} else if (cut_tag(&xml, VIEW("<multipart>"))) {
			buf_add_char(out, '{');
			first = true;
		} else if (cut_tag(&xml, VIEW("</multipart>"))) {
			buf_add_char(out, '}');
			first = false;
		} else if (cut_tag(&xml, VIEW("<message>"))) {
			if (out->n)
				buf_add_char(out, '(');
		} else if (cut_tag(&xml, VIEW("</message>"))) {
			buf_add_char(out, ')');
		} else if (cut_tag(&xml, VIEW("<body>"))) {
			size_t end = view_find(xml, VIEW("</body>"));

			assert_true(end != VIEW_NONE);
			buf_clear(&body);
			add_unescaped(&body, view_head(xml, end));
			buf_addf(out, "<" VIEW_FMT ">", VIEW_ARG(view_trim(buf_view(&body))));
			xml = view_from(xml, end);
		} else {
			xml = view_from(xml, 1);
		}
	}
	/* The outermost message has no parentheses here. */
	buf_truncate(out, out->n - 1);
}

/* Read otherwise by us, and why. */
static const struct {
	const char *file;
	const char *why;
} DIFFERENT[] = {
	{ "base64encoded-rfc822message", "RFC 2046#5.2.1 forbids it; no offsets inside base64" },
	{ "bad-newlines-multiple-parts-base64", "the same" },
	{ "basic-plain-with-bad-header-separator", "the header ends at a line that is no field" },
	{ "malformedHeader", "the same" },
	{ "obsolete", "the same: 8-bit in the name of a field" },
	{ "missing-boundary", "a multipart without parts is a leaf that keeps its bytes" },
	{ "missing-inner", "the same" },
	{ "multipartnopart", "the same" },
	{ "weird-boundary", "RFC 2046#5.1.1: a boundary does not end in a blank" },
	{ "very-long-boundary", "the same" },
};

static const char *known_difference(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(DIFFERENT); i++)
		if (strstr(path, DIFFERENT[i].file))
			return DIFFERENT[i].why;
	return NULL;
}

static void test_mime4j(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(FILE_MAX);
	struct buf CLEANUP(buf_done) xml = BUF_INIT(FILE_MAX);
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);
	size_t alike = 0;
	glob_t files;

	list_files("mime/mime4j/*.msg", &files);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *name = files.gl_pathv[i];
		struct buf CLEANUP(buf_done) ours = BUF_INIT(FILE_MAX);
		struct buf CLEANUP(buf_done) theirs = BUF_INIT(FILE_MAX);
		struct arena arena;
		struct mime_part *root = NULL;

		read_file(name, &text);
		buf_clear(&path);
		buf_add(&path, view_head(view_str(name), strlen(name) - 3));
		buf_add(&path, VIEW("xml"));
		read_file(buf_cstr(&path), &xml);
		arena_init(&arena, MIME_SCAN_ARENA_MAX);
		assert_int_equal(mime_scan(&arena, buf_view(&text), &root), OK);
		check_tree(buf_view(&text), root);
		dump_tree(&ours, buf_view(&text), root, false, true);
		dump_xml(&theirs, buf_view(&xml));

		bool same = view_eq(buf_view(&ours), buf_view(&theirs));

		if (same == (known_difference(name) != NULL))
			print_error("%s:\n" VIEW_FMT "\n---\n" VIEW_FMT "\n", name,
				    VIEW_ARG(buf_view(&ours)), VIEW_ARG(buf_view(&theirs)));
		assert_int_equal(same, known_difference(name) == NULL);
		alike += same;
		arena_done(&arena);
	}
	assert_true(alike > 0);
	globfree(&files);
}

/* offset_header, offset_body, offset_end of one list of parts; nested messages have lists of their
 * own. */
static void check_offsets(const struct mime_part *p, json_t *json)
{
	json_t *parts = json_object_get(json, "parts");
	size_t i = 0;

	for (const struct mime_part *top = p; p; i++) {
		json_t *part = json_array_get(parts, i);

		assert_non_null(part);
		assert_int_equal(p->header_at,
				 json_integer_value(json_object_get(part, "offset_header")));
		assert_int_equal(p->body_at,
				 json_integer_value(json_object_get(part, "offset_body")));
		assert_int_equal(p->body_end,
				 json_integer_value(json_object_get(part, "offset_end")));

		const struct mime_part *next = mime_part_walk(top, p);

		/* Behind a message go on with the part after all that it contains. */
		if (p->kind == MIME_MESSAGE)
			while (next && next->depth > p->depth)
				next = mime_part_walk(top, next);
		p = next;
	}
	assert_int_equal(i, json_array_size(parts));
}

/* The fields of every header, depth first, against the lists of the same shape. */
static void check_fields(struct view text, const struct mime_part *p, json_t *part)
{
	json_t *headers = json_object_get(part, "headers");
	struct mime_header_iter it = mime_header_iter_init(mime_part_header(text, p));
	struct mime_field f;
	size_t i = 0;

	for (; mime_header_next(&it, &f); i++) {
		json_t *field = json_array_get(headers, i);

		assert_non_null(field);
		assert_int_equal(p->header_at + f.at,
				 json_integer_value(json_object_get(field, "offset_field")));
		assert_int_equal(f.value.p - text.p,
				 json_integer_value(json_object_get(field, "offset_start")));
		assert_int_equal(p->header_at + f.at + f.raw.n,
				 json_integer_value(json_object_get(field, "offset_end")));
	}
	assert_int_equal(i, json_array_size(headers));
}

static void check_message(struct view text, const struct mime_part *root, json_t *json)
{
	/* Messages found so far whose own lists are still to be compared. */
	struct {
		const struct mime_part *part;
		json_t *json;
	} todo[MIME_DEPTH_MAX] = { { root, json } };
	size_t n = 1;

	while (n > 0) {
		const struct mime_part *top = todo[--n].part;
		json_t *parts = json_object_get(todo[n].json, "parts");
		size_t i = 0;

		json = todo[n].json;
		check_offsets(top, json);
		for (const struct mime_part *p = top; p; i++) {
			json_t *part = json_array_get(parts, i);
			const struct mime_part *next = mime_part_walk(top, p);

			check_fields(text, p, part);
			if (p->kind == MIME_MESSAGE) {
				json_t *body = json_object_get(part, "body");

				assert_true(n < ARRAY_LEN(todo));
				todo[n].part = p->child;
				todo[n++].json = json_object_get(body, "Message");
				while (next && next->depth > p->depth)
					next = mime_part_walk(top, next);
			}
			p = next;
		}
	}
}

static void check_json(const char *json_path, struct view text)
{
	struct arena arena;
	struct mime_part *root = NULL;
	json_error_t error;
	json_t *json = json_load_file(json_path, 0, &error);

	assert_non_null(json);
	arena_init(&arena, MIME_SCAN_ARENA_MAX);
	assert_int_equal(mime_scan(&arena, text, &root), OK);
	check_tree(text, root);
	check_message(text, root, json);
	arena_done(&arena);
	json_decref(json);
}

static void test_offsets(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(FILE_MAX);
	struct buf CLEANUP(buf_done) crlf = BUF_INIT(FILE_MAX);
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);
	glob_t files;

	list_files("mime/mail-parser-rfc/*.eml", &files);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct view stem =
			view_head(view_str(files.gl_pathv[i]), strlen(files.gl_pathv[i]) - 3);

		read_file(files.gl_pathv[i], &text);
		buf_clear(&path);
		buf_addf(&path, VIEW_FMT "json", VIEW_ARG(stem));
		check_json(buf_cstr(&path), buf_view(&text));

		buf_clear(&crlf);
		for (size_t k = 0; k < text.n; k++) {
			if (text.p[k] == '\n')
				buf_add_char(&crlf, '\r');
			buf_add_char(&crlf, text.p[k]);
		}
		buf_clear(&path);
		buf_addf(&path, VIEW_FMT "crlf.json", VIEW_ARG(stem));
		check_json(buf_cstr(&path), buf_view(&crlf));
	}
	globfree(&files);
}

/* Every cut near the start of every message: no crash, and the promises of the tree hold. */
static void check_cuts(const char *pattern)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(FILE_MAX);
	struct arena arena;
	glob_t files;

	list_files(pattern, &files); /* may skip: nothing is allocated yet */
	arena_init(&arena, MIME_ENVELOPE_ARENA_MAX);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		read_file(files.gl_pathv[i], &text);
		for (struct cuts c = cuts_heads(view_head(buf_view(&text), CUT_MAX));
		     cuts_next(&c);) {
			struct mime_part *root = NULL;
			struct mime_envelope envelope;

			arena_clear(&arena);
			assert_int_equal(mime_scan(&arena, c.piece, &root), OK);
			check_tree(c.piece, root);
			assert_int_equal(mime_scan_header(&arena, c.piece, &root), OK);
			assert_int_equal(mime_envelope_parse(&arena, c.piece, &envelope), OK);
		}
	}
	arena_done(&arena);
	globfree(&files);
}

static void test_cuts_mime4j(void **state)
{
	check_cuts("mime/mime4j/*.msg");
}

static void test_cuts_rfc(void **state)
{
	check_cuts("mime/mail-parser-rfc/*.eml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mime4j),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_cuts_mime4j),
		cmocka_unit_test(test_cuts_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
