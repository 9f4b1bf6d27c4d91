/*
 * tests/unit/proto/smtp/eod_test.c: where a message ends (THREATS 2.1), through whole sessions.
 *
 * Cases come from smtp-eod.json in the folder POSTHOLD_TESTDATA; without it the test is skipped.
 */
#include <jansson.h>

#include "base/encode.h"
#include "drive.h"
#include "unit.h"

struct eod_case {
	const char *name;
	const char *expect;
	struct buf prefix, bytes, stored;
};

enum way { WHOLE, OCTETS, CUT };

/* How the octets of one run are cut. */
struct cutting {
	enum way way;
	size_t at;
};

static const char SMUGGLED[] =
	"MAIL FROM:<smuggled@a.example>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n"
	"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n";

static void feed(struct drive *d, struct view bytes, struct cutting cut)
{
	if (cut.way == OCTETS) {
		for (size_t i = 0; i < bytes.n; i++)
			drive_feed(d, view_part(bytes, i, 1));
	} else if (cut.way == CUT) {
		drive_feed(d, view_head(bytes, cut.at));
		drive_feed(d, view_from(bytes, cut.at));
	} else {
		drive_feed(d, bytes);
	}
}

/* A session up to MAIL and RCPT, replies forgotten. */
static void begin(struct drive *d, enum smtp_service service)
{
	static const char *const greet[] = { "EHLO c.test\r\n",
					     "EHLO c.test\r\nAUTH PLAIN AG1lAHNlY3JldA==\r\n",
					     "LHLO c.test\r\n" };

	drive_init(d, service);
	d->peer.tls = true;
	drive_start(d);
	drive_feed(d, view_str(greet[service]));
	drive_feed(d,
		   VIEW("MAIL FROM:<me@here.test> BODY=8BITMIME\r\nRCPT TO:<user@here.test>\r\n"));
	assert_true(view_ends(buf_view(&d->replies), VIEW("250 2.1.5 Recipient accepted\r\n")));
	buf_clear(&d->replies);
}

static size_t count(struct view text, struct view what)
{
	size_t n = 0, at;

	while ((at = view_find(text, what)) != VIEW_NONE) {
		n++;
		text = view_from(text, at + what.n);
	}
	return n;
}

static void check(struct drive *d, const struct eod_case *c, struct view pad)
{
	struct view replies = buf_view(&d->replies);
	bool reject = strcmp(c->expect, "reject") == 0;

	if (reject) {
		assert_int_equal(d->stored_n, 0);
		assert_view(replies, "550 5.5.2 The message has a bare CR, a bare LF or a NUL\r\n");
		assert_true(d->closed);
		return;
	}
	assert_true(view_starts(replies, VIEW("250 2.0.0 Message accepted as id1\r\n")));
	assert_int_equal(d->stored_n, 1);

	struct view body = drive_body(d, 0);

	if (d->config.service != SMTP_SUBMISSION)
		assert_int_equal(body.n, pad.n + c->stored.n);
	assert_true(view_ends(body, buf_view(&c->stored)));
	assert_true(view_ends(view_head(body, body.n - c->stored.n), pad));
}

static void run_data(const struct eod_case *c, enum smtp_service service, struct view pad,
		     struct cutting cut)
{
	struct drive d;
	struct buf CLEANUP(buf_done) all = BUF_INIT(1 << 20);

	buf_add(&all, pad);
	buf_add(&all, buf_view(&c->prefix));
	buf_add(&all, buf_view(&c->bytes));
	buf_add(&all, VIEW("X: tail\r\n.\r\n"));
	begin(&d, service);
	drive_feed(&d, VIEW("DATA\r\n"));
	assert_true(view_starts(buf_view(&d.replies), VIEW("354 ")));
	buf_clear(&d.replies);
	feed(&d, buf_view(&all), cut);
	check(&d, c, pad);
	drive_done(&d);
}

