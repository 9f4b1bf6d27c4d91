/*
 * roles/mailbox/imap/cmd_search.c: SEARCH: walk the mailbox in slices, collect what matches.
 */
#include "proto/mime/header.h"
#include "roles/mailbox/imap/search.h"
#include "roles/mailbox/imap/search_cache.h"

/* RFC 9051#6.4.4 */
void cmd_search(struct imap_session *s)
{
	struct imap_search_args *args = &s->cmd.search;
	struct search_job *job = calloc(1, sizeof(*job));

	if (!job) {
		session_fail(s, ERR_NOMEM);
		return;
	}
	s->job.search = job;
	job->root = args->root;
	job->next = 1;
	imap_set_init(&job->found, SESSION_VIEW_MAX);
	arena_init(&job->arena, SESSION_SCAN_MAX);
	buf_init(&job->octets, SEARCH_MESSAGE_MAX);
	buf_init(&job->text, SEARCH_FOLD_MAX);
	buf_init(&job->folded, SEARCH_FOLD_MAX);
	if (args->bad_charset) {
		session_reply(s, "NO [BADCHARSET (US-ASCII UTF-8)] Charset not supported");
		return;
	}
	if (args->modseq)
		session_condstore(s);
	if (search_prepare(s, job, job->root))
		ASSERT(s->reply.n);
}

void cmd_search_end(struct imap_session *s)
{
	struct search_job *job = s->job.search;

	if (!job)
		return;
	imap_set_done(&job->found);
	arena_done(&job->arena);
	buf_done(&job->octets);
	buf_done(&job->text);
	buf_done(&job->folded);
	free(job);
	s->job.search = NULL;
}

static int64_t search_ms(const struct imap_session *s)
{
	return s->config->search_ms ? s->config->search_ms : SEARCH_MS_MAX;
}

/* Is this slice over?  Looks at the clock now and then. */
static bool slice_over(struct imap_session *s, struct search_job *job)
{
	if (++job->rows % 64 == 0 && s->config->mono_ms() - job->slice_start >= SEARCH_SLICE_MS)
		return true;
	return job->rows >= SEARCH_SLICE_ROWS;
}

/* A message was decided. */
static enum err found_note(struct search_job *job, enum search_answer a)
{
	enum err err = OK;

	if (a == SEARCH_YES) {
		err = imap_set_add(&job->found, (uint32_t)job->seq, (uint32_t)job->seq);
		job->count++;
		if (job->message->modseq > job->modseq)
			job->modseq = job->message->modseq;
	}
	job->next = (uint32_t)job->seq + 1;
	return err;
}

/* Columns to look at; NULL: none (any more).  What is scalar stays known. */
static void digest_use(struct search_job *job, const struct store_digest *d)
{
	job->digest = d;
	job->kept_valid = d && digest_search_parse(d->search, &job->kept) == OK;
	if (!d)
		return;
	job->has_sent = job->kept_valid && job->kept.has_sent;
	job->sent = d->sent;
	job->sent_zone = job->kept_valid ? job->kept.zone : 0;
}

/* Octets of the message: all, or its header. */
static enum err octets_load(struct imap_session *s, struct search_job *job)
{
	struct store_body *body = NULL;
	uint64_t from = 0;
	enum err err = store_body_open(s->store, job->message->blob, &body);

	buf_clear(&job->octets);
	while (!err && from < job->message->size) {
		struct view piece;

		err = store_body_read(body, from, &piece);
		if (err || !piece.n)
			break;
		buf_add(&job->octets, piece);
		from += piece.n;
		if (buf_err(&job->octets))
			break;
		if (!job->needs_body &&
		    !(mime_header_look(buf_view(&job->octets)).flags & MIME_HEADER_UNENDED))
			break;
	}
	if (body)
		store_body_close(&body);
	return err ? err : buf_err(&job->octets);
}

/* The message at job->next by itself, with all that it takes. */
static enum err row_full(struct imap_session *s, struct search_job *job)
{
	struct store_digest d;
	enum search_answer a;
	enum err err;

