/*
 * The core of auth without channels: a directory in a fresh folder, cheap hashes that run when told to,
 * and what the core said last.
 */
#ifndef TESTS_UNIT_ROLES_AUTH_FIXTURE_H
#define TESTS_UNIT_ROLES_AUTH_FIXTURE_H

#include "folder.h"

#include "auth.h"

#define PASSWORD "gurken salat zebra"

enum said { SAID_NOTHING, SAID_CHALLENGE, SAID_SUCCESS, SAID_FAILURE };

struct fixture {
	char folder[FOLDER_PATH_MAX];
	int dir; /* of folder */
	char path[96];
	struct config config;
	struct auth *auth;
	uint64_t anna;
	/* the last answer to an exchange */
	enum said said;
	unsigned client;
	uint32_t tag;
	struct buf text; /* challenge or final */
	enum authn_failure_kind kind;
	uint64_t account;
	char name[400];
	uint8_t ticket[TICKET_LEN];
	size_t ticket_n;
	/* broadcasts */
	unsigned revoked_count;
	uint64_t revoked;
	bool removed;
	unsigned changed_count;
	/* the last request of the administrator */
	struct buf rows; /* one a line */
	unsigned end_count;
	enum err end_err;
	char end_text[1001];
};

/* With anna@example.org and ben@example.org, both with PASSWORD. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Stop and start the core on the same files. */
void fixture_restart(struct fixture *f);
/* Run all hashes that wait; how many. */
unsigned fixture_hash(struct fixture *f);

/* A start over TLS from 192.0.2.1 at the login role, to be changed by the test. */
struct authn_start fixture_start(const char *mechanism);
/* PLAIN from this address (4 octets); the result is in f->said. */
void fixture_plain(struct fixture *f, const char *ip, const char *name, const char *password);
void fixture_step(struct fixture *f, unsigned client, struct view response);
/* A request with arguments "key", "value", ..., NULL; waits for hashes. */
enum err fixture_admin(struct fixture *f, const char *verb, ...);

#define AUTH_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
