/*
 * proto/mime/seven_bit.c: the plan, and the reader that follows it.  See seven_bit.h.
 *
 * The plan is made in two passes over the tree: first what is to be done to each part, then the steps in
 * the order of the octets.  Whatever the steps leave as it is, is looked at once more at the end: so
 * nothing above 127 leaves, wherever it stands.
 */
#include "proto/mime/seven_bit.h"

#include "proto/mime/header.h"

enum {
	PIECE = 16 * 1024, /* room to measure with */
	GROWTH = 4, /* octets that an encoded one takes at most, soft line breaks included */
	TAIL = 64 /* ... and what an encoder has pending */
};

/* Readers may disagree about such a part, or it is not known to its end. */
static const unsigned ODD = MIME_PART_DEPTH | MIME_PART_COUNT | MIME_PART_ENCODED |
			    MIME_PART_DUPLICATE | MIME_PART_BAD_HEADER | MIME_PART_BIG_HEADER |
			    MIME_PART_TEXT_LIMIT;

static const char WHY_HEADER[] = "a header has characters beyond ASCII";
static const char WHY_SIGNED[] = "a signed part must not be changed";
static const char WHY_COMPOSITE[] = "a part of its type must not be encoded";
static const char WHY_ENCODED[] = "a part that is said to be encoded already is not";
static const char WHY_ODD[] = "its structure is ambiguous or past the limits";
static const char WHY_BETWEEN[] = "8-bit characters stand between its parts";

static const struct view FIELDS[] = {
	[MIME_SEVEN_BIT_SAYS_QP] = VIEW_INIT("Content-Transfer-Encoding: quoted-printable\r\n"),
	[MIME_SEVEN_BIT_SAYS_BASE64] = VIEW_INIT("Content-Transfer-Encoding: base64\r\n"),
	[MIME_SEVEN_BIT_SAYS_7BIT] = VIEW_INIT("Content-Transfer-Encoding: 7bit\r\n"),
	[MIME_SEVEN_BIT_SAYS_MIME] = VIEW_INIT("MIME-Version: 1.0\r\n"),
};

/* What is done to a part. */
enum treatment {
	KEEP,
	RELABEL, /* a composite: something inside is changed */
	TO_QP,
	TO_BASE64
};

struct planner {
	struct view text;
	struct mime_seven_bit plan;
	size_t at; /* what stands before has its steps */
	const char *why; /* it cannot be done */
	uint8_t treatment[MIME_PARTS_MAX]; /* by index */
};

static bool has_8bit(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (view_at(v, i) & 0x80)
			return true;
	return false;
}

/* ---- what is to be done to each part ---- */

struct look {
	bool eightbit;
	bool long_line;
	bool not_lines; /* NUL, or a CR or LF that is not of a CRLF */
};

static struct look look_at(struct view body)
{
	struct look l = { 0 };
	size_t column = 0;
	bool cr = false;

	for (size_t i = 0; i < body.n; i++) {
		uint8_t c = view_at(body, i);

		l.eightbit |= c >> 7;
		l.not_lines |= c == 0 || cr != (c == '\n');
		cr = c == '\r';
		column = c == '\r' || c == '\n' ? 0 : column + 1;
		l.long_line |= column > MIME_SEVEN_BIT_LINE;
	}
	l.not_lines |= cr;
	return l;
}

/* Why the body of a leaf must stay as it is; NULL: it need not. */
static const char *obstacle(const struct mime_part *leaf)
{
	if (view_eq_nocase(leaf->declared_type, VIEW("message")) ||
	    view_eq_nocase(leaf->declared_type, VIEW("multipart")))
		return WHY_COMPOSITE;
	if (leaf->flags & ODD)
		return WHY_ODD;
	if (leaf->encoding_kind > MIME_BINARY)
		return WHY_ENCODED;
	for (const struct mime_part *p = leaf->parent; p; p = p->parent) {
		if (mime_part_is(p, VIEW("multipart"), VIEW("signed")))
			return WHY_SIGNED;
		if (p->kind == MIME_MESSAGE && !view_eq_nocase(p->subtype, VIEW("rfc822")))
			return WHY_COMPOSITE;
		if (p->flags & ODD || p->encoding_kind > MIME_BINARY)
			return WHY_ODD;
	}
	return NULL;
}

