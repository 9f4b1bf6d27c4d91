/*
 * tests/unit/spool/owner.h: an owner of a journal for tests.
 *
 * Remembers what the journal tells and what it was told, in plain arrays; the state of a message is the
 * head of its last change.
 */
#ifndef TESTS_SPOOL_OWNER_H
#define TESTS_SPOOL_OWNER_H

#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spool/internal.h"
#include "spool/journal.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { OWNER_MESSAGES = 6000, OWNER_SEGMENT = 128 * 1024 };

struct message {
	struct journal_entry entry; /* first: found by cast */
	uint32_t body_seed;
	size_t body_n;
	uint8_t state;
	bool known;
	bool acknowledged;
	bool finished;
	bool refused;
	enum err why;
};

struct owner {
	struct journal *journal;
	int dir;
	char path[64];
	struct message *messages; /* by sequence */
	size_t told[8]; /* events, by kind */
	struct journal_event last;
	size_t pressed, released, unreadable;
};

static inline struct message *owner_message(struct owner *o, uint64_t sequence)
{
	assert_in_range(sequence, 1, OWNER_MESSAGES - 1);
	return &o->messages[sequence];
}

/* Bodies can be made again from their sequence. */
static inline char *owner_body(uint64_t seed, size_t n)
{
	char *body = malloc(n + 1);
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	assert_non_null(body);
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		body[i] = (char)x;
	}
	return body;
}

static inline enum err owner_accepted(void *ctx, uint64_t sequence, struct view head,
				      uint64_t body_n, struct journal_entry **ret)
{
	struct message *m = owner_message(ctx, sequence);

	assert_int_equal(head.n, 8);
	assert_int_equal(num_get64(head.p), sequence);
	m->known = true;
	m->state = 0;
	m->body_n = body_n;
	*ret = &m->entry;
	return OK;
}

static inline enum err owner_changed(void *ctx, uint8_t type, uint64_t sequence, struct view head)
{
	struct message *m = owner_message(ctx, sequence);

	assert_int_equal(head.n, 1);
	if (m->known)
		m->state = view_at(head, 0);
	return OK;
}

static inline void owner_forgotten(void *ctx, uint64_t sequence)
{
	struct owner *o = ctx;
	struct message *m = owner_message(o, sequence);

	journal_entry_drop(o->journal, &m->entry);
	m->known = false;
	m->finished = true;
}

static inline enum err owner_describe(void *ctx, struct journal_entry *entry,
				      struct journal_changes *out)
{
	struct message *m = (struct message *)entry;
	char state = (char)m->state;

	if (!m->state)
		return OK;
	return journal_changes_add(out, RECORD_RCPT, entry->sequence, view_of(&state, 1));
}

static inline void owner_released(void *ctx, struct journal_entry *entry)
{
	struct owner *o = ctx;
	struct message *m = (struct message *)entry;

	assert_true(m->known);
	m->known = false;
	m->finished = true;
	o->released++;
}

static inline void owner_pressed(void *ctx)
{
	((struct owner *)ctx)->pressed++;
}

static inline void owner_unreadable(void *ctx, struct journal_entry *entry)
{
	struct owner *o = ctx;

	o->unreadable++;
	journal_finish(o->journal, entry);
}

static inline void owner_event(void *ctx, const struct journal_event *e)
{
	struct owner *o = ctx;

	o->told[e->kind]++;
	o->last = *e;
	o->last.file = NULL;
}

static const struct journal_ops owner_ops = {
	.accepted = owner_accepted,
	.changed = owner_changed,
	.forgotten = owner_forgotten,
	.describe = owner_describe,
	.released = owner_released,
	.pressed = owner_pressed,
	.unreadable = owner_unreadable,
	.event = owner_event,
};

static inline enum err owner_open_err(struct owner *o)
{
	struct journal_options options = { .dir = o->dir,
					   .segment_size = OWNER_SEGMENT,
					   .keep = 3 };

	free(o->messages);
	o->messages = calloc(OWNER_MESSAGES, sizeof(*o->messages));
	assert_non_null(o->messages);
	memset(o->told, 0, sizeof(o->told));
	o->pressed = o->released = o->unreadable = 0;
	o->journal = NULL;
	return journal_open(&options, &owner_ops, o, &o->journal);
}

static inline void owner_open(struct owner *o)
{
	assert_int_equal(owner_open_err(o), OK);
}

/* As a kill does: nothing that waits is written. */
static inline void owner_close(struct owner *o)
{
	journal_close(o->journal);
	o->journal = NULL;
}

