/*
 * roles/mailbox/imap/cmd_list.c: LIST with its extensions, and LSUB.
 *
 * A generator over the mailboxes, or over the names subscribed to.  When mailboxes come and go between
 * two slices, one may be missed or named twice, as between two commands.
 */
#include "proto/imap/match.h"
#include "roles/mailbox/imap/imap.h"

enum { LIST_SLICE = 2000 }; /* names looked at in one slice */

struct list_job {
	const struct imap_list_args *args;
	struct imap_pattern *patterns;
	size_t pattern_n;
	bool by_subscription; /* walk subs, not the mailboxes */
	bool lsub;
	size_t at;
	struct view *subs; /* subscribed names, ascending */
	size_t sub_n;
	struct view parent; /* LSUB: the parent that was named last */
};

static bool job_match(const struct list_job *job, struct view name)
{
	for (size_t i = 0; i < job->pattern_n; i++)
		if (imap_pattern_match(&job->patterns[i], name))
			return true;
	return false;
}

static enum err patterns_compile(struct imap_session *s, struct list_job *job)
{
	const struct imap_list_args *args = job->args;

	job->patterns = ARENA_ARRAY(&s->arena, struct imap_pattern, size_max(args->patterns.n, 1));
	if (!job->patterns)
		return ERR_NOMEM;
	for (size_t i = 0; i < args->patterns.n; i++) {
		if (!args->patterns.at[i].n)
			continue;
		buf_clear(&s->scratch);
		buf_add(&s->scratch, args->reference);
		buf_add(&s->scratch, args->patterns.at[i]);

		enum err err = imap_pattern_compile(&s->arena, buf_view(&s->scratch),
						    &job->patterns[job->pattern_n]);

		if (err == ERR_LIMIT)
			continue; /* longer than any name */
		if (err)
			return err;
		job->pattern_n++;
	}
	return OK;
}

static int name_order(const void *a, const void *b)
{
	return view_cmp(*(const struct view *)a, *(const struct view *)b);
}

static enum err subs_load(struct imap_session *s, struct list_job *job)
{
	struct view name;
	size_t at = 0;
	size_t n = 0;

	while (store_subscription_next(s->store, &at, &name))
		n++;
	job->subs = ARENA_ARRAY(&s->arena, struct view, size_max(n, 1));
	if (!job->subs)
		return ERR_NOMEM;
	at = 0;
	while (job->sub_n < n && store_subscription_next(s->store, &at, &name)) {
		job->subs[job->sub_n] = arena_copy(&s->arena, name);
		if (!job->subs[job->sub_n++].p)
			return ERR_NOMEM;
	}
	qsort(job->subs, job->sub_n, sizeof(*job->subs), name_order);
	return OK;
}

