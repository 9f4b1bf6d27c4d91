/*
 * roles/mailbox/imap/search_match.c: evaluate a search program on one message.
 *
 * Recursion follows the tree, whose depth the parser caps (IMAP_SEARCH_DEPTH_MAX).
 */
#include "proto/mime/utf8.h"
#include "roles/mailbox/imap/search.h"

enum { DAY = 24 * 3600 };

static int64_t day_of(int64_t seconds, int zone)
{
	int64_t local = seconds + (int64_t)zone * 60;

	return local / DAY - (local % DAY < 0);
}

/* The kept text that a field name stands for, or DIGEST_FIELDS. */
static enum digest_field kept_field(struct view name)
{
	static const struct view names[DIGEST_FIELDS] = {
		[DIGEST_FROM] = VIEW_INIT("From"),	 [DIGEST_TO] = VIEW_INIT("To"),
		[DIGEST_CC] = VIEW_INIT("Cc"),		 [DIGEST_BCC] = VIEW_INIT("Bcc"),
		[DIGEST_SUBJECT] = VIEW_INIT("Subject"),
	};
	unsigned i = 0;

	while (i < DIGEST_FIELDS && !view_eq_nocase(names[i], name))
		i++;
	return (enum digest_field)i;
}

/* The field that a key looks at; DIGEST_FIELDS if it is not kept. */
static enum digest_field key_field(const struct imap_search_key *key)
{
	switch (key->op) {
	case IMAP_SEARCH_FROM: return DIGEST_FROM;
	case IMAP_SEARCH_TO: return DIGEST_TO;
	case IMAP_SEARCH_CC: return DIGEST_CC;
	case IMAP_SEARCH_BCC: return DIGEST_BCC;
	case IMAP_SEARCH_SUBJECT: return DIGEST_SUBJECT;
	case IMAP_SEARCH_HEADER: return kept_field(key->field);
	default: return DIGEST_FIELDS;
	}
}

static bool header_kept(const struct imap_search_key *key)
{
	return digest_header_cached((struct imap_views){ &key->field, 1 });
}

static enum err key_prepare(struct imap_session *s, struct search_job *job,
			    struct imap_search_key *key)
{
	unsigned number = 0;
	enum err err;

	switch (key->op) {
	case IMAP_SEARCH_SEQ: return mbox_resolve(s, &key->seq, false, &key->ranges);
	case IMAP_SEARCH_UID: return mbox_resolve(s, &key->seq, true, &key->ranges);
	case IMAP_SEARCH_KEYWORD:
		err = store_keyword(s->store, key->text, false, &number);
		key->number = err ? -1 : (int64_t)number;
		return OK;
	case IMAP_SEARCH_SENTBEFORE:
	case IMAP_SEARCH_SENTON:
	case IMAP_SEARCH_SENTSINCE: job->columns |= STORE_COL_SEARCH; return OK;
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT: job->needs_body = true; break;
	case IMAP_SEARCH_HEADER:
		job->columns |=
			key_field(key) < DIGEST_FIELDS ? STORE_COL_SEARCH : STORE_COL_HEADER;
		break;
	case IMAP_SEARCH_FROM:
	case IMAP_SEARCH_TO:
	case IMAP_SEARCH_CC:
	case IMAP_SEARCH_BCC:
	case IMAP_SEARCH_SUBJECT: job->columns |= STORE_COL_SEARCH; break;
	default: return OK;
	}
	buf_clear(&job->folded);
	mime_casefold(&job->folded, key->text);
	key->folded = arena_copy(&s->arena, buf_view(&job->folded));
	if (buf_err(&job->folded) || (job->folded.n && !key->folded.p)) {
		session_fail(s, ERR_NOMEM);
		return ERR_NOMEM;
	}
	return OK;
}

enum err search_prepare(struct imap_session *s, struct search_job *job, struct imap_search_key *key)
{
	enum err err = key_prepare(s, job, key);

	for (struct imap_search_key *c = key->child; c && !err; c = c->next)
		err = search_prepare(s, job, c);
	return err;
}

static enum search_answer answer(bool yes)
{
	return yes ? SEARCH_YES : SEARCH_NO;
}

static bool match_flag(const struct imap_session *s, const struct search_job *job,
		       const struct imap_search_key *key)
{
	if (key->number == IMAP_FLAG_RECENT)
		return mbox_recent(&s->view, job->message->uid);
	return (job->message->flags & key->number) != 0;
}

static bool match_id(const struct imap_search_key *key, char prefix, uint64_t id)
{
	char room[24];
	int n = snprintf(room, sizeof(room), "%c%llx", prefix, (unsigned long long)id);

	return view_eq(key->text, view_of(room, (size_t)n));
}