static inline void owner_reopen(struct owner *o)
{
	owner_close(o);
	owner_open(o);
}

/* Below the build folder, on a real file system: O_DIRECT is tried. */
static inline void owner_init(struct owner *o)
{
	*o = (struct owner){ .dir = -1 };
	(void)snprintf(o->path, sizeof(o->path), "spool-test-XXXXXX");
	assert_non_null(mkdtemp(o->path));
	o->dir = open(o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(o->dir >= 0);
}

static inline void owner_done(struct owner *o)
{
	calls_set(NULL);
	if (o->journal)
		owner_close(o);
	folder_remove(o->dir, o->path);
	free(o->messages);
}

static inline void owner_acknowledged(void *ctx, enum err err)
{
	struct message *m = ctx;

	if (err) {
		m->refused = true;
		m->known = false;
	} else {
		m->acknowledged = true;
	}
	m->why = err;
}

static inline enum err owner_put_err(struct owner *o, size_t body_n, uint64_t *ret)
{
	uint64_t sequence = journal_sequence(o->journal);
	struct message *m = owner_message(o, sequence);
	char head[8];
	char *body = owner_body(sequence, body_n);
	struct journal_record r = { .type = RECORD_ACCEPT,
				    .sequence = sequence,
				    .head = view_of(head, sizeof(head)),
				    .body = view_of(body, body_n),
				    .entry = &m->entry };
	enum err err;

	num_put64(head, sequence);
	m->entry.sequence = sequence;
	m->known = true;
	m->body_n = body_n;
	err = journal_offer(o->journal, &r, 1, owner_acknowledged, m);
	if (err) {
		m->known = false;
		m->refused = true;
	}
	free(body);
	*ret = sequence;
	return err;
}

static inline uint64_t owner_put(struct owner *o, size_t body_n)
{
	uint64_t sequence;

	assert_int_equal(owner_put_err(o, body_n, &sequence), OK);
	return sequence;
}

static inline void owner_change(struct owner *o, uint64_t sequence, uint8_t state)
{
	char head = (char)state;
	struct journal_record r = { .type = RECORD_RCPT,
				    .sequence = sequence,
				    .head = view_of(&head, 1) };

	owner_message(o, sequence)->state = state;
	assert_int_equal(journal_add(o->journal, &r, 1, NULL, NULL), OK);
}

static inline void owner_finish(struct owner *o, uint64_t sequence)
{
	journal_finish(o->journal, &owner_message(o, sequence)->entry);
}

/* The message is there, byte for byte. */
static inline void owner_check(struct owner *o, uint64_t sequence)
{
	struct message *m = owner_message(o, sequence);
	struct buf room = BUF_INIT(1 << 26);
	char *want = owner_body(sequence, m->body_n);
	struct view head, body;

	assert_true(m->known);
	assert_int_equal(journal_read(o->journal, &m->entry, &room, &head, &body), OK);
	assert_int_equal(num_get64(head.p), sequence);
	assert_true(view_eq(body, view_of(want, m->body_n)));
	free(want);
	buf_done(&room);
}

static inline size_t owner_known(struct owner *o)
{
	size_t n = 0;

	for (size_t i = 1; i < OWNER_MESSAGES; i++)
		n += o->messages[i].known;
	return n;
}

static inline size_t owner_files(struct owner *o, const char *suffix)
{
	DIR *d = fdopendir(openat(o->dir, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += view_ends(view_str(e->d_name), view_str(suffix));
	closedir(d);
	return n;
}

/* Work in the background until there is none, time passing. */
static inline void owner_work(struct owner *o)
{
	for (int i = 0; i < 200; i++) {
		int next = journal_work(o->journal);

		if (next < 0)
			return;
		clock_set_mono_ms(clock_mono_ms() + next);
	}
}

/* Closed and opened again, the journal says what it has acknowledged, and nothing else. */
static inline void owner_compare(struct owner *o)
{
	struct message *before = o->messages;

	o->messages = NULL;
	owner_reopen(o);
	assert_int_equal(o->told[JOURNAL_DAMAGE], 0);
	for (uint64_t i = 1; i < OWNER_MESSAGES; i++) {
		if (before[i].acknowledged && !before[i].finished) {
			assert_true(o->messages[i].known);
			owner_check(o, i);
			assert_int_equal(o->messages[i].state, before[i].state);
		} else {
			assert_false(o->messages[i].known);
		}
	}
	free(before);
}

#endif
