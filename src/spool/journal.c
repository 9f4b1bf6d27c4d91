/*
 * spool/journal.c: groups, commits, and what happens when a write fails.
 *
 * A group is laid out in slabs when it is added, and counts when all of its octets were written.  After
 * a failed write what clients wait for is answered with the error, and our own changes are parked and
 * laid out again in another segment.
 */
#include "spool/journal.h"

#include <errno.h>

#include "spool/failpoints.h"
#include "spool/internal.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	BATCH_GROUPS_MAX = 1 << 20,
	PARKED_RETRY_MS = 1000,
	CACHE_IDLE_MS = 5000, /* without a commit for so long the cache is given back */
	COMMIT_TRIES = 3, /* segments that may fail in a row before a pause */
};

void journal_tell(struct journal *j, const struct journal_event *e, const struct segment *s)
{
	char name[SEGMENT_NAME] = "";
	struct journal_event event = *e;

	if (s)
		segment_name(s, name);
	event.file = name;
	j->ops->event(j->ctx, &event);
}

/* ---- adding ---- */

static uint64_t body_octets(const struct journal_record *r)
{
	return r->file ? r->file->n : r->body.n;
}

/* Upper bound of the room in a segment: every second change of slab is behind JOURNAL_SLAB octets. */
static uint64_t group_room(const struct journal_record *records, size_t n)
{
	uint64_t need = 0;

	for (size_t i = 0; i < n; i++)
		need += record_size(records[i].head.n, body_octets(&records[i]));
	return need + SPOOL_BLOCK * (3 + 2 * need / JOURNAL_SLAB);
}

static bool batch_reserve(struct batch *b, size_t records)
{
	return vec_grow((void **)&b->records.at, b->records.n + records - 1, &b->records.cap,
			b->records.max, sizeof(b->records.at[0])) &&
	       vec_grow((void **)&b->groups.at, b->groups.n, &b->groups.cap, b->groups.max,
			sizeof(b->groups.at[0]));
}

static enum err lay_out_record(struct journal *j, const struct journal_record *r, bool more)
{
	struct record record = { .type = r->type,
				 .flags = more ? RECORD_MORE : 0,
				 .batch = j->next_batch,
				 .sequence = r->sequence };
	struct view body = r->body;
	struct slab *slab;
	size_t at;
	enum err err = slab_room(j, (size_t)record_size(r->head.n, body_octets(r)), &slab, &at);

	if (!err && r->file) {
		char *room = slab->bytes + at + RECORD_HEADER + r->head.n;

		err = file_read_at(r->file->fd, room, (size_t)r->file->n, (off_t)r->file->at);
		body = view_of(room, (size_t)r->file->n);
	}
	if (err)
		return err;
	record.offset = slab->base + at;
	record_write(slab->bytes + at, &record, slab->segment->salt, r->head, body);
	j->open->records.at[j->open->records.n++] = (struct pending_record){
		.slab = slab,
		.at = at,
		.type = r->type,
		.entry = r->entry,
	};
	return OK;
}

enum err journal_lay_out(struct journal *j, const struct journal_record *records, size_t n,
			 const struct pending_group *group)
{
	struct batch *b = j->open;
	struct pending_group g = *group;
	uint64_t need = group_room(records, n);
	struct slab_mark mark;
	enum err err;

	ASSERT(n > 0 && n <= JOURNAL_GROUP_MAX);
	if (!batch_reserve(b, n))
		return ERR_NOMEM;
	if (!j->appending || need > segment_end(j->newest) - j->newest->tail) {
		/* A disk that fails every write is not given a new file for each. */
		if (j->failed_in_row >= COMMIT_TRIES && clock_mono_ms() < j->pause_until_ms)
			return ERR_IO;
		err = segment_open_next(j, need);
		if (err)
			return err;
	}
	mark = slab_mark(j);
	g.first = b->records.n;
	g.count = n;
	for (size_t i = 0; i < n; i++) {
		err = lay_out_record(j, &records[i], i + 1 < n);
		if (err) {
			slab_rollback(j, &mark);
			b->records.n = g.first;
			return err;
		}
	}
	b->groups.at[b->groups.n++] = g;
	return OK;
}

