/*
 * sys/ipc.c: see ipc.h.  Packing, sending, receiving, and the rules of a channel.
 */
#include "sys/ipc.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/calls.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
	FLAG_FD = 1,
	READS_PER_TURN = 64, /* so that one busy peer cannot starve the others */
};

struct packet {
	struct packet *next;
	int fd;
	size_t n;
	char bytes[];
};

struct usage {
	uint32_t total; /* saturates; only "once" looks */
	uint32_t outstanding;
	uint32_t in_second;
	int64_t second;
};

struct ipc_chan {
	int fd;
	const struct ipc_channel *channel;
	enum ipc_side side;
	const struct ipc_ops *ops;
	void *ctx;
	struct loop_io io;
	struct loop_defer flush;
	struct packet *head, **tail;
	size_t queued;
	struct buf open; /* the packet that is being filled; no descriptor */
	struct buf scratch;
	struct usage *usage;
	uint8_t state;
	bool was_full;
	bool ended;
	bool busy; /* inside the receive loop */
	bool freed;
	enum err why;
};

static void on_ready(void *ctx, unsigned events);
static void on_flush(void *ctx);

enum err ipc_pair(int ret[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		return ERR_IO;
	ret[0] = fds[0];
	ret[1] = fds[1];
	return OK;
}

enum err stream_pair(int ret[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		return ERR_IO;
	ret[0] = fds[0];
	ret[1] = fds[1];
	return OK;
}

enum err ipc_chan_new(struct loop *loop, int fd, const struct ipc_channel *channel,
		      enum ipc_side side, const struct ipc_ops *ops, void *ctx,
		      struct ipc_chan **ret)
{
	struct ipc_chan *c = calloc(1, sizeof(*c));
	struct usage *usage = calloc(channel->rule_count, sizeof(*usage));

	if (!c || !usage) {
		free(c);
		free(usage);
		fd_close(&fd);
		return ERR_NOMEM;
	}
	c->fd = fd;
	c->channel = channel;
	c->side = side;
	c->ops = ops;
	c->ctx = ctx;
	c->tail = &c->head;
	c->usage = usage;
	buf_init(&c->open, IPC_PACKET_MAX);
	buf_init(&c->scratch, IPC_BODY_MAX);
	loop_io_init(&c->io, loop, fd, on_ready, c);
	loop_io_want(&c->io, LOOP_READ);
	loop_defer_init(&c->flush, loop, on_flush, c);
	*ret = c;
	return OK;
}

static void drop_packets(struct ipc_chan *c)
{
	while (c->head) {
		struct packet *p = c->head;

		c->head = p->next;
		fd_close(&p->fd);
		free(p);
	}
	c->tail = &c->head;
	c->queued = 0;
}

void ipc_chan_free(struct ipc_chan *c)
{
	if (!c)
		return;
	loop_io_done(&c->io);
	loop_defer_done(&c->flush);
	fd_close(&c->fd);
	c->ended = true;
	if (c->busy) {
		c->freed = true; /* the receive loop above us frees */
		return;
	}
	drop_packets(c);
	buf_done(&c->open);
	buf_done(&c->scratch);
	free(c->usage);
	free(c);
}

/* Close now, tell the owner once the receive loop is left. */
static void end_channel(struct ipc_chan *c, enum err why)
{
	if (c->ended)
		return;
	c->ended = true;
	c->why = why;
	loop_io_done(&c->io);
	fd_close(&c->fd);
	drop_packets(c);
	loop_defer_add(&c->flush);
}

static const struct ipc_rule *rule_of(const struct ipc_chan *c, uint16_t type)
{
	return type >= 1 && type <= c->channel->rule_count ? &c->channel->rules[type - 1] : NULL;
}

/* What the rules say of one message, from either end; counts it. */
static enum err rule_apply(struct ipc_chan *c, const struct ipc_rule *rule)
{
	struct usage *u = &c->usage[rule->type - 1];

	if (!(rule->in_states & 1U << c->state))
		return ERR_WRONG_STATE;
	if (rule->once && u->total > 0)
		return ERR_LIMIT;
	if (rule->outstanding && u->outstanding >= rule->outstanding)
		return ERR_LIMIT;
	if (rule->per_second) {
		int64_t now = clock_mono_ms() / 1000;

		if (u->second != now)
			u->in_second = 0;
		u->second = now;
		if (++u->in_second > rule->per_second)
			return ERR_LIMIT;
	}
	if (u->total < UINT32_MAX)
		u->total++;
	if (rule->outstanding)
		u->outstanding++;
	if (rule->answers) {
		struct usage *asked = &c->usage[rule->answers - 1];

		if (asked->outstanding == 0)
			return ERR_WRONG_STATE;
		asked->outstanding--;
	}
	if (rule->enters >= 0)
		c->state = (uint8_t)rule->enters;
	return OK;
}

/* ---- sending ---- */

static enum err packet_push(struct ipc_chan *c, struct view bytes, int fd)
{
	struct packet *p = malloc(sizeof(*p) + bytes.n);

	if (!p)
		return ERR_NOMEM;
	*p = (struct packet){ .fd = fd, .n = bytes.n };
	memcpy(p->bytes, bytes.p, bytes.n);
	*c->tail = p;
	c->tail = &p->next;
	c->queued++;
	return OK;
}

static enum err packet_send(int fd, struct view bytes, int pass_fd)
{
	struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (pass_fd >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.room);
	}
	for (;;) {
		if (calls()->sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0)
			return OK;
		if (errno == EINTR)
			continue;
		return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_PEER;
	}
}

static void forget(struct buf *b)
{
	buf_clear(b);
	buf_trim(b, IPC_KEEP);
}

/* Close the packet that is being filled, so that order is kept. */
static enum err open_close(struct ipc_chan *c)
{
	enum err err = OK;

	if (c->open.n > 0)
		err = packet_push(c, buf_view(&c->open), -1);
	forget(&c->open);
	return err;
}

static void flush_packets(struct ipc_chan *c)
{
	while (c->head) {
		struct packet *p = c->head;
		enum err err = packet_send(c->fd, view_of(p->bytes, p->n), p->fd);

		if (err == ERR_AGAIN) {
			loop_io_want(&c->io, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (err) {
			end_channel(c, ERR_EOF);
			return;
		}
		c->head = p->next;
		if (!c->head)
			c->tail = &c->head;
		c->queued--;
		fd_close(&p->fd);
		free(p);
	}
	loop_io_want(&c->io, LOOP_READ);
}

void ipc_chan_flush(struct ipc_chan *c)
{
	if (c->ended)
		return;
	/* The common case: one packet, nothing waits; no copy. */
	if (!c->head && c->open.n > 0) {
		enum err err = packet_send(c->fd, buf_view(&c->open), -1);

		if (!err) {
			forget(&c->open);
			return;
		}
		if (err != ERR_AGAIN) {
			end_channel(c, ERR_EOF);
			return;
		}
	}
	if (open_close(c)) {
		end_channel(c, ERR_NOMEM);
		return;
	}
	flush_packets(c);
}

static void report_closed(struct ipc_chan *c)
{
	if (c->ops->closed)
		c->ops->closed(c->ctx, c->why);
}

static void on_flush(void *ctx)
{
	struct ipc_chan *c = ctx;

	if (c->ended)
		report_closed(c);
	else
		ipc_chan_flush(c);
}

enum err ipc_chan_send(struct ipc_chan *c, uint16_t type, struct view body, int fd)
{
	const struct ipc_rule *rule = rule_of(c, type);
	char header[IPC_HEADER];
	enum err err = OK;

	ASSERT(rule && rule->from == c->side);
	if (c->ended)
		err = ERR_PEER;
	else if (body.n > IPC_BODY_MAX || c->queued >= IPC_QUEUE_HARD)
		err = ERR_LIMIT;
	else
		err = rule_apply(c, rule);
	if (!err && (fd >= 0 || c->open.n + IPC_HEADER + body.n > IPC_PACKET_MAX))
		err = open_close(c);
	if (err) {
		fd_close(&fd);
		return err;
	}
	num_put16(header, type);
	num_put16(header + 2, fd >= 0 ? FLAG_FD : 0);
	num_put32(header + 4, (uint32_t)body.n);
	buf_add(&c->open, view_of(header, sizeof(header)));
	buf_add(&c->open, body);
	forget(&c->scratch);
	err = buf_err(&c->open);
	if (!err && fd >= 0) {
		err = packet_push(c, buf_view(&c->open), fd);
		forget(&c->open);
	}
	if (err) {
		fd_close(&fd);
		end_channel(c, err);
		return err;
	}
	if (c->queued >= IPC_QUEUE_MAX)
		c->was_full = true;
	loop_defer_add(&c->flush);
	return OK;
}

bool ipc_chan_full(const struct ipc_chan *c)
{
	return c->queued >= IPC_QUEUE_MAX;
}

bool ipc_chan_is_closed(const struct ipc_chan *c)
{
	return c->ended;
}

void ipc_chan_set_state(struct ipc_chan *c, uint8_t state_now)
{
	c->state = state_now;
}

struct buf *ipc_chan_scratch(struct ipc_chan *c)
{
	buf_clear(&c->scratch);
	return &c->scratch;
}

/* ---- receiving ---- */

/* One packet.  ERR_AGAIN, ERR_EOF, ERR_PEER for truncated data or more than one descriptor. */
static enum err packet_recv(int fd, char *room, size_t cap, size_t *ret_n, int *ret_fd)
{
	struct iovec iov = { room, cap };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control.room) };
	int fds[4] = { -1, -1, -1, -1 };
	ssize_t got;

	do
		got = calls()->recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_EOF;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h; h = CMSG_NXTHDR(&msg, h)) {
		size_t n = h->cmsg_len - CMSG_LEN(0);

		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(h), size_min(n, sizeof(fds)));
	}
	if (got == 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || fds[1] >= 0) {
		for (size_t i = 0; i < ARRAY_LEN(fds); i++)
			fd_close(&fds[i]);
		return got == 0 ? ERR_EOF : ERR_PEER;
	}
	*ret_n = (size_t)got;
	*ret_fd = fds[0];
	return OK;
}