	job->has_sent = false;
	digest_use(job, NULL);
	if (job->columns && !store_digest_get(s->store, job->message->blob, job->columns, &d))
		digest_use(job, &d);
	a = search_match(s, job, job->root, LEVEL_KEPT);
	digest_use(job, NULL); /* borrowed until the store is called again */
	if (a == SEARCH_UNKNOWN) {
		err = octets_load(s, job);
		if (err)
			return err == ERR_NOTFOUND ? found_note(job, SEARCH_NO) : err;
		a = search_match(s, job, job->root, LEVEL_BODY);
		job->rows += 63 - job->rows % 64; /* look at the clock after each */
	}
	return found_note(job, a);
}

/* Only what stands in the search column is asked for, so that the cache can answer. */
static bool cache_serves(const struct imap_session *s, const struct search_job *job)
{
	return s->config->search_cache && job->columns == STORE_COL_SEARCH;
}

/* Decide job->message by what is kept in memory. */
static enum search_answer row_cached(struct imap_session *s, struct search_job *job)
{
	struct store_digest d = { 0 };
	enum search_answer a;

	if (!cache_serves(s, job) ||
	    !search_cache_get(s->config->search_cache, job->message->blob, &d.search, &d.sent))
		return SEARCH_UNKNOWN;
	digest_use(job, &d);
	a = search_match(s, job, job->root, LEVEL_KEPT);
	digest_use(job, NULL);
	return a;
}

/* store_digest_each_fn: ERR_AGAIN stops; job->stopped: at a message that must be read. */
static enum err row_each(void *ctx, const struct store_message *m, const struct store_digest *d)
{
	struct imap_session *s = ctx;
	struct search_job *job = s->job.search;
	enum search_answer a;

	job->seq = job->next <= s->view.n && s->view.uids[job->next - 1] == m->uid
			   ? job->next
			   : mbox_seq(&s->view, m->uid);
	if (!job->seq)
		return OK;
	job->message = m;
	digest_use(job, d);
	if (job->kept_valid && cache_serves(s, job))
		search_cache_add(s->config->search_cache, m->blob, d->search, d->sent);
	a = search_match(s, job, job->root, LEVEL_KEPT);
	job->digest = NULL;
	if (a == SEARCH_UNKNOWN) {
		job->next = (uint32_t)job->seq;
		job->stopped = true;
		return ERR_AGAIN;
	}
	if (found_note(job, a))
		return ERR_NOMEM;
	return slice_over(s, job) ? ERR_AGAIN : OK;
}

/* As many messages as this slice allows. */
static enum err slice_run(struct imap_session *s, struct search_job *job)
{
	enum err err = OK;

	while (job->next <= s->view.n && !err) {
		job->seq = job->next;
		job->message = store_snapshot_find(s->view.snapshot, s->view.uids[job->next - 1]);
		if (!job->message) {
			job->next++;
			continue;
		}
		digest_use(job, NULL);

		enum search_answer a = search_match(s, job, job->root, LEVEL_ROW);

		if (a == SEARCH_UNKNOWN)
			a = row_cached(s, job);
		if (a != SEARCH_UNKNOWN) {
			err = found_note(job, a);
		} else if (job->columns && !job->stopped) {
			struct store_range range = { s->view.uids[job->next - 1],
						     s->view.uids[s->view.n - 1] };

			err = store_digest_each(s->store, s->view.mailbox, range, job->columns,
						row_each, s);
			if (err == OK)
				job->next = (uint32_t)s->view.n + 1;
			else if (err == ERR_AGAIN && job->stopped)
				err = OK;
		} else {
			err = row_full(s, job);
			job->stopped = false;
		}
		if (!err && slice_over(s, job))
			return ERR_AGAIN;
	}
	return err;
}

enum job_step cmd_search_step(struct imap_session *s)
{
	struct search_job *job = s->job.search;
	enum err err;

	if (job->telling)
		return search_tell_step(s, job);
	job->rows = 0;
	job->slice_start = s->config->mono_ms();
	err = slice_run(s, job);
	job->used_ms += s->config->mono_ms() - job->slice_start;
	if (err == ERR_AGAIN && job->used_ms < search_ms(s)) {
		s->yield = true;
		return STEP_MORE;
	}
	if (err) {
		imap_set_clear(&s->saved);
		if (err == ERR_AGAIN)
			session_reply(s, "NO [LIMIT] Search takes too long");
		else
			session_fail(s, err);
		return STEP_DONE;
	}
	search_tell_begin(s, job);
	return search_tell_step(s, job);
}
