/*
 * Tests of base/list.h.
 */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"

struct row {
	int number;
	struct list_node link;
	char behind;
};

/* The numbers in order are those of want, and the way back is the way there. */
static void check(const struct list *l, const char *want)
{
	char text[16];
	size_t n = 0;
	const struct list_node *back = l->last;

	for (struct row *r = LIST_FIRST(l, struct row, link); r;
	     r = LIST_NEXT(r, struct row, link)) {
		assert_true(n < sizeof(text));
		text[n++] = (char)('0' + r->number);
	}
	assert_int_equal(l->n, n);
	if (!view_eq(view_of(text, n), view_str(want)))
		fail_msg("%.*s instead of %s", (int)n, text, want);
	for (size_t i = n; i-- > 0; back = back->prev)
		assert_int_equal('0' + LIST_ITEM(back, struct row, link)->number, text[i]);
	assert_null(back);
}

static void test_order(void **state)
{
	struct list l = { 0 };
	struct row rows[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };

	(void)state;
	check(&l, "");
	assert_null(LIST_FIRST(&l, struct row, link));
	assert_null(list_pop(&l));
	list_push_back(&l, &rows[0].link);
	check(&l, "0");
	list_push_back(&l, &rows[1].link);
	list_push_front(&l, &rows[2].link);
	check(&l, "201");
	list_push_front(&l, &rows[3].link);
	check(&l, "3201");
	for (const char *rest = "201";; rest++) {
		assert_non_null(list_pop(&l));
		check(&l, rest);
		if (!*rest)
			break;
	}
	assert_null(list_pop(&l));
	list_push_front(&l, &rows[0].link);
	check(&l, "0");
}

/* Any one of three, which then may go in again, and any one of those that stay. */
static void test_remove(void **state)
{
	(void)state;
	for (int which = 0; which < 3; which++) {
		struct list l = { 0 };
		struct row rows[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
		static const char *const rest[] = { "12", "02", "01" };
		static const char *const again[] = { "120", "021", "012" };

		for (int i = 0; i < 3; i++)
			list_push_back(&l, &rows[i].link);
		list_remove(&l, &rows[which].link);
		check(&l, rest[which]);
		assert_null(rows[which].link.next);
		assert_null(rows[which].link.prev);
		list_push_back(&l, &rows[which].link);
		check(&l, again[which]);
		for (int i = 0; i < 3; i++)
			list_remove(&l, &rows[i].link);
		check(&l, "");
	}
}

static void test_moves_by_assignment(void **state)
{
	struct list l = { 0 }, other;
	struct row rows[2] = { { .number = 0 }, { .number = 1 } };

	(void)state;
	list_push_back(&l, &rows[0].link);
	list_push_back(&l, &rows[1].link);
	other = l;
	l = (struct list){ 0 };
	list_push_back(&l, list_pop(&other));
	check(&l, "0");
	check(&other, "1");
}

/* Each of them is a bug of the caller: the program stops. */
static void remove_twice(struct list *l, struct list_node *node, struct list_node *stays)
{
	(void)stays;
	list_remove(l, node);
	list_remove(l, node);
}

static void push_twice(struct list *l, struct list_node *node, struct list_node *stays)
{
	(void)l;
	(void)stays;
	list_push_back(l, node);
}

static void push_the_only_one_twice(struct list *l, struct list_node *node, struct list_node *stays)
{
	list_remove(l, stays);
	list_push_front(l, node);
}

static void remove_from_another(struct list *l, struct list_node *node, struct list_node *stays)
{
	struct list other = { 0 };

	(void)l;
	(void)stays;
	list_remove(&other, node);
}

static void test_misuse_stops_the_program(void **state)
{
	void (*const misuses[])(struct list *, struct list_node *, struct list_node *) = {
		remove_twice, push_twice, push_the_only_one_twice, remove_from_another
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(misuses); i++) {
		struct list l = { 0 };
		struct row rows[2] = { { .number = 0 }, { .number = 1 } };
		int status;
		pid_t child;

		list_push_back(&l, &rows[0].link);
		list_push_back(&l, &rows[1].link);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			(void)signal(SIGABRT, SIG_DFL);
			(void)close(STDERR_FILENO);
			misuses[i](&l, &rows[0].link, &rows[1].link);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("misuse %zu did not stop the program", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_moves_by_assignment),
		cmocka_unit_test(test_misuse_stops_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
