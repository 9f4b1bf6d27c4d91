/*
 * proto/mime/subject.c: the base subject, which threads and sorting compare.
 *
 * RFC 5256#2.1, in linear time: where the text of the standard removes one blob, looks again,
 * removes the next, all blobs in a row are passed at once, with the same result.  Interface in
 * envelope.h.
 */
#include "base/ascii.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/envelope.h"

static struct view skip_spaces(struct view v)
{
	while (v.n && v.p[0] == ' ')
		v = view_from(v, 1);
	return v;
}

/* subj-trailer = "(fwd)" / WSP, any number */
static struct view cut_trailers(struct view v, bool *reply)
{
	for (;;) {
		while (v.n && v.p[v.n - 1] == ' ')
			v.n--;
		if (v.n < 5 || !view_eq_nocase(view_from(v, v.n - 5), VIEW("(fwd)")))
			return v;
		v.n -= 5;
		*reply = true;
	}
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; false, and v unchanged, if there is none */
static bool cut_blob(struct view *v)
{
	size_t n = 1;

	if (v->n == 0 || v->p[0] != '[')
		return false;
	while (n < v->n && v->p[n] != '[' && v->p[n] != ']')
		n++;
	if (n == v->n || v->p[n] != ']')
		return false;
	*v = skip_spaces(view_from(*v, n + 1));
	return true;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool cut_refwd(struct view *v)
{
	struct view rest;

	if (view_starts_nocase(*v, VIEW("re")))
		rest = view_from(*v, 2);
	else if (view_starts_nocase(*v, VIEW("fwd")))
		rest = view_from(*v, 3);
	else if (view_starts_nocase(*v, VIEW("fw")))
		rest = view_from(*v, 2);
	else
		return false;
	rest = skip_spaces(rest);
	cut_blob(&rest);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*v = view_from(rest, 1);
	return true;
}

/* Steps 3 to 5: *(*subj-blob subj-refwd / WSP), then blobs that leave something behind. */
static struct view cut_leaders(struct view v, bool *reply)
{
	for (;;) {
		v = skip_spaces(v);

		struct view rest = v, before_last = v;

		while (rest.n) {
			struct view here = rest;

			if (!cut_blob(&rest))
				break;
			before_last = here;
		}
		if (cut_refwd(&rest)) {
			*reply = true;
			v = rest;
			continue;
		}
		return rest.n ? rest : before_last;
	}
}

/* Step 6: "[fwd:" subject "]"; false if the text is not of that form. */
static bool cut_wrapper(struct view *v)
{
	struct view prefix = VIEW("[fwd:");

	if (v->n <= prefix.n || !view_starts_nocase(*v, prefix) || v->p[v->n - 1] != ']')
		return false;
	*v = view_part(*v, prefix.n, v->n - prefix.n - 1);
	return true;
}

/* Step 1, second half: every run of white space becomes one blank. */
static void collapse(struct buf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->n; i++) {
		char c = ascii_is_space((uint8_t)text->p[i]) ? ' ' : text->p[i];

		if (c == ' ' && n && text->p[n - 1] == ' ')
			continue;
		text->p[n++] = c;
	}
	buf_truncate(text, n);
}

void mime_subject_base(struct buf *out, struct view subject, const struct mime_converter *conv,
		       bool *ret_reply)
{
	/* A byte of any charset is at most three bytes of UTF-8, or the converter says no. */
	size_t max;
	bool reply = false;

	if (!size_mul(subject.n, 4, &max))
		max = subject.n;

	struct buf CLEANUP(buf_done) text = BUF_INIT(max);

	encoded_word_decode(&text, subject, conv);
	if (text.err && !out->err)
		out->err = text.err;
	collapse(&text);

	struct view base = buf_view(&text);

	do {
		base = cut_trailers(base, &reply);
		base = cut_leaders(base, &reply);
	} while (cut_wrapper(&base) && (reply = true));
	buf_add(out, base);
	if (ret_reply)
		*ret_reply = reply;
}
