/*
 * spool/segment.c: the files of the journal: made, prepared, opened for writing, given up, taken away.
 *
 * A file keeps its name for life and gets a new order and a new salt with every use.  Both headers are
 * durable before the first record of that use is written, and the end of a use is durable before that
 * of the next newer segment: the record that ends a message must not go before the message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "spool/failpoints.h"
#include "spool/internal.h"
#include "sys/calls.h"
#include "sys/clock.h"

enum {
	PEAK_MS = 60 * 1000, /* as many files as were in use within one or two of these are kept */
	SEGMENTS_BUSY = 4, /* times what is always kept */
};

void segment_name(const struct segment *s, char ret[SEGMENT_NAME])
{
	(void)snprintf(ret, SEGMENT_NAME, "journal-%04u.log", s->slot % (JOURNAL_FILES_MAX + 1));
}

void segment_free(struct segment *s)
{
	if (!s)
		return;
	fd_close(&s->fd);
	fd_close(&s->read_fd);
	free(s);
}

void segment_link(struct journal_entry *entry, struct segment *s)
{
	entry->segment = s;
	entry->prev = NULL;
	entry->next = s->live;
	if (s->live)
		s->live->prev = entry;
	s->live = entry;
	s->live_n++;
	s->live_bytes += record_size(entry->head_n, entry->body_n);
}

void segment_unlink(struct journal_entry *entry)
{
	struct segment *s = entry->segment;

	if (!s)
		return;
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		s->live = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	s->live_n--;
	s->live_bytes -= record_size(entry->head_n, entry->body_n);
	entry->segment = NULL;
	entry->next = entry->prev = NULL;
}

enum err segment_write(struct segment *s, const char *bytes, size_t n, uint64_t at)
{
	enum err err = file_write_at(s->fd, view_of(bytes, n), (off_t)at);

	/* O_DSYNC has done it already. */
	return err || s->direct ? err : file_sync(s->fd);
}

enum err segment_read(struct journal *j, struct segment *s, char *to, size_t n, uint64_t at)
{
	if (s->read_fd < 0) {
		char name[SEGMENT_NAME];

		segment_name(s, name);
		s->read_fd = calls()->openat(j->dir, name, O_RDONLY | O_NOFOLLOW, 0);
		if (s->read_fd < 0)
			return ERR_IO;
	}
	return file_read_at(s->read_fd, to, n, (off_t)at);
}

/* Past the page cache where the file system can; s->fd is closed first. */
static enum err open_for_writing(struct journal *j, struct segment *s, int flags)
{
	char name[SEGMENT_NAME];

	segment_name(s, name);
	fd_close(&s->fd);
	s->direct = j->try_direct;
	if (s->direct)
		s->fd = calls()->openat(j->dir, name,
					flags | O_RDWR | O_NOFOLLOW | O_DIRECT | O_DSYNC, 0600);
	if (s->fd < 0 && (!s->direct || errno == EINVAL)) {
		/* O_CREAT | O_EXCL may have left the file behind the refused O_DIRECT. */
		s->direct = false;
		s->fd = calls()->openat(j->dir, name, (flags & ~O_EXCL) | O_RDWR | O_NOFOLLOW,
					0600);
	}
	if (s->fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	return OK;
}

static enum err write_headers(struct journal *j, struct segment *s, const struct segment_header *h)
{
	char *block = aligned_alloc(SPOOL_BLOCK, SPOOL_BLOCK);
	enum err err;

	if (!block)
		return ERR_NOMEM;
	segment_header_write(block, h);
	err = segment_write(s, block, SPOOL_BLOCK, 0);
	if (err == ERR_IO && s->direct && errno == EINVAL) {
		/* Opened, but refuses: O_DIRECT with blocks that are not the disk's. */
		j->try_direct = false;
		err = open_for_writing(j, s, 0);
		if (!err)
			err = segment_write(s, block, SPOOL_BLOCK, 0);
	}
	spool_failpoint(SPOOL_FAIL_HEADED);
	if (!err)
		err = segment_write(s, block, SPOOL_BLOCK, segment_end(s));
	free(block);
	return err;
}

static unsigned free_slot(const struct journal *j)
{
	for (unsigned i = 1; i <= JOURNAL_FILES_MAX; i++)
		if (!j->slots[i])
			return i;
	return 0;
}

static void delete_file(struct journal *j, struct segment *s)
{
	char name[SEGMENT_NAME];

	segment_name(s, name);
	(void)calls()->unlinkat(j->dir, name, 0);
	(void)calls()->fsync(j->dir);
	j->slots[s->slot] = false;
	segment_free(s);
}

static enum err create(struct journal *j, uint64_t size, struct segment **ret)
{
	struct segment *s = calloc(1, sizeof(*s));
	enum err err;

