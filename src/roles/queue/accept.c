/*
 * roles/queue/accept.c: messages that ask to become durable.
 *
 * The asker reads the Internet: nothing that it says is believed.  A descriptor must be a memfd that
 * nobody can change any more, since it is summed, journalled and delivered at different times; lengths
 * must agree with it; the envelope must decode.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "roles/queue/queue.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum {
	SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
	ADDED_MAX = 16 * 1024, /* trace and header fields that smtp adds to what the client sent */
};

static void answer(struct accept_peer *peer, uint32_t tag, enum accept_status status,
		   uint64_t sequence)
{
	struct accept_done done = { .tag = tag, .status = (uint8_t)status, .sequence = sequence };

	if (status != ACCEPT_OK)
		peer->queue->figures.refused++;
	if (peer->chan && accept_send_done(peer->chan, &done))
		LOG_WARNING("queue.accept", "cannot answer an smtp process; it was restarted",
			    LOG_UINT("sequence", sequence));
}

static enum accept_status status_of(enum err err)
{
	switch (err) {
	case OK: return ACCEPT_OK;
	case ERR_FULL:
	case ERR_NOMEM: return ACCEPT_FULL;
	default: return ACCEPT_FAILED;
	}
}

/* Do the lengths agree with what came?  The envelope: borrowed from m, or read from fd to room. */
static enum accept_status find_envelope(const struct accept_put *m, int fd, struct buf *room,
					struct view *ret)
{
	struct stat st;
	uint64_t n;
	char *to;

	if (__builtin_add_overflow(m->envelope_n, m->body_n, &n) || n > SIZE_MAX ||
	    m->envelope_n == 0 || m->envelope_n > RECORD_HEAD_MAX)
		return ACCEPT_BAD;
	if (fd < 0) {
		if (m->payload.n != n)
			return ACCEPT_BAD;
		*ret = view_head(m->payload, m->envelope_n);
		return ACCEPT_OK;
	}
	if (m->payload.n || !fd_is_sealed(fd, SEALS) || calls()->fstat(fd, &st) ||
	    (uint64_t)st.st_size != n)
		return ACCEPT_BAD;
	to = buf_room(room, m->envelope_n);
	if (!to)
		return ACCEPT_FULL;
	if (file_read_at(fd, to, m->envelope_n, 0))
		return ACCEPT_FAILED;
	buf_added(room, m->envelope_n);
	*ret = buf_view(room);
	return ACCEPT_OK;
}

/* The journal has it, or not. */
static void on_durable(void *ctx, enum err err)
{
	struct message *m = ctx;
	struct accept_peer *peer = m->peer;
	struct queue *q = peer->queue;
	struct opened *o;

	/* A tag of a channel that has ended means nothing on its successor. */
	if (m->peer_life == peer->life)
		answer(peer, m->tag, status_of(err), m->entry.sequence);
	if (err) {
		LOG_ERROR("queue.refused", "a message could not be written to the journal",
			  LOG_ID("trace", m->trace), LOG_ERR(err));
		queue_free_message(q, m);
		return;
	}
	m->peer = NULL;
	q->figures.accepted++;
	/* smtp says at INFO that it accepted the message; saying it twice costs both roles work. */
	if (log_wanted(LOG_LEVEL_DEBUG) && !open_message(q, m, &o))
		LOG_DEBUG("queue.accepted", "took a message over", LOG_ID("trace", m->trace),
			  LOG_ID("session", o->envelope.session),
			  LOG_VIEW("from", o->envelope.sender), LOG_UINT("recipients", m->rcpt_n),
			  LOG_UINT("size", o->body.n));
	dispatch_message(q, m);
}

/* Takes *fd when it is of use later. */
static enum accept_status put(struct accept_peer *peer, const struct accept_put *p,
			      struct view envelope, int *fd)
{
	struct queue *q = peer->queue;
	struct journal_file file = { .fd = *fd, .at = p->envelope_n, .n = p->body_n };
	struct journal_record r = { .type = RECORD_ACCEPT, .head = envelope };
	struct envelope e;
	struct message *m;
	enum err err;

