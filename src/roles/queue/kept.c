/*
 * roles/queue/kept.c: descriptors in which messages came.
 *
 * A large message comes as a sealed memfd.  Until it is handed to its mailbox, which is soon as a rule, the
 * descriptor is kept: passing it on is cheaper than making another one out of the journal's copy.
 * Only kept for a message with one recipient: the envelope stands in front of the body, and no mailbox
 * process may see who else got the message.  Nothing depends on it: without it the journal is read.
 */
#include <unistd.h>

#include "roles/queue/queue.h"
#include "sys/clock.h"
#include "sys/file.h"

static uint64_t octets(const struct message *m)
{
	return m->fd_at + m->entry.body_n;
}

static struct message *oldest(const struct kept *k)
{
	return LIST_FIRST(&k->messages, struct message, kept);
}

static void unlink_kept(struct queue *q, struct message *m)
{
	list_remove(&q->kept.messages, &m->kept);
	q->kept.bytes -= octets(m);
}

void kept_drop(struct queue *q, struct message *m)
{
	if (m->fd < 0)
		return;
	unlink_kept(q, m);
	fd_close(&m->fd);
}

void kept_add(struct queue *q, struct message *m)
{
	struct kept *k = &q->kept;

	list_push_back(&k->messages, &m->kept);
	k->bytes += octets(m);
	while (k->messages.n > KEPT_MAX || k->bytes > KEPT_BYTES_MAX)
		kept_drop(q, oldest(k));
	if (k->messages.n && !loop_timer_is_set(&k->timer))
		loop_timer_set(&k->timer, KEPT_MS);
}

int kept_take(struct queue *q, struct message *m)
{
	int fd = m->fd;

	if (fd < 0)
		return -1;
	/* Members of a list get a copy each; the last one need not. */
	if (message_rcpt_count(m) > 1)
		return fd_copy(fd);
	unlink_kept(q, m);
	m->fd = -1;
	return fd;
}

static void on_timer(void *ctx)
{
	struct queue *q = ctx;
	struct message *m;
	int64_t now = clock_mono_ms();

	while ((m = oldest(&q->kept)) && now - m->born_ms >= KEPT_MS)
		kept_drop(q, m);
	if (m)
		loop_timer_set(&q->kept.timer, KEPT_MS - (now - m->born_ms));
}

void kept_init(struct queue *q)
{
	loop_timer_init(&q->kept.timer, q->loop, on_timer, q);
}

void kept_done(struct queue *q)
{
	struct message *m;

	while ((m = oldest(&q->kept)))
		kept_drop(q, m);
	loop_timer_done(&q->kept.timer);
}
