/*
 * roles/mailbox/imap/search_tell.c: the answer of SEARCH, in slices.
 *
 * "* SEARCH" of RFC 3501#7.2.5 or "* ESEARCH" of RFC 9051#7.3.4.  The parts of the response are steps;
 * lists of numbers stop where output is full and go on there.
 */
#include "roles/mailbox/imap/search.h"

static uint32_t number_of(const struct imap_session *s, uint32_t seq)
{
	return s->cmd.uid ? s->view.uids[seq - 1] : seq;
}

static uint32_t first_found(const struct search_job *job)
{
	return job->found.at[0].first;
}

static uint32_t last_found(const struct search_job *job)
{
	return job->found.at[job->found.n - 1].last;
}

/* The result that later commands name by "$"   RFC 5182#2.1 */
static void save(struct imap_session *s, const struct search_job *job)
{
	unsigned returns = s->cmd.search.returns;
	bool ends = (returns & (IMAP_RETURN_MIN | IMAP_RETURN_MAX)) &&
		    !(returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT | IMAP_RETURN_PARTIAL));
	enum err err = OK;

	imap_set_clear(&s->saved);
	for (size_t i = 0; i < job->found.n && !err && !ends; i++)
		for (uint32_t seq = job->found.at[i].first; seq <= job->found.at[i].last && !err;
		     seq++)
			err = imap_set_add(&s->saved, s->view.uids[seq - 1], s->view.uids[seq - 1]);
	if (ends && job->count) {
		uint32_t low = s->view.uids[first_found(job) - 1];
		uint32_t high = s->view.uids[last_found(job) - 1];

		if (returns & IMAP_RETURN_MIN)
			err = imap_set_add(&s->saved, low, low);
		if (!err && (returns & IMAP_RETURN_MAX))
			err = imap_set_add(&s->saved, high, high);
	}
	if (!err)
		return;
	imap_set_clear(&s->saved);
	session_reply(s, "NO [NOTSAVED] Result too large to be saved");
}

/* MODSEQ of what is told   RFC 4731#3.2 */
static void add_modseq(struct imap_session *s, const struct search_job *job)
{
	unsigned returns = s->cmd.search.returns;
	bool ends = (returns & (IMAP_RETURN_MIN | IMAP_RETURN_MAX)) &&
		    !(returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT | IMAP_RETURN_PARTIAL));
	uint64_t modseq = job->modseq;

	if (ends) {
		const struct store_message *low =
			store_snapshot_find(s->view.snapshot, s->view.uids[first_found(job) - 1]);
		const struct store_message *high =
			store_snapshot_find(s->view.snapshot, s->view.uids[last_found(job) - 1]);

		modseq = 0;
		if ((returns & IMAP_RETURN_MIN) && low)
			modseq = low->modseq;
		if ((returns & IMAP_RETURN_MAX) && high && high->modseq > modseq)
			modseq = high->modseq;
	}
	buf_add(&s->out, job->esearch ? VIEW(" MODSEQ ") : VIEW(" (MODSEQ "));
	buf_add_u64(&s->out, modseq);
	if (!job->esearch)
		buf_add_char(&s->out, ')');
}

/* Positions (from 0) that PARTIAL names   RFC 9394#3.1 */
static void partial_positions(const struct imap_search_args *args, uint64_t count, uint64_t *from,
			      uint64_t *to)
{
	int64_t first = args->partial_first;
	int64_t last = args->partial_last;
	int64_t n = (int64_t)count;

	if (first < 0) {
		first += n + 1;
		last += n + 1;
	}
	if (first < 1)
		first = 1;
	if (last > n)
		last = n;
	*from = (uint64_t)(first - 1);
	*to = last >= first ? (uint64_t)last : *from;
}

static void list_begin(struct search_job *job, uint64_t from, uint64_t to)
{
	job->from = from;
	job->to = to;
	job->position = 0;
	job->at = 1;
	job->first = true;
}

/* Numbers at the positions from .. to, one by one with blanks. */
static enum job_step add_numbers(struct imap_session *s, struct search_job *job)
{
	while (imap_ranges_next(imap_set_ranges(&job->found), job->at, &job->at)) {
		if (!session_room(s))
			return STEP_MORE;
		buf_add_char(&s->out, ' ');
		buf_add_u64(&s->out, number_of(s, job->at++));
	}
	return STEP_DONE;
}

/* The run of numbers that begins at job->at, within the positions that are told. */
static void add_run(struct imap_session *s, struct search_job *job)
{
	uint32_t low = number_of(s, job->at);
	uint32_t high = low;
	struct imap_ranges found = imap_set_ranges(&job->found);

	while (job->position < job->to) {
		uint32_t next = 0;

		job->position++;
		job->at++;
		if (!imap_ranges_next(found, job->at, &next))
			break;
		job->at = next;
		if (job->position >= job->to || number_of(s, next) != high + 1)
			break;
		high++;
	}
	if (!job->first)
		buf_add_char(&s->out, ',');
	job->first = false;
	buf_add_u64(&s->out, low);
	if (high > low) {
		buf_add_char(&s->out, ':');
		buf_add_u64(&s->out, high);
	}
}

