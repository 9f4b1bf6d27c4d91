/*
 * tests/unit/proto/smtp/drive.h: a server session with a scripted owner.
 *
 * Feeds octets in pieces, answers every request by fixed rules (tests/talk/README.md) and records replies
 * and stored messages.
 */
#ifndef TESTS_SMTP_DRIVE_H
#define TESTS_SMTP_DRIVE_H

#include "proto/smtp/session.h"

enum { DRIVE_STORED_MAX = 256 };

struct drive {
	struct smtp_server_config config;
	struct smtp_peer peer;
	struct smtp_session session;
	struct buf waiting; /* fed, not yet taken */
	struct buf replies; /* everything the session said */
	struct buf message; /* in the sink now */
	struct buf stored[DRIVE_STORED_MAX];
	size_t stored_n;
	size_t aborted_n;
	bool in_message;
	bool closed; /* CLOSE was asked */
	bool handshake; /* STARTTLS was asked */
	int64_t now_ms;
	enum smtp_verdict begin;
	struct smtp_result commit[8];
	size_t commit_n;
	uint64_t sink_full_after; /* octets; 0: never */
	bool hold_commit; /* COMMIT stays unanswered */
};

void drive_init(struct drive *d, enum smtp_service service);
/* Begin; config and peer may be changed before. */
void drive_start(struct drive *d);
void drive_done(struct drive *d);
/* The handshake that was asked for is done: the session behind it. */
void drive_secured(struct drive *d);
/* Octets come from the client; turns run until nothing moves. */
void drive_feed(struct drive *d, struct view bytes);
/* Time passes. */
void drive_wait(struct drive *d, int64_t ms);
/* Run turns until nothing moves. */
void drive_turn(struct drive *d);
/* A stored message without its first field (Received). */
struct view drive_body(const struct drive *d, size_t i);

#endif
