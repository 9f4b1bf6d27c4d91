/* roles/queue/message.h: memory and time of messages, without any I/O. */
#include "unit.h"

#include "roles/queue/message.h"

static struct message *message(uint32_t recipients)
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(1 << 20);
	struct envelope_recipients to[16];
	struct envelope e = { .trace = 5, .sender = VIEW("a@b"), .recipients = to };
	struct envelope decoded;
	struct message *m;

	for (uint32_t i = 0; i < recipients; i++)
		to[i] = (struct envelope_recipients){ .address = VIEW("x@y"),
						      .notify = (uint8_t)i };
	e.recipients_count = recipients;
	envelope_encode(&b, &e);
	assert_int_equal(envelope_decode(buf_view(&b), &decoded), OK);
	m = message_new(&decoded);
	assert_non_null(m);
	return m;
}

static void test_retry(void **state)
{
	static const int64_t minute = 60000;
	static const int64_t want[] = { 5, 5, 10, 20, 40, 80, 160, 240, 240, 240 };

	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(retry_wait(i, 5 * minute, 240 * minute), want[i] * minute);
	assert_int_equal(retry_wait(65535, 1000, INT64_MAX / 2), INT64_MAX / 2);
	assert_int_equal(retry_wait(3, 1000, 500), 500);
}

static void test_due(void **state)
{
	enum { N = 500 };
	struct message *m[N];
	struct due d = { 0 };
	int64_t last = -1;
	uint64_t x = 1;

	assert_null(due_first(&d));
	for (size_t i = 0; i < N; i++) {
		m[i] = message(1);
		x = x * 6364136223846793005 + 1442695040888963407;
		assert_true(due_set(&d, m[i], (int64_t)(x >> 40)));
	}
	for (size_t i = 0; i < N; i += 3)
		assert_true(due_set(&d, m[i], (int64_t)i));
	for (size_t i = 1; i < N; i += 3) {
		due_remove(&d, m[i]);
		due_remove(&d, m[i]);
		assert_int_equal(m[i]->heap_at, 0);
	}
	for (size_t n = d.n; n > 0; n--) {
		struct message *first = due_first(&d);

		assert_true(first->due_ms >= last);
		last = first->due_ms;
		due_remove(&d, first);
		assert_int_equal(d.n, n - 1);
	}
	for (size_t i = 0; i < N; i++)
		message_free(m[i]);
	due_done(&d);
}

static void test_recipients(void **state)
{
	struct message *m = message(3);
	struct expand_change e = { .parent = 1, .kind = 2, .address = VIEW("q@r") };
	struct rcpt *added;
	size_t bytes = m->bytes;

	assert_int_equal(m->open_n, 3);
	assert_int_equal(message_rcpt(m, 2)->notify, 2);
	assert_null(message_rcpt(m, 3));
	added = message_add(m, 2);
	assert_non_null(added);
	assert_non_null(message_add(m, 1));
	assert_int_equal(message_rcpt_count(m), 6);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(message_rcpt(m, i)->index, i);
		assert_ptr_equal(message_rcpt(m, i)->message, m);
	}
	assert_null(message_rcpt(m, 6));
	assert_true(rcpt_set_added(added, &e));
	assert_view(rcpt_added_address(added), "q@r");
	rcpt_set_last(added, 451, VIEW("4.0.0"), VIEW("later"), VIEW("mx"));
	rcpt_set_last(added, 450, VIEW("4.0.1"), VIEW("much later"), VIEW("mx2"));
	assert_view(rcpt_reply(added), "much later");
	assert_view(rcpt_remote(added), "mx2");
	assert_view(rcpt_status(added), "4.0.1");
	message_reset(m);
	assert_int_equal(message_rcpt_count(m), 3);
	assert_int_equal(m->bytes, bytes);
	assert_int_equal(message_rcpt(m, 2)->notify, 2);
	assert_null(message_add(m, RCPT_ADDED_MAX + 1));
	assert_null(message_add(m, 0));
	assert_non_null(message_add(m, RCPT_ADDED_MAX));
	assert_null(message_add(m, 1));
	message_free(m);
}

static void test_lists(void **state)
{
	struct message *m = message(5);
	struct list l = { 0 };

	for (uint32_t i = 0; i < 5; i++)
		rcpt_list_push(&l, &m->at[i]);
	rcpt_list_remove(&l, &m->at[0]);
	rcpt_list_remove(&l, &m->at[4]);
	rcpt_list_remove(&l, &m->at[2]);
	assert_int_equal(l.n, 2);
	assert_ptr_equal(rcpt_list_pop(&l), &m->at[1]);
	assert_ptr_equal(rcpt_list_pop(&l), &m->at[3]);
	assert_null(rcpt_list_pop(&l));
	assert_int_equal(l.n, 0);
	message_free(m);
}

static void test_age(void **state)
{
	struct message *m = message(1);

	m->age_ms = 100;
	m->born_ms = 5000;
	assert_int_equal(message_age(m, 5000), 100);
	assert_int_equal(message_age(m, 5050), 150);
	assert_int_equal(message_age(m, 4000), 100);
	message_free(m);
}

static void test_rate(void **state)
{
	struct rate r = { 0 };

	assert_int_equal(rate_gather_ms(&r, 1000000), 0);
	for (int i = 0; i < RATE_BUSY - 1; i++)
		rate_count(&r, 1000000);
	assert_int_equal(rate_gather_ms(&r, 1000000), 0);
	rate_count(&r, 1000000);
	assert_int_equal(rate_gather_ms(&r, 1000000), GATHER_MIN_MS);
	assert_int_equal(rate_gather_ms(&r, 1000000 + RATE_WINDOW_MS), GATHER_MIN_MS);
	assert_int_equal(rate_gather_ms(&r, 1000000 + 2 * RATE_WINDOW_MS), 0);
	rate_count(&r, 1000000 + 5 * RATE_WINDOW_MS);
	assert_int_equal(rate_gather_ms(&r, 1000000 + 5 * RATE_WINDOW_MS), 0);
}

/* The wait grows with the rate, up to its limit. */
static void test_gather(void **state)
{
	struct rate r = { 0 };

	for (int i = 0; i < 2 * 40; i++)
		rate_count(&r, 1000000);
	assert_int_equal(rate_gather_ms(&r, 1000000), 40);
	for (int i = 2 * 40; i < 2 * GATHER_MAX_MS; i++)
		rate_count(&r, 1000000);
	assert_int_equal(rate_gather_ms(&r, 1000000), GATHER_MAX_MS);
	for (int i = 0; i < 2; i++)
		rate_count(&r, 1000000);
	assert_int_equal(rate_gather_ms(&r, 1000000), GATHER_MAX_MS);
	/* The window before counts until the next has more. */
	rate_count(&r, 1000000 + RATE_WINDOW_MS);
	assert_int_equal(rate_gather_ms(&r, 1000000 + RATE_WINDOW_MS), GATHER_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry),	   cmocka_unit_test(test_due),
		cmocka_unit_test(test_recipients), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_age),	   cmocka_unit_test(test_rate),
		cmocka_unit_test(test_gather),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