/* The next message of a packet; ERR_EOF at its end, ERR_PEER when cut. */
static enum err message_next(struct view *packet, uint16_t *ret_type, bool *ret_has_fd,
			     struct view *ret_body)
{
	uint32_t n;

	if (packet->n == 0)
		return ERR_EOF;
	if (packet->n < IPC_HEADER)
		return ERR_PEER;
	n = num_get32(packet->p + 4);
	if (n > packet->n - IPC_HEADER || (num_get16(packet->p + 2) & ~FLAG_FD))
		return ERR_PEER;
	*ret_type = num_get16(packet->p);
	*ret_has_fd = num_get16(packet->p + 2) & FLAG_FD;
	*ret_body = view_part(*packet, IPC_HEADER, n);
	*packet = view_from(*packet, IPC_HEADER + n);
	return OK;
}

static enum err message_run(struct ipc_chan *c, uint16_t type, struct view body, int *fd)
{
	const struct ipc_rule *rule = rule_of(c, type);
	enum err err;

	if (!rule || rule->from == c->side)
		return ERR_PEER;
	if ((rule->fd == IPC_FD_NONE && *fd >= 0) || (rule->fd == IPC_FD_REQUIRED && *fd < 0))
		return ERR_PEER;
	err = rule_apply(c, rule);
	if (err)
		return ERR_PEER;
	return c->ops->message(c->ctx, type, body, fd);
}

