/*
 * spool/slab.c: octets of segments in memory, aligned for O_DIRECT.
 *
 * Records are laid out in slabs exactly as they will lie on disk, so that a commit is one write a slab and
 * the written slab serves the dispatch without another copy.  A record never crosses slabs.  Every
 * commit ends on a block boundary.
 */
#include "spool/internal.h"

enum {
	SLAB_MAX = 4 * 1024 * 1024,
	SPARES_MAX =
		8 * 1024 * 1024, /* octets of slabs that are kept for reuse: new memory is slow */
	CACHE_LARGE =
		16 * 1024 * 1024, /* octets in slabs from which all are large: they are searched */
};

static void slab_free(struct journal *j, struct slab *slab)
{
	j->slab_bytes -= slab->size;
	if (j->spare_bytes + slab->size <= SPARES_MAX) {
		slab->next = j->spare_slabs;
		j->spare_slabs = slab;
		j->spare_bytes += slab->size;
		return;
	}
	free(slab->bytes);
	free(slab);
}

static void spares_free(struct journal *j)
{
	while (j->spare_slabs) {
		struct slab *slab = j->spare_slabs;

		j->spare_slabs = slab->next;
		j->spare_bytes -= slab->size;
		free(slab->bytes);
		free(slab);
	}
}

/* A spare that is large enough and not much too large; NULL if there is none. */
static struct slab *spare_take(struct journal *j, size_t size)
{
	for (struct slab **at = &j->spare_slabs; *at; at = &(*at)->next) {
		struct slab *slab = *at;

		if (slab->size >= size && slab->size <= 2 * size) {
			*at = slab->next;
			j->spare_bytes -= slab->size;
			return slab;
		}
	}
	return NULL;
}

static struct slab *slab_alloc(struct journal *j, size_t size)
{
	struct slab *slab = spare_take(j, size);
	char *bytes;

	if (slab) {
		size = slab->size;
		bytes = slab->bytes;
	} else {
		slab = malloc(sizeof(*slab));
		bytes = aligned_alloc(SPOOL_BLOCK, size);
	}
	if (!slab || !bytes) {
		free(slab);
		free(bytes);
		return NULL;
	}
	*slab = (struct slab){ .size = size, .bytes = bytes };
	j->slab_bytes += size;
	return slab;
}

/* Zeros up to the next block, in slab and segment. */
static void pad(struct slab *slab)
{
	size_t up = (size_t)spool_block_up(slab->used);

	memset(slab->bytes + slab->used, 0, up - slab->used);
	slab->used = up;
	slab->segment->tail = slab->base + up;
}

/* In steps, so that spares of large messages fit others; and the larger the more waits: each slab is a write. */
static size_t next_size(const struct journal *j, size_t n)
{
	const struct slab *last = j->slabs_end;
	size_t size = (n + JOURNAL_SLAB - 1) / JOURNAL_SLAB * JOURNAL_SLAB;

	if (j->slab_bytes >= CACHE_LARGE)
		size = size_max(size, SLAB_MAX);
	else if (last && last->written < last->used)
		size = size_max(size, size_min(2 * last->size, SLAB_MAX));
	return size;
}

enum err slab_room(struct journal *j, size_t n, struct slab **ret, size_t *ret_at)
{
	struct segment *s = j->newest;
	struct slab *slab = j->slabs_end;

	if (!slab || slab->segment != s || slab->base + slab->used != s->tail ||
	    n > slab->size - slab->used) {
		if (slab && slab->used % SPOOL_BLOCK)
			pad(slab);
		slab = slab_alloc(j, next_size(j, n));
		if (!slab)
			return ERR_NOMEM;
		slab->segment = s;
		slab->base = s->tail;
		ASSERT(s->tail % SPOOL_BLOCK == 0);
		if (j->slabs_end)
			j->slabs_end->next = slab;
		else
			j->slabs = slab;
		j->slabs_end = slab;
	}
	*ret = slab;
	*ret_at = slab->used;
	slab->used += n;
	s->tail = slab->base + slab->used;
	return OK;
}

const struct slab *slab_find(const struct journal *j, const struct segment *s, uint64_t at,
			     uint64_t n)
{
	for (const struct slab *slab = j->slabs; slab; slab = slab->next)
		if (slab->segment == s && at >= slab->base && at + n <= slab->base + slab->used)
			return slab;
	return NULL;
}

static void drop(struct journal *j, struct slab **at, struct slab *before)
{
	struct slab *slab = *at;

	*at = slab->next;
	if (j->slabs_end == slab)
		j->slabs_end = before;
	slab_free(j, slab);
}

void slab_trim(struct journal *j, size_t most)
{
	while (j->slab_bytes > most && j->slabs && j->slabs->written == j->slabs->used)
		drop(j, &j->slabs, NULL);
	if (most == 0)
		spares_free(j);
}

void slab_forget(struct journal *j, const struct segment *s)
{
	struct slab *before = NULL;
	struct slab **at = &j->slabs;

	while (*at) {
		if ((*at)->segment == s) {
			drop(j, at, before);
		} else {
			before = *at;
			at = &(*at)->next;
		}
	}
}

struct slab_mark slab_mark(const struct journal *j)
{
	return (struct slab_mark){
		.slab = j->slabs_end,
		.used = j->slabs_end ? j->slabs_end->used : 0,
		.segment = j->newest,
		.tail = j->newest->tail,
	};
}

void slab_rollback(struct journal *j, const struct slab_mark *m)
{
	struct slab **at = m->slab ? &m->slab->next : &j->slabs;

	while (*at)
		drop(j, at, m->slab);
	if (m->slab)
		m->slab->used = m->used;
	m->segment->tail = m->tail;
}

enum err slab_write_all(struct journal *j, struct segment **ret_failed)
{
	for (struct slab *slab = j->slabs; slab; slab = slab->next) {
		enum err err;

		if (slab->written == slab->used)
			continue;
		pad(slab);
		err = segment_write(slab->segment, slab->bytes + slab->written,
				    slab->used - slab->written, slab->base + slab->written);
		if (err) {
			*ret_failed = slab->segment;
			return err;
		}
		slab->written = slab->used;
		slab->segment->durable = slab->base + slab->used;
	}
	return OK;
}

void slab_done(struct journal *j)
{
	while (j->slabs)
		drop(j, &j->slabs, NULL);
	spares_free(j);
}
