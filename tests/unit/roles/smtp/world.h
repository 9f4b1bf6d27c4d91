/*
 * tests/unit/roles/smtp/world.h: the SMTP role between a front, an auth and a queue that the test plays.
 *
 * All run in one loop over real channels and streams; only role_main is replaced.
 */
#ifndef TESTS_ROLES_SMTP_WORLD_H
#define TESTS_ROLES_SMTP_WORLD_H

#include "unit.h"

#include "ipc/accept.h"
#include "ipc/authn.h"
#include "ipc/envelope.h"
#include "ipc/route.h"
#include "ipc/session.h"
#include "ipc/types.h"
#include "roles/smtp/smtp_role.h"
#include "sys/config.h"
#include "sys/file.h"

struct role {
	struct loop *loop;
	struct config config;
	bool exited;
};

struct world {
	struct role role;
	struct smtp_role smtp;
	struct ipc_chan *front, *auth, *authn, *queue;
	int client; /* the far end of the stream */
	struct buf said;
	struct buf stored; /* envelope and body of the last put */
	uint32_t envelope_n;
	bool by_fd;
	bool hold; /* do not answer put */
	size_t puts, starttls, cancels, served;
	uint32_t put_tag, rcpt_tag;
};

extern struct world w;

int world_setup(void **state);
int world_teardown(void **state);
/* A connection, greeted. */
void connect_as(unsigned service, bool tls);
/* Run the loop until nothing moves. */
void pump(void);
/* The client says this; pumped. */
void send_text(const char *text);
/* The last line said begins so; everything said is forgotten. */
void expect(const char *start);
/* The answer to the last put, when hold is set. */
void put_answer(void);
/* Of the last message that was put. */
struct view stored_body(void);
/* EHLO, MAIL and RCPT. */
void begin_message(void);

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

#endif
