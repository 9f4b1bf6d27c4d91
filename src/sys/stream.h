/*
 * sys/stream.h: a non-blocking byte stream with a capped input and output buffer.
 *
 * The plain text of one session.  Output leaves at the end of the turn in one write; while more than
 * out_high octets wait, nothing is read, so that a peer that does not read cannot make us remember
 * more.  No callback frees: the owner calls stream_done when it likes, also inside a callback.
 */
#ifndef SYS_STREAM_H
#define SYS_STREAM_H

#include "base/buf.h"
#include "sys/loop.h"

struct stream;

struct stream_ops {
	/* New bytes in s->in; take what you can with buf_consume.  If s->in is full and nothing is
	 * taken, reading stops until stream_resume. */
	void (*input)(void *ctx);
	/* All output has left; may be NULL. */
	void (*drained)(void *ctx);
	/* ERR_EOF, ERR_PEER (reset) or ERR_LIMIT (output past its cap).  At most once. */
	void (*closed)(void *ctx, enum err why);
};

struct stream {
	struct loop_io io;
	struct loop_defer flush;
	const struct stream_ops *ops;
	void *ctx;
	struct buf in;
	struct buf out;
	size_t out_sent;
	size_t out_high;
	bool paused; /* by the owner */
	bool pause_told; /* ... and the loop need not tell of input any more */
	bool reading_much; /* the last read was a full one */
	bool closing; /* close once the output has left */
	bool ended;
	bool reported;
	enum err why;
};

/* Takes fd over.  in_max and out_max cap the buffers; out_max should leave room for the largest reply
 * above out_high. */
void stream_init(struct stream *s, struct loop *loop, int fd, size_t in_max, size_t out_max,
		 const struct stream_ops *ops, void *ctx);
/* Close without delay and free the buffers. */
void stream_done(struct stream *s);
/* Give the descriptor away, for another role; the stream is done.  Unsent output is sent or lost. */
int stream_release(struct stream *s);
/* Append to s->out (or write into s->out directly and call stream_send). */
void stream_write(struct stream *s, struct view bytes);
/* Say that s->out has grown. */
void stream_send(struct stream *s);
/* Try to send now instead of at the end of the turn. */
void stream_flush(struct stream *s);
/* Take the first n bytes of s->in outside the input callback: reading goes on if it had stopped for
 * want of room.  (Inside the callback buf_consume is enough.) */
void stream_consume(struct stream *s, size_t n);
/*
 * Stop and go on reading; resume also calls input at once for bytes that wait: call it last.  What the peer
 * sends meanwhile, its end too, stays in the kernel.  A pause in which nothing comes costs no call.
 */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* End of our side once the output has left; closed(ERR_EOF) is called then. */
void stream_finish(struct stream *s);
/* Octets of output that wait. */
static inline size_t stream_out_waiting(const struct stream *s)
{
	return s->out.n - s->out_sent;
}

#endif
