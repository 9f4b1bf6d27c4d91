/*
 * spool/park.c: our own changes while nothing can be written.
 *
 * A parked group is a copy of its records in one piece of memory.  The order of groups is kept: as long
 * as one is parked, later ones are parked behind it, and nothing new is taken from clients.
 */
#include "spool/internal.h"

static void parked_free(struct parked *p)
{
	free(p->records);
	free(p);
}

/* Records and their bytes in one allocation. */
enum err park_group(struct journal *j, const struct journal_record *records, size_t n,
		    journal_fn *then, void *ctx)
{
	struct parked *p = calloc(1, sizeof(*p));
	size_t bytes = n * sizeof(*records);
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += records[i].head.n + records[i].body.n;
	if (!p || j->parked_bytes + bytes > JOURNAL_PARKED_MAX || !(p->records = malloc(bytes))) {
		free(p);
		return ERR_NOMEM;
	}
	at = (char *)&p->records[n];
	for (size_t i = 0; i < n; i++) {
		p->records[i] = records[i];
		p->records[i].head.p = at;
		if (records[i].head.n)
			memcpy(at, records[i].head.p, records[i].head.n);
		at += records[i].head.n;
		p->records[i].body.p = at;
		if (records[i].body.n)
			memcpy(at, records[i].body.p, records[i].body.n);
		at += records[i].body.n;
	}
	p->count = n;
	p->bytes = bytes;
	p->then = then;
	p->ctx = ctx;
	*j->parked_end = p;
	j->parked_end = &p->next;
	j->parked_bytes += bytes;
	return OK;
}

/* Lay parked groups out again, in order, as far as that goes. */
void park_retry(struct journal *j)
{
	while (j->parked) {
		struct parked *p = j->parked;
		struct pending_group g = { .then = p->then, .ctx = p->ctx };

		j->parked_why = journal_lay_out(j, p->records, p->count, &g);
		if (j->parked_why)
			return;
		j->parked = p->next;
		if (!j->parked)
			j->parked_end = &j->parked;
		j->parked_bytes -= p->bytes;
		parked_free(p);
	}
}

void park_unwritten(struct journal *j, const struct batch *b, const struct pending_group *g)
{
	struct journal_record *records = calloc(g->count, sizeof(*records));

	for (size_t i = 0; records && i < g->count; i++) {
		const struct pending_record *r = &b->records.at[g->first + i];
		const char *at = r->slab->bytes + r->at;
		uint32_t head_n = num_get32(at + 20);

		records[i] = (struct journal_record){
			.type = r->type,
			.sequence = num_get64(at + 8),
			.head = view_of(at + RECORD_HEADER, head_n),
			.body = view_of(at + RECORD_HEADER + head_n, num_get64(at + 24)),
			.entry = r->entry,
		};
	}
	if (!records || park_group(j, records, g->count, g->then, g->ctx)) {
		if (g->then)
			g->then(g->ctx, ERR_NOMEM);
	}
	free(records);
}

void park_done(struct journal *j)
{
	while (j->parked) {
		struct parked *p = j->parked;

		j->parked = p->next;
		parked_free(p);
	}
}
