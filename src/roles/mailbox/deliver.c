/*
 * roles/mailbox/deliver.c: messages from the queue into the store.
 *
 * All that arrive in one turn are one transaction, together with their marks, so that a replayed
 * delivery is recognised.  Answers come from memory; the journal stays the durable copy until a sync
 * of the store, which the queue is told as "durable".
 */
#include "mailbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "ipc/types.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	BATCH_BYTES_MAX = 256 * 1024 * 1024,
	FLOOD_MIN = 2, /* messages of a batch: the queue gathers only under load */
	FLOOD_BYTES_MIN = 256 * 1024, /* of one, which takes as long */
	MAPPED_MIN = 64 * 1024, /* octets from which a body is mapped instead of copied */
	RETURN_PATH_MAX = 400,
	SEALS = F_SEAL_SHRINK | F_SEAL_WRITE,
};

struct waiting {
	uint64_t sequence;
	uint32_t recipient;
	uint64_t trace;
	uint64_t mailbox;
	struct view bytes; /* in the arena, or mapped */
	void *map;
	size_t map_n;
	int64_t received_ms;
};

struct deliveries {
	struct mailbox *mailbox;
	struct ipc_chan *chan;
	struct loop_defer run;
	struct arena arena; /* the bytes of the batch */
	struct waiting batch[DELIVER_BATCH_MAX];
	size_t count;
	uint64_t answered; /* with OK, on this channel */
	uint64_t durable;
	uint64_t unsynced_bytes;
	uint64_t mapped; /* octets of the batch that are mapped */
};

bool deliver_waiting(const struct mailbox *m)
{
	const struct deliveries *d = m->deliveries;

	return d && (d->count > 0 || d->answered != d->durable);
}

static enum deliver_status status_of(enum err err)
{
	switch (err) {
	case OK: return DELIVER_OK;
	case ERR_QUOTA: return DELIVER_QUOTA;
	case ERR_LIMIT: return DELIVER_FAILED;
	default: return DELIVER_TEMPORARY;
	}
}

static enum err answer(struct deliveries *d, uint64_t sequence, uint32_t recipient, enum err err)
{
	struct deliver_done m = { .sequence = sequence,
				  .recipient = recipient,
				  .status = (uint8_t)status_of(err) };

	if (err)
		m.reason = view_str(err == ERR_QUOTA ? "the mailbox is full" : err_text(err));
	else
		d->answered++;
	return deliver_send_done(d->chan, &m);
}

static void log_stored(const struct mailbox *m, const struct waiting *w,
		       const struct store_put_result *r)
{
	if (r->err)
		LOG_WARNING("mailbox.refused", "a message cannot be stored now",
			    LOG_ID("trace", w->trace), LOG_UINT("account", m->account),
			    LOG_ERR(r->err));
	else if (!r->replayed)
		LOG_INFO("mailbox.stored", "stored a message", LOG_ID("trace", w->trace),
			 LOG_UINT("account", m->account), LOG_UINT("uid", r->uid),
			 LOG_UINT("size", w->bytes.n));
}

static void answer_batch(struct deliveries *d, enum err err, const struct store_put_result *results)
{
	struct mailbox *m = d->mailbox;

	for (size_t i = 0; i < d->count && d->chan; i++) {
		struct waiting *w = &d->batch[i];
		enum err one = err ? err : results[i].err;

		if (err)
			LOG_ERROR("mailbox.store", "cannot store messages",
				  LOG_ID("trace", w->trace), LOG_UINT("account", m->account),
				  LOG_ERR(err));
		else
			log_stored(m, w, &results[i]);
		if (!one) {
			m->delivered++;
			d->unsynced_bytes += w->bytes.n;
		}
		if (answer(d, w->sequence, w->recipient, one))
			LOG_WARNING("mailbox.answer", "the queue is gone; it will ask again");
	}
}

static void forget_batch(struct deliveries *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->batch[i].map)
			munmap(d->batch[i].map, d->batch[i].map_n);
	d->count = 0;
	d->mapped = 0;
	arena_clear(&d->arena);
}

