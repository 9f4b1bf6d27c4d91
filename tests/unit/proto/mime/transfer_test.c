/*
 * tests/unit/proto/mime/transfer_test.c: decoders and encoders, whole, in pieces, and hostile.
 */
#include "proto/mime/transfer.h"

#include "cuts.h"

static void decode_in_pieces(enum mime_encoding how, struct view text, size_t piece,
			     struct view want, unsigned flags)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);
	struct mime_decoder d;

	mime_decoder_init(&d, how);
	for (struct cuts c = cuts_steps(text, piece); cuts_next(&c);)
		assert_int_equal(mime_decoder_feed(&d, c.piece, &out), OK);
	assert_int_equal(mime_decoder_finish(&d, &out), OK);
	if (!view_eq(buf_view(&out), want))
		print_error("\"" VIEW_FMT "\" in pieces of %zu gives \"" VIEW_FMT "\"\n",
			    VIEW_ARG(text), piece, VIEW_ARG(buf_view(&out)));
	assert_true(view_eq(buf_view(&out), want));
	assert_int_equal(d.flags, flags);
	assert_true(out.n <= text.n);
}

static void check_decode(enum mime_encoding how, struct view text, struct view want, unsigned flags)
{
	unsigned ret_flags = ~0U;
	struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);

	assert_int_equal(mime_decode(how, text, &out, &ret_flags), OK);
	assert_true(view_eq(buf_view(&out), want));
	assert_int_equal(ret_flags, flags);
	for (size_t piece = 1; piece <= text.n; piece++)
		decode_in_pieces(how, text, piece, want, flags);
}

#define base64(text, want, flags) check_decode(MIME_BASE64, VIEW(text), VIEW(want), (flags))
#define qp(text, want, flags)	  check_decode(MIME_QP, VIEW(text), VIEW(want), (flags))

static void test_base64(void **state)
{
	base64("", "", 0);
	base64("YWJj", "abc", 0);
	base64("YWI=", "ab", 0);
	base64("YQ==", "a", 0);
	base64("YW\r\nJj\r\n", "abc", 0);
	base64("AP8Q", "\0\xff\x10", 0);
	base64("+/+/", "\xfb\xff\xbf", 0);
	base64("YW-Jj", "abc", MIME_DECODE_JUNK);
	base64("YWJ\0j", "abc", MIME_DECODE_JUNK);
	base64("YW", "a", MIME_DECODE_BAD_PAD);
	base64("YWI", "ab", MIME_DECODE_BAD_PAD);
	base64("YWJjY", "abc", MIME_DECODE_SHORT);
	base64("YQ=", "a", MIME_DECODE_BAD_PAD);
	base64("YQ===", "a", MIME_DECODE_BAD_PAD);
	base64("=YWJj", "abc", MIME_DECODE_BAD_PAD);
	base64("Y=WJj", "abc", MIME_DECODE_BAD_PAD);
	/* Padding in the middle: what follows is decoded, and flagged. */
	base64("YQ==YWJj", "aabc", MIME_DECODE_AFTER_PAD);
	base64("YWI=YQ==", "aba", MIME_DECODE_AFTER_PAD);
	base64("YQ=YWJj", "aabc", MIME_DECODE_AFTER_PAD | MIME_DECODE_BAD_PAD);
	base64("YQ=\r\n=\r\n", "a", 0);
	base64("\xff\x80YWJj", "abc", MIME_DECODE_JUNK);
}

static void test_qp(void **state)
{
	qp("", "", 0);
	qp("abc", "abc", 0);
	qp("a=3Db=c3=A4", "a=b\xc3\xa4", 0);
	qp("a=\r\nb", "ab", 0);
	qp("a=\nb", "ab", 0);
	qp("a= \t\r\nb", "ab", 0);
	qp("a \t\r\nb \nc  ", "a\r\nb\nc", 0);
	qp("a b", "a b", 0);
	qp("a  =\r\nb", "a  b", 0);
	qp("a\rb", "a\rb", 0);
	qp("a \r", "a \r", 0);
	qp("a\r\rb", "a\r\rb", 0);
	qp("a\r\r\nb", "a\r\r\nb", 0);
	qp("=00", "\0", 0);
	qp("\xe4\0", "\xe4\0", 0);
	qp("=", "", MIME_DECODE_SHORT);
	qp("a=4", "a=4", MIME_DECODE_SHORT);
	qp("a= ", "a", MIME_DECODE_SHORT);
	qp("a=\r", "a", MIME_DECODE_SHORT);
	qp("=XY", "=XY", MIME_DECODE_JUNK);
	qp("=4Z", "=4Z", MIME_DECODE_JUNK);
	qp("==41", "=A", MIME_DECODE_JUNK);
	qp("=4=41", "=4A", MIME_DECODE_JUNK);
	qp("= x", "= x", MIME_DECODE_JUNK);
	qp("=\rx", "=\rx", MIME_DECODE_JUNK);
	qp("= \r=41", "= \rA", MIME_DECODE_JUNK);
}

