/*
 * tests/unit/proto/smtp/wire_test.c: what leaves as DATA, whatever went in (THREATS 2.2).
 */
#include "proto/smtp/wire.h"

#include "unit.h"

/* Write text in pieces through an output of cap octets that is emptied when full. */
static void write_all(struct view text, size_t step, size_t cap, struct buf *ret)
{
	struct smtp_wire w;
	struct buf CLEANUP(buf_done) out = BUF_INIT(cap);

	smtp_wire_init(&w);
	for (size_t at = 0; at < text.n;) {
		size_t used;
		enum err err = smtp_wire_write(&w, &out, view_part(text, at, step), &used);

		assert_true(err == OK || err == ERR_AGAIN);
		at += used;
		if (err == ERR_AGAIN || out.n > cap / 2) {
			assert_true(out.n > 0);
			buf_add(ret, buf_view(&out));
			buf_clear(&out);
		}
	}
	while (smtp_wire_end(&w, &out) == ERR_AGAIN) {
		buf_add(ret, buf_view(&out));
		buf_clear(&out);
	}
	buf_add(ret, buf_view(&out));
}

/* The recording sink: ^([^\r\n\0]*\r\n)*\.\r\n$ with one end, lines of at most 998 octets unstuffed. */
static void check_sink(struct view wire)
{
	bool ended = false;

	while (wire.n) {
		size_t lf = view_find_char(wire, '\n');
		struct view line;

		assert_false(ended);
		assert_int_not_equal(lf, VIEW_NONE);
		assert_true(lf >= 1 && wire.p[lf - 1] == '\r');
		line = view_head(wire, lf - 1);
		assert_false(view_has(line, '\r') || view_has(line, '\0'));
		ended = view_eq(line, VIEW("."));
		if (!ended && view_starts(line, VIEW("."))) {
			assert_true(view_starts(line, VIEW("..")));
			line = view_from(line, 1);
		}
		assert_true(line.n <= SMTP_WIRE_LINE_MAX);
		wire = view_from(wire, lf + 1);
	}
	assert_true(ended);
}

static void expect(struct view text, struct view want)
{
	for (size_t step = 1; step <= size_max(text.n, 1); step++) {
		for (size_t cap = 5; cap <= 64; cap += 7) {
			struct buf CLEANUP(buf_done) got = BUF_INIT(1 << 20);

			write_all(text, step, cap, &got);
			if (!view_eq(buf_view(&got), want)) {
				print_error("step %zu cap %zu\n", step, cap);
				fail();
			}
		}
	}
}

static void test_examples(void **state)
{
	expect(VIEW(""), VIEW(".\r\n"));
	expect(VIEW("a"), VIEW("a\r\n.\r\n"));
	expect(VIEW("a\r\n"), VIEW("a\r\n.\r\n"));
	expect(VIEW("a\nb\rc\r\nd\n\re"), VIEW("a\r\nb\r\nc\r\nd\r\n\r\ne\r\n.\r\n"));
	expect(VIEW(".\r\n..\r\na.b\r\n"), VIEW("..\r\n...\r\na.b\r\n.\r\n"));
	expect(VIEW("a\0b"), VIEW("a?b\r\n.\r\n"));
	expect(VIEW("\0.\r\n"), VIEW("?.\r\n.\r\n"));
	expect(VIEW("\r\r\n\n"), VIEW("\r\n\r\n\r\n.\r\n"));
}

/* The list of THREATS 2.2. */
static void test_smuggling(void **state)
{
	static const struct view texts[] = {
		VIEW_INIT("\n.\n"),	  VIEW_INIT("\n.\r"),	      VIEW_INIT("\r.\n"),
		VIEW_INIT("\r.\r"),	  VIEW_INIT("\n.\r\n"),	      VIEW_INIT("\r.\r\n"),
		VIEW_INIT("\r\n.\r\r\n"), VIEW_INIT("\r\r\n.\r\r\n"), VIEW_INIT("\r\n\0.\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t step = 1; step <= 20; step++) {
			struct buf CLEANUP(buf_done) text = BUF_INIT(1000);
			struct buf CLEANUP(buf_done) got = BUF_INIT(1000);

			buf_add(&text, VIEW("body"));
			buf_add(&text, texts[i]);
			buf_add(&text, VIEW("MAIL FROM:<smuggled@evil.test>\r\n"));
			write_all(buf_view(&text), step, 64, &got);
			check_sink(buf_view(&got));
		}
	}
}

static size_t longest_line(struct view wire, size_t *ret_lines)
{
	size_t longest = 0;

	*ret_lines = 0;
	while (wire.n) {
		struct view line;

		wire = view_cut(wire, '\n', &line);
		longest = size_max(longest, line.n - 1);
		(*ret_lines)++;
	}
	return longest;
}

/* 998 octets pass as they are, one more is wrapped; a dot at the wrap is stuffed. */
static void test_wrap(void **state)
{
	for (size_t n = 996; n <= 2000; n += n < 1000 ? 1 : 499) {
		struct buf CLEANUP(buf_done) text = BUF_INIT(4000);
		struct buf CLEANUP(buf_done) got = BUF_INIT(8000);
		size_t lines;

		buf_add_fill(&text, 'x', n);
		buf_add(&text, VIEW("\r\n"));
		write_all(buf_view(&text), 100, 512, &got);
		check_sink(buf_view(&got));
		assert_int_equal(longest_line(buf_view(&got), &lines), size_min(n, 998));
		assert_int_equal(lines, (n + 997) / 998 + 1);
	}

	struct buf CLEANUP(buf_done) dots = BUF_INIT(4000);
	struct buf CLEANUP(buf_done) got = BUF_INIT(8000);

	buf_add_fill(&dots, 'x', 998);
	buf_add(&dots, VIEW(".\r\nend"));
	write_all(buf_view(&dots), 1000, 512, &got);
	check_sink(buf_view(&got));
	assert_true(view_ends(buf_view(&got), VIEW("x\r\n..\r\nend\r\n.\r\n")));
}

/* A fixed sequence, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void test_random(void **state)
{
	static const char octets[] = { '\r', '\n', '.', '\0', 'a', '.', '\r', '\n' };
	uint32_t seed = 20261121;

	for (size_t i = 0; i < 20000; i++) {
		char text[64];
		size_t n = next_random(&seed) % sizeof(text);
		struct buf CLEANUP(buf_done) got = BUF_INIT(4096);

		for (size_t k = 0; k < n; k++)
			text[k] = octets[next_random(&seed) % sizeof(octets)];
		write_all(view_of(text, n), 1 + next_random(&seed) % 64,
			  5 + next_random(&seed) % 60, &got);
		check_sink(buf_view(&got));
	}
	for (size_t i = 0; i < 50; i++) {
		struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 16);
		struct buf CLEANUP(buf_done) got = BUF_INIT(1 << 18);
		size_t n = next_random(&seed) % 20000;

		for (size_t k = 0; k < n; k++)
			buf_add_char(&text, next_random(&seed) % 700 ? 'x' : octets[k % 8]);
		write_all(buf_view(&text), 1 + next_random(&seed) % 3000, 4096, &got);
		check_sink(buf_view(&got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
