/*
 * roles/mailbox/imap/cmd_store.c: STORE.
 *
 * The change is one transaction; telling the new flags is a generator.
 */
#include "roles/mailbox/imap/imap.h"

struct store_job {
	struct imap_ranges seqs; /* to be told */
	uint32_t next; /* sequence number */
	bool silent; /* only what CONDSTORE asks for */
	struct imap_ranges changed; /* UIDs */
	struct imap_ranges modified; /* UIDs that UNCHANGEDSINCE refused */
};

/* A list of UIDs as ranges in the arena. */
static enum err ranges_of(struct imap_session *s, const struct store_uid_list *list,
			  struct imap_ranges *ret)
{
	struct imap_range *at = ARENA_ARRAY(&s->arena, struct imap_range, size_max(list->n, 1));
	size_t n = 0;

	if (!at)
		return ERR_NOMEM;
	for (size_t i = 0; i < list->n; i++) {
		if (n && at[n - 1].last + 1 == list->at[i])
			at[n - 1].last++;
		else
			at[n++] = (struct imap_range){ list->at[i], list->at[i] };
	}
	*ret = (struct imap_ranges){ at, n };
	return OK;
}

/* "OK [MODIFIED 7,9] ..."   RFC 7162#3.1.3 */
static enum err reply_modified(struct imap_session *s, const struct store_job *job)
{
	struct imap_set set;
	enum err err = OK;

	imap_set_init(&set, SESSION_VIEW_MAX);
	for (size_t i = 0; i < job->modified.n && !err; i++) {
		struct imap_range r = job->modified.at[i];

		if (!s->cmd.uid) {
			r.first = (uint32_t)mbox_seq(&s->view, r.first);
			r.last = (uint32_t)mbox_seq(&s->view, r.last);
		}
		if (r.first && r.last)
			err = imap_set_add(&set, r.first, r.last);
	}
	if (!err) {
		session_reply(s, "OK [MODIFIED ");
		imap_ranges_add_text(&s->reply, imap_set_ranges(&set));
		buf_add(&s->reply, VIEW("] Some messages had changed"));
	}
	imap_set_done(&set);
	return err;
}

static enum err change_apply(struct imap_session *s, struct store_job *job, uint64_t keywords)
{
	static const enum store_flag_op ops[] = {
		[IMAP_STORE_ADD] = STORE_FLAGS_ADD,
		[IMAP_STORE_REMOVE] = STORE_FLAGS_REMOVE,
		[IMAP_STORE_REPLACE] = STORE_FLAGS_REPLACE,
	};
	const struct imap_store_args *args = &s->cmd.store;
	struct store_flag_change change = {
		.op = ops[args->op],
		.flags = (uint16_t)(args->flags.flags & STORE_FLAG_MASK),
		.keywords = keywords,
		.conditional = args->unchanged_since,
		.unchanged_since = args->modseq,
	};
	struct store_uid_list changed = { 0 };
	struct store_uid_list modified = { 0 };
	struct store_uids uids;
	enum err err = mbox_uids(s, job->seqs, &uids);

	if (!err && uids.n)
		err = store_flags(s->store, s->view.mailbox, uids, &change, &changed, &modified);
	if (!err)
		err = ranges_of(s, &changed, &job->changed);
	if (!err)
		err = ranges_of(s, &modified, &job->modified);
	store_uid_list_done(&changed);
	store_uid_list_done(&modified);
	return err;
}

/* RFC 9051#6.4.6 */
void cmd_store(struct imap_session *s)
{
	const struct imap_store_args *args = &s->cmd.store;
	struct store_job *job = ARENA_NEW(&s->arena, struct store_job);
	uint64_t keywords = 0;
	enum err err;

	if (!job) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	if (s->view.read_only) {
		session_reply(s, "NO [CANNOT] Mailbox is read-only");
		return;
	}
	if (args->unchanged_since)
		session_condstore(s);
	if (mbox_resolve(s, &args->seq, s->cmd.uid, &job->seqs) ||
	    session_keywords(s, args->flags.keywords, args->op != IMAP_STORE_REMOVE, &keywords))
		return;
	err = change_apply(s, job, keywords);
	if (err) {
		session_fail(s, err);
		return;
	}
	job->silent = args->silent;
	s->job.any = job;
	if (store_keywords_known(s->store) & ~s->view.keywords_told)
		session_add_flag_list(s, true);
}

/* "* 3 FETCH (FLAGS (...))", with MODSEQ and UID where the mode asks for them. */
static void tell_flags(struct imap_session *s, size_t seq, const struct store_message *m,
		       bool flags)
{
	buf_add(&s->out, VIEW("* "));
	buf_add_u64(&s->out, seq);
	buf_add(&s->out, VIEW(" FETCH ("));
	if (s->cmd.uid || session_has(s, FEATURE_QRESYNC)) {
		buf_add(&s->out, VIEW("UID "));
		buf_add_u64(&s->out, m->uid);
		buf_add_char(&s->out, ' ');
	}
	if (session_has(s, FEATURE_CONDSTORE)) {
		buf_add(&s->out, VIEW("MODSEQ ("));
		buf_add_u64(&s->out, m->modseq);
		buf_add(&s->out, flags ? VIEW(") ") : VIEW(")"));
	}
	if (flags) {
		buf_add(&s->out, VIEW("FLAGS "));
		session_add_flags(s, m);
	}
	buf_add(&s->out, VIEW(")\r\n"));
}

static void tell_one(struct imap_session *s, const struct store_job *job, uint32_t seq)
{
	uint32_t uid = s->view.uids[seq - 1];
	const struct store_message *m = store_snapshot_find(s->view.snapshot, uid);
	bool changed = imap_ranges_contain(job->changed, uid);

	if (!m)
		return;
	if (!job->silent && !imap_ranges_contain(job->modified, uid))
		tell_flags(s, seq, m, true);
	else if (job->silent && changed && session_has(s, FEATURE_CONDSTORE))
		tell_flags(s, seq, m, false);
	/* A refused message has flags that the client does not know. */
	else if (imap_ranges_contain(job->modified, uid))
		tell_flags(s, seq, m, true);
}

enum job_step cmd_store_step(struct imap_session *s)
{
	struct store_job *job = s->job.any;
	bool silent = job->silent && !session_has(s, FEATURE_CONDSTORE) && !job->modified.n;

	for (size_t i = 0; i < SESSION_SYNC_SLICE; i++) {
		if (silent || !imap_ranges_next(job->seqs, job->next ? job->next : 1, &job->next)) {
			session_reply(s, "OK Done");
			if (job->modified.n && reply_modified(s, job))
				session_fail(s, ERR_NOMEM);
			return STEP_DONE;
		}
		if (!session_room(s))
			return STEP_MORE;
		tell_one(s, job, job->next++);
	}
	s->yield = true;
	return STEP_MORE;
}
