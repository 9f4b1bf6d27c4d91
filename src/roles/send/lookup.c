/*
 * roles/send/lookup.c: questions to resolve, for the plans of destinations.
 */
#include "send.h"

struct lookup {
	struct destination *destination;
	struct plan_question question;
	uint64_t tag;
};

static enum err lookup_new(struct send *s, struct destination *d, const struct plan_question *q,
			   struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	if (++s->last_tag == 0)
		s->last_tag = 1;
	*l = (struct lookup){ d, *q, s->last_tag };
	if (map_put(&s->by_tag, map_key_u64(&l->tag), l)) {
		free(l);
		return ERR_NOMEM;
	}
	d->questions++;
	*ret = l;
	return OK;
}

static void lookup_free(struct send *s, struct lookup *l)
{
	map_remove(&s->by_tag, map_key_u64(&l->tag));
	l->destination->questions--;
	free(l);
}

static void ask(struct destination *d, const struct plan_question *q)
{
	struct send *s = d->send;
	struct lookup *l;
	enum err err = lookup_new(s, d, q, &l);

	if (!err) {
		struct resolve_query m = { (uint32_t)l->tag, q->name, q->type };

		err = resolve_send_query(s->resolve, &m);
		if (err)
			lookup_free(s, l);
	}
	/* Not asked is as good as not answered. */
	if (err)
		plan_answer(&d->plan, q, &(struct resolve_answer){ .status = RESOLVE_TEMPORARY });
}

void lookup_ask(struct destination *d)
{
	struct send *s = d->send;
	struct plan_question q;

	while (s->resolve && s->by_tag.n < QUESTIONS_MAX && plan_question_next(&d->plan, &q))
		ask(d, &q);
}

enum err lookup_answer(struct send *s, const struct resolve_answer *m)
{
	uint64_t tag = m->tag;
	struct lookup *l = map_get(&s->by_tag, map_key_u64(&tag));

	if (!l)
		return ERR_PEER;
	plan_answer(&l->destination->plan, &l->question, m);
	lookup_free(s, l);
	destination_dispatch(s);
	return OK;
}

void lookup_forget(struct send *s)
{
	for (;;) {
		size_t at = 0;
		struct view key;
		void *value;

		if (!map_next(&s->by_tag, &at, &key, &value))
			break;
		/* The plan has lost an answer; it begins again when resolve is back. */
		((struct lookup *)value)->destination->planned = false;
		lookup_free(s, value);
	}
}
