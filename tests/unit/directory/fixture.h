/*
 * A directory in a fresh folder, for the tests of src/directory.
 */
#ifndef TESTS_UNIT_DIRECTORY_FIXTURE_H
#define TESTS_UNIT_DIRECTORY_FIXTURE_H

#include "folder.h"

#include "directory/directory.h"

enum { NOW = 1795233600 };

struct fixture {
	char folder[FOLDER_PATH_MAX];
	int dir; /* of folder */
	char path[96];
	struct directory *d;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Close and open again. */
void fixture_reopen(struct fixture *f);
/* The number of the new account, without a password. */
uint64_t fixture_account(struct fixture *f, const char *address);
enum err fixture_alias(struct fixture *f, const char *address, const char *target);
extern const struct lookup_rules fixture_rules;

#endif
