/*
 * sys/loop.h: the event loop of a role: descriptors, timers, and work put off to the end of a turn.
 *
 * One loop, one thread.  Callbacks may add, change and remove any registration, their own included; they
 * must not free the object that holds a registration without loop_io_done / loop_timer_done first.
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/base.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;

typedef void loop_io_fn(void *ctx, unsigned events);
typedef void loop_fn(void *ctx);

/* A descriptor that is watched.  The caller owns the storage and the descriptor. */
struct loop_io {
	struct loop *loop;
	struct event event;
	int fd;
	unsigned wanted;
	bool assigned;
	loop_io_fn *fn;
	void *ctx;
};

struct loop_timer {
	struct loop *loop;
	struct event event;
	bool assigned;
	loop_fn *fn;
	void *ctx;
};

/* Work that runs once at the end of the current turn, however often it was asked for in it: one write
 * for many replies, one sync for many messages. */
struct loop_defer {
	struct loop *loop;
	struct loop_defer *next;
	bool queued;
	loop_fn *fn;
	void *ctx;
};

/* Owned by caller, loop_free. */
MUST_USE enum err loop_new(struct loop **ret);
void loop_free(struct loop *loop);
/* Until loop_stop; events of one turn, then the deferred work, then the next turn. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

void loop_io_init(struct loop_io *io, struct loop *loop, int fd, loop_io_fn *fn, void *ctx);
/* Watch for exactly these events; 0 stops watching. */
void loop_io_want(struct loop_io *io, unsigned events);
void loop_io_done(struct loop_io *io);

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *ctx);
/* Fire once, ms from now; replaces an earlier setting. */
void loop_timer_set(struct loop_timer *t, int64_t ms);
void loop_timer_cancel(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);
void loop_timer_done(struct loop_timer *t);

void loop_defer_init(struct loop_defer *d, struct loop *loop, loop_fn *fn, void *ctx);
void loop_defer_add(struct loop_defer *d);
void loop_defer_done(struct loop_defer *d);

/* Signals arrive as events (supervisor and command-line tools only; roles block them). */
struct loop_signal {
	struct event event;
	bool assigned;
	loop_fn *fn;
	void *ctx;
};
void loop_signal_init(struct loop_signal *s, struct loop *loop, int number, loop_fn *fn, void *ctx);
void loop_signal_done(struct loop_signal *s);

#endif