static enum err packet_run(struct ipc_chan *c, struct view packet, int *fd)
{
	bool first = true;

	for (;;) {
		uint16_t type;
		bool has_fd;
		struct view body;
		int none = -1;
		enum err err = message_next(&packet, &type, &has_fd, &body);

		if (err == ERR_EOF)
			return first ? ERR_PEER : OK;
		if (!err && has_fd != (first && *fd >= 0))
			err = ERR_PEER;
		if (!err)
			err = message_run(c, type, body, first ? fd : &none);
		fd_close(first ? fd : &none);
		if (err || c->ended)
			return err;
		first = false;
	}
}

static void receive(struct ipc_chan *c)
{
	char room[IPC_PACKET_MAX];

	for (int i = 0; i < READS_PER_TURN && !c->ended; i++) {
		size_t n;
		int fd = -1; /* stays so at the end of the channel */
		enum err err = packet_recv(c->fd, room, sizeof(room), &n, &fd);

		if (err == ERR_AGAIN)
			return;
		if (!err)
			err = packet_run(c, view_of(room, n), &fd);
		fd_close(&fd);
		if (err)
			end_channel(c, err);
	}
}

static void on_ready(void *ctx, unsigned events)
{
	struct ipc_chan *c = ctx;

	c->busy = true;
	if (events & LOOP_WRITE && !c->ended)
		flush_packets(c);
	if (events & LOOP_READ && !c->ended)
		receive(c);
	if (!c->ended && c->was_full && !ipc_chan_full(c)) {
		c->was_full = false;
		if (c->ops->drained)
			c->ops->drained(c->ctx);
	}
	c->busy = false;
	if (c->freed)
		ipc_chan_free(c);
}

