/*
 * Tests of proto/imap/frame.c: each dialogue is fed whole, byte by byte, and cut once at every place.
 */
#include "unit.h"

#include "base/buf.h"
#include "proto/imap/frame.h"

enum decision { ACCEPT, REFUSE, DROP };

/* What the framer says about input, as text. */
static void run_cut(struct imap_frame_limits limits, struct view input, size_t first, size_t then,
		    enum decision decision, struct buf *out)
{
	struct imap_framer f;
	size_t at = 0;
	size_t end = first;
	bool data = false;

	imap_framer_init(&f, limits);
	for (;;) {
		char *piece = tight_copy(view_part(input, at, end - at));
		struct imap_frame frame;
		size_t used = 99999;

		imap_framer_take(&f, view_of(piece, end - at), &frame, &used);
		assert_true(used <= end - at);
		at += used;
		if (data && frame.kind != IMAP_FRAME_DATA && frame.kind != IMAP_FRAME_MORE) {
			buf_add_char(out, '>');
			data = false;
		}
		switch (frame.kind) {
		case IMAP_FRAME_MORE: break;
		case IMAP_FRAME_COMMAND:
			buf_add_char(out, '[');
			buf_add(out, frame.text);
			buf_add_char(out, ']');
			break;
		case IMAP_FRAME_CONTINUE: buf_add_char(out, '+'); break;
		case IMAP_FRAME_MESSAGE:
			buf_addf(out, "{" VIEW_FMT "|%llu%s%s}", VIEW_ARG(frame.text),
				 (unsigned long long)frame.size, frame.nonsync ? "+" : "",
				 frame.binary ? "~" : "");
			if (decision == REFUSE)
				imap_framer_refuse(&f);
			else
				imap_framer_accept(&f);
			break;
		case IMAP_FRAME_DATA:
			assert_true(frame.text.n > 0);
			if (decision == DROP) {
				imap_framer_drop(&f);
				buf_add_char(out, '!');
				break;
			}
			buf_add(out, data ? VIEW("") : VIEW("<"));
			buf_add(out, frame.text);
			data = true;
			break;
		case IMAP_FRAME_DATA_END: buf_add_char(out, '.'); break;
		case IMAP_FRAME_TOO_BIG:
			buf_addf(out, "(" VIEW_FMT " %.3s)", VIEW_ARG(frame.tag), frame.reply);
			break;
		case IMAP_FRAME_FATAL:
			buf_addf(out, "(" VIEW_FMT " FATAL)", VIEW_ARG(frame.tag));
			break;
		}
		free(piece);
		if (frame.kind == IMAP_FRAME_FATAL)
			break;
		if (frame.kind != IMAP_FRAME_MORE)
			continue;
		assert_int_equal(at, end);
		if (end == input.n)
			break;
		end = size_min(input.n, end + then);
	}
	imap_framer_done(&f);
}

static struct imap_frame_limits small(void)
{
	return (struct imap_frame_limits){
		.line = 40, .literals = 12, .nonsync = 8, .message = 1000
	};
}

static void check(struct imap_frame_limits limits, struct view input, enum decision decision,
		  const char *want, const char *file, int line)
{
	for (size_t cut = 0; cut <= input.n; cut++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT((size_t)1 << 20);

		run_cut(limits, input, cut, input.n, decision, &out);
		for (size_t i = 0; i < out.n; i++)
			if (out.p[i] == '\0')
				out.p[i] = '0';
		if (strcmp(buf_cstr(&out), want) != 0) {
			print_error("cut %zu: %s\nwanted: %s\n", cut, buf_cstr(&out), want);
			_fail(file, line);
		}
	}
	struct buf CLEANUP(buf_done) out = BUF_INIT((size_t)1 << 20);

	run_cut(limits, input, 1, 1, decision, &out);
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] == '\0')
			out.p[i] = '0';
	assert_string_equal(buf_cstr(&out), want);
}

#define CHECK(input, decision, want)                                                               \
	check(small(), VIEW(input), (decision), (want), __FILE__, __LINE__)

