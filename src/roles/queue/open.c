/*
 * roles/queue/open.c: envelope and body of a message, from the journal.
 *
 * The message that was opened last stays open until the next commit, since deliveries of one message
 * come one behind the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "roles/queue/queue.h"
#include "sys/calls.h"
#include "sys/file.h"
#include "sys/log.h"

void open_forget(struct queue *q)
{
	fd_close(&q->opened.fd);
	q->opened.message = NULL;
}

enum err open_message(struct queue *q, struct message *m, struct opened **ret)
{
	struct opened *o = &q->opened;
	struct view head;
	enum err err;

	*ret = o;
	if (o->message == m)
		return OK;
	open_forget(q);
	err = journal_read(q->journal, &m->entry, &q->room, &head, &o->body);
	if (!err)
		err = envelope_decode(head, &o->envelope);
	if (err) {
		LOG_ERROR("queue.unreadable", "cannot read a message from the journal",
			  LOG_ID("trace", m->trace), LOG_UINT("sequence", m->entry.sequence),
			  LOG_ERR(err));
		return err;
	}
	o->message = m;
	o->raw = o->envelope.recipients_raw;
	o->at = 0;
	return OK;
}

enum err open_rcpt(struct queue *q, struct rcpt *r, struct envelope_recipients *ret)
{
	uint32_t index = r->added && r->index >= r->message->rcpt_n ? r->added->parent : r->index;
	struct envelope_recipients item;
	struct opened *o;
	enum err err = open_message(q, r->message, &o);

	if (err)
		return err;
	if (index < o->at) {
		o->raw = o->envelope.recipients_raw;
		o->at = 0;
	}
	for (struct view raw = o->raw;;) {
		struct view before = raw;

		if (!envelope_recipients_next(&raw, &item))
			return ERR_CORRUPT;
		if (o->at == index) {
			o->raw = before;
			break;
		}
		o->at++;
	}
	if (r->added && r->added->address_n)
		item.address = rcpt_added_address(r);
	*ret = item;
	return OK;
}

struct view open_address(struct queue *q, struct rcpt *r)
{
	struct envelope_recipients item;

	return open_rcpt(q, r, &item) ? VIEW("?") : item.address;
}

int open_sealed(struct view first, struct view second)
{
	int fd = calls()->memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (file_write_at(fd, first, 0) || file_write_at(fd, second, (off_t)first.n) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		fd_close(&fd);
		return -1;
	}
	return fd;
}

int open_body_fd(struct queue *q)
{
	struct opened *o = &q->opened;

	if (o->fd < 0)
		o->fd = open_sealed(o->body, VIEW_EMPTY);
	return o->fd < 0 ? -1 : fd_copy(o->fd);
}