/* ---- the caller's side ---- */

enum err journal_offer(struct journal *j, const struct journal_record *records, size_t n,
		       journal_fn *then, void *ctx)
{
	struct pending_group g = { .offered = true, .then = then, .ctx = ctx };

	/* Our own changes first: while they cannot be written, nothing new is taken. */
	if (j->parked)
		park_retry(j);
	if (j->parked)
		return j->parked_why;
	return journal_lay_out(j, records, n, &g);
}

enum err journal_add(struct journal *j, const struct journal_record *records, size_t n,
		     journal_fn *then, void *ctx)
{
	struct pending_group g = { .then = then, .ctx = ctx };

	for (size_t i = 0; i < n; i++)
		ASSERT(!records[i].file);
	if (j->parked)
		park_retry(j);
	if (!j->parked && !journal_lay_out(j, records, n, &g))
		return OK;
	return park_group(j, records, n, then, ctx);
}

void journal_finish(struct journal *j, struct journal_entry *entry)
{
	if (entry->finishing)
		return;
	entry->finishing = true;
	entry->finish_next = j->finishing;
	j->finishing = entry;
	j->finishing_n++;
}

enum err journal_set_marks(struct journal *j, uint64_t marks, journal_fn *then, void *ctx)
{
	char head[8];
	struct journal_record r = { .type = RECORD_MARKS, .head = view_of(head, sizeof(head)) };

	num_put64(head, marks);
	j->marks = marks;
	return journal_add(j, &r, 1, then, ctx);
}

uint64_t journal_marks(const struct journal *j)
{
	return j->marks;
}

uint64_t journal_sequence(struct journal *j)
{
	return j->next_sequence++;
}

/* ---- committing ---- */

/* RECORD_DONE for messages that are finished; those that do not fit wait for the next commit. */
static void lay_out_done(struct journal *j)
{
	while (j->finishing && !j->parked) {
		char head[8 * DONE_MAX];
		struct journal_entry *last = NULL;
		struct journal_record r = { .type = RECORD_DONE };
		size_t n = 0;

		for (struct journal_entry *e = j->finishing; e && n < DONE_MAX;
		     e = e->finish_next) {
			num_put64(head + 8 * n++, e->sequence);
			last = e;
		}
		r.head = view_of(head, 8 * n);
		if (journal_lay_out(j, &r, 1, &(struct pending_group){ 0 }))
			return;

		struct journal_entry *first = j->finishing;

		j->finishing = last->finish_next;
		last->finish_next = j->open->finished;
		j->open->finished = first;
		j->finishing_n -= n;
	}
}

/* The record is durable: from now on it is where the message lives. */
static void place(const struct pending_record *r)
{
	struct journal_entry *entry = r->entry;
	const char *at = r->slab->bytes + r->at;

	if (r->type != RECORD_ACCEPT || !entry)
		return;
	segment_unlink(entry);
	entry->moving = false;
	entry->offset = r->slab->base + r->at;
	entry->head_n = num_get32(at + 20);
	entry->body_n = num_get64(at + 24);
	segment_link(entry, r->slab->segment);
}

static bool was_written(const struct batch *b, const struct pending_group *g)
{
	for (size_t i = g->first; i < g->first + g->count; i++)
		if (b->records.at[i].slab->written <= b->records.at[i].at)
			return false;
	return true;
}

/* Does the group only move a message, or end some?  Such groups are made again when they are needed. */
static bool is_upkeep(const struct batch *b, const struct pending_group *g)
{
	const struct pending_record *r = &b->records.at[g->first];

	return r->type == RECORD_DONE || (r->entry && r->entry->moving);
}

/* All groups of the batch from which something is missing, while its slabs are still there. */
static void keep_unwritten(struct journal *j, struct batch *b)
{
	for (size_t i = 0; i < b->groups.n; i++) {
		struct pending_group *g = &b->groups.at[i];

		if (was_written(b, g))
			continue;
		if (is_upkeep(b, g)) {
			if (b->records.at[g->first].entry)
				b->records.at[g->first].entry->moving = false;
			g->then = NULL;
		} else if (!g->offered) {
			park_unwritten(j, b, g);
			g->then = NULL;
		}
	}
}