	if (!s)
		return ERR_NOMEM;
	*s = (struct segment){ .slot = free_slot(j), .size = size, .fd = -1, .read_fd = -1 };
	if (s->slot == 0) {
		segment_free(s);
		return ERR_FULL;
	}
	j->slots[s->slot] = true;
	err = open_for_writing(j, s, O_CREAT | O_EXCL);
	spool_failpoint(SPOOL_FAIL_CREATED);
	if (!err && calls()->fallocate(s->fd, 0, 0, (off_t)size)) {
		if (errno == ENOSPC || errno == EDQUOT)
			err = ERR_FULL;
		else if (errno != EOPNOTSUPP && errno != EINTR)
			err = ERR_IO;
		else if (calls()->ftruncate(s->fd, (off_t)size))
			err = ERR_IO;
	}
	if (err) {
		delete_file(j, s);
		return err;
	}
	*ret = s;
	return OK;
}

static void distrust_prune(struct journal *j, uint64_t oldest)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < j->distrust_count; i++)
		if (j->distrust[i].order >= oldest)
			j->distrust[kept++] = j->distrust[i];
	j->distrust_count = kept;
}

/* Give s a new use, as the newest. */
static enum err begin(struct journal *j, struct segment *s)
{
	struct segment_header h = {
		.order = j->next_order,
		.oldest = j->oldest ? j->oldest->order : j->next_order,
		.next_sequence = j->next_sequence,
		.wall_ms = clock_wall_ms(),
		.marks = j->marks,
		.size = s->size,
		.first_batch = j->next_batch,
	};
	enum err err = s->fd < 0 ? open_for_writing(j, s, 0) : OK;

	distrust_prune(j, h.oldest);
	h.distrust_count = j->distrust_count;
	memcpy(h.distrust, j->distrust, sizeof(h.distrust));
	random_bytes(h.salt, sizeof(h.salt));
	if (!err)
		err = write_headers(j, s, &h);
	if (!err && calls()->fsync(j->dir))
		err = ERR_IO;
	spool_failpoint(SPOOL_FAIL_OPENED);
	if (err)
		return err;
	/* Pages read during the former use. */
	fd_close(&s->read_fd);
	s->order = j->next_order++;
	memcpy(s->salt, h.salt, SPOOL_SALT);
	s->tail = s->durable = SPOOL_BLOCK;
	s->given_up = s->replayed = s->ragged = false;
	s->next = NULL;
	if (j->newest)
		j->newest->next = s;
	else
		j->oldest = s;
	j->newest = s;
	j->in_use_n++;
	if (j->in_use_n > j->peak)
		j->peak = j->in_use_n;
	j->appending = true;
	return OK;
}

static struct segment *take_spare(struct journal *j, uint64_t size)
{
	for (struct segment **at = &j->spare; *at; at = &(*at)->next) {
		struct segment *s = *at;

		if (s->size != size)
			continue;
		*at = s->next;
		s->next = NULL;
		j->spare_n--;
		return s;
	}
	return NULL;
}

enum err segment_open_next(struct journal *j, uint64_t n)
{
	uint64_t size = j->segment_size;
	struct segment *s;
	enum err err;

	if (n > size - 2 * SPOOL_BLOCK)
		size = spool_block_up(n) + 2 * SPOOL_BLOCK;
	while ((s = take_spare(j, size))) {
		err = begin(j, s);
		if (!err)
			return OK;
		delete_file(j, s);
	}
	err = create(j, size, &s);
	if (err)
		return err;
	err = begin(j, s);
	if (err)
		delete_file(j, s);
	return err;
}

static void spare_push(struct journal *j, struct segment *s)
{
	struct segment **at = &j->spare;

	while (*at)
		at = &(*at)->next;
	s->next = NULL;
	*at = s;
	j->spare_n++;
}

static enum err zero_slice(struct segment *s)
{
	size_t n = (size_t)(segment_end(s) - s->zeroed);
	char *zeros;
	enum err err;

	if (n > CLEAN_SLICE)
		n = CLEAN_SLICE;
	zeros = aligned_alloc(SPOOL_BLOCK, n);
	if (!zeros)
		return ERR_NOMEM;
	memset(zeros, 0, n);
	err = segment_write(s, zeros, n, s->zeroed);
	free(zeros);
	if (!err)
		s->zeroed += n;
	return err;
}

/* The one spare that is being made, if any. */
static struct segment *half_made(const struct journal *j)
{
	for (struct segment *s = j->spare; s; s = s->next)
		if (s->zeroed && s->zeroed < segment_end(s))
			return s;
	return NULL;
}

enum err segment_prepare(struct journal *j, bool *ret_more)
{
	struct segment *s = half_made(j);
	enum err err = OK;

