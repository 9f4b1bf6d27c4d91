/*
 * tests/unit/folder.h: a folder of its own for a test, holding files only.
 */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { FOLDER_PATH_MAX = 64 };

/* Make an empty one below /tmp, with name in its path.  A descriptor of it, owned by caller. */
static inline int folder_new(char ret_path[FOLDER_PATH_MAX], const char *name)
{
	int dir;

	(void)snprintf(ret_path, FOLDER_PATH_MAX, "/tmp/posthold-%s-XXXXXX", name);
	assert_non_null(mkdtemp(ret_path));
	dir = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

/* Remove all files from it; dir stays the caller's. */
static inline void folder_empty(int dir)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			assert_int_equal(unlinkat(dir, e->d_name, 0), 0);
	assert_int_equal(closedir(d), 0);
}

/* Remove it with its files; dir is closed. */
static inline void folder_remove(int dir, const char *path)
{
	folder_empty(dir);
	assert_int_equal(close(dir), 0);
	assert_int_equal(rmdir(path), 0);
}

#endif
