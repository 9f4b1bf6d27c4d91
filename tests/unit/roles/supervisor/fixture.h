/*
 * tests/unit/roles/supervisor/fixture.h: the supervisor without its main, and roles that the test plays.
 *
 * The programs that the supervisor starts are links to the test itself: main() calls fake_role() first.  A
 * fake role writes down what it was given (said()), and does what behave() told.
 */
#ifndef SUPERVISOR_FIXTURE_H
#define SUPERVISOR_FIXTURE_H

#include "roles/supervisor/supervisor.h"
#include "unit.h"

enum { EVENTS_MAX = 200, SAID_MAX = 20000 };

/* An event that the supervisor logged. */
struct seen {
	enum log_level level;
	char name[64];
	char instance[32];
	char how[120];
	uint64_t account; /* 0: no such field */
};

struct world {
	struct supervisor sup;
	struct loop_signal child;
	char folder[64]; /* data, and below it the programs */
	char programs[80];
	struct seen events[EVENTS_MAX];
	size_t event_count;
};

extern struct world w;

/* True in a child that the supervisor started, and never returns to the test then. */
void fake_role(char **argv);

int world_begin(void **state); /* cmocka setup */
int world_end(void **state); /* cmocka teardown; kills what still runs */
/*
 * How the fake of a program behaves from its next start on: "serve" (the default), "exit" at once with status
 * 3, "die" by a signal at once, "deaf" to stop, "die-on-stop", "words TEXT" as its sandbox, "counters TEXT" as
 * its answer to query.
 */
void behave(const char *program, const char *how);
/* What the fakes of a program wrote down, a line each; NUL-terminated, until the next call. */
const char *said(const char *program);
bool has_line(const char *text, const char *line);
/* Run the loop until the condition holds; fails after ten seconds. */
void run_until(bool (*condition)(void *), void *ctx);
/* Run the loop so long. */
void run_for(int64_t ms);
bool is_ready(void *process);
bool is_down(void *process);
/* The last event of that name, or NULL. */
const struct seen *event(const char *name);
/* Start, wire and go; returns when it serves. */
void start_fixed(unsigned instance);

#endif
