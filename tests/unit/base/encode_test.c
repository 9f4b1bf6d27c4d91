/*
 * Tests of base/encode.c.
 */
#include "unit.h"

#include "base/encode.h"

typedef void (*encoder)(struct buf *out, struct view bytes);
typedef enum err (*decoder)(struct buf *out, struct view text);

static void round_trip(encoder encode, decoder decode, struct view bytes, struct view text)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);

	encode(&b, bytes);
	assert_true(view_eq(buf_view(&b), text));
	buf_clear(&b);
	assert_int_equal(decode(&b, text), OK);
	assert_true(view_eq(buf_view(&b), bytes));
}

static void refuse(decoder decode, struct view text)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1000);
	char *tight = tight_copy(text);
	enum err err = decode(&b, view_of(tight, text.n));

	free(tight);
	if (err != ERR_SYNTAX)
		fail_msg("\"" VIEW_FMT "\" was accepted", VIEW_ARG(text));
}

/* All values of a byte, in every position of a group. */
static void round_trip_all_bytes(encoder encode, decoder decode)
{
	char bytes[258];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t from = 0; from < 3; from++) {
		struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
		struct buf CLEANUP(buf_done) back = BUF_INIT(2000);
		struct view v = view_from(view_of(bytes, sizeof(bytes)), from);

		encode(&text, v);
		assert_int_equal(buf_err(&text), OK);
		assert_int_equal(decode(&back, buf_view(&text)), OK);
		assert_true(view_eq(buf_view(&back), v));
	}
}

/* RFC 4648#10 */
static void base64_of_the_standard(void **state)
{
	round_trip(base64_encode, base64_decode, VIEW(""), VIEW(""));
	round_trip(base64_encode, base64_decode, VIEW("f"), VIEW("Zg=="));
	round_trip(base64_encode, base64_decode, VIEW("fo"), VIEW("Zm8="));
	round_trip(base64_encode, base64_decode, VIEW("foo"), VIEW("Zm9v"));
	round_trip(base64_encode, base64_decode, VIEW("foob"), VIEW("Zm9vYg=="));
	round_trip(base64_encode, base64_decode, VIEW("fooba"), VIEW("Zm9vYmE="));
	round_trip(base64_encode, base64_decode, VIEW("foobar"), VIEW("Zm9vYmFy"));
	round_trip(base64_encode, base64_decode, VIEW("\xfb\xff\xfe"), VIEW("+//+"));
	round_trip_all_bytes(base64_encode, base64_decode);
}

static void base64_is_strict(void **state)
{
	refuse(base64_decode, VIEW("Z"));
	refuse(base64_decode, VIEW("Zg"));
	refuse(base64_decode, VIEW("Zg="));
	refuse(base64_decode, VIEW("Zg==="));
	refuse(base64_decode, VIEW("===="));
	refuse(base64_decode, VIEW("Z==="));
	refuse(base64_decode, VIEW("Zg==Zg=="));
	refuse(base64_decode, VIEW("Zm9v\r\n"));
	refuse(base64_decode, VIEW("Zm9 "));
	refuse(base64_decode, VIEW("Zm9\0"));
	refuse(base64_decode, VIEW("-_-_"));
	refuse(base64_decode, VIEW("Zh=="));
	refuse(base64_decode, VIEW("Zm9="));
}

static void base64_digit_by_digit(void **state)
{
	unsigned digits = 0;

	for (uint32_t value = 0; value < 64; value++)
		assert_int_equal(base64_value((uint8_t)base64_digit(value)), value);
	for (int c = 0; c < 256; c++)
		digits += base64_value((uint8_t)c) >= 0;
	assert_int_equal(digits, 64);
	assert_int_equal(base64_digit(62), '+');
	assert_int_equal(base64_digit(63), '/');
	assert_int_equal(base64_value('='), -1);
	assert_int_equal(base64_value(','), -1);
}

static void hexadecimal(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1);

	round_trip(hex_encode, hex_decode, VIEW("\x00\x9f\xff"), VIEW("009fff"));
	round_trip_all_bytes(hex_encode, hex_decode);
	assert_int_equal(hex_decode(&b, VIEW("aB")), OK);
	assert_view(buf_view(&b), "\xab");
	assert_int_equal(hex_decode(&b, VIEW("00")), ERR_LIMIT);
	refuse(hex_decode, VIEW("0"));
	refuse(hex_decode, VIEW("0g"));
	refuse(hex_decode, VIEW("g0"));
}

static void decoders_respect_the_maximum(void **state)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(3);

	assert_int_equal(base64_decode(&b, VIEW("Zm9v")), OK);
	buf_clear(&b);
	assert_int_equal(base64_decode(&b, VIEW("Zm9vYg==")), ERR_LIMIT);
	buf_clear(&b);
	assert_int_equal(xtext_decode(&b, VIEW("a+41b")), OK);
	buf_clear(&b);
	assert_int_equal(xtext_decode(&b, VIEW("a+41bc")), ERR_LIMIT);
}

static void identifiers(void **state)
{
	static const uint64_t ids[] = { 0, 1, 31, 32, 0x0123456789abcdef, UINT64_MAX };
	char room[ID_TEXT_LEN];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		uint64_t id = CANARY;

		assert_int_equal(id_parse(id_text(ids[i], room), &id), OK);
		assert_true(id == ids[i]);
	}
	assert_view(id_text(0, room), "0000000000000");
	assert_view(id_text(UINT64_MAX, room), "fzzzzzzzzzzzz");
	assert_view(id_text(33, room), "0000000000011");
}

static void identifiers_are_strict(void **state)
{
	uint64_t id = CANARY;

	assert_int_equal(id_parse(VIEW("000000000000"), &id), ERR_SYNTAX);
	assert_int_equal(id_parse(VIEW("00000000000000"), &id), ERR_SYNTAX);
	assert_int_equal(id_parse(VIEW("000000000000u"), &id), ERR_SYNTAX);
	assert_int_equal(id_parse(VIEW("000000000000-"), &id), ERR_SYNTAX);
	assert_int_equal(id_parse(VIEW("g000000000000"), &id), ERR_RANGE);
	assert_true(id == CANARY);
	assert_int_equal(id_parse(VIEW("000000000000Z"), &id), OK);
	assert_true(id == 31);
}

/* RFC 3461#4 */
static void xtext(void **state)
{
	round_trip(xtext_encode, xtext_decode, VIEW("a+b=c d\x7f\xff"),
		   VIEW("a+2Bb+3Dc+20d+7F+FF"));
	round_trip(xtext_encode, xtext_decode, VIEW("!~"), VIEW("!~"));
	round_trip_all_bytes(xtext_encode, xtext_decode);
	refuse(xtext_decode, VIEW("+"));
	refuse(xtext_decode, VIEW("+2"));
	refuse(xtext_decode, VIEW("a+2b"));
	refuse(xtext_decode, VIEW("+G0"));
	refuse(xtext_decode, VIEW("a=b"));
	refuse(xtext_decode, VIEW("a b"));
	refuse(xtext_decode, VIEW("\x80"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_of_the_standard),	cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_digit_by_digit),	cmocka_unit_test(hexadecimal),
		cmocka_unit_test(decoders_respect_the_maximum), cmocka_unit_test(identifiers),
		cmocka_unit_test(identifiers_are_strict),	cmocka_unit_test(xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
