/*
 * cli/start.h: starting and checking an instance; shared by serve, quickstart, init and check.
 */
#ifndef CLI_START_H
#define CLI_START_H

#include <sys/types.h>

#include "cli.h"

struct supervisor_call {
	char path[1200];
	char data[1100];
	char notify[32];
	char *argv[4];
};

/* Start the supervisor as a child and wait until every role serves; -1 when it ended instead, after
 * telling why. */
pid_t supervisor_start(const struct instance *instance);

/*
 * What must hold before a start besides the syntax of the file: hostname, certificates that can be
 * read, fit their keys and are in force.  Problems go to standard error, one a line; with report
 * (an array) also what is fine.  True when nothing stands against a start.
 */
bool check_instance(const struct instance *instance, json_t *report);

/* ca.pem, cert.pem and key.pem in folder, for hostname and loopback; told on standard error if not. */
bool create_test_certificates(const char *folder, const char *hostname);

#endif
