/* See fixture.h. */
#include "directory/fixture.h"

const struct lookup_rules fixture_rules = { .separators = VIEW_INIT("+"), .depth = 10 };

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = folder_new(f->folder, "directory");
	(void)snprintf(f->path, sizeof(f->path), "%s/directory.db", f->folder);
	assert_int_equal(password_init(), OK);
	assert_int_equal(directory_open(f->path, &f->d), OK);
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	directory_close(f->d);
	folder_remove(f->dir, f->folder);
	free(f);
	return 0;
}

void fixture_reopen(struct fixture *f)
{
	directory_close(f->d);
	f->d = NULL;
	assert_int_equal(directory_open(f->path, &f->d), OK);
}

uint64_t fixture_account(struct fixture *f, const char *address)
{
	struct directory_account_new a = { .address = view_str(address), .now = NOW };
	uint64_t id = 0;

	assert_int_equal(directory_account_add(f->d, &a, &id), OK);
	assert_int_not_equal(id, 0);
	return id;
}

enum err fixture_alias(struct fixture *f, const char *address, const char *target)
{
	return directory_alias_add(f->d, &fixture_rules, view_str(address), view_str(target));
}