/* Which of them stand in a record that was written is not worth knowing: a second one does no harm. */
static void finish_again(struct journal *j, struct batch *b)
{
	while (b->finished) {
		struct journal_entry *e = b->finished;

		b->finished = e->finish_next;
		e->finishing = false;
		journal_finish(j, e);
	}
}

static void tell_all(struct journal *j, struct batch *b, enum err err)
{
	for (size_t i = 0; i < b->groups.n; i++) {
		struct pending_group *g = &b->groups.at[i];

		if (g->then)
			g->then(g->ctx, g->count ? OK : err);
	}
	while (b->finished) {
		struct journal_entry *e = b->finished;

		b->finished = e->finish_next;
		segment_unlink(e);
		j->ops->released(j->ctx, e);
	}
}

/* One write.  Groups that were written count, whatever became of those behind them. */
static enum err commit_once(struct journal *j)
{
	struct batch *b = j->open;
	struct segment *failed = NULL;
	enum err err;
	int error;

	spool_failpoint(SPOOL_FAIL_BEFORE_WRITE);
	errno = 0;
	err = slab_write_all(j, &failed);
	error = errno;
	spool_failpoint(SPOOL_FAIL_WRITTEN);
	j->open = j->closing;
	j->closing = b;
	j->commits++;
	j->group_total += b->groups.n;
	j->commit_ms = clock_mono_ms();
	for (size_t i = 0; i < b->groups.n; i++) {
		struct pending_group *g = &b->groups.at[i];

		if (!was_written(b, g))
			continue;
		for (size_t k = g->first; k < g->first + g->count; k++)
			place(&b->records.at[k]);
	}
	if (b->records.n && b->records.at[0].slab->written > b->records.at[0].at)
		j->next_batch++;
	if (err) {
		keep_unwritten(j, b);
		finish_again(j, b);
		for (size_t i = 0; i < b->groups.n; i++)
			if (!was_written(b, &b->groups.at[i]))
				b->groups.at[i].count = 0; /* for tell_all */
		segment_give_up(j, failed, err, error);
	}
	tell_all(j, b, err);
	b->records.n = b->groups.n = 0;
	spool_failpoint(SPOOL_FAIL_ANSWERED);
	return err;
}

void journal_commit(struct journal *j)
{
	/* What callbacks add goes out with the next commit. */
	if (j->committing)
		return;
	j->committing = true;
	for (int i = 0; i < COMMIT_TRIES; i++) {
		enum err err;

		park_retry(j);
		lay_out_done(j);
		if (j->open->groups.n == 0)
			break;
		err = commit_once(j);
		if (!err && j->failing)
			journal_tell(j, &(struct journal_event){ .kind = JOURNAL_RECOVERED },
				     j->newest);
		j->failing = err != OK;
		j->failed_in_row = err ? j->failed_in_row + 1 : 0;
		if (!err)
			break;
	}
	if (j->failed_in_row >= COMMIT_TRIES)
		j->pause_until_ms = clock_mono_ms() + PARKED_RETRY_MS;
	slab_trim(j, JOURNAL_CACHE);
	j->committing = false;
}

bool journal_is_waiting(const struct journal *j)
{
	return j->open->groups.n > 0;
}

/* ---- reading ---- */

enum err journal_read(struct journal *j, const struct journal_entry *entry, struct buf *room,
		      struct view *ret_head, struct view *ret_body)
{
	uint64_t n = record_size(entry->head_n, entry->body_n);
	const struct slab *slab;
	struct record r;
	struct view head, body;
	char *at;
	enum err err;

	if (!entry->segment)
		return ERR_NOTFOUND;
	slab = slab_find(j, entry->segment, entry->offset, n);
	if (slab) {
		const char *bytes = slab->bytes + (entry->offset - slab->base) + RECORD_HEADER;

		*ret_head = view_of(bytes, entry->head_n);
		*ret_body = view_of(bytes + entry->head_n, entry->body_n);
		return OK;
	}
	buf_clear(room);
	at = buf_room(room, (size_t)n);
	if (!at)
		return buf_err(room);
	err = segment_read(j, entry->segment, at, (size_t)n, entry->offset);
	if (err)
		return err == ERR_EOF ? ERR_CORRUPT : err;
	buf_added(room, (size_t)n);
	err = record_read(at, entry->segment->salt, entry->offset, &r);
	head = view_of(at + RECORD_HEADER, entry->head_n);
	body = view_of(at + RECORD_HEADER + entry->head_n, entry->body_n);
	if (!err && r.sequence != entry->sequence)
		err = ERR_CORRUPT;
	if (!err)
		err = record_check(&r, entry->segment->salt, head, body);
	if (err)
		return err;
	*ret_head = head;
	*ret_body = body;
	return OK;
}

