/*
 * roles/send/job.c: a message for some recipients of one domain, and their results.
 *
 * The body is read where it lies: in the job's message, or in a memfd that is sealed against change, so
 * that mapping it is safe whatever the queue does afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ascii.h"
#include "send.h"
#include "sys/file.h"

/* ---- arrival ---- */

static enum err read_text(struct job *j, const struct transfer_job *m, int *fd)
{
	char *room;

	buf_init(&j->text, ENVELOPE_MAX);
	if (*fd < 0) {
		if (m->payload.n != m->envelope_n + m->body_n)
			return ERR_CORRUPT;
		buf_add(&j->text, m->payload);
		return buf_err(&j->text);
	}
	room = buf_room(&j->text, m->envelope_n);
	if (!room)
		return buf_err(&j->text);
	if (file_read_at(*fd, room, m->envelope_n, 0))
		return ERR_CORRUPT;
	buf_added(&j->text, m->envelope_n);
	j->fd = *fd;
	*fd = -1;
	return OK;
}

/* The recipients of the job are positions in the list of the envelope. */
static enum err pick_rcpts(struct job *j, const struct envelope_recipients *all, size_t all_n,
			   const struct transfer_job *m)
{
	struct transfer_job_recipients item;
	struct view raw = m->recipients_raw;

	j->rcpts = calloc(m->recipients_count, sizeof(*j->rcpts));
	if (!j->rcpts)
		return ERR_NOMEM;
	while (transfer_job_recipients_next(&raw, &item)) {
		if (item.index >= all_n)
			return ERR_CORRUPT;

		const struct envelope_recipients *from = &all[item.index];

		j->rcpts[j->rcpt_n++] = (struct job_rcpt){ .index = item.index,
							   .address = from->address,
							   .orcpt = from->orcpt,
							   .notify = from->notify };
	}
	j->left = j->rcpt_n;
	return OK;
}

static enum err read_rcpts(struct job *j, const struct transfer_job *m)
{
	struct envelope *e = &j->envelope;
	struct envelope_recipients *all = calloc(e->recipients_count, sizeof(*all));
	struct view raw = e->recipients_raw;
	size_t n = 0;
	enum err err;

	if (!all)
		return ERR_NOMEM;
	while (n < e->recipients_count && envelope_recipients_next(&raw, &all[n]))
		n++;
	err = pick_rcpts(j, all, n, m);
	free(all);
	return err;
}

enum err job_new(struct send *s, const struct transfer_job *m, int *fd, struct job **ret)
{
	struct job *j;
	enum err err;

	if (!m->recipients_count || m->envelope_n > ENVELOPE_MAX || m->body_n > SIZE_MAX / 2)
		return ERR_CORRUPT;
	j = calloc(1, sizeof(*j));
	if (!j)
		return ERR_NOMEM;
	j->send = s;
	j->id = m->job;
	j->fd = -1;
	j->envelope_n = m->envelope_n;
	j->body_n = (size_t)m->body_n;
	s->job_n++;
	err = read_text(j, m, fd);
	if (!err)
		err = envelope_decode(view_head(buf_view(&j->text), j->envelope_n), &j->envelope);
	if (!err && !j->envelope.recipients_count)
		err = ERR_CORRUPT;
	if (!err)
		err = read_rcpts(j, m);
	if (err) {
		job_free(j);
		return err;
	}
	*ret = j;
	return OK;
}

void job_free(struct job *j)
{
	job_body_close(j);
	fd_close(&j->fd);
	buf_done(&j->text);
	mime_seven_bit_done(&j->seven);
	free(j->rcpts);
	j->send->job_n--;
	free(j);
}

/* ---- the body ---- */

enum err job_body_open(struct job *j, struct view *ret)
{
	if (j->fd < 0) {
		*ret = view_from(buf_view(&j->text), j->envelope_n);
		return OK;
	}
	if (!fd_is_sealed(j->fd, F_SEAL_SHRINK | F_SEAL_WRITE))
		return ERR_CORRUPT;
	if (lseek(j->fd, 0, SEEK_END) != (off_t)(j->envelope_n + j->body_n))
		return ERR_CORRUPT;
	if (!j->map) {
		j->map = mmap(NULL, j->envelope_n + j->body_n, PROT_READ, MAP_SHARED, j->fd, 0);
		if (j->map == MAP_FAILED) {
			j->map = NULL;
			return ERR_NOMEM;
		}
	}
	*ret = view_of((char *)j->map + j->envelope_n, j->body_n);
	return OK;
}

