/*
 * store/fsck.c: see fsck.h.
 */
#include "store/fsck.h"

#include "store/internal.h"

struct fsck {
	struct store *s;
	store_fsck_fn fn;
	void *ctx;
	uint64_t total;
	struct store_fsck_report torn; /* the end of the log, when it is no record */
	struct store_fsck_result result;
};

static void report(struct fsck *f, struct store_fsck_report r)
{
	f->result.damage += r.kind == STORE_FSCK_PACK || r.kind == STORE_FSCK_DAMAGE ||
			    r.kind == STORE_FSCK_FRAME;
	f->result.lost += r.kind == STORE_FSCK_LOST;
	if (f->fn)
		f->fn(f->ctx, &r);
}

static void pack_damaged(void *ctx, uint32_t pack)
{
	report((struct fsck *)ctx,
	       (struct store_fsck_report){ .kind = STORE_FSCK_PACK, .pack = pack });
}

static enum err check_record(void *ctx, const struct record *r)
{
	struct fsck *f = (struct fsck *)ctx;
	uint64_t stored = record_stored(&r->head);
	enum err err = record_verify(&f->s->reader, r);

	f->result.records++;
	f->result.octets += stored;
	if (err == ERR_CORRUPT) {
		report(f, (struct store_fsck_report){ .kind = STORE_FSCK_FRAME,
						      .pack = r->pos.pack,
						      .from = r->pos.off,
						      .to = r->pos.off + stored });
		err = OK;
	}
	report(f, (struct store_fsck_report){
			  .kind = STORE_FSCK_PROGRESS, .from = f->result.octets, .to = f->total });
	return err;
}

static void check_damage(void *ctx, uint32_t pack, uint64_t from, uint64_t to, bool tail)
{
	struct fsck *f = (struct fsck *)ctx;
	struct store_fsck_report r = {
		.kind = STORE_FSCK_DAMAGE, .pack = pack, .from = from, .to = to
	};

	if (tail && pack == pack_set_last(&f->s->packs)) {
		r.kind = STORE_FSCK_TORN;
		f->torn = r;
	}
	report(f, r);
}

/* What a checkpoint has seen on disk cannot be torn. */
static void check_torn(struct fsck *f)
{
	const struct log_place *known = &f->s->checkpoint;

	if (f->torn.kind != STORE_FSCK_TORN || f->torn.pack != known->pos.pack ||
	    f->torn.from >= known->pos.off)
		return;
	f->torn.kind = STORE_FSCK_DAMAGE;
	report(f, f->torn);
}

static enum err check_packs(struct fsck *f)
{
	struct scan_calls call = { .ctx = f, .record = check_record, .damage = check_damage };
	struct pack_set *set = &f->s->packs;
	enum err err = OK;

	for (size_t i = 0; i < set->packs.n && !err; i++) {
		const struct pack *p = &set->packs.at[i];
		uint64_t last_seq = p->first_seq ? p->first_seq - 1 : 0, end;

		err = pack_scan(&f->s->reader, p->number, 0, SCAN_META, &call, &last_seq, &end);
	}
	return err;
}

/* Does every message of the index have its record? */
static enum err check_rows(struct fsck *f)
{
	struct store *s = f->s;
	struct blob_row row = { 0 };
	enum err err;

	while (!(err = blob_next(s, row.id, &row))) {
		struct record r;
		uint64_t seq;

		err = record_load(&s->reader, row.pos, row.stored, &r);
		if (err)
			return err;
		seq = r.head.seq;
		record_done(&r);
		if (seq != row.id)
			return ERR_CORRUPT;
	}
	return err == ERR_EOF ? OK : err;
}

/* ERR_CORRUPT when the index is not sound. */
static enum err check_index(struct fsck *f)
{
	struct store *s = f->s;
	bool clean;
	enum err err = index_open(&s->index, false);

	if (!err)
		err = index_check(&s->index);
	if (!err)
		err = memory_reload(s);
	if (!err)
		check_torn(f);
	if (!err)
		err = recover_run(s, &clean);
	if (!err && !clean)
		err = numbers_skip(s, 0);
	return err ? err : check_rows(f);
}

static void rebuild_lost(void *ctx, uint64_t mailbox, uint32_t uid)
{
	report((struct fsck *)ctx, (struct store_fsck_report){ .kind = STORE_FSCK_LOST,
							       .mailbox = mailbox,
							       .uid = uid });
}

static enum err rebuild(struct fsck *f)
{
	struct rebuild_watch watch = { .ctx = f, .lost = rebuild_lost };
	struct store *s = f->s;
	bool damaged, clean;
	enum err err = rebuild_run(s, &watch, &damaged, &clean);

	if (!err && !clean)
		err = numbers_skip(s, 0);
	if (!err)
		err = rebuild_finish(s, &watch, damaged);
	if (!err && !mailbox_by_name(s, VIEW("INBOX")))
		err = store_make_folders(s);
	if (!err)
		f->result.rebuilt = true;
	return err;
}

static enum err fsck_run(struct fsck *f, const struct store_fsck_options *options)
{
	enum err err = check_packs(f);

	if (err)
		return err;
	err = check_index(f);
	f->result.index_sound = !err;
	if (err == ERR_CORRUPT) {
		report(f, (struct store_fsck_report){ .kind = STORE_FSCK_INDEX });
		err = options->repair || options->rebuild ? rebuild(f) : OK;
	} else if (!err && options->rebuild) {
		err = rebuild(f);
	}
	f->result.messages = f->s->messages;
	return err;
}

enum err store_fsck(int account_dir_fd, const struct store_keys *keys,
		    const struct store_config *config, const struct store_fsck_options *options,
		    store_fsck_fn fn, void *ctx, struct store_fsck_result *ret)
{
	struct fsck f = { .fn = fn, .ctx = ctx };
	struct store *s;
	enum err err = store_prepare(account_dir_fd, keys, config, pack_damaged, &f, &s);

	if (err)
		return err;
	f.s = s;
	f.total = pack_set_bytes(&s->packs);
	err = fsck_run(&f, options);
	if (!err && (f.result.index_sound || f.result.rebuilt))
		err = store_close(&s);
	else
		store_abort(&s);
	if (!err)
		*ret = f.result;
	return err;
}