/* Keys that the row decides. */
static enum search_answer match_row(const struct imap_session *s, const struct search_job *job,
				    const struct imap_search_key *key)
{
	const struct store_message *m = job->message;

	switch (key->op) {
	case IMAP_SEARCH_ALL: return SEARCH_YES;
	case IMAP_SEARCH_FLAG: return answer(match_flag(s, job, key));
	case IMAP_SEARCH_KEYWORD:
		return answer(key->number >= 0 && (m->keywords >> key->number & 1));
	case IMAP_SEARCH_SEQ:
	case IMAP_SEARCH_UID: return answer(imap_ranges_contain(key->ranges, (uint32_t)job->seq));
	case IMAP_SEARCH_MODSEQ: return answer(m->modseq >= (uint64_t)key->number);
	case IMAP_SEARCH_LARGER: return answer((int64_t)m->size > key->number);
	case IMAP_SEARCH_SMALLER: return answer((int64_t)m->size < key->number);
	case IMAP_SEARCH_OLDER: return answer(m->date <= s->config->wall() - key->number);
	case IMAP_SEARCH_YOUNGER: return answer(m->date >= s->config->wall() - key->number);
	case IMAP_SEARCH_BEFORE: return answer(day_of(m->date, m->zone) < key->number);
	case IMAP_SEARCH_ON: return answer(day_of(m->date, m->zone) == key->number);
	case IMAP_SEARCH_SINCE: return answer(day_of(m->date, m->zone) >= key->number);
	case IMAP_SEARCH_SAVEDBEFORE: return answer(day_of(m->saved, 0) < key->number);
	case IMAP_SEARCH_SAVEDON: return answer(day_of(m->saved, 0) == key->number);
	case IMAP_SEARCH_SAVEDSINCE: return answer(day_of(m->saved, 0) >= key->number);
	case IMAP_SEARCH_SAVEDATE_SUPPORTED: return SEARCH_YES;
	case IMAP_SEARCH_EMAILID: return answer(match_id(key, 'E', m->blob));
	case IMAP_SEARCH_THREADID: return SEARCH_NO;
	default: return SEARCH_UNKNOWN;
	}
}

/* SENTBEFORE and its like: the day in the sender's zone   RFC 9051#6.4.4 */
static enum search_answer match_sent(const struct search_job *job,
				     const struct imap_search_key *key)
{
	int64_t day;

	if (!job->has_sent)
		return SEARCH_NO;
	day = day_of(job->sent, job->sent_zone);
	switch (key->op) {
	case IMAP_SEARCH_SENTBEFORE: return answer(day < key->number);
	case IMAP_SEARCH_SENTON: return answer(day == key->number);
	default: return answer(day >= key->number);
	}
}

/* Keys that kept columns decide; UNKNOWN when the column is not there. */
static enum search_answer match_kept(struct imap_session *s, struct search_job *job,
				     const struct imap_search_key *key)
{
	enum digest_field field = key_field(key);

	if (key->op >= IMAP_SEARCH_SENTBEFORE && key->op <= IMAP_SEARCH_SENTSINCE)
		return match_sent(job, key);
	if (!job->digest)
		return SEARCH_UNKNOWN;
	if (field < DIGEST_FIELDS && job->kept_valid) {
		struct view text = job->kept.text[field];

		return answer(text.p && view_find(text, key->folded) != VIEW_NONE);
	}
	if (key->op == IMAP_SEARCH_HEADER && field == DIGEST_FIELDS && job->digest->header.n &&
	    header_kept(key))
		return answer(search_fields(s, job, job->digest->header, key->field, key->folded));
	return SEARCH_UNKNOWN;
}

static enum search_answer match_leaf(struct imap_session *s, struct search_job *job,
				     const struct imap_search_key *key, enum search_level level)
{
	enum search_answer a = match_row(s, job, key);

	if (a == SEARCH_UNKNOWN && level >= LEVEL_KEPT)
		a = match_kept(s, job, key);
	if (a == SEARCH_UNKNOWN && level >= LEVEL_BODY)
		a = answer(search_octets(s, job, key));
	return a;
}

enum search_answer search_match(struct imap_session *s, struct search_job *job,
				const struct imap_search_key *key, enum search_level level)
{
	/* What decides at once: NO for AND, YES for OR. */
	enum search_answer decides = key->op == IMAP_SEARCH_OR ? SEARCH_YES : SEARCH_NO;
	enum search_answer all = key->op == IMAP_SEARCH_OR ? SEARCH_NO : SEARCH_YES;

	switch (key->op) {
	case IMAP_SEARCH_NOT:
		all = search_match(s, job, key->child, level);
		return all == SEARCH_UNKNOWN ? all : answer(all == SEARCH_NO);
	case IMAP_SEARCH_AND:
	case IMAP_SEARCH_OR: break;
	default: return match_leaf(s, job, key, level);
	}
	for (const struct imap_search_key *c = key->child; c; c = c->next) {
		enum search_answer a = search_match(s, job, c, level);

		if (a == decides)
			return a;
		if (a == SEARCH_UNKNOWN)
			all = a;
	}
	return all;
}
