/*
 * tests/unit/proto/smtp/play.h: an outgoing session against a scripted server.
 *
 * A script is a text: "S: " the server says a line, "C: " the client must have said exactly this line by now.
 * Server lines in a row arrive together, or in single octets.
 */
#ifndef TESTS_SMTP_PLAY_H
#define TESTS_SMTP_PLAY_H

#include "proto/smtp/client.h"
#include "unit.h"

enum { RCPT_MAX = 8 };

struct play {
	struct smtp_client_config config;
	struct smtp_client client;
	struct smtp_client_message messages[3];
	struct smtp_client_rcpt rcpt[3][RCPT_MAX];
	size_t message_n, next;
	const char *body;
	bool never_end; /* the body stays open */
	bool body_begun;
	bool octets;
	bool no_handshake;
	size_t handshakes, reports;
	struct buf said; /* by the client, not yet looked at */
	int64_t now;
	bool closed;
};

void play_init(struct play *p);
void play_done(struct play *p);
/* One more message to r1@far.test, r2@far.test, ... */
void play_message(struct play *p, size_t recipients);
/* Let the client do all it can now. */
void play_turn(struct play *p);
void play_server(struct play *p, struct view text);
/* From the greeting on; fails the test where the client says something else. */
void play_run(struct play *p, const char *script);
/* Run a script whole and in octets, with the same preparation and checks. */
void play_both(void (*prepare)(struct play *), const char *script, void (*check)(struct play *));
/* Recipient rcpt of a message came to this end. */
void play_outcome(struct play *p, size_t message, size_t rcpt, enum smtp_outcome_kind kind,
		  unsigned code);

#define EHLO_BARE "S: 220 far\nC: EHLO out.test\nS: 250 far\n"
#define EHLO_PIPE "S: 220 far\nC: EHLO out.test\nS: 250-far\nS: 250-PIPELINING\nS: 250 SIZE 1000\n"
#define BODY	  "C: From: a@b\nC: \nC: ..dot\nC: .\n"
#define BYE	  "C: QUIT\nS: 221 bye\n"

#endif
