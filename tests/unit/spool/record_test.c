/* spool/record.h: framing, and what is no record. */
#include "unit.h"

#include "spool/record.h"

static const uint8_t salt[SPOOL_SALT] = { 1, 2, 3 };
static const uint8_t other_salt[SPOOL_SALT] = { 1, 2, 4 };

static void test_record(void **state)
{
	struct record r = { .type = RECORD_ACCEPT,
			    .flags = RECORD_MORE,
			    .batch = 7,
			    .sequence = 1ULL << 50,
			    .offset = 8192 };
	struct record got;
	char room[256];

	assert_int_equal(record_size(5, 6), 80);
	assert_int_equal(record_size(0, 0), 64);
	assert_int_equal(record_size(0, 1), 72);
	record_write(room, &r, salt, VIEW("heads"), VIEW("bodies"));
	assert_true(record_maybe(room));
	assert_int_equal(record_read(room, salt, 8192, &got), OK);
	assert_int_equal(got.type, RECORD_ACCEPT);
	assert_int_equal(got.flags, RECORD_MORE);
	assert_int_equal(got.batch, 7);
	assert_int_equal(got.sequence, 1ULL << 50);
	assert_int_equal(got.head_n, 5);
	assert_int_equal(got.body_n, 6);
	assert_int_equal(record_check(&got, salt, VIEW("heads"), VIEW("bodies")), OK);
	assert_int_equal(record_check(&got, salt, VIEW("Heads"), VIEW("bodies")), ERR_CORRUPT);
	assert_int_equal(record_check(&got, salt, VIEW("heads"), VIEW("bodie5")), ERR_CORRUPT);
	assert_int_equal(record_check(&got, salt, VIEW("head"), VIEW("bodies")), ERR_CORRUPT);
	/* Of another use of the segment, and at another place. */
	assert_int_equal(record_read(room, other_salt, 8192, &got), ERR_CORRUPT);
	assert_int_equal(record_read(room, salt, 4096, &got), ERR_CORRUPT);
}

static void test_record_flips(void **state)
{
	struct record r = { .type = RECORD_DONE, .batch = 1, .sequence = 3, .offset = 4096 };
	char room[128];

	record_write(room, &r, salt, VIEW("x"), VIEW_EMPTY);
	for (size_t bit = 0; bit < RECORD_HEADER * 8; bit++) {
		struct record got = { .batch = 4711 };

		room[bit / 8] = (char)(room[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(record_read(room, salt, 4096, &got), ERR_CORRUPT);
		assert_int_equal(got.batch, 4711);
		room[bit / 8] = (char)(room[bit / 8] ^ 1 << bit % 8);
	}
}

static void test_header(void **state)
{
	struct segment_header h = { .order = 9,
				    .oldest = 4,
				    .next_sequence = 1000,
				    .wall_ms = -1,
				    .marks = 3,
				    .size = 65536,
				    .first_batch = 77,
				    .distrust_count = SEGMENT_DISTRUST_MAX,
				    .salt = { 5, 6 } };
	struct segment_header got;
	static char block[SPOOL_BLOCK];

	h.distrust[7] = (struct distrust){ 8, 12288 };
	segment_header_write(block, &h);
	assert_int_equal(segment_header_read(block, &got), OK);
	assert_memory_equal(&got, &h, sizeof(h));
	for (size_t bit = 0; bit < 256 * 8; bit++) {
		enum err err;

		block[bit / 8] = (char)(block[bit / 8] ^ 1 << bit % 8);
		err = segment_header_read(block, &got);
		if (bit < 232 * 8)
			assert_int_equal(err, ERR_CORRUPT);
		else
			assert_int_equal(err, OK);
		block[bit / 8] = (char)(block[bit / 8] ^ 1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_flips),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