/* ---- blocking ---- */

static enum err wait_until(int fd, unsigned events, int64_t end_ms)
{
	int64_t left;

	if (end_ms == INT64_MAX)
		return fd_wait(fd, events, -1);
	left = end_ms - clock_mono_ms();
	if (left <= 0)
		return ERR_TIMEOUT;
	return fd_wait(fd, events, left < INT_MAX ? (int)left : INT_MAX);
}

enum err ipc_send_until(int fd, uint16_t type, struct view body, int pass_fd, int64_t end_ms)
{
	struct buf CLEANUP(buf_done) packet = BUF_INIT(IPC_PACKET_MAX);
	char header[IPC_HEADER];
	enum err err;

	num_put16(header, type);
	num_put16(header + 2, pass_fd >= 0 ? FLAG_FD : 0);
	num_put32(header + 4, (uint32_t)body.n);
	buf_add(&packet, view_of(header, sizeof(header)));
	buf_add(&packet, body);
	err = buf_err(&packet);
	while (!err) {
		err = packet_send(fd, buf_view(&packet), pass_fd);
		if (err != ERR_AGAIN)
			break;
		err = wait_until(fd, LOOP_WRITE, end_ms);
	}
	return err;
}

enum err ipc_send_blocking(int fd, uint16_t type, struct view body, int pass_fd)
{
	return ipc_send_until(fd, type, body, pass_fd, INT64_MAX);
}

enum err ipc_recv_until(int fd, struct buf *room, uint16_t *ret_type, struct view *ret_body,
			int *ret_fd, int64_t end_ms)
{
	enum err err;
	size_t n;
	int got = -1;
	char *at;
	bool has_fd;
	struct view packet;

	buf_clear(room);
	at = buf_room(room, IPC_PACKET_MAX);
	if (!at)
		return ERR_NOMEM;
	while ((err = packet_recv(fd, at, IPC_PACKET_MAX, &n, &got)) == ERR_AGAIN) {
		err = wait_until(fd, LOOP_READ, end_ms);
		if (err)
			return err;
	}
	if (err)
		return err;
	buf_added(room, n);
	packet = buf_view(room);
	err = message_next(&packet, ret_type, &has_fd, ret_body);
	if (err || packet.n > 0 || has_fd != (got >= 0)) {
		fd_close(&got);
		return ERR_PEER;
	}
	*ret_fd = got;
	return OK;
}

enum err ipc_recv_blocking(int fd, struct buf *room, uint16_t *ret_type, struct view *ret_body,
			   int *ret_fd)
{
	return ipc_recv_until(fd, room, ret_type, ret_body, ret_fd, INT64_MAX);
}