static void test_pass(void **state)
{
	check_decode(MIME_7BIT, VIEW("=3D\r\n \xff\0"), VIEW("=3D\r\n \xff\0"), 0);
	check_decode(MIME_ENCODING_UNKNOWN, VIEW("YQ=="), VIEW("YQ=="), 0);
	assert_int_equal(mime_encoding_of(VIEW("")), MIME_7BIT);
	assert_int_equal(mime_encoding_of(VIEW("BASE64")), MIME_BASE64);
	assert_int_equal(mime_encoding_of(VIEW("Quoted-Printable")), MIME_QP);
	assert_int_equal(mime_encoding_of(VIEW("base64\0")), MIME_ENCODING_UNKNOWN);
	assert_view(mime_encoding_name(MIME_QP), "quoted-printable");
}

static void test_qp_held(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(100000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(100000);

	for (size_t past = 0; past <= 1; past++) {
		buf_clear(&text);
		buf_clear(&out);
		buf_add_fill(&text, ' ', MIME_QP_HELD_MAX + past);
		buf_add_char(&text, '\n');
		assert_int_equal(mime_decode(MIME_QP, buf_view(&text), &out, NULL), OK);
		assert_int_equal(out.n, past ? MIME_QP_HELD_MAX + 1 : 1);
		/* After "=" as well; and nothing is lost. */
		buf_clear(&text);
		buf_clear(&out);
		buf_add_char(&text, '=');
		buf_add_fill(&text, ' ', MIME_QP_HELD_MAX + past);
		buf_add(&text, VIEW("\rx"));
		assert_int_equal(mime_decode(MIME_QP, buf_view(&text), &out, NULL), OK);
		assert_true(view_eq(buf_view(&out), buf_view(&text)));
	}
}

/* THREATS 2.13: much input that decodes to nothing, in little memory. */
static void test_hostile(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1000000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(16);
	struct mime_decoder d;

	for (size_t i = 0; i < 1000; i++)
		buf_add(&text, VIEW("=\r\n"));
	mime_decoder_init(&d, MIME_QP);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(mime_decoder_feed(&d, buf_view(&text), &out), OK);
	assert_int_equal(mime_decoder_finish(&d, &out), OK);
	assert_int_equal(out.n, 0);

	buf_clear(&text);
	for (size_t i = 0; i < 50000; i++)
		buf_add(&text, VIEW("\r\n"));
	mime_decoder_init(&d, MIME_BASE64);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(mime_decoder_feed(&d, buf_view(&text), &out), OK);
	assert_int_equal(mime_decoder_finish(&d, &out), OK);
	assert_int_equal(out.n, 0);

	/* A small result buffer is a limit, not an overflow. */
	assert_int_equal(mime_decode(MIME_BASE64, VIEW("YWJjYWJjYWJjYWJjYWJjYWJjYWJj"), &out, NULL),
			 ERR_LIMIT);
}

static void check_encode(enum mime_encoding how, bool as_text, struct view bytes, struct view want)
{
	for (size_t piece = 1; piece <= bytes.n + 1; piece++) {
		struct buf CLEANUP(buf_done) out = BUF_INIT(1000000);
		struct mime_encoder e;

		mime_encoder_init(&e, how, as_text);
		for (size_t at = 0; at < bytes.n; at += piece)
			assert_int_equal(mime_encoder_feed(&e, view_part(bytes, at, piece), &out),
					 OK);
		assert_int_equal(mime_encoder_finish(&e, &out), OK);
		if (!view_eq(buf_view(&out), want))
			print_error("\"" VIEW_FMT "\" gives \"" VIEW_FMT "\"\n", VIEW_ARG(bytes),
				    VIEW_ARG(buf_view(&out)));
		assert_true(view_eq(buf_view(&out), want));
	}
}

static void test_encode_base64(void **state)
{
	check_encode(MIME_BASE64, false, VIEW(""), VIEW(""));
	check_encode(MIME_BASE64, false, VIEW("a"), VIEW("YQ==\r\n"));
	check_encode(MIME_BASE64, false, VIEW("ab"), VIEW("YWI=\r\n"));
	check_encode(MIME_BASE64, false, VIEW("abc"), VIEW("YWJj\r\n"));
	check_encode(MIME_BASE64, false, VIEW("\xfb\xff\xbf"), VIEW("+/+/\r\n"));
	/* 57 bytes are one line of 76, 58 begin another. */
	check_encode(MIME_BASE64, false,
		     VIEW("012345678901234567890123456789012345678901234567890123456"),
		     VIEW("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
			  "NDU2\r\n"));
	check_encode(MIME_BASE64, false,
		     VIEW("0123456789012345678901234567890123456789012345678901234567"),
		     VIEW("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
			  "NDU2\r\n"
			  "Nw==\r\n"));
}

#define LINE_OF_75                                                                                 \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                                                    \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_encode_qp(void **state)
{
	check_encode(MIME_QP, true, VIEW("a=b\xe4\r\nc"), VIEW("a=3Db=E4\r\nc"));
	check_encode(MIME_QP, true, VIEW("a \r\nb\t\nc "), VIEW("a=20\r\nb=09\r\nc=20"));
	check_encode(MIME_QP, true, VIEW("a b"), VIEW("a b"));
	check_encode(MIME_QP, true, VIEW("a\rb\r\r\n\r"), VIEW("a=0Db=0D\r\n=0D"));
	check_encode(MIME_QP, true, VIEW(" \rx"), VIEW(" =0Dx"));
	check_encode(MIME_QP, true, VIEW(".\r\nFrom x\r\n"), VIEW("=2E\r\n=46rom x\r\n"));
	/* No line begins with "-" that did not, lest it be a delimiter. */
	check_encode(MIME_QP, true, VIEW(LINE_OF_75 "--b\r\n--b\r\n"),
		     VIEW(LINE_OF_75 "=\r\n=2D-b\r\n--b\r\n"));
	check_encode(MIME_QP, false, VIEW("a\r\nb\n"), VIEW("a=0D=0Ab=0A"));
	check_encode(MIME_QP, true, VIEW("\0\x7f"), VIEW("=00=7F"));
	check_encode(MIME_8BIT, true, VIEW("a\xff\n"), VIEW("a\xff\n"));
}

/* What was encoded decodes to the same, in lines that mail can carry. */
static void test_round_trip(void **state)
{
	struct buf CLEANUP(buf_done) bytes = BUF_INIT(100000);
	uint32_t seed = 1;

	for (size_t n = 0; n < 3000; n++) {
		struct buf CLEANUP(buf_done) text = BUF_INIT(100000);
		struct buf CLEANUP(buf_done) back = BUF_INIT(100000);
		enum mime_encoding how = n % 2 ? MIME_QP : MIME_BASE64;
		static const char some[] = " \t\r\n.F=ab\xc3\xa4";
		unsigned flags = ~0U;

		seed = seed * 1664525 + 1013904223;
		buf_add_char(&bytes,
			     n % 3 ? some[(seed >> 16) % (sizeof(some) - 1)] : (char)(seed >> 24));
		if (bytes.n > 400)
			buf_clear(&bytes);
		assert_int_equal(mime_encode(how, false, buf_view(&bytes), &text), OK);
		assert_int_equal(mime_decode(how, buf_view(&text), &back, &flags), OK);
		assert_true(view_eq(buf_view(&bytes), buf_view(&back)));
		assert_int_equal(flags, 0);
		for (struct view rest = buf_view(&text), line; rest.n;) {
			rest = view_cut(rest, '\n', &line);
			assert_true(line.n <= MIME_ENCODED_LINE + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),	  cmocka_unit_test(test_qp),
		cmocka_unit_test(test_pass),	  cmocka_unit_test(test_qp_held),
		cmocka_unit_test(test_hostile),	  cmocka_unit_test(test_encode_base64),
		cmocka_unit_test(test_encode_qp), cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
