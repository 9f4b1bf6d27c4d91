/*
 * roles/mailbox/imap/cmd_append.c: APPEND of one or more messages.
 *
 * The framer hands over the announcements and octets of the literals.  The octets are kept in memory
 * that is reserved when the literal is announced, so that a message that does not fit is refused before
 * the client sends it.  All messages are stored in one transaction (RFC 3502#6.3.11).
 */
#include "roles/mailbox/imap/imap.h"

struct append_item {
	struct buf bytes;
	struct imap_append_item about;
	bool nul; /* a NUL in a literal that is no literal8 */
};

struct append_job {
	struct append_item items[SESSION_APPEND_MAX];
	size_t n;
	uint64_t total; /* octets announced */
	uint64_t reserved; /* of append_memory */
	uint64_t mailbox;
};

void append_done(struct imap_session *s)
{
	struct append_job *job = s->job.append;

	if (!job)
		return;
	for (size_t i = 0; i < job->n; i++)
		buf_done(&job->items[i].bytes);
	if (s->config->append_memory)
		s->config->append_memory->used -= job->reserved;
	free(job);
	s->job.append = NULL;
}

/* Many sessions may append at once, each a message of the greatest size. */
static bool memory_take(struct imap_session *s, uint64_t size)
{
	struct imap_append_memory *m = s->config->append_memory;

	if (!m)
		return true;
	if (m->used > m->max || size > m->max - m->used)
		return false;
	m->used += size;
	s->job.append->reserved += size;
	return true;
}

/* Reserve room for a message that was announced; false: the reply is set. */
static bool item_begin(struct imap_session *s, const struct imap_append_item *about)
{
	struct append_job *job = s->job.append;
	struct store_usage usage = store_usage(s->store);
	uint64_t limit = s->framer.limits.message;
	struct append_item *item;

	if (job->n == SESSION_APPEND_MAX) {
		session_reply(s, "NO [LIMIT] Too many messages at once");
		return false;
	}
	if (about->size > limit || job->total > limit - about->size) {
		session_reply(s, "NO [TOOBIG] Message too big");
		return false;
	}
	if (about->size == 0) {
		session_reply(s, "NO Message is empty");
		return false;
	}
	job->total += about->size;
	if (usage.quota_bytes &&
	    (usage.bytes > usage.quota_bytes || job->total > usage.quota_bytes - usage.bytes)) {
		session_reply(s, "NO [OVERQUOTA] Quota exceeded");
		return false;
	}
	if (!memory_take(s, about->size)) {
		session_reply(s, "NO [LIMIT] Too much is being appended at once, please try again");
		return false;
	}
	item = &job->items[job->n++];
	item->about = *about;
	buf_init(&item->bytes, (size_t)about->size);
	if (!buf_room(&item->bytes, (size_t)about->size)) {
		session_reply(s, "NO [LIMIT] Out of memory");
		return false;
	}
	return true;
}

bool append_begin(struct imap_session *s)
{
	const struct store_mailbox *m = session_mailbox(s, &s->cmd.append.mailbox);

	if (!m && !s->cmd.append.mailbox.err)
		session_reply(s, "NO [TRYCREATE] No such mailbox");
	if (!m)
		return false;
	s->job.append = calloc(1, sizeof(*s->job.append));
	if (!s->job.append) {
		session_fail(s, ERR_NOMEM);
		return false;
	}
	s->job.append->mailbox = m->id;
	return item_begin(s, &s->cmd.append.item);
}

bool append_next(struct imap_session *s, struct view text)
{
	struct append_job *job = s->job.append;
	struct imap_append_item about;
	const char *problem = "";
	bool more = false;
	struct view copy = arena_copy(&s->arena, text);

	if (!copy.p) {
		session_fail(s, ERR_NOMEM);
		return false;
	}
	if (imap_parse_append_next(&s->arena, copy, job->items[job->n - 1].about.utf8, &about,
				   &more, &problem) ||
	    !more) {
		session_replyf(s, "BAD %s", more ? problem : "Syntax error");
		return false;
	}
	return item_begin(s, &about);
}

void append_data(struct imap_session *s, struct view bytes)
{
	struct append_job *job = s->job.append;
	struct append_item *item = &job->items[job->n - 1];

	buf_add(&item->bytes, bytes);
	if (!item->about.binary && view_has(bytes, '\0'))
		item->nul = true;
}

/* Flags, date and target of one message. */
static enum err put_fill(struct imap_session *s, const struct append_item *item,
			 struct store_target *target, struct store_put *put)
{
	uint64_t keywords = 0;
	enum err err = session_keywords(s, item->about.flags.keywords, true, &keywords);

	if (err)
		return err;
	if (item->nul) {
		session_reply(s, "NO NUL in the message");
		return ERR_SYNTAX;
	}
	*target = (struct store_target){
		.mailbox = s->job.append->mailbox,
		.flags = (uint16_t)(item->about.flags.flags & STORE_FLAG_MASK),
		.keywords = keywords,
	};
	*put = (struct store_put){
		.bytes = buf_view(&item->bytes),
		.fd = -1,
		.targets = target,
		.target_n = 1,
		.date = item->about.has_date ? item->about.date : s->config->wall(),
		.zone = (int16_t)(item->about.has_date ? item->about.zone : 0),
	};
	return OK;
}

/* resp-code-apnd = "APPENDUID" SP nz-number SP append-uid   RFC 9051#7.1; the UIDs of one transaction
 * follow each other. */
static void append_reply(struct imap_session *s, const struct store_put_result *results, size_t n)
{
	const struct store_mailbox *m = store_mailbox_by_id(s->store, s->job.append->mailbox);
	struct imap_set uids;

	if (!m) {
		session_reply(s, "OK Done");
		return;
	}
	imap_set_init(&uids, SESSION_APPEND_MAX);
	for (size_t i = 0; i < n; i++)
		if (imap_set_add(&uids, results[i].uid, results[i].uid))
			s->reply.err = ERR_NOMEM;
	session_replyf(s, "OK [APPENDUID %lu ", (unsigned long)m->uidvalidity);
	imap_ranges_add_text(&s->reply, imap_set_ranges(&uids));
	buf_add(&s->reply, VIEW("] Done"));
	imap_set_done(&uids);
}

void append_finish(struct imap_session *s, struct view text)
{
	struct append_job *job = s->job.append;
	struct store_target targets[SESSION_APPEND_MAX];
	struct store_put puts[SESSION_APPEND_MAX];
	struct store_put_result results[SESSION_APPEND_MAX];
	struct imap_append_item about;
	const char *problem = "";
	bool more = false;

	if (imap_parse_append_next(&s->arena, text, job->items[job->n - 1].about.utf8, &about,
				   &more, &problem)) {
		session_replyf(s, "BAD %s", problem);
		return;
	}
	for (size_t i = 0; i < job->n; i++)
		if (put_fill(s, &job->items[i], &targets[i], &puts[i]))
			return;
	store_origin_set(s->store, s);

	enum err err = store_put(s->store, STORE_APPEND, puts, job->n, results);

	if (err == ERR_LIMIT)
		session_reply(s, "NO [TOOBIG] Message too big");
	else if (err)
		session_fail(s, err);
	else
		append_reply(s, results, job->n);
}