static void lines_and_literals(void **state)
{
	CHECK("a NOOP\r\nb CHECK\r\n", ACCEPT, "[a NOOP][b CHECK]");
	CHECK("\r\n", ACCEPT, "[]");
	CHECK("a SELECT {5}\r\nINBOX\r\n", ACCEPT, "+[a SELECT {5}\r\nINBOX]");
	CHECK("a SELECT {5+}\r\nINBOX (X)\r\n", ACCEPT, "[a SELECT {5+}\r\nINBOX (X)]");
	CHECK("a X {0}\r\n {2+}\r\n\r\n\r\nb Y\r\n", ACCEPT, "+[a X {0}\r\n {2+}\r\n\r\n][b Y]");
	CHECK("a X \"{3}\"\r\n{3}x\r\n{}\r\n{-1}\r\n{a}\r\n", ACCEPT,
	      "[a X \"{3}\"][{3}x][{}][{-1}][{a}]");
	/* The end of a literal is no announcement. */
	CHECK("a X {4+}\r\n{5+}\r\n", ACCEPT, "[a X {4+}\r\n{5+}]");
	CHECK("a X {2+}\r\n{5}\r\nb\r\n", ACCEPT, "[a X {2+}\r\n{5}][b]");
}

static void control_characters_are_fatal(void **state)
{
	CHECK("a NOOP\nb NOOP\r\n", ACCEPT, "(a FATAL)");
	CHECK("a NO\rOP\r\n", ACCEPT, "(a FATAL)");
	CHECK("a NO\0OP\r\n", ACCEPT, "(a FATAL)");
	CHECK("a X {1+}\r\n\0\r\n", ACCEPT, "[a X {1+}\r\n0]");
	CHECK("a X {1+}\r\n\r\n\r\n", ACCEPT, "(a FATAL)");
}

static void limits_of_lines(void **state)
{
	/* 40 octets with the line end. */
	CHECK("a 456789012345678901234567890123456789\r\n", ACCEPT,
	      "[a 456789012345678901234567890123456789]");
	CHECK("a 4567890123456789012345678901234567890\r\nb NOOP\r\n", ACCEPT, "(a BAD)[b NOOP]");
	CHECK("a 4567890123456789012345678901234567 {3+}\r\nxyz\r\nb NOOP\r\n", ACCEPT,
	      "(a BAD)[b NOOP]");
	CHECK("(234567890123456789012345678901234567 {3+}\r\nxyz\r\nb NOOP\r\n", ACCEPT,
	      "( BAD)[b NOOP]");
	CHECK("a 4567890123456789012345678901234567 {3}\r\nb NOOP\r\n", ACCEPT, "(a BAD)[b NOOP]");
	CHECK("a 4567890123456789012345678901234567 {9+}\r\n", ACCEPT, "(a FATAL)");

	struct imap_frame_limits strict = small();

	strict.fatal = true;
	check(strict, VIEW("a 4567890123456789012345678901234567890\r\nb\r\n"), ACCEPT, "(a FATAL)",
	      __FILE__, __LINE__);
}

static void limits_of_literals(void **state)
{
	CHECK("a X {12}\r\n123456789012\r\n", ACCEPT, "+[a X {12}\r\n123456789012]");
	CHECK("a X {13}\r\nb NOOP\r\n", ACCEPT, "(a NO )[b NOOP]");
	CHECK("a X {8+}\r\n12345678 {5+}\r\n12345\r\nb NOOP\r\n", ACCEPT, "(a BAD)[b NOOP]");
	CHECK("a X {8+}\r\n12345678 {4+}\r\n1234\r\n", ACCEPT,
	      "[a X {8+}\r\n12345678 {4+}\r\n1234]");
	CHECK("a X {9+}\r\n123456789\r\n", ACCEPT, "(a FATAL)");
	CHECK("a X {99999999999999999999}\r\nb\r\n", ACCEPT, "(a NO )[b]");
	CHECK("a LOGIN {4294967295+}\r\n", ACCEPT, "(a FATAL)");

	struct imap_frame_limits strict = small();

	strict.fatal = true;
	check(strict, VIEW("a X {13}\r\n"), ACCEPT, "(a FATAL)", __FILE__, __LINE__);
}