/* The first subscribed name that is not below name in order. */
static size_t subs_from(const struct list_job *job, struct view name)
{
	size_t low = 0;
	size_t high = job->sub_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (view_cmp(job->subs[mid], name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_subscribed(const struct list_job *job, struct view name)
{
	size_t at = subs_from(job, name);

	return at < job->sub_n && view_eq(job->subs[at], name);
}

/* Is something below name subscribed?  Uses scratch. */
static bool has_subscribed_child(struct imap_session *s, const struct list_job *job,
				 struct view name)
{
	buf_clear(&s->scratch);
	buf_add(&s->scratch, name);
	buf_add_char(&s->scratch, '/');

	size_t at = subs_from(job, buf_view(&s->scratch));

	return at < job->sub_n && view_starts(job->subs[at], buf_view(&s->scratch));
}

static void add_attribute(struct buf *out, bool *first, struct view name)
{
	if (!*first)
		buf_add_char(out, ' ');
	*first = false;
	buf_add(out, name);
}

/* mbx-list-flags of a mailbox; m NULL: it does not exist   RFC 9051#7.3.1 */
static void add_attributes(struct imap_session *s, const struct store_mailbox *m, bool subscribed)
{
	bool first = true;

	buf_add(&s->out, VIEW(" ("));
	if (!m) {
		add_attribute(&s->out, &first, VIEW("\\NonExistent"));
	} else {
		if (!m->selectable)
			add_attribute(&s->out, &first, VIEW("\\Noselect"));
		add_attribute(&s->out, &first,
			      m->has_children ? VIEW("\\HasChildren") : VIEW("\\HasNoChildren"));
		for (unsigned i = 0; i < IMAP_USE_COUNT; i++)
			if (m->special >> i & 1)
				add_attribute(&s->out, &first, imap_use_name(1U << i));
	}
	if (subscribed)
		add_attribute(&s->out, &first, VIEW("\\Subscribed"));
	buf_add(&s->out, VIEW(") \"/\" "));
}

void list_add_selected(struct imap_session *s, const struct store_mailbox *m)
{
	buf_add(&s->out, VIEW("* LIST"));
	add_attributes(s, m, false);
	imap_add_mailbox(&s->out, m->name, session_utf8(s));
	buf_add(&s->out, VIEW("\r\n"));
}

static void add_list(struct imap_session *s, const struct list_job *job, struct view name,
		     const struct store_mailbox *m, bool child_info)
{
	bool subscribed =
		(job->args->options & IMAP_LIST_RETURN_SUBSCRIBED) && is_subscribed(job, name);

	buf_add(&s->out, VIEW("* LIST"));
	add_attributes(s, m, subscribed);
	imap_add_mailbox(&s->out, name, session_utf8(s));
	if (child_info)
		buf_add(&s->out, VIEW(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
	buf_add(&s->out, VIEW("\r\n"));
	if ((job->args->options & IMAP_LIST_RETURN_STATUS) && m && m->selectable)
		status_add(s, m, job->args->status);
}

/* One mailbox of a LIST that walks mailboxes. */
static void list_mailbox(struct imap_session *s, const struct list_job *job,
			 const struct store_mailbox *m)
{
	unsigned options = job->args->options;
	bool child = false;

	if ((options & IMAP_LIST_SPECIAL) && !m->special)
		return;
	if (!job_match(job, m->name))
		return;
	if (options & IMAP_LIST_RECURSIVE) {
		child = has_subscribed_child(s, job, m->name);
		if (!child && !is_subscribed(job, m->name))
			return;
	}
	add_list(s, job, m->name, m, child);
}

/* LSUB: name, or the parent of it that the pattern names   RFC 3501#6.3.9 */
static void lsub_name(struct imap_session *s, struct list_job *job, struct view name)
{
	struct view shown = name;
	bool self = job_match(job, name);

	while (!self) {
		size_t slash = view_rfind_char(shown, '/');

		if (slash == VIEW_NONE)
			return;
		shown = view_head(shown, slash);
		if (job_match(job, shown))
			break;
	}
	if (!self && (is_subscribed(job, shown) || view_eq(shown, job->parent)))
		return;
	if (!self)
		job->parent = shown;
	buf_add(&s->out, self ? VIEW("* LSUB () \"/\" ") : VIEW("* LSUB (\\Noselect) \"/\" "));
	imap_add_mailbox(&s->out, shown, session_utf8(s));
	buf_add(&s->out, VIEW("\r\n"));
}

static void list_subscription(struct imap_session *s, struct list_job *job, struct view name)
{
	const struct store_mailbox *m;

	if (job->lsub) {
		lsub_name(s, job, name);
		return;
	}
	if (!job_match(job, name))
		return;
	m = store_mailbox_by_name(s->store, name);
	if ((job->args->options & IMAP_LIST_SPECIAL) && !(m && m->special))
		return;
	add_list(s, job, name, m, false);
}

/* RFC 9051#6.3.9, RFC 5258, RFC 5819, RFC 3501#6.3.9 */
void cmd_list(struct imap_session *s)
{
	const struct imap_list_args *args = &s->cmd.list;
	bool lsub = s->cmd.info->id == IMAP_CMD_LSUB;
	struct list_job *job = ARENA_NEW(&s->arena, struct list_job);
	unsigned subs = IMAP_LIST_SUBSCRIBED | IMAP_LIST_RETURN_SUBSCRIBED;
	enum err err = job ? OK : ERR_NOMEM;

	if (!err) {
		s->job.list = job;
		job->args = args;
		job->lsub = lsub;
		/* With RECURSIVEMATCH parents are looked for, which exist always. */
		job->by_subscription = lsub || ((args->options & IMAP_LIST_SUBSCRIBED) &&
						!(args->options & IMAP_LIST_RECURSIVE));
		err = patterns_compile(s, job);
	}
	if (!err && (lsub || (args->options & subs)))
		err = subs_load(s, job);
	if (err) {
		session_fail(s, err);
		return;
	}
	/* The separator is asked for. */
	if (args->asked_root && !(args->options & IMAP_LIST_EXTENDED))
		session_untagged(s, lsub ? "LSUB (\\Noselect) \"/\" \"\""
					 : "LIST (\\Noselect) \"/\" \"\"");
}

enum job_step cmd_list_step(struct imap_session *s)
{
	struct list_job *job = s->job.list;

	for (size_t n = 0; n < LIST_SLICE && session_room(s); n++) {
		const struct store_mailbox *m = NULL;

		if (job->by_subscription && job->at < job->sub_n) {
			list_subscription(s, job, job->subs[job->at++]);
			continue;
		}
		if (!job->by_subscription)
			m = store_mailbox_next(s->store, &job->at);
		if (!m) {
			session_reply(s, "OK Done");
			return STEP_DONE;
		}
		list_mailbox(s, job, m);
	}
	s->yield = true;
	return STEP_MORE;
}