void job_body_close(struct job *j)
{
	if (j->map)
		munmap(j->map, j->envelope_n + j->body_n);
	j->map = NULL;
}

static bool has_8bit(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (view_at(v, i) & 0x80)
			return true;
	return false;
}

static struct view header_of(struct view body)
{
	size_t end = view_find(body, VIEW("\r\n\r\n"));

	return end == VIEW_NONE ? body : view_head(body, end);
}

void job_inspect(struct job *j, struct view body)
{
	if (j->inspected)
		return;
	j->inspected = true;
	j->eightbit = has_8bit(body);
	/* RFC 6531#3.2: SMTPUTF8 is asked for only where it is needed. */
	j->utf8_needed =
		j->envelope.smtputf8 && (has_8bit(j->envelope.sender) || has_8bit(header_of(body)));
	for (size_t i = 0; i < j->rcpt_n; i++)
		j->utf8_needed |= has_8bit(j->rcpts[i].address);
}

enum err job_plan_seven(struct job *j, struct view body)
{
	enum err err = OK;

	if (!j->seven_planned) {
		err = mime_seven_bit_plan(body, &j->seven, &j->seven_why);
		if (!err)
			err = mime_seven_bit_size(&j->seven, body, &j->seven_n);
		if (err == ERR_NOMEM) {
			mime_seven_bit_done(&j->seven);
			return err;
		}
		j->seven_planned = true;
	}
	return j->seven_why ? ERR_UNSUPPORTED : OK;
}

/* ---- results ---- */

static void log_result(const struct job *j, const struct job_rcpt *r, const struct verdict *v,
		       struct view host, struct view tls)
{
	enum log_level level = LOG_LEVEL_INFO;
	const char *event = "send.delivered";
	const char *text = "another server took the message";

	if (v->outcome == TRANSFER_DEFERRED) {
		event = "send.deferred";
		text = "a delivery did not succeed now";
	} else if (v->outcome == TRANSFER_FAILED) {
		level = LOG_LEVEL_NOTICE;
		event = "send.failed";
		text = "a delivery has failed";
	}
	LOG_AT(level, event, text, LOG_ID("trace", j->envelope.trace), LOG_VIEW("to", r->address),
	       LOG_VIEW("host", host), LOG_VIEW("tls", tls), LOG_UINT("code", v->code),
	       LOG_STR("status", v->enhanced), LOG_VIEW("reply", verdict_text(v)));
}

void job_result(struct job *j, struct job_rcpt *r, const struct verdict *v, struct view host,
		struct view tls)
{
	struct send *s = j->send;
	struct transfer_result m = {
		.job = j->id,
		.index = r->index,
		.outcome = (uint8_t)v->outcome,
		.enhanced = view_str(v->enhanced),
		.code = v->code,
		.text = verdict_text(v),
		.remote = host,
		.tls = tls,
	};

	r->done = true;
	j->left--;
	if (v->outcome == TRANSFER_DEFERRED)
		s->counters.deferred++;
	else if (v->outcome == TRANSFER_FAILED)
		s->counters.failed++;
	else
		s->counters.delivered++;
	log_result(j, r, v, host, tls);
	if (s->transfer && transfer_send_result(s->transfer, &m))
		LOG_WARNING("send.result", "the queue could not be told a result",
			    LOG_ID("trace", j->envelope.trace));
}

void job_finished(struct job *j)
{
	struct send *s = j->send;
	struct transfer_finished m = { j->id };

	if (s->transfer && transfer_send_finished(s->transfer, &m))
		LOG_WARNING("send.result", "the queue could not be told the end of a job",
			    LOG_ID("trace", j->envelope.trace));
	job_free(j);
}

void job_end(struct job *j, const struct verdict *v, struct view host)
{
	for (size_t i = 0; i < j->rcpt_n; i++)
		if (!j->rcpts[i].done)
			job_result(j, &j->rcpts[i], v, host, VIEW_EMPTY);
	job_finished(j);
}
