/*
 * roles/send/body.c: the octets of a body, on their way to the client.
 *
 * They go as they lie in the job, or, to a server without 8BITMIME, rewritten by proto/mime/seven_bit.h
 * (RFC 6152#3); then one piece of BODY_PIECE octets is in memory at a time.
 */
#include "send.h"

/* Octets above 127 that this server does not take, and that it would take rewritten. */
static bool is_to_be_rewritten(const struct connection *c)
{
	const struct job *j = c->job;
	const struct smtp_capabilities *caps = &c->client.caps;

	return j->eightbit && !caps->eightbit && j->envelope.body_type != BODY_BINARYMIME &&
	       (!j->utf8_needed || caps->smtputf8);
}

static enum err begin_rewritten(struct connection *c, struct view body)
{
	struct job *j = c->job;
	enum err err = job_plan_seven(j, body);

	if (err)
		return err;
	c->message.body = SMTP_BODY_7BIT;
	c->message.size = j->seven_n;
	c->seven.on = true;
	mime_seven_bit_reader_init(&c->seven.reader, &j->seven, body);
	LOG_INFO("send.seven_bit", "a message is rewritten for a server without 8BITMIME",
		 LOG_ID("trace", j->envelope.trace), LOG_VIEW("host", connection_host(c)));
	return OK;
}

enum err body_begin(struct connection *c, struct view body)
{
	struct job *j = c->job;

	body_end(c);
	if (is_to_be_rewritten(c))
		return begin_rewritten(c, body);
	c->message.size = j->body_n;
	c->message.body = j->eightbit ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
	if (j->envelope.body_type == BODY_BINARYMIME)
		c->message.body = SMTP_BODY_BINARYMIME;
	return OK;
}

void body_end(struct connection *c)
{
	buf_done(&c->seven.piece);
	buf_init(&c->seven.piece, BODY_PIECE);
	c->seven.at = 0;
	c->seven.on = c->seven.last = false;
	c->body_at = 0;
}

/* The rest of the piece, or the next one. */
static enum err next_rewritten(struct connection *c, struct view *ret, bool *ret_last)
{
	if (c->seven.at == c->seven.piece.n && !c->seven.last) {
		enum err err;

		buf_clear(&c->seven.piece);
		c->seven.at = 0;
		err = mime_seven_bit_read(&c->seven.reader, &c->seven.piece);
		if (err && err != ERR_AGAIN)
			return err;
		c->seven.last = !err;
	}
	*ret = view_from(buf_view(&c->seven.piece), c->seven.at);
	*ret_last = c->seven.last;
	return OK;
}

/* What comes next; *ret_last: nothing follows it. */
static enum err next_octets(struct connection *c, struct view *ret, bool *ret_last)
{
	struct view body;
	enum err err = job_body_open(c->job, &body);

	if (err)
		return err;
	if (c->seven.on)
		return next_rewritten(c, ret, ret_last);
	*ret = view_from(body, c->body_at);
	*ret_last = true;
	return OK;
}

bool body_feed(struct connection *c)
{
	struct view octets = VIEW_EMPTY;
	size_t used = 0;
	bool last = false;
	enum err err = next_octets(c, &octets, &last);

	if (!err)
		err = smtp_client_body(&c->client, octets, &used);
	if (c->seven.on)
		c->seven.at += used;
	else
		c->body_at += used;
	if (!err && last)
		err = smtp_client_body_end(&c->client);
	if (err == ERR_AGAIN)
		return !stream_out_waiting(&c->stream);
	if (err)
		smtp_client_body_abort(&c->client);
	return true;
}