static void treat_leaf(struct planner *pl, const struct mime_part *leaf)
{
	struct look l = look_at(mime_part_body(pl->text, leaf));
	bool text = view_eq_nocase(leaf->type, VIEW("text"));
	const char *why;

	if (!l.eightbit && !l.long_line && !l.not_lines)
		return;
	why = obstacle(leaf);
	if (why) {
		/* Without octets above 127 it can go as it is. */
		pl->why = l.eightbit ? why : NULL;
		return;
	}
	pl->treatment[leaf->index] = text && !l.not_lines ? TO_QP : TO_BASE64;
	for (const struct mime_part *p = leaf->parent; p; p = p->parent)
		pl->treatment[p->index] = RELABEL;
}

static void treat(struct planner *pl, const struct mime_part *root)
{
	for (const struct mime_part *p = root; p && !pl->why; p = mime_part_walk(root, p)) {
		if (has_8bit(mime_part_header(pl->text, p)))
			pl->why = WHY_HEADER;
		else if (p->kind == MIME_LEAF)
			treat_leaf(pl, p);
	}
}

/* ---- steps ---- */

static enum err add_step(struct planner *pl, enum mime_seven_bit_kind kind, size_t at, size_t n)
{
	struct mime_seven_bit_step step = { kind, at, n };

	return VEC_PUSH(&pl->plan.steps, step) ? OK : ERR_NOMEM;
}

static enum err copy_until(struct planner *pl, size_t end)
{
	size_t at = pl->at;

	pl->at = end;
	return end > at ? add_step(pl, MIME_SEVEN_BIT_COPY, at, end - at) : OK;
}

/* Where the fields of a part that matter here stand. */
struct fields {
	size_t encoding_at, encoding_n; /* n == 0: absent */
	size_t end; /* of the last one */
	bool version;
};

static struct fields find_fields(struct view text, const struct mime_part *p)
{
	struct view header = mime_part_header(text, p);
	struct mime_header_iter it = mime_header_iter_init(header);
	struct fields f = { .end = p->header_at + mime_mbox_line(header) };
	struct mime_field field;

	while (mime_header_next(&it, &field)) {
		f.end = p->header_at + field.at + field.raw.n;
		f.version |= view_eq_nocase(field.name, VIEW("MIME-Version"));
		if (view_eq_nocase(field.name, VIEW("Content-Transfer-Encoding"))) {
			f.encoding_at = p->header_at + field.at;
			f.encoding_n = field.raw.n;
		}
	}
	return f;
}

/* The header of a part that is changed: its encoding, and MIME-Version at the top of a message. */
static enum err plan_header(struct planner *pl, const struct mime_part *p, enum treatment how)
{
	static const enum mime_seven_bit_kind says[] = {
		[RELABEL] = MIME_SEVEN_BIT_SAYS_7BIT,
		[TO_QP] = MIME_SEVEN_BIT_SAYS_QP,
		[TO_BASE64] = MIME_SEVEN_BIT_SAYS_BASE64,
	};
	struct fields f = find_fields(pl->text, p);
	bool is_top = !p->parent || p->parent->kind == MIME_MESSAGE;
	enum err err = copy_until(pl, f.encoding_n ? f.encoding_at : f.end);

	if (!err && is_top && !f.version)
		err = add_step(pl, MIME_SEVEN_BIT_SAYS_MIME, 0, 0);
	if (!err && (how != RELABEL || f.encoding_n))
		err = add_step(pl, says[how], 0, 0);
	pl->at += f.encoding_n;
	return err;
}

static enum err plan_body(struct planner *pl, const struct mime_part *leaf, enum treatment how)
{
	enum err err = copy_until(pl, leaf->body_at);

	pl->at = leaf->body_end;
	return err ? err
		   : add_step(pl, how == TO_QP ? MIME_SEVEN_BIT_QP : MIME_SEVEN_BIT_BASE64,
			      leaf->body_at, leaf->body_end - leaf->body_at);
}

static enum err plan_steps(struct planner *pl, const struct mime_part *root)
{
	enum err err = OK;