static void on_run(void *ctx)
{
	struct deliveries *d = ctx;
	struct mailbox *m = d->mailbox;
	static struct store_put items[DELIVER_BATCH_MAX];
	static struct store_put_result results[DELIVER_BATCH_MAX];
	static struct store_target targets[DELIVER_BATCH_MAX];
	enum err err;

	if (d->count == 0)
		return;
	if (d->count >= FLOOD_MIN || d->mapped >= FLOOD_BYTES_MIN)
		mailbox_flood(m, clock_wall_ms() - d->batch[0].received_ms);
	for (size_t i = 0; i < d->count; i++) {
		const struct waiting *w = &d->batch[i];

		targets[i] = (struct store_target){ .mailbox = w->mailbox };
		items[i] = (struct store_put){
			.bytes = w->bytes,
			.fd = -1,
			.targets = &targets[i],
			.target_n = 1,
			.date = w->received_ms / 1000,
			.marked = true,
			.mark = { w->sequence, w->recipient },
		};
	}
	if (m->store) {
		store_origin_set(m->store, NULL);
		err = store_put(m->store, STORE_DELIVER, items, d->count, results);
	} else {
		err = ERR_BUSY;
	}
	answer_batch(d, err, results);
	forget_batch(d);
	mailbox_touch(m);
	if (d->unsynced_bytes >= role_config(m->role)->checkpoint_bytes)
		mailbox_sync(m);
	else if (!loop_timer_is_set(&m->sync_timer))
		loop_timer_set(&m->sync_timer, (int64_t)role_config(m->role)->checkpoint_time);
}

void deliver_flush(struct mailbox *m)
{
	if (m->deliveries)
		on_run(m->deliveries);
}

void deliver_trim(struct mailbox *m)
{
	struct deliveries *d = m->deliveries;

	if (d && d->count == 0)
		arena_done(&d->arena);
}

/* The folder that the sub-address asks for, if the owner made one of that name; else INBOX. */
static uint64_t find_mailbox(struct mailbox *m, struct view name)
{
	const struct store_mailbox *box = name.n ? store_mailbox_by_name(m->store, name) : NULL;

	if (!box || !box->selectable)
		box = store_mailbox_by_name(m->store, VIEW("INBOX"));
	return box ? box->id : 0;
}

/* The field that final delivery adds.   RFC 5321#4.4 */
static enum err return_path(struct view sender, struct buf *field)
{
	for (size_t i = 0; i < sender.n; i++)
		if (sender.p[i] == '\r' || sender.p[i] == '\n')
			return ERR_SYNTAX;
	buf_addf(field, "Return-Path: <" VIEW_FMT ">\r\n", VIEW_ARG(sender));
	return buf_err(field);
}

/* Room in the arena for field and body; the field is written. */
static char *arena_room(struct deliveries *d, struct view field, uint64_t body_n)
{
	char *room = arena_alloc(&d->arena, field.n + body_n);

	if (room)
		memcpy(room, field.p, field.n);
	return room;
}

/*
 * The body stays in the pages that it came in; the field goes in front of it, where the envelope was, into a
 * page of our own.
 */
static enum err map_body(struct deliveries *d, struct waiting *w, const struct deliver_put *m,
			 int fd, struct view field)
{
	size_t n = m->body_at + m->body_n;
	char *at;

	if (d->mapped + n > BATCH_BYTES_MAX)
		return ERR_NOMEM;
	at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return ERR_NOMEM;
	w->map = at;
	w->map_n = n;
	d->mapped += n;
	at += m->body_at - field.n;
	memcpy(at, field.p, field.n);
	w->bytes = view_of(at, field.n + m->body_n);
	return OK;
}

static enum err copy_body(struct deliveries *d, struct waiting *w, const struct deliver_put *m,
			  int fd, struct view field)
{
	char *room = arena_room(d, field, m->body_n);
	enum err err = OK;

	if (!room)
		return ERR_NOMEM;
	if (fd < 0)
		memcpy(room + field.n, m->payload.p, m->payload.n);
	else
		err = file_read_at(fd, room + field.n, m->body_n, (off_t)m->body_at);
	w->bytes = view_of(room, field.n + m->body_n);
	return err;
}

/* Is fd what the channel promises?  What is mapped must stay there while it is read. */
static bool is_sealed(const struct deliver_put *m, int fd)
{
	struct stat about;

	return fd_is_sealed(fd, SEALS) && !calls()->fstat(fd, &about) &&
	       (uint64_t)about.st_size >= m->body_at + m->body_n;
}