void journal_entry_drop(struct journal *j, struct journal_entry *entry)
{
	(void)j;
	segment_unlink(entry);
}

/* ---- life ---- */

int journal_work(struct journal *j)
{
	bool prepare_more = false, clean_more = false;

	/* A spare that cannot be made is only slower; a copy that cannot be made is told by read. */
	if (segment_prepare(j, &prepare_more))
		prepare_more = false;
	if (journal_clean(j, &clean_more))
		clean_more = false;
	if (j->parked || journal_is_waiting(j))
		journal_commit(j);
	if (clock_mono_ms() - j->commit_ms > CACHE_IDLE_MS)
		slab_trim(j, 0);
	segment_look_after(j, clock_mono_ms());
	if (prepare_more || clean_more)
		return 2;
	return j->parked || j->slabs || j->clean_through || j->was_pressed || j->spare_n > j->keep
		       ? PARKED_RETRY_MS
		       : -1;
}

void journal_shrink(struct journal *j)
{
	while (segment_give_back(j))
		continue;
}

static struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b) {
		b->records.max = BATCH_GROUPS_MAX;
		b->groups.max = BATCH_GROUPS_MAX;
	}
	return b;
}

static void batch_free(struct batch *b)
{
	if (!b)
		return;
	VEC_DONE(&b->records);
	VEC_DONE(&b->groups);
	free(b);
}

static void segments_free(struct segment *list)
{
	while (list) {
		struct segment *s = list;

		list = s->next;
		segment_free(s);
	}
}

static void journal_free(struct journal *j)
{
	slab_done(j);
	park_done(j);
	segments_free(j->oldest);
	segments_free(j->spare);
	batch_free(j->open);
	batch_free(j->closing);
	free(j->slots);
	free(j);
}

enum err journal_open(const struct journal_options *options, const struct journal_ops *ops,
		      void *ctx, struct journal **ret)
{
	struct journal *j = calloc(1, sizeof(*j));
	enum err err;

	if (!j)
		return ERR_NOMEM;
	*j = (struct journal){
		.dir = options->dir,
		.segment_size = spool_block_up(options->segment_size),
		.keep = options->keep < 2 ? 2 : options->keep,
		.try_direct = !options->buffered,
		.ops = ops,
		.ctx = ctx,
		.next_order = 1,
		.next_sequence = 1,
		.next_batch = 1,
		.commit_ms = clock_mono_ms(),
		.open = batch_new(),
		.closing = batch_new(),
		.slots = calloc(JOURNAL_FILES_MAX + 1, sizeof(bool)),
	};
	j->parked_end = &j->parked;
	ASSERT(j->segment_size >= JOURNAL_SEGMENT_MIN);
	err = j->open && j->closing && j->slots ? journal_replay(j) : ERR_NOMEM;
	if (err) {
		journal_free(j);
		return err;
	}
	journal_retire(j);
	*ret = j;
	return OK;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	journal_commit(j);
	journal_free(j);
}

void journal_figures(const struct journal *j, struct journal_figures *ret)
{
	struct journal_figures f = {
		.next_sequence = j->next_sequence,
		.spare = j->spare_n,
		.commits = j->commits,
		.groups = j->group_total,
		.copied = j->copied,
		.failures = j->failures,
		.direct = j->appending && j->newest->direct,
	};

	for (const struct segment *s = j->oldest; s; s = s->next) {
		f.segments++;
		f.live += s->live_n;
		f.live_bytes += s->live_bytes;
		f.used_bytes += s->size;
	}
	for (const struct parked *p = j->parked; p; p = p->next)
		f.parked++;
	*ret = f;
}
