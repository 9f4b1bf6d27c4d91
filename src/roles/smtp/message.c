/*
 * roles/smtp/message.c: the message that is being received.
 *
 * Small ones travel inside the packet to the queue; larger ones go to a memfd, envelope first, that is sealed
 * before anybody else sees it, so that what was checked is what is stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "ipc/accept.h"
#include "ipc/envelope.h"
#include "ipc/types.h"
#include "smtp_role.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

void message_init(struct message *m)
{
	*m = (struct message){ .fd = -1 };
	buf_init(&m->envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&m->body, MESSAGE_CHUNK);
}

void message_done(struct conn *c)
{
	struct message *m = &c->message;

	c->role->in_flight -= m->counted;
	fd_close(&m->fd);
	buf_done(&m->envelope);
	buf_done(&m->body);
	message_init(m);
	if (c->streaming)
		buf_trim(&c->stream.in, CONN_IN_KEEP);
}

static void recipients_fill(const struct smtp_envelope *e, struct envelope_recipients *to)
{
	for (size_t i = 0; i < e->rcpt.n; i++) {
		const struct smtp_recipient *r = &e->rcpt.at[i];

		to[i] = (struct envelope_recipients){ .address = r->address,
						      .notify = (uint8_t)r->notify,
						      .orcpt = r->orcpt };
	}
}

static enum err envelope_build(struct conn *c)
{
	const struct smtp_envelope *e = &c->smtp.env;
	struct envelope_recipients *recipients = calloc(e->rcpt.n, sizeof(*recipients));
	struct envelope record = {
		.trace = c->message.trace,
		.session = c->session,
		.received_ms = clock_wall_ms(),
		.service = (uint8_t)c->service,
		.client_ip = view_of(c->ip, c->ip_n),
		.helo = smtp_session_hello(&c->smtp),
		.sender = e->sender,
		.body_type = (uint8_t)e->body,
		.smtputf8 = e->smtputf8,
		.requiretls = e->requiretls,
		.ret = (uint8_t)e->ret,
		.envid = e->envid,
		.recipients_count = e->rcpt.n,
		.recipients = recipients,
	};

	if (!recipients)
		return ERR_NOMEM;
	recipients_fill(e, recipients);
	record.account_name = smtp_session_account(&c->smtp, &record.account);
	envelope_encode(&c->message.envelope, &record);
	free(recipients);
	return buf_err(&c->message.envelope);
}

enum err message_begin(struct conn *c)
{
	message_done(c);
	c->message.trace = random_u64();
	if (c->role->in_flight >= role_config(c->role->role)->memory_in_flight)
		return ERR_FULL;
	return envelope_build(c);
}

/* From memory to a descriptor. */
static enum err message_spill(struct message *m)
{
	if (m->fd < 0) {
		m->fd = calls()->memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (m->fd < 0)
			return ERR_IO;

		enum err err = file_write(m->fd, buf_view(&m->envelope));

		if (err)
			return err;
	}

	enum err err = file_write(m->fd, buf_view(&m->body));

	buf_clear(&m->body);
	return err;
}

enum err message_write(struct conn *c, struct view bytes)
{
	struct message *m = &c->message;
	struct smtp_role *r = c->role;
	size_t held = m->body.n + bytes.n;

	m->counted += bytes.n;
	r->in_flight += bytes.n;
	if (r->in_flight > role_config(r->role)->memory_in_flight)
		return ERR_FULL;
	m->body_n += bytes.n;
	if (m->fd < 0 ? m->envelope.n + held > MESSAGE_INLINE_MAX : held > MESSAGE_CHUNK) {
		enum err err = message_spill(m);

		if (err)
			return err;
	}
	if (bytes.n > MESSAGE_CHUNK)
		return file_write(m->fd, bytes);
	buf_add(&m->body, bytes);
	return buf_err(&m->body);
}

/* Nobody, we included, can change it from now on. */
static enum err message_seal(int fd)
{
	int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

	return fcntl(fd, F_ADD_SEALS, seals) ? ERR_IO : OK;
}

enum err message_put(struct conn *c, uint32_t tag)
{
	struct message *m = &c->message;
	struct accept_put put = { .tag = tag,
				  .envelope_n = (uint32_t)m->envelope.n,
				  .body_n = m->body_n };
	enum err err;
	int fd;

	if (m->fd < 0) {
		buf_add(&m->envelope, buf_view(&m->body));
		if (buf_err(&m->envelope))
			return buf_err(&m->envelope);
		put.payload = buf_view(&m->envelope);
		return accept_send_put(c->role->accept, &put, -1);
	}
	err = message_spill(m);
	if (!err)
		err = message_seal(m->fd);
	if (err)
		return err;
	fd = m->fd;
	m->fd = -1; /* taken over in every case */
	return accept_send_put(c->role->accept, &put, fd);
}