static enum err gather(struct deliveries *d, struct waiting *w, const struct deliver_put *m, int fd)
{
	struct buf CLEANUP(buf_done) field = BUF_INIT(RETURN_PATH_MAX);
	enum err err = return_path(m->sender, &field);

	w->map = NULL;
	if (fd < 0 && m->body_n != m->payload.n)
		return ERR_PEER;
	if (fd >= 0 &&
	    (m->body_n == 0 || m->body_n > role_config(d->mailbox->role)->message_size * 2))
		return ERR_LIMIT;
	if (fd >= 0 && !is_sealed(m, fd))
		return ERR_PEER;
	if (err)
		return err;
	if (fd >= 0 && m->body_n >= MAPPED_MIN && m->body_at >= field.n)
		return map_body(d, w, m, fd, buf_view(&field));
	return copy_body(d, w, m, fd, buf_view(&field));
}

static enum err on_put(void *ctx, const struct deliver_put *m, int *fd)
{
	struct deliveries *d = ctx;
	struct mailbox *box = d->mailbox;
	struct waiting *w;
	enum err err;

	if (!box->store || box->stopping)
		return answer(d, m->sequence, m->recipient, ERR_BUSY);
	if (d->count == DELIVER_BATCH_MAX)
		on_run(d);
	w = &d->batch[d->count];
	err = gather(d, w, m, *fd);
	if (err == ERR_NOMEM && d->count > 0) {
		on_run(d);
		w = &d->batch[0];
		err = gather(d, w, m, *fd);
	}
	if (err == ERR_PEER)
		return err;
	if (err)
		return answer(d, m->sequence, m->recipient, err == ERR_NOMEM ? ERR_BUSY : err);
	w->sequence = m->sequence;
	w->recipient = m->recipient;
	w->trace = m->trace;
	w->received_ms = m->received_ms;
	w->mailbox = find_mailbox(box, m->mailbox);
	d->count++;
	loop_defer_add(&d->run);
	return OK;
}

static enum err on_checkpoint(void *ctx, const struct deliver_checkpoint *m)
{
	struct deliveries *d = ctx;
	struct deliver_checkpointed done;

	on_run(d);
	done.ok = mailbox_sync(d->mailbox) == OK;
	return deliver_send_checkpointed(d->chan, &done);
}

static enum err on_settled(void *ctx, const struct deliver_settled *m)
{
	struct deliveries *d = ctx;

	if (d->mailbox->store)
		store_marks_forget(d->mailbox->store, m->below);
	return OK;
}

static const struct deliver_server_ops deliver_ops = { on_put, on_checkpoint, on_settled };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return deliver_server_dispatch(&deliver_ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct deliveries *d = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("mailbox.protocol", "the queue broke the rules of its channel",
			  LOG_ERR(why));
	on_run(d);
	ipc_chan_free(d->chan);
	d->chan = NULL;
	d->answered = d->durable = 0;
}

static const struct ipc_ops deliver_ipc = { on_message, on_closed, NULL };

void deliver_durable(struct mailbox *m)
{
	struct deliveries *d = m->deliveries;

	if (!d)
		return;
	d->unsynced_bytes = 0;
	if (!d->chan || d->durable == d->answered)
		return;
	d->durable = d->answered;
	if (deliver_send_durable(d->chan, &(struct deliver_durable){ d->durable }))
		LOG_WARNING("mailbox.answer", "the queue is gone; it will ask again");
}

void deliver_channel_take(struct mailbox *m, int fd)
{
	struct deliveries *d = m->deliveries;

	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d) {
			fd_close(&fd);
			return;
		}
		d->mailbox = m;
		arena_init(&d->arena, BATCH_BYTES_MAX);
		loop_defer_init(&d->run, role_loop(m->role), on_run, d);
		m->deliveries = d;
	}
	if (d->chan) {
		on_run(d);
		ipc_chan_free(d->chan);
	}
	d->chan = NULL;
	d->answered = d->durable = 0;
	if (ipc_chan_new(role_loop(m->role), fd, &deliver_channel, IPC_SERVER, &deliver_ipc, d,
			 &d->chan))
		d->chan = NULL;
}