static void messages_are_streamed(void **state)
{
	CHECK("a APPEND x {5}\r\nhello\r\nb\r\n", ACCEPT, "{a APPEND x {5}|5}<hello>.[][b]");
	CHECK("a append x ~{5+}\r\nhe\0lo\r\n", ACCEPT, "{a append x ~{5+}|5+~}<he0lo>.[]");
	CHECK("a APPEND {1+}\r\nx (\\Seen) {5}\r\nhello\r\n", ACCEPT,
	      "{a APPEND {1+}\r\nx (\\Seen) {5}|5}<hello>.[]");
	CHECK("a APPEND x {5}\r\nhello (\\Seen) {2+}\r\n{7\r\nb\r\n", ACCEPT,
	      "{a APPEND x {5}|5}<hello>.{ (\\Seen) {2+}|2+}<{7>.[][b]");
	CHECK("a APPEND x UTF8 (~{3}\r\nabc)\r\n", ACCEPT, "{a APPEND x UTF8 (~{3}|3~}<abc>.[)]");
	CHECK("a APPEND x {0}\r\n\r\nb\r\n", ACCEPT, "{a APPEND x {0}|0}.[][b]");
	CHECK("a APPEND x {9+}\r\n", ACCEPT, "(a FATAL)");
	CHECK("a APPENDX x {3}\r\nabc\r\n", ACCEPT, "+[a APPENDX x {3}\r\nabc]");
}

static void messages_can_be_refused(void **state)
{
	CHECK("a APPEND x {5}\r\nb NOOP\r\n", REFUSE, "{a APPEND x {5}|5}[b NOOP]");
	CHECK("a APPEND x {5+}\r\nhello\r\nb NOOP\r\n", REFUSE, "{a APPEND x {5+}|5+}[b NOOP]");
	CHECK("a APPEND x {5+}\r\nhello {3+}\r\nabc\r\nb\r\n", REFUSE, "{a APPEND x {5+}|5+}[b]");
	CHECK("a APPEND x {5+}\r\nhello {3}\r\nb\r\n", REFUSE, "{a APPEND x {5+}|5+}[b]");
	CHECK("a APPEND x {5}\r\nhello\r\nb\r\n", DROP, "{a APPEND x {5}|5}![b]");
}

static void real_limits(void **state)
{
	struct buf CLEANUP(buf_done) in = BUF_INIT((size_t)1 << 22);
	struct imap_framer f;
	struct imap_frame frame;
	size_t used;

	buf_add(&in, VIEW("a "));
	buf_add_fill(&in, 'x', IMAP_LINE_MAX + IMAP_SKIP_MAX);
	imap_framer_init(&f, imap_frame_limits_auth(1000));
	imap_framer_take(&f, buf_view(&in), &frame, &used);
	assert_int_equal(frame.kind, IMAP_FRAME_FATAL);
	imap_framer_done(&f);

	imap_framer_init(&f, imap_frame_limits_preauth());
	imap_framer_take(&f, view_head(buf_view(&in), IMAP_PREAUTH_LINE_MAX + 1), &frame, &used);
	assert_int_equal(frame.kind, IMAP_FRAME_FATAL);
	imap_framer_done(&f);

	imap_framer_init(&f, imap_frame_limits_preauth());
	imap_framer_take(&f, VIEW("a LOGIN {4096}\r\n"), &frame, &used);
	assert_int_equal(frame.kind, IMAP_FRAME_CONTINUE);
	imap_framer_done(&f);
	imap_framer_init(&f, imap_frame_limits_preauth());
	imap_framer_take(&f, VIEW("a LOGIN {4097}\r\n"), &frame, &used);
	assert_int_equal(frame.kind, IMAP_FRAME_FATAL);
	imap_framer_done(&f);
}

/* One literal more than IMAP_LITERALS_MAX. */
static void many_literals(void **state)
{
	struct imap_framer f;
	struct imap_frame frame;
	size_t used;

	imap_framer_init(&f, imap_frame_limits_auth(1000));
	imap_framer_take(&f, VIEW("a X"), &frame, &used);
	for (int i = 0; i < IMAP_LITERALS_MAX; i++) {
		imap_framer_take(&f, VIEW(" {1+}\r\nx"), &frame, &used);
		assert_int_equal(frame.kind, IMAP_FRAME_MORE);
	}
	imap_framer_take(&f, VIEW(" {1+}\r\nx\r\n"), &frame, &used);
	assert_int_equal(frame.kind, IMAP_FRAME_TOO_BIG);
	assert_view(frame.tag, "a");
	imap_framer_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_literals),
		cmocka_unit_test(control_characters_are_fatal),
		cmocka_unit_test(limits_of_lines),
		cmocka_unit_test(limits_of_literals),
		cmocka_unit_test(messages_are_streamed),
		cmocka_unit_test(messages_can_be_refused),
		cmocka_unit_test(real_limits),
		cmocka_unit_test(many_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
