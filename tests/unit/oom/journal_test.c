/*
 * tests/unit/oom/journal_test.c: the queue's journal when memory is short.
 *
 * Whatever allocation fails, in opening, in accepting, in changing, in making room: what was acknowledged is
 * there in the next life, whole and in its last state; what was refused is not; and with memory again the
 * journal goes on as if nothing had been.
 */
#include "oom.h"

#include "../spool/owner.h"

enum { FIRST_LIFE = 24, LIVES = 16, BODY = 17000, QUIET = 100 };

/* ---- opening ---- */

static struct owner prepared;

static void put_some(struct owner *o)
{
	for (size_t i = 0; i < FIRST_LIFE; i++) {
		uint64_t sequence = owner_put(o, i * 997);

		journal_commit(o->journal);
		owner_change(o, sequence, (uint8_t)(1 + i));
		if (i % 3 == 0)
			owner_finish(o, sequence);
		journal_commit(o->journal);
	}
}

static bool opens(size_t nth, enum oom_mode mode)
{
	struct owner *o = &prepared;
	bool failed;
	enum err err;

	oom_arm(nth, mode);
	err = owner_open_err(o);
	failed = oom_disarm();
	if (err) {
		assert_true(failed);
		assert_int_equal(err, ERR_NOMEM);
		assert_null(o->journal);
		assert_int_equal(owner_open_err(o), OK);
	}
	assert_int_equal(owner_known(o), FIRST_LIFE - FIRST_LIFE / 3);
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++) {
		if (!o->messages[i].known)
			continue;
		owner_check(o, i);
		assert_true(o->messages[i].state > 0);
	}
	assert_int_equal(o->told[JOURNAL_DAMAGE] + o->told[JOURNAL_TORN], 0);
	owner_close(o);
	return failed;
}

static void opening(void **state)
{
	clock_set_mono_ms(1000000);
	owner_init(&prepared);
	owner_open(&prepared);
	put_some(&prepared);
	owner_close(&prepared);
	oom_each("journal_open", opens, 5);
	owner_done(&prepared);
	clock_set_mono_ms(-1);
}

/* ---- a life ---- */

static void change(struct owner *o, uint64_t sequence, uint8_t state)
{
	char head = (char)state;
	struct journal_record r = { .type = RECORD_RCPT,
				    .sequence = sequence,
				    .head = view_of(&head, 1) };
	enum err err = journal_add(o->journal, &r, 1, NULL, NULL);

	if (!err)
		owner_message(o, sequence)->state = state;
	else
		assert_int_equal(err, ERR_NOMEM);
}

static void read_back(struct owner *o, uint64_t sequence)
{
	struct message *m = owner_message(o, sequence);
	struct buf CLEANUP(buf_done) room = BUF_INIT(1 << 20);
	struct view head, body;
	enum err err = journal_read(o->journal, &m->entry, &room, &head, &body);

	if (err) {
		assert_int_equal(err, ERR_NOMEM);
		return;
	}
	assert_int_equal(num_get64(head.p), sequence);
	assert_int_equal(body.n, m->body_n);
}

/* Accept, change, finish, read, and so much of it that segments fill, are copied forward and freed. */
static void live(struct owner *o)
{
	uint64_t before = 0;

	for (size_t i = 0; i < LIVES; i++) {
		uint64_t sequence, second;

		(void)owner_put_err(o, BODY + i, &sequence);
		(void)owner_put_err(o, i, &second);
		journal_commit(o->journal);
		if (owner_message(o, sequence)->acknowledged) {
			change(o, sequence, (uint8_t)(1 + i));
			read_back(o, sequence);
			if (i % 2)
				owner_finish(o, sequence);
		}
		if (before && owner_message(o, before)->known)
			change(o, before, 100);
		before = owner_message(o, second)->acknowledged ? second : 0;
		journal_commit(o->journal);
		(void)journal_work(o->journal);
		clock_set_mono_ms(clock_mono_ms() + 1500);
	}
}

/* With memory again, all that was put off happens. */
static void settle(struct owner *o)
{
	for (int i = 0; i < QUIET; i++) {
		journal_commit(o->journal);
		(void)journal_work(o->journal);
		clock_set_mono_ms(clock_mono_ms() + 1500);
	}
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++)
		assert_false(o->messages[i].entry.finishing && o->messages[i].known);
}

static bool lives(size_t nth, enum oom_mode mode)
{
	struct owner o;
	uint64_t sequence;
	bool failed;

	clock_set_mono_ms(1000000);
	owner_init(&o);
	owner_open(&o);
	oom_arm(nth, mode);
	live(&o);
	failed = oom_disarm();
	settle(&o);
	sequence = owner_put(&o, BODY);
	journal_commit(o.journal);
	assert_true(owner_message(&o, sequence)->acknowledged);
	owner_compare(&o);
	owner_done(&o);
	clock_set_mono_ms(-1);
	return failed;
}

static void living(void **state)
{
	oom_each("a life", lives, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(living),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