	if (envelope_decode(envelope, &e) || !e.recipients_count)
		return ACCEPT_BAD;
	m = message_new(&e);
	if (!m)
		return ACCEPT_FULL;
	m->entry.sequence = journal_sequence(q->journal);
	m->peer = peer;
	m->peer_life = peer->life;
	m->tag = p->tag;
	m->born_ms = clock_mono_ms();
	r.sequence = m->entry.sequence;
	r.entry = &m->entry;
	if (*fd < 0)
		r.body = view_from(p->payload, envelope.n);
	else
		r.file = &file;
	err = journal_offer(q->journal, &r, 1, on_durable, m);
	if (err) {
		message_free(m);
		return status_of(err);
	}
	queue_link(q, m);
	if (*fd >= 0 && m->rcpt_n == 1) {
		m->fd = *fd;
		m->fd_at = p->envelope_n;
		m->entry.body_n = p->body_n;
		kept_add(q, m);
		*fd = -1;
	}
	rate_count(&q->rate, m->born_ms);
	queue_commit_soon(q);
	return ACCEPT_OK;
}

static enum err on_put(void *ctx, const struct accept_put *p, int *fd)
{
	struct accept_peer *peer = ctx;
	struct queue *q = peer->queue;
	struct buf CLEANUP(buf_done) room = BUF_INIT(RECORD_HEAD_MAX);
	struct view envelope;
	enum accept_status status;

	if (q->full || q->stopping) {
		answer(peer, p->tag, q->stopping ? ACCEPT_FAILED : ACCEPT_FULL, 0);
		return OK;
	}
	if (p->body_n > q->config->message_size + ADDED_MAX) {
		answer(peer, p->tag, ACCEPT_TOO_BIG, 0);
		return OK;
	}
	status = find_envelope(p, *fd, &room, &envelope);
	if (!status)
		status = put(peer, p, envelope, fd);
	if (status == ACCEPT_BAD)
		LOG_ERROR("queue.bad-put", "an smtp process offered a message that makes no sense",
			  LOG_UINT("envelope", p->envelope_n), LOG_UINT("body", p->body_n),
			  LOG_UINT("inline", p->payload.n), LOG_UINT("descriptor", *fd >= 0));
	if (status)
		answer(peer, p->tag, status, 0);
	return OK;
}

static const struct accept_server_ops ops = { .put = on_put };

static enum err on_message(void *ctx, uint16_t type, struct view body, int *fd)
{
	return accept_server_dispatch(&ops, ctx, type, body, fd);
}

static void on_closed(void *ctx, enum err why)
{
	struct accept_peer *peer = ctx;

	if (why != ERR_EOF)
		LOG_ERROR("queue.peer", "an smtp process broke the rules of its channel",
			  LOG_ERR(why));
	ipc_chan_free(peer->chan);
	peer->chan = NULL;
}

static const struct ipc_ops chan_ops = { on_message, on_closed, NULL };

enum err accept_attach(struct queue *q, uint64_t id, int fd)
{
	struct accept_peer *peer = &q->peers[id % ACCEPT_PEERS];

	ipc_chan_free(peer->chan);
	peer->chan = NULL;
	peer->queue = q;
	peer->told_full = false;
	peer->life++;

	enum err err = ipc_chan_new(q->loop, fd, &accept_channel, IPC_SERVER, &chan_ops, peer,
				    &peer->chan);
	if (!err)
		accept_tell_full(q);
	return err;
}

void accept_tell_full(struct queue *q)
{
	for (size_t i = 0; i < ACCEPT_PEERS; i++) {
		struct accept_peer *peer = &q->peers[i];
		struct accept_state state = { .full = q->full };

		if (peer->chan && peer->told_full != q->full &&
		    !accept_send_state(peer->chan, &state))
			peer->told_full = q->full;
	}
}