/* As sequence-set. */
static enum job_step add_set(struct imap_session *s, struct search_job *job)
{
	struct imap_ranges found = imap_set_ranges(&job->found);

	/* Go to the first position that is told. */
	for (size_t i = 0; i < found.n && job->position < job->from; i++) {
		uint64_t n = (uint64_t)found.at[i].last - found.at[i].first + 1;
		uint64_t left = job->from - job->position;

		job->at = n > left ? found.at[i].first + (uint32_t)left : found.at[i].last + 1;
		job->position += n > left ? left : n;
	}
	while (job->position < job->to && imap_ranges_next(found, job->at, &job->at)) {
		if (!session_room(s))
			return STEP_MORE;
		add_run(s, job);
	}
	return STEP_DONE;
}

void search_tell_begin(struct imap_session *s, struct search_job *job)
{
	struct imap_search_args *args = &s->cmd.search;

	session_reply(s, "OK Done");
	if (args->returns & IMAP_RETURN_SAVE)
		save(s, job);
	job->telling = true;
	job->esearch = (args->returns & IMAP_RETURN_GIVEN) || session_has(s, FEATURE_REV2);
	if (job->esearch && !(args->returns & IMAP_RETURN_GIVEN))
		args->returns |= IMAP_RETURN_ALL;
	list_begin(job, 0, job->count);
}

/* "* ESEARCH (TAG "a1") UID MIN 3 MAX 9 COUNT 4" */
static void esearch_head(struct imap_session *s, struct search_job *job)
{
	unsigned returns = s->cmd.search.returns;
	struct buf *out = &s->out;

	buf_add(out, VIEW("* ESEARCH (TAG "));
	imap_add_string(out, view_of(s->tag, s->tag_n), false);
	buf_add_char(out, ')');
	if (s->cmd.uid)
		buf_add(out, VIEW(" UID"));
	if ((returns & IMAP_RETURN_MIN) && job->count) {
		buf_add(out, VIEW(" MIN "));
		buf_add_u64(out, number_of(s, first_found(job)));
	}
	if ((returns & IMAP_RETURN_MAX) && job->count) {
		buf_add(out, VIEW(" MAX "));
		buf_add_u64(out, number_of(s, last_found(job)));
	}
	if (returns & IMAP_RETURN_COUNT) {
		buf_add(out, VIEW(" COUNT "));
		buf_add_u64(out, job->count);
	}
}

/* What stands before the list, and which positions it has; false: there is no list. */
static bool list_head(struct imap_session *s, struct search_job *job)
{
	const struct imap_search_args *args = &s->cmd.search;
	uint64_t from, to;

	if (!job->esearch) {
		buf_add(&s->out, VIEW("* SEARCH"));
		return true;
	}
	esearch_head(s, job);
	if (args->returns & IMAP_RETURN_PARTIAL) {
		bool back = args->partial_first < 0;

		partial_positions(args, job->count, &from, &to);
		buf_add(&s->out, VIEW(" PARTIAL ("));
		buf_add_i64(&s->out, back ? args->partial_last : args->partial_first);
		buf_add_char(&s->out, ':');
		buf_add_i64(&s->out, back ? args->partial_first : args->partial_last);
		buf_add_char(&s->out, ' ');
		if (from == to)
			buf_add(&s->out, VIEW("NIL"));
		list_begin(job, from, to);
		return true;
	}
	if (!(args->returns & IMAP_RETURN_ALL) || !job->count)
		return false;
	buf_add(&s->out, VIEW(" ALL "));
	return true;
}

enum job_step search_tell_step(struct imap_session *s, struct search_job *job)
{
	const struct imap_search_args *args = &s->cmd.search;
	enum { HEAD, LIST, TAIL };

	/* A result that is only saved is not told. */
	if (args->returns == (IMAP_RETURN_GIVEN | IMAP_RETURN_SAVE))
		return STEP_DONE;
	if (job->part == HEAD)
		job->part = list_head(s, job) ? LIST : TAIL;
	if (job->part == LIST) {
		if ((job->esearch ? add_set(s, job) : add_numbers(s, job)) == STEP_MORE)
			return STEP_MORE;
		if (args->returns & IMAP_RETURN_PARTIAL)
			buf_add_char(&s->out, ')');
		job->part = TAIL;
	}
	if (args->modseq && job->count)
		add_modseq(s, job);
	buf_add(&s->out, VIEW("\r\n"));
	return STEP_DONE;
}