	for (const struct mime_part *p = root; p && !err; p = mime_part_walk(root, p)) {
		enum treatment how = (enum treatment)pl->treatment[p->index];

		if (how != KEEP)
			err = plan_header(pl, p, how);
		if (!err && how > RELABEL)
			err = plan_body(pl, p, how);
	}
	return err ? err : copy_until(pl, pl->text.n);
}

static void check_copies(struct planner *pl)
{
	for (size_t i = 0; i < pl->plan.steps.n && !pl->why; i++) {
		const struct mime_seven_bit_step *s = &pl->plan.steps.at[i];

		if (s->kind == MIME_SEVEN_BIT_COPY && has_8bit(view_part(pl->text, s->at, s->n)))
			pl->why = WHY_BETWEEN;
	}
}

enum err mime_seven_bit_plan(struct view message, struct mime_seven_bit *ret, const char **ret_why)
{
	struct planner pl = { .text = message, .plan = { VEC_INIT(MIME_SEVEN_BIT_STEPS_MAX) } };
	struct arena CLEANUP(arena_done) arena;
	struct mime_part *root;
	enum err err;

	arena_init(&arena, MIME_SCAN_ARENA_MAX);
	err = mime_scan(&arena, message, &root);
	if (err)
		return err;
	treat(&pl, root);
	if (!pl.why)
		err = plan_steps(&pl, root);
	if (!err)
		check_copies(&pl);
	if (!err && !pl.why) {
		*ret = pl.plan;
		return OK;
	}
	mime_seven_bit_done(&pl.plan);
	if (err)
		return err;
	*ret_why = pl.why;
	return ERR_UNSUPPORTED;
}

void mime_seven_bit_done(struct mime_seven_bit *plan)
{
	VEC_DONE(&plan->steps);
}

/* ---- reading ---- */

void mime_seven_bit_reader_init(struct mime_seven_bit_reader *r, const struct mime_seven_bit *plan,
				struct view message)
{
	*r = (struct mime_seven_bit_reader){ .plan = plan, .message = message };
}

static void next_step(struct mime_seven_bit_reader *r)
{
	r->step++;
	r->taken = 0;
}

/* Octets of the message, as many as surely fit. */
static enum err read_octets(struct mime_seven_bit_reader *r, const struct mime_seven_bit_step *s,
			    struct buf *out)
{
	static const enum mime_encoding hows[] = {
		[MIME_SEVEN_BIT_COPY] = MIME_7BIT,
		[MIME_SEVEN_BIT_QP] = MIME_QP,
		[MIME_SEVEN_BIT_BASE64] = MIME_BASE64,
	};
	size_t room = buf_left(out) - TAIL;
	size_t n = size_min(s->n - r->taken, s->kind == MIME_SEVEN_BIT_COPY ? room : room / GROWTH);
	enum err err;

	if (!r->taken)
		mime_encoder_init(&r->encoder, hows[s->kind], true);
	err = mime_encoder_feed(&r->encoder, view_part(r->message, s->at + r->taken, n), out);
	r->taken += n;
	if (!err && r->taken == s->n) {
		err = mime_encoder_finish(&r->encoder, out);
		next_step(r);
	}
	return err;
}

enum err mime_seven_bit_read(struct mime_seven_bit_reader *r, struct buf *out)
{
	enum err err = OK;

	while (!err && r->step < r->plan->steps.n) {
		const struct mime_seven_bit_step *s = &r->plan->steps.at[r->step];

		if (buf_left(out) < MIME_SEVEN_BIT_ROOM)
			return ERR_AGAIN;
		if (s->kind <= MIME_SEVEN_BIT_BASE64) {
			err = read_octets(r, s, out);
			continue;
		}
		buf_add(out, FIELDS[s->kind]);
		err = buf_err(out);
		next_step(r);
	}
	return err;
}

enum err mime_seven_bit_size(const struct mime_seven_bit *plan, struct view message, uint64_t *ret)
{
	struct buf CLEANUP(buf_done) piece = BUF_INIT(PIECE);
	struct mime_seven_bit_reader r;
	uint64_t size = 0;
	enum err err;

	mime_seven_bit_reader_init(&r, plan, message);
	do {
		buf_clear(&piece);
		err = mime_seven_bit_read(&r, &piece);
		size += piece.n;
	} while (err == ERR_AGAIN);
	if (!err)
		*ret = size;
	return err;
}
