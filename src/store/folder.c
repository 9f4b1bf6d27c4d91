/*
 * store/folder.c: see folder.h.
 */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "base/vec.h"
#include "sys/calls.h"
#include "sys/file.h"

enum { PACK_COUNT_MAX = 1000000 };

const char *folder_pack_name(uint32_t number, char room[PACK_NAME_ROOM])
{
	snprintf(room, PACK_NAME_ROOM, "pack-%08u.mail", (unsigned)number);
	return room;
}

enum err folder_lock(int dir, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int CLEANUP(fd_close) fd =
		calls()->openat(dir, FOLDER_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd < 0)
		return errno == ENOSPC ? ERR_FULL : ERR_IO;
	if (fcntl(fd, F_OFD_SETLK, &lock))
		return errno == EAGAIN || errno == EACCES ? ERR_BUSY : ERR_IO;
	*ret_fd = fd;
	fd = -1;
	return OK;
}

/* "pack-" 8*10DIGIT ".mail" */
static bool pack_name_parse(struct view name, uint32_t *ret)
{
	uint64_t n;

	if (!view_starts(name, VIEW("pack-")) || !view_ends(name, VIEW(".mail")) || name.n < 18)
		return false;
	if (num_u64(view_part(name, 5, name.n - 10), UINT32_MAX, &n) || n == 0)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static int number_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

enum err folder_packs(int dir, uint32_t **ret, size_t *ret_n)
{
	VEC(uint32_t) found = VEC_INIT(PACK_COUNT_MAX);
	enum err err = OK;
	int fd = calls()->openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint32_t number;

	if (!d) {
		fd_close(&fd);
		return ERR_IO;
	}
	errno = 0;
	while (!err && (entry = readdir(d))) {
		if (pack_name_parse(view_str(entry->d_name), &number) && !VEC_PUSH(&found, number))
			err = ERR_NOMEM;
	}
	if (errno && !err)
		err = ERR_IO;
	closedir(d);
	if (err) {
		VEC_DONE(&found);
		return err;
	}
	if (found.n)
		qsort(found.at, found.n, sizeof(found.at[0]), number_compare);
	*ret = found.at;
	*ret_n = found.n;
	return OK;
}

bool folder_has(int dir, const char *name)
{
	struct stat st;

	return calls()->fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

enum err folder_bytes_init(struct folder_bytes *b, int fd, uint64_t size)
{
	struct stat st;
	enum err err;

	*b = (struct folder_bytes){ VIEW_EMPTY, NULL, NULL };
	if (calls()->fstat(fd, &st) || (uint64_t)st.st_size < size)
		return ERR_IO;
	if (size == 0)
		return OK;
	if (fd_is_sealed(fd, F_SEAL_SHRINK | F_SEAL_WRITE)) {
		b->map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (b->map == MAP_FAILED) {
			b->map = NULL;
			return ERR_NOMEM;
		}
		b->bytes = view_of(b->map, size);
		return OK;
	}
	b->heap = (char *)malloc(size);
	if (!b->heap)
		return ERR_NOMEM;
	err = file_read_at(fd, b->heap, size, 0);
	if (err) {
		folder_bytes_done(b);
		return ERR_IO;
	}
	b->bytes = view_of(b->heap, size);
	return OK;
}

void folder_bytes_done(struct folder_bytes *b)
{
	if (b->map)
		munmap(b->map, b->bytes.n);
	free(b->heap);
	*b = (struct folder_bytes){ VIEW_EMPTY, NULL, NULL };
}
