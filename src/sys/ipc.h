/*
 * sys/ipc.h: channels between roles.
 *
 * A channel is a SOCK_SEQPACKET pair.  A packet is one or more messages, each a fixed header and
 * little-endian fields, at most IPC_PACKET_MAX octets in all; at most one descriptor travels with a
 * packet and belongs to its first message.  What may be said on a channel is described once in
 * src/ipc/NAME.ipc; generated code encodes, decodes and holds the table of rules that this file
 * enforces: a message that is unknown, malformed, out of state or too many ends the channel and never
 * the receiver.
 */
#ifndef SYS_IPC_H
#define SYS_IPC_H

#include "base/buf.h"
#include "sys/loop.h"

enum {
	IPC_PACKET_MAX = 64 * 1024,
	IPC_KEEP = 16 * 1024, /* of its memory that a channel keeps behind a large packet */
	IPC_HEADER = 8, /* u16 type, u16 flags, u32 length of the body */
	IPC_BODY_MAX = IPC_PACKET_MAX - IPC_HEADER,
	IPC_QUEUE_MAX = 256, /* packets that wait for a slow peer: ipc_chan_full */
	IPC_QUEUE_HARD = 4096, /* past this the peer is taken for dead */
};

enum ipc_side { IPC_CLIENT, IPC_SERVER };
enum ipc_fd_rule { IPC_FD_NONE, IPC_FD_OPTIONAL, IPC_FD_REQUIRED };

/* One row per message of a channel; generated. */
struct ipc_rule {
	uint16_t type;
	const char *name;
	enum ipc_side from;
	enum ipc_fd_rule fd;
	uint8_t in_states; /* bit mask of states in which it is allowed */
	int8_t enters; /* state afterwards, or -1 */
	bool once; /* at most once on a channel */
	uint16_t outstanding; /* at most so many without answer; 0: no answer is expected */
	uint16_t answers; /* type of the request that it answers, or 0 */
	uint32_t per_second; /* at most so many a second; 0: no such bound */
};

struct ipc_channel {
	const char *name;
	const struct ipc_rule *rules;
	size_t rule_count; /* rules[i].type == i + 1 */
};

struct ipc_chan;

struct ipc_ops {
	/*
	 * A message that passed the rules.  body is borrowed for the call.  *fd is the descriptor or
	 * -1; taking it means setting *fd = -1, else it is closed after the call.  Any error return
	 * ends the channel (closed is called with it).  The channel must not be freed inside.
	 */
	enum err (*message)(void *ctx, uint16_t type, struct view body, int *fd);
	/* The peer went away (ERR_EOF) or broke a rule.  The owner calls ipc_chan_free, here or later. */
	void (*closed)(void *ctx, enum err why);
	/* The queue towards the peer fell below IPC_QUEUE_MAX again; may be NULL. */
	void (*drained)(void *ctx);
};

/* Owned by caller, ipc_chan_free; takes fd over in every case. */
MUST_USE enum err ipc_chan_new(struct loop *loop, int fd, const struct ipc_channel *channel,
			       enum ipc_side side, const struct ipc_ops *ops, void *ctx,
			       struct ipc_chan **ret);
void ipc_chan_free(struct ipc_chan *c);

/*
 * Queue a message; it leaves at the end of the turn, together with others.  fd (or -1) is taken over in
 * every case.  ERR_PEER when the channel has ended, ERR_LIMIT past IPC_BODY_MAX or IPC_QUEUE_HARD.
 * Used by generated code: call NAME_send_MESSAGE instead.
 */
MUST_USE enum err ipc_chan_send(struct ipc_chan *c, uint16_t type, struct view body, int fd);
/* Above the high-water mark: stop producing until drained is called. */
bool ipc_chan_full(const struct ipc_chan *c);
bool ipc_chan_is_closed(const struct ipc_chan *c);
/* A buffer of the channel for encoding the next message; cleared.  Borrowed. */
struct buf *ipc_chan_scratch(struct ipc_chan *c);
/* The state of the channel, when its first messages went by the blocking functions below. */
void ipc_chan_set_state(struct ipc_chan *c, uint8_t state);
/* Send what is queued now, without waiting for the end of the turn. */
void ipc_chan_flush(struct ipc_chan *c);

/*
 * Blocking use, for start-up, command-line tools and front's signing.  recv: one packet of exactly one
 * message into room (capacity IPC_PACKET_MAX is set by the caller's buf); *ret_fd is -1 or owned by
 * caller.  ERR_EOF, ERR_PEER on a malformed packet.
 */
MUST_USE enum err ipc_send_blocking(int fd, uint16_t type, struct view body, int pass_fd);
MUST_USE enum err ipc_recv_blocking(int fd, struct buf *room, uint16_t *ret_type,
				    struct view *ret_body, int *ret_fd);
/* The same until end_ms of clock_mono_ms, then ERR_TIMEOUT; what can be done at once is done also past it. */
MUST_USE enum err ipc_send_until(int fd, uint16_t type, struct view body, int pass_fd,
				 int64_t end_ms);
MUST_USE enum err ipc_recv_until(int fd, struct buf *room, uint16_t *ret_type,
				 struct view *ret_body, int *ret_fd, int64_t end_ms);
/* Two connected, non-blocking, close-on-exec ends. */
MUST_USE enum err ipc_pair(int ret[2]);
/* Two connected stream ends for the plain text of a session. */
MUST_USE enum err stream_pair(int ret[2]);

/* Readers and writers of fields, used by generated code. */
struct ipc_reader {
	struct view body;
	size_t at;
	enum err err;
};
uint64_t ipc_read_uint(struct ipc_reader *r, size_t octets);
/* u16 or u32 length, then octets; ERR_LIMIT past max.  Borrowed from the body. */
struct view ipc_read_bytes(struct ipc_reader *r, size_t max);
void ipc_write_uint(struct buf *b, uint64_t v, size_t octets);
void ipc_write_bytes(struct buf *b, struct view v, size_t max);

#endif