/* The suffix is a whole second transaction. */
static void run_smuggling(const struct eod_case *c, enum smtp_service service, struct cutting cut)
{
	struct drive d;
	struct buf CLEANUP(buf_done) all = BUF_INIT(1 << 20);

	buf_add(&all, buf_view(&c->prefix));
	buf_add(&all, buf_view(&c->bytes));
	buf_add_str(&all, SMUGGLED);
	begin(&d, service);
	drive_feed(&d, VIEW("DATA\r\n"));
	buf_clear(&d.replies);
	feed(&d, buf_view(&all), cut);

	struct view replies = buf_view(&d.replies);

	if (strcmp(c->expect, "reject") == 0) {
		assert_int_equal(d.stored_n, 0);
		assert_int_equal(count(replies, VIEW("\r\n")), 1);
		assert_true(view_starts(replies, VIEW("550 5.5.2 ")));
		assert_true(d.closed);
	} else if (strcmp(c->expect, "content") == 0) {
		assert_int_equal(d.stored_n, 1);
		assert_int_equal(count(replies, VIEW("\r\n")), 1);
	} else {
		/* The octets after the end are commands, which is no smuggling. */
		assert_true(d.stored_n >= 1);
		assert_int_equal(count(drive_body(&d, 0), VIEW("smuggled")), 0);
	}
	drive_done(&d);
}

/* Nothing inside a chunk ends the message; a border may stand at any place. */
static void run_bdat(const struct eod_case *c, size_t border)
{
	struct drive d;
	struct buf CLEANUP(buf_done) all = BUF_INIT(1 << 16);
	struct buf CLEANUP(buf_done) want = BUF_INIT(1 << 16);
	struct buf CLEANUP(buf_done) wire = BUF_INIT(1 << 16);
	bool bad = false;

	buf_add(&all, buf_view(&c->prefix));
	buf_add(&all, buf_view(&c->bytes));
	buf_add(&all, VIEW("X: tail\r\n.\r\n"));
	for (size_t i = 0; i < all.n; i++) {
		char o = all.p[i];

		bad |= !o || (o == '\r' && (i + 1 == all.n || all.p[i + 1] != '\n'));
		if (o == '\n' && (!i || all.p[i - 1] != '\r'))
			buf_add_char(&want, '\r');
		buf_add_char(&want, o);
	}
	border = size_min(border, all.n);
	begin(&d, SMTP_MX);
	buf_addf(&wire, "BDAT %zu\r\n", border);
	buf_add(&wire, view_head(buf_view(&all), border));
	buf_addf(&wire, "BDAT %zu LAST\r\n", all.n - border);
	buf_add(&wire, view_from(buf_view(&all), border));
	drive_feed(&d, buf_view(&wire));
	if (bad) {
		assert_int_equal(d.stored_n, 0);
		assert_true(view_find(buf_view(&d.replies), VIEW("550 5.5.2 ")) != VIEW_NONE);
	} else {
		assert_int_equal(d.stored_n, 1);
		assert_true(view_eq(drive_body(&d, 0), buf_view(&want)));
	}
	assert_false(d.closed);
	drive_done(&d);
}

static void run_borders(const struct eod_case *c)
{
	static const size_t borders[] = { 512, 998, 1000, 1024, 2048, 4096, 8192, 16384, 65536 };
	struct buf CLEANUP(buf_done) pad = BUF_INIT(1 << 20);

	for (size_t b = 0; b < ARRAY_LEN(borders); b++) {
		for (size_t at = borders[b] - 4; at <= borders[b] + 4; at++) {
			size_t n = at - c->prefix.n;

			buf_clear(&pad);
			while (pad.n + 80 < n) {
				buf_add_fill(&pad, 'a', 70);
				buf_add(&pad, VIEW("\r\n"));
			}
			buf_add_fill(&pad, 'b', n - pad.n - 2);
			buf_add(&pad, VIEW("\r\n"));
			run_data(c, SMTP_MX, buf_view(&pad),
				 (struct cutting){ .way = CUT, .at = borders[b] });
		}
	}
}

