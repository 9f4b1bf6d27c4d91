/*
 * Tests of base/num.c and the little-endian helpers of base/num.h.
 */
#include "unit.h"

#include "base/num.h"

typedef enum err (*parser)(struct view text, uint64_t *ret);

static void accept(parser parse, const char *text, uint64_t want)
{
	uint64_t got = CANARY;

	assert_int_equal(parse(view_str(text), &got), OK);
	if (got != want)
		fail_msg("\"%s\" is %ju, not %ju", text, (uintmax_t)got, (uintmax_t)want);
}

static void refuse(parser parse, const char *text, enum err want)
{
	uint64_t got = CANARY;
	enum err err = parse(view_str(text), &got);

	if (err != want)
		fail_msg("\"%s\": %s, not %s", text, err_text(err), err_text(want));
	assert_true(got == CANARY);
}

static enum err up_to_100(struct view text, uint64_t *ret)
{
	return num_u64(text, 100, ret);
}

static enum err any_u64(struct view text, uint64_t *ret)
{
	return num_u64(text, UINT64_MAX, ret);
}

static void decimal(void **state)
{
	accept(up_to_100, "0", 0);
	accept(up_to_100, "100", 100);
	accept(up_to_100, "0099", 99);
	accept(any_u64, "18446744073709551615", UINT64_MAX);
	refuse(up_to_100, "101", ERR_RANGE);
	refuse(any_u64, "18446744073709551616", ERR_RANGE);
	refuse(any_u64, "18446744073709551620", ERR_RANGE);
	refuse(any_u64, "", ERR_SYNTAX);
	refuse(any_u64, "+1", ERR_SYNTAX);
	refuse(any_u64, "-1", ERR_SYNTAX);
	refuse(any_u64, " 1", ERR_SYNTAX);
	refuse(any_u64, "1 ", ERR_SYNTAX);
	refuse(any_u64, "0x1", ERR_SYNTAX);
}

static void hexadecimal(void **state)
{
	accept(num_hex, "0", 0);
	accept(num_hex, "aBcDeF", 0xabcdef);
	accept(num_hex, "ffffffffffffffff", UINT64_MAX);
	accept(num_hex, "00000000000000000001", 1);
	refuse(num_hex, "10000000000000000", ERR_RANGE);
	refuse(num_hex, "", ERR_SYNTAX);
	refuse(num_hex, "0x1", ERR_SYNTAX);
	refuse(num_hex, "g", ERR_SYNTAX);
}

static void to_text(void **state)
{
	char room[NUM_TEXT_MAX];

	assert_view(num_text(0, room), "0");
	assert_view(num_text(10, room), "10");
	assert_view(num_text(UINT64_MAX, room), "18446744073709551615");
}

static void sizes(void **state)
{
	accept(num_size, "0", 0);
	accept(num_size, "17", 17);
	accept(num_size, "17 B", 17);
	accept(num_size, "64 KiB", 65536);
	accept(num_size, "64kib", 65536);
	accept(num_size, "1 MiB", 1 << 20);
	accept(num_size, "2 GiB", 2ULL << 30);
	accept(num_size, "1 TiB", 1ULL << 40);
	accept(num_size, "16777215 TiB", 16777215ULL << 40);
	refuse(num_size, "16777216 TiB", ERR_RANGE);
	refuse(num_size, "99999999999999999999", ERR_RANGE);
	refuse(num_size, "", ERR_SYNTAX);
	refuse(num_size, "KiB", ERR_SYNTAX);
	refuse(num_size, "1 KB", ERR_SYNTAX);
	refuse(num_size, "1 KiB ", ERR_SYNTAX);
	refuse(num_size, "1 ", ERR_SYNTAX);
	refuse(num_size, " 1", ERR_SYNTAX);
	refuse(num_size, "-1 KiB", ERR_SYNTAX);
	refuse(num_size, "1.5 KiB", ERR_SYNTAX);
}

static void durations(void **state)
{
	accept(num_duration, "0", 0);
	accept(num_duration, "250 ms", 250);
	accept(num_duration, "30s", 30000);
	accept(num_duration, "10 m", 600000);
	accept(num_duration, "2 h", 7200000);
	accept(num_duration, "5 d", 432000000);
	accept(num_duration, "1 w", 604800000);
	refuse(num_duration, "10", ERR_SYNTAX);
	refuse(num_duration, "10 x", ERR_SYNTAX);
	refuse(num_duration, "", ERR_SYNTAX);
	refuse(num_duration, "18446744073709551615 s", ERR_RANGE);
}

static void little_endian(void **state)
{
	uint8_t room[9] = { 0 };

	num_put64(room + 1, 0x0102030405060708);
	assert_memory_equal(room, "\0\x08\x07\x06\x05\x04\x03\x02\x01", 9);
	assert_true(num_get64(room + 1) == 0x0102030405060708);
	assert_int_equal(num_get32(room + 1), 0x05060708);
	assert_int_equal(num_get16(room + 1), 0x0708);
	num_put32(room, 0xfffefdfc);
	assert_true(num_get32(room) == 0xfffefdfc);
	num_put16(room, 0xfffe);
	assert_int_equal(num_get16(room), 0xfffe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimal),   cmocka_unit_test(hexadecimal),
		cmocka_unit_test(to_text),   cmocka_unit_test(sizes),
		cmocka_unit_test(durations), cmocka_unit_test(little_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
