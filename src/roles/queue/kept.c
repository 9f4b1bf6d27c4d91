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

static void unlink_kept(struct queue *q, struct message *m)
{
	struct kept *k = &q->kept;

	if (m->kept_prev)
		m->kept_prev->kept_next = m->kept_next;
	else
		k->first = m->kept_next;
	if (m->kept_next)
		m->kept_next->kept_prev = m->kept_prev;
	else
		k->last = m->kept_prev;
	m->kept_next = m->kept_prev = NULL;
	k->n--;
	k->bytes -= octets(m);
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

	m->kept_prev = k->last;
	if (k->last)
		k->last->kept_next = m;
	else
		k->first = m;
	k->last = m;
	k->n++;
	k->bytes += octets(m);
	while (k->n > KEPT_MAX || k->bytes > KEPT_BYTES_MAX)
		kept_drop(q, k->first);
	if (k->first && !loop_timer_is_set(&k->timer))
		loop_timer_set(&k->timer, KEPT_MS);
}

int kept_take(struct queue *q, struct message *m)
{
	int fd = m->fd;

	if (fd < 0)
		return -1;
	/* Members of a list get a copy each; the last one need not. */
	if (message_rcpt_count(m) > 1)
		return dup(fd);
	unlink_kept(q, m);
	m->fd = -1;
	return fd;
}

static void on_timer(void *ctx)
{
	struct queue *q = ctx;
	int64_t now = clock_mono_ms();

	while (q->kept.first && now - q->kept.first->born_ms >= KEPT_MS)
		kept_drop(q, q->kept.first);
	if (q->kept.first)
		loop_timer_set(&q->kept.timer, KEPT_MS - (now - q->kept.first->born_ms));
}

void kept_init(struct queue *q)
{
	loop_timer_init(&q->kept.timer, q->loop, on_timer, q);
}

void kept_done(struct queue *q)
{
	while (q->kept.first)
		kept_drop(q, q->kept.first);
	loop_timer_done(&q->kept.timer);
}