static void run_case(const struct eod_case *c)
{
	size_t n = c->prefix.n + c->bytes.n + 12;

	for (enum smtp_service service = SMTP_MX; service <= SMTP_LMTP; service++) {
		run_data(c, service, VIEW_EMPTY, (struct cutting){ .way = WHOLE });
		run_data(c, service, VIEW_EMPTY, (struct cutting){ .way = OCTETS });
		for (size_t at = 1; at < n; at++)
			run_data(c, service, VIEW_EMPTY, (struct cutting){ .way = CUT, .at = at });
		run_smuggling(c, service, (struct cutting){ .way = WHOLE });
		run_smuggling(c, service, (struct cutting){ .way = OCTETS });
		for (size_t at = 1; at < n; at++)
			run_smuggling(c, service, (struct cutting){ .way = CUT, .at = at });
	}
	for (size_t border = 0; border <= n; border++)
		run_bdat(c, border);
	run_borders(c);
}

static void hex_field(json_t *object, const char *name, const char *absent, struct buf *ret)
{
	const char *text = json_string_value(json_object_get(object, name));

	buf_init(ret, 4096);
	assert_int_equal(hex_decode(ret, view_str(text ? text : absent)), OK);
}

static json_t *cases_load(void)
{
	struct buf CLEANUP(buf_done) path = BUF_INIT(4096);
	const char *folder = getenv("POSTHOLD_TESTDATA");

	if (folder)
		buf_addf(&path, "%s/smtp-eod.json", folder);
	else
		buf_addf(&path, "%s/../shared/testdata/smtp-eod.json", SOURCE_ROOT);

	json_t *root = json_load_file(buf_cstr(&path), JSON_REJECT_DUPLICATES, NULL);

	if (!root)
		print_message("SKIP: no test data in %s\n", buf_cstr(&path));
	return root;
}

static void test_cases(void **state)
{
	json_t *root = cases_load(), *item;
	size_t i;

	if (!root)
		skip();
	json_array_foreach(json_object_get(root, "cases"), i, item)
	{
		struct eod_case c = {
			.name = json_string_value(json_object_get(item, "name")),
			.expect = json_string_value(json_object_get(item, "expect")),
		};

		hex_field(item, "prefix_hex", "626f6479", &c.prefix);
		hex_field(item, "bytes_hex", "", &c.bytes);
		hex_field(item, "stored_hex", "", &c.stored);
		run_case(&c);
		buf_done(&c.prefix);
		buf_done(&c.bytes);
		buf_done(&c.stored);
	}
	print_message("%zu cases\n", i);
	assert_true(i >= 59);
	json_decref(root);
}

/* The list of THREATS 2.1, which needs no file: 25 pairs, of which one is the end. */
static void test_matrix(void **state)
{
	static const struct view ends[] = { VIEW_INIT("\r\n"), VIEW_INIT("\n"), VIEW_INIT("\r"),
					    VIEW_INIT("\r\r\n"), VIEW_INIT("\n\r") };

	for (size_t a = 0; a < ARRAY_LEN(ends); a++) {
		for (size_t b = 0; b < ARRAY_LEN(ends); b++) {
			struct eod_case c = { .expect = a || b ? "reject" : "end" };

			buf_init(&c.prefix, 16);
			buf_init(&c.bytes, 16);
			buf_init(&c.stored, 16);
			buf_add(&c.prefix, VIEW("body"));
			buf_add(&c.bytes, ends[a]);
			buf_add_char(&c.bytes, '.');
			buf_add(&c.bytes, ends[b]);
			buf_add(&c.stored, VIEW("body\r\n"));
			run_case(&c);
			buf_done(&c.prefix);
			buf_done(&c.bytes);
			buf_done(&c.stored);
		}
	}
}

/* Lines of many lengths in front of the end. */
static void test_long_lines(void **state)
{
	static const size_t lengths[] = { 997, 998, 999, 1000, 4095, 100000 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct drive d;
		struct buf CLEANUP(buf_done) body = BUF_INIT(200000);

		buf_add_fill(&body, 'A', lengths[i]);
		buf_add(&body, VIEW("\r\n.\r\n"));
		begin(&d, SMTP_MX);
		drive_feed(&d, VIEW("DATA\r\n"));
		drive_feed(&d, buf_view(&body));
		assert_int_equal(d.stored_n, 1);
		assert_int_equal(drive_body(&d, 0).n, lengths[i] + 2);
		drive_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
