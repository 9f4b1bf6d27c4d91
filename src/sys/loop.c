/*
 * sys/loop.c: see loop.h.  A thin layer over libevent's core.
 */
#include "sys/loop.h"

struct loop {
	struct event_base *base;
	struct loop_defer *deferred;
	struct loop_defer **deferred_end;
	bool stopping;
};

enum err loop_new(struct loop **ret)
{
	struct event_config *config = event_config_new();
	struct loop *loop = calloc(1, sizeof(*loop));

	if (config && loop) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
						      EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		loop->base = event_base_new_with_config(config);
	}
	if (config)
		event_config_free(config);
	if (!loop || !loop->base) {
		free(loop);
		return ERR_NOMEM;
	}
	loop->deferred_end = &loop->deferred;
	*ret = loop;
	return OK;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	event_base_free(loop->base);
	free(loop);
}

/* Work that deferred work asks for runs in the same turn; a cycle would be our own bug. */
static void run_deferred(struct loop *loop)
{
	struct loop_defer *d;

	while ((d = loop->deferred)) {
		loop->deferred = d->next;
		if (!loop->deferred)
			loop->deferred_end = &loop->deferred;
		d->next = NULL;
		d->queued = false;
		d->fn(d->ctx);
	}
}

void loop_run(struct loop *loop)
{
	run_deferred(loop);
	while (!loop->stopping) {
		if (event_base_loop(loop->base, EVLOOP_ONCE) != 0 && !loop->deferred)
			break;
		run_deferred(loop);
	}
	loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
	event_base_loopbreak(loop->base);
}

static void on_io(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_io *io = ctx;

	io->fn(io->ctx, (what & EV_READ ? LOOP_READ : 0U) | (what & EV_WRITE ? LOOP_WRITE : 0U));
}

void loop_io_init(struct loop_io *io, struct loop *loop, int fd, loop_io_fn *fn, void *ctx)
{
	*io = (struct loop_io){ .loop = loop, .fd = fd, .fn = fn, .ctx = ctx };
}

void loop_io_want(struct loop_io *io, unsigned events)
{
	short what = EV_PERSIST;

	if (events == io->wanted)
		return;
	if (io->assigned)
		event_del(&io->event);
	io->assigned = false;
	io->wanted = events;
	if (!events)
		return;
	if (events & LOOP_READ)
		what |= EV_READ;
	if (events & LOOP_WRITE)
		what |= EV_WRITE;
	ASSERT(event_assign(&io->event, io->loop->base, io->fd, what, on_io, io) == 0);
	ASSERT(event_add(&io->event, NULL) == 0);
	io->assigned = true;
}

void loop_io_done(struct loop_io *io)
{
	if (io->loop)
		loop_io_want(io, 0);
	io->fd = -1;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *t = ctx;

	t->fn(t->ctx);
}

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *ctx)
{
	*t = (struct loop_timer){ .loop = loop, .fn = fn, .ctx = ctx };
}

void loop_timer_set(struct loop_timer *t, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	if (ms < 0)
		tv = (struct timeval){ 0, 0 };
	if (!t->assigned) {
		ASSERT(evtimer_assign(&t->event, t->loop->base, on_timer, t) == 0);
		t->assigned = true;
	}
	ASSERT(evtimer_add(&t->event, &tv) == 0);
}

void loop_timer_cancel(struct loop_timer *t)
{
	if (t->assigned)
		evtimer_del(&t->event);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->assigned && evtimer_pending(&t->event, NULL);
}

void loop_timer_done(struct loop_timer *t)
{
	loop_timer_cancel(t);
	t->assigned = false;
}

void loop_defer_init(struct loop_defer *d, struct loop *loop, loop_fn *fn, void *ctx)
{
	*d = (struct loop_defer){ .loop = loop, .fn = fn, .ctx = ctx };
}

void loop_defer_add(struct loop_defer *d)
{
	struct loop *loop = d->loop;

	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	/* Nothing need be woken: we are before loop_run, which begins with this work, or in a callback,
	 * behind which it runs. */
	*loop->deferred_end = d;
	loop->deferred_end = &d->next;
}

void loop_defer_done(struct loop_defer *d)
{
	struct loop_defer **at;

	if (!d->queued)
		return;
	for (at = &d->loop->deferred; *at && *at != d; at = &(*at)->next)
		;
	if (*at)
		*at = d->next;
	d->loop->deferred_end = &d->loop->deferred;
	while (*d->loop->deferred_end)
		d->loop->deferred_end = &(*d->loop->deferred_end)->next;
	d->queued = false;
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
	struct loop_signal *s = ctx;

	s->fn(s->ctx);
}

void loop_signal_init(struct loop_signal *s, struct loop *loop, int number, loop_fn *fn, void *ctx)
{
	*s = (struct loop_signal){ .fn = fn, .ctx = ctx };
	ASSERT(evsignal_assign(&s->event, loop->base, number, on_signal, s) == 0);
	ASSERT(evsignal_add(&s->event, NULL) == 0);
	s->assigned = true;
}

void loop_signal_done(struct loop_signal *s)
{
	if (s->assigned)
		evsignal_del(&s->event);
	s->assigned = false;
}
