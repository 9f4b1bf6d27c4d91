/* Tests of the pool, with and without threads. */
#include "unit.h"

#include "pool.h"

struct number {
	struct pool_job job;
	int value;
	int *sum;
	int *left;
	struct loop *loop;
};

static void work(struct pool_job *base)
{
	((struct number *)base)->value *= 2;
}

static void done(struct pool_job *base)
{
	struct number *n = (struct number *)base;

	*n->sum += n->value;
	if (--*n->left == 0 && n->loop)
		loop_stop(n->loop);
}

/* Jobs 0 to n - 1; each adds twice its number to *sum, the last one ends loop, if there is one. */
static void submit_all(struct pool *p, struct number *numbers, int n, int *sum, int *left,
		       struct loop *loop)
{
	for (int i = 0; i < n; i++) {
		numbers[i] = (struct number){ { .work = work, .done = done }, i, sum, left, loop };
		assert_int_equal(pool_submit(p, &numbers[i].job, 100), OK);
	}
}

static void test_threads(void **state)
{
	struct number numbers[50];
	struct loop *loop;
	struct pool *p;
	int sum = 0;
	int left = ARRAY_LEN(numbers);

	(void)state;
	assert_int_equal(loop_new(&loop), OK);
	assert_int_equal(pool_new(loop, 3, &p), OK);
	submit_all(p, numbers, left, &sum, &left, loop);
	loop_run(loop);
	assert_int_equal(sum, 49 * 50);
	assert_int_equal(pool_waiting(p), 0);
	pool_free(p);
	loop_free(loop);
}

static void test_the_queue_is_bounded(void **state)
{
	struct number numbers[4];
	struct pool *p;
	int sum = 0;
	int left = 4;

	(void)state;
	assert_int_equal(pool_new(NULL, 0, &p), OK);
	for (int i = 0; i < 4; i++) {
		numbers[i] =
			(struct number){ { .work = work, .done = done }, 1, &sum, &left, NULL };
		assert_int_equal(pool_submit(p, &numbers[i].job, 3), i < 3 ? OK : ERR_BUSY);
	}
	assert_int_equal(pool_waiting(p), 3);
	assert_true(pool_step(p));
	assert_int_equal(sum, 2);
	assert_int_equal(pool_submit(p, &numbers[3].job, 3), OK);
	pool_free(p); /* tells the others too, though they never ran */
	assert_int_equal(left, 0);
	assert_int_equal(sum, 5);
}

static void test_ends_with_jobs_in_work(void **state)
{
	struct number numbers[20];
	struct loop *loop;
	struct pool *p;
	int sum = 0;
	int left = ARRAY_LEN(numbers);

	(void)state;
	assert_int_equal(loop_new(&loop), OK);
	assert_int_equal(pool_new(loop, 2, &p), OK);
	submit_all(p, numbers, left, &sum, &left, NULL);
	pool_free(p);
	assert_int_equal(left, 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_the_queue_is_bounded),
		cmocka_unit_test(test_ends_with_jobs_in_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
