/*
 * sys/stream.c: see stream.h.
 */
#include "sys/stream.h"

#include <errno.h>

#include "sys/calls.h"
#include "sys/file.h"

enum {
	READ_CHUNK = 16384,
	READ_CHUNK_FULL = 65536, /* after a full one: more is on its way */
	KEEP_WHEN_IDLE = 4096, /* a waiting session keeps no larger buffer */
};

static void on_ready(void *ctx, unsigned events);
static void on_turn_end(void *ctx);

void stream_init(struct stream *s, struct loop *loop, int fd, size_t in_max, size_t out_max,
		 const struct stream_ops *ops, void *ctx)
{
	*s = (struct stream){ .ops = ops, .ctx = ctx, .out_high = out_max / 2 };
	buf_init(&s->in, in_max);
	buf_init(&s->out, out_max);
	loop_io_init(&s->io, loop, fd, on_ready, s);
	loop_defer_init(&s->flush, loop, on_turn_end, s);
	loop_io_want(&s->io, LOOP_READ);
}

static void disconnect(struct stream *s)
{
	int fd = s->io.fd;

	loop_io_done(&s->io);
	fd_close(&fd);
}

void stream_done(struct stream *s)
{
	if (!s->io.loop)
		return;
	s->ended = s->reported = true;
	loop_defer_done(&s->flush);
	disconnect(s);
	buf_done(&s->in);
	buf_done(&s->out);
}

int stream_release(struct stream *s)
{
	int fd;

	if (!s->ended)
		stream_flush(s);
	fd = s->io.fd;
	loop_io_done(&s->io);
	stream_done(s);
	return fd;
}

/* What the kernel should tell us about, by the state of both buffers. */
static void want(struct stream *s)
{
	unsigned events = 0;
	bool in_full = s->in.n >= s->in.max;

	if (s->ended)
		return;
	if (!s->pause_told && !s->closing && !in_full && stream_out_waiting(s) <= s->out_high)
		events |= LOOP_READ;
	if (stream_out_waiting(s) > 0)
		events |= LOOP_WRITE;
	loop_io_want(&s->io, events);
}

static void end_stream(struct stream *s, enum err why)
{
	if (s->ended)
		return;
	s->ended = true;
	s->why = why;
	disconnect(s);
	loop_defer_add(&s->flush);
}

/* Send what can be sent; ERR_AGAIN is not an error here. */
static void send_some(struct stream *s)
{
	while (stream_out_waiting(s) > 0) {
		ssize_t n = calls()->send(s->io.fd, s->out.p + s->out_sent, stream_out_waiting(s),
					  MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			end_stream(s, ERR_PEER);
			return;
		}
		s->out_sent += (size_t)n;
	}
	if (stream_out_waiting(s) > 0) {
		if (s->out_sent > s->out.n / 2) {
			buf_consume(&s->out, s->out_sent);
			s->out_sent = 0;
		}
		return;
	}
	s->out.n = 0;
	s->out_sent = 0;
	buf_trim(&s->out, KEEP_WHEN_IDLE);
}

void stream_flush(struct stream *s)
{
	if (s->ended)
		return;
	if (buf_err(&s->out)) {
		end_stream(s, ERR_LIMIT);
		return;
	}
	send_some(s);
	want(s);
}

static void on_turn_end(void *ctx)
{
	struct stream *s = ctx;
	bool had_output = stream_out_waiting(s) > 0;

	stream_flush(s);
	if (!s->ended && s->closing && stream_out_waiting(s) == 0)
		end_stream(s, ERR_EOF);
	if (s->ended && !s->reported) {
		s->reported = true;
		loop_defer_done(&s->flush);
		s->ops->closed(s->ctx, s->why);
		return;
	}
	if (!s->ended && had_output && stream_out_waiting(s) == 0 && s->ops->drained)
		s->ops->drained(s->ctx);
}

static void read_some(struct stream *s)
{
	size_t chunk = s->reading_much ? READ_CHUNK_FULL : READ_CHUNK;
	size_t room = size_min(chunk, s->in.max - s->in.n);
	char *at;
	ssize_t n;

	if (room == 0)
		return;
	at = buf_room(&s->in, room);
	if (!at) {
		end_stream(s, ERR_NOMEM);
		return;
	}
	do
		n = calls()->recv(s->io.fd, at, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		end_stream(s, n == 0 ? ERR_EOF : ERR_PEER);
		return;
	}
	s->reading_much = (size_t)n >= READ_CHUNK;
	buf_added(&s->in, (size_t)n);
	s->ops->input(s->ctx);
}

static void on_ready(void *ctx, unsigned events)
{
	struct stream *s = ctx;

	/* input may call stream_done: nothing of s is used after it. */
	if (events & LOOP_WRITE)
		loop_defer_add(&s->flush);
	if (!(events & LOOP_READ))
		return;
	loop_defer_add(&s->flush);
	if (s->paused)
		s->pause_told = true;
	else
		read_some(s);
}

void stream_write(struct stream *s, struct view bytes)
{
	if (s->ended)
		return;
	buf_add(&s->out, bytes);
	loop_defer_add(&s->flush);
}

void stream_send(struct stream *s)
{
	if (!s->ended)
		loop_defer_add(&s->flush);
}

void stream_consume(struct stream *s, size_t n)
{
	buf_consume(&s->in, n);
	if (!s->ended)
		loop_defer_add(&s->flush);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	if (s->ended)
		return;
	s->paused = s->pause_told = false;
	/* Input takes bytes: look at the end of the turn whether there is room to read again. */
	loop_defer_add(&s->flush);
	if (s->in.n > 0)
		s->ops->input(s->ctx);
}

void stream_finish(struct stream *s)
{
	if (s->ended)
		return;
	s->closing = true;
	loop_defer_add(&s->flush);
}