	*ret_more = false;
	if (!s) {
		/* In good time, and not before mail has really come. */
		if (j->spare || !j->appending || j->newest->tail < j->newest->size / 4)
			return OK;
		err = create(j, j->segment_size, &s);
		if (err)
			return err;
		/* As of a former use: found by replay as a file in which nothing counts. */
		err = write_headers(j, s, &(struct segment_header){ .size = s->size });
		if (err) {
			delete_file(j, s);
			return err;
		}
		s->zeroed = SPOOL_BLOCK;
		spare_push(j, s);
	}
	err = zero_slice(s);
	if (err) {
		/* Good enough as it is, if it is good at all. */
		s->zeroed = segment_end(s);
		return err;
	}
	*ret_more = s->zeroed < segment_end(s);
	return OK;
}

/* Out of use and out of the way, with what may still be read out of it by a person. */
static void put_aside(struct journal *j, struct segment *s)
{
	char name[SEGMENT_NAME];
	char aside[sizeof("journal-NNNN.damaged")];

	segment_name(s, name);
	(void)snprintf(aside, sizeof(aside), "journal-%04u.damaged", s->slot);
	(void)calls()->renameat(j->dir, name, j->dir, aside);
	(void)calls()->fsync(j->dir);
	j->slots[s->slot] = false;
	segment_free(s);
}

/* Say on the disk that nothing in it counts. */
static enum err mark_spare(struct journal *j, struct segment *s)
{
	struct segment_header h = { .marks = SPARE_IS_WRITTEN, .size = s->size };
	enum err err = s->fd < 0 ? open_for_writing(j, s, 0) : OK;

	return err ? err : write_headers(j, s, &h);
}

/* A file that was written before is worth its room while mail comes in fast: a new one must be filled with
 * zeros first, or every write to it changes the file system's own records as well. */
static unsigned files_kept(const struct journal *j)
{
	unsigned peak = j->peak > j->peak_before ? j->peak : j->peak_before;
	unsigned most = SEGMENTS_BUSY * j->keep;

	if (peak > most)
		peak = most;
	return peak > j->keep ? peak : j->keep;
}

bool segment_give_back(struct journal *j)
{
	struct segment **at = &j->spare;
	struct segment *s;

	if (!*at || j->in_use_n + j->spare_n <= j->keep)
		return false;
	while ((*at)->next)
		at = &(*at)->next;
	s = *at;
	*at = NULL;
	j->spare_n--;
	delete_file(j, s);
	return true;
}

void segment_look_after(struct journal *j, int64_t now_ms)
{
	if (now_ms - j->peak_ms < PEAK_MS)
		return;
	if (j->in_use_n + j->spare_n > files_kept(j))
		(void)segment_give_back(j);
	j->peak_before = j->peak;
	j->peak = j->in_use_n;
	j->peak_ms = now_ms;
}

void segment_retire_oldest(struct journal *j)
{
	struct segment *s = j->oldest;

	ASSERT(s && !s->live);
	spool_failpoint(SPOOL_FAIL_FREEING);
	slab_forget(j, s);
	j->oldest = s->next;
	if (j->newest == s) {
		j->newest = NULL;
		j->appending = false;
	}
	j->in_use_n--;
	if (s->ragged)
		put_aside(j, s);
	else if (s->given_up || s->size != j->segment_size ||
		 j->in_use_n + j->spare_n >= files_kept(j) || mark_spare(j, s))
		delete_file(j, s);
	else {
		/* Full of old octets, which serve as well as zeros. */
		s->zeroed = segment_end(s);
		fd_close(&s->read_fd);
		spare_push(j, s);
	}
}

void segment_give_up(struct journal *j, struct segment *s, enum err err, int error)
{
	j->failures++;
	journal_tell(
		j,
		&(struct journal_event){
			.kind = JOURNAL_FAILED, .offset = s->durable, .err = err, .error = error },
		s);
	s->given_up = true;
	fd_close(&s->fd);
	/* The next one opened says in its header from where on this one does not count; one that was
	 * opened before the failure cannot, and so takes no more. */
	j->appending = false;
	for (struct segment *each = s; each; each = each->next) {
		slab_forget(j, each);
		each->tail = each->durable;
	}
	if (j->distrust_count == SEGMENT_DISTRUST_MAX) {
		/* The worst that the oldest can do is to repeat what was refused. */
		memmove(j->distrust, j->distrust + 1, sizeof(j->distrust[0]) * --j->distrust_count);
	}
	j->distrust[j->distrust_count++] = (struct distrust){ s->order, s->durable };
	if (s->order > j->clean_through)
		j->clean_through = s->order;
	spool_failpoint(SPOOL_FAIL_ABANDONED);
}
