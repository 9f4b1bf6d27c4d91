/*
 * proto/imap/frame.c: lines, literals, and what is dropped.
 *
 * A line that is complete in the input is returned without a copy; anything else is collected in text,
 * whose size the limits bound.  The announcement of a literal is looked for only behind the end of the
 * literal before, so that the contents of one can never announce another.
 */
#include "proto/imap/frame.h"

#include "base/ascii.h"
#include "base/num.h"
#include "proto/imap/parser.h"

enum { TEXT_KEEP = 4096 }; /* octets of memory kept between commands */

struct imap_frame_limits imap_frame_limits_preauth(void)
{
	return (struct imap_frame_limits){ .line = IMAP_PREAUTH_LINE_MAX,
					   .literals = IMAP_PREAUTH_LITERAL_MAX,
					   .nonsync = IMAP_NONSYNC_MAX,
					   .fatal = true };
}

struct imap_frame_limits imap_frame_limits_auth(uint64_t message_size)
{
	return (struct imap_frame_limits){ .line = IMAP_LINE_MAX,
					   .literals = IMAP_LINE_MAX,
					   .nonsync = IMAP_NONSYNC_MAX,
					   .message = message_size };
}

void imap_framer_init(struct imap_framer *f, struct imap_frame_limits limits)
{
	*f = (struct imap_framer){ .limits = limits };
	buf_init(&f->text, limits.line);
}

void imap_framer_done(struct imap_framer *f)
{
	buf_wipe(&f->text); /* LOGIN passes here */
	buf_done(&f->text);
}

void imap_framer_limit(struct imap_framer *f, struct imap_frame_limits limits)
{
	f->limits = limits;
	f->text.max = limits.line;
}

/* Ready for the next command. */
static void command_end(struct imap_framer *f)
{
	f->state = IMAP_FRAMER_LINE;
	f->literal_total = 0;
	f->literal_count = 0;
	f->segment = 0;
	f->skipped = 0;
	f->append = false;
	f->held = true;
	f->cr = false;
	f->reply = NULL;
}

/* Remember the tag, so that a command that is dropped can be answered. */
static void tag_note(struct imap_framer *f, struct view line)
{
	size_t n = 0;

	if (f->tag_n || f->append || f->segment)
		return;
	while (n < line.n && n < sizeof(f->tag) && (imap_class[view_at(line, n)] & IMAP_IS_TAG))
		n++;
	if (n == 0 || n >= line.n || line.p[n] != ' ')
		return;
	memcpy(f->tag, line.p, n);
	f->tag_n = n;
}

/* The same where the line ends early; what came before may hold a part of the tag. */
static void tag_note_last(struct imap_framer *f, struct view piece)
{
	if (f->tag_n || f->segment)
		return;
	if (f->cr)
		buf_add(&f->text, view_head(VIEW("\r"), buf_left(&f->text)));
	buf_add(&f->text, view_head(piece, buf_left(&f->text)));
	tag_note(f, buf_view(&f->text));
}

static void frame_fatal(struct imap_framer *f, const char *reply, struct imap_frame *ret)
{
	f->state = IMAP_FRAMER_DEAD;
	f->reply = reply;
	*ret = (struct imap_frame){ .kind = IMAP_FRAME_FATAL,
				    .reply = reply,
				    .tag = view_of(f->tag, f->tag_n) };
}

static void frame_too_big(struct imap_framer *f, const char *reply, struct imap_frame *ret)
{
	*ret = (struct imap_frame){ .kind = IMAP_FRAME_TOO_BIG,
				    .reply = reply,
				    .tag = view_of(f->tag, f->tag_n) };
	command_end(f);
}

/* An announcement at the end of a line. */
struct announcement {
	size_t at; /* where it begins, '~' included */
	uint64_t size; /* UINT64_MAX: a number beyond all limits */
	bool nonsync;
	bool binary;
};

/* literal = "{" number64 ["+"] "}" CRLF, literal8 = "~" literal   RFC 9051#4.3.  line: without CRLF. */
static bool announcement_find(struct view line, struct announcement *ret)
{
	struct announcement a = { 0 };
	size_t end = line.n;

	if (end < 3 || line.p[end - 1] != '}')
		return false;
	end--;
	if (line.p[end - 1] == '+') {
		a.nonsync = true;
		end--;
	}
	size_t from = end;

	while (from > 0 && ascii_is_digit(view_at(line, from - 1)))
		from--;
	if (from == end || from == 0 || line.p[from - 1] != '{')
		return false;
	if (num_u64(view_part(line, from, end - from), UINT64_MAX - 1, &a.size))
		a.size = UINT64_MAX;
	a.at = from - 1;
	if (a.at > 0 && line.p[a.at - 1] == '~') {
		a.binary = true;
		a.at--;
	}
	*ret = a;
	return true;
}

/* Is the literal that begins at `at` of the first line a message, not APPEND's mailbox name? */
static bool is_message(const struct imap_framer *f, struct view line, size_t at)
{
	if (!f->limits.message)
		return false;
	if (f->append)
		return true;

	struct view tag;
	struct view rest = view_cut(line, ' ', &tag);

	if (!view_starts_nocase(rest, VIEW("APPEND ")))
		return false;
	return at > tag.n + 1 + VIEW("APPEND ").n;
}

/* Keep the last octets of what is dropped, to see an announcement. */
static void tail_note(struct imap_framer *f, struct view piece)
{
	size_t keep = size_min(piece.n, sizeof(f->tail));
	size_t old = size_min(f->tail_n, sizeof(f->tail) - keep);

	memmove(f->tail, f->tail + f->tail_n - old, old);
	if (keep)
		memcpy(f->tail + old, piece.p + piece.n - keep, keep);
	f->tail_n = old + keep;
}

/* A command that is too long is to be dropped. */
static void skip_begin(struct imap_framer *f, const char *reply, enum imap_framer_state state)
{
	f->reply = reply;
	f->state = state;
	f->skipped = 0;
	buf_clear(&f->text);
	f->segment = 0;
}

/* A literal was announced at the end of the text, which has its CRLF. */
static void literal_begin(struct imap_framer *f, const struct announcement *a,
			  struct imap_frame *ret)
{
	if (a->nonsync && a->size > f->limits.nonsync) {
		frame_fatal(f, "BAD [TOOBIG] Literal too long to be sent without waiting", ret);
		return;
	}
	if (a->size > f->limits.literals - size_min(f->literal_total, f->limits.literals) ||
	    a->size > f->limits.line - size_min(f->text.n, f->limits.line) ||
	    f->literal_count >= IMAP_LITERALS_MAX) {
		if (f->limits.fatal) {
			frame_fatal(f, "BAD [TOOBIG] Literal too long", ret);
		} else if (a->nonsync) {
			f->left = a->size;
			skip_begin(f, "BAD [TOOBIG] Command too long", IMAP_FRAMER_SKIP_LITERAL);
		} else {
			frame_too_big(f, "NO [TOOBIG] Literal too long", ret);
		}
		return;
	}
	f->literal_count++;
	f->literal_total += a->size;
	f->left = a->size;
	f->state = IMAP_FRAMER_LITERAL;
	if (!a->nonsync)
		*ret = (struct imap_frame){ .kind = IMAP_FRAME_CONTINUE };
}

static void message_begin(struct imap_framer *f, const struct announcement *a, struct view text,
			  struct imap_frame *ret)
{
	if (a->nonsync && a->size > f->limits.nonsync) {
		frame_fatal(f, "BAD [TOOBIG] Literal too long to be sent without waiting", ret);
		return;
	}
	f->state = IMAP_FRAMER_ASKED;
	f->left = a->size;
	f->nonsync = a->nonsync;
	f->held = true;
	*ret = (struct imap_frame){ .kind = IMAP_FRAME_MESSAGE,
				    .text = text,
				    .size = a->size,
				    .nonsync = a->nonsync,
				    .binary = a->binary };
}

/*
 * How much of input belongs to the line, and whether its end is there.  ERR_SYNTAX for NUL, CR without
 * LF, LF without CR.
 */
static enum err line_measure(const struct imap_framer *f, struct view input, size_t *ret_n,
			     bool *ret_ended)
{
	const char *lf = input.n ? memchr(input.p, '\n', input.n) : NULL;
	size_t n = lf ? (size_t)(lf - input.p) + 1 : input.n;
	struct view piece = view_head(input, n);
	size_t cr = view_find_char(piece, '\r');

	if (f->cr && n && piece.p[0] != '\n')
		return ERR_SYNTAX;
	if (cr != VIEW_NONE && cr + 1 < n && !(lf && cr + 2 == n))
		return ERR_SYNTAX;
	if (lf && cr == VIEW_NONE && !(f->cr && n == 1))
		return ERR_SYNTAX;
	if (view_has(piece, '\0'))
		return ERR_SYNTAX;
	*ret_n = n;
	*ret_ended = lf != NULL;
	return OK;
}

/* A whole command line (without CRLF) is there: in text from segment on, or in the input. */
static void line_end(struct imap_framer *f, struct view line, bool copied, struct imap_frame *ret)
{
	struct announcement a;
	struct view segment = copied ? view_from(line, f->segment) : line;

	if (announcement_find(segment, &a)) {
		if (is_message(f, line, line.n - segment.n + a.at)) {
			message_begin(f, &a, line, ret);
			return;
		}
		if (!copied)
			buf_add(&f->text, line);
		buf_add(&f->text, VIEW("\r\n"));
		literal_begin(f, &a, ret);
		if (f->state == IMAP_FRAMER_LITERAL)
			f->segment = f->text.n + (size_t)f->left;
		return;
	}
	command_end(f);
	*ret = (struct imap_frame){ .kind = IMAP_FRAME_COMMAND, .text = line };
}

static size_t line_take(struct imap_framer *f, struct view input, struct imap_frame *ret)
{
	size_t n = 0;
	bool ended = false;

	if (line_measure(f, input, &n, &ended)) {
		tag_note_last(f, input);
		frame_fatal(f, "BAD Control character or line end out of place", ret);
		return 0;
	}
	struct view piece = view_head(input, n);

	if (f->text.n == f->segment && !f->cr)
		tag_note(f, piece);
	/* A CR that came before is not in text. */
	size_t add = piece.n + f->cr;

	if (f->text.n + add > f->limits.line) {
		/* An announcement may have begun in the text. */
		f->tail_n = 0;
		tail_note(f, view_from(buf_view(&f->text), f->segment));
		tag_note_last(f, piece);
		if (f->limits.fatal) {
			frame_fatal(f, "BAD [TOOBIG] Command too long", ret);
			return n;
		}
		skip_begin(f, "BAD [TOOBIG] Command too long", IMAP_FRAMER_SKIP);
		return 0;
	}
	if (!ended) {
		f->cr = n ? piece.p[n - 1] == '\r' : f->cr;
		buf_add(&f->text, view_head(piece, n - (n && f->cr)));
		tag_note(f, buf_view(&f->text));
		return n;
	}
	struct view line = view_head(piece, n - (f->cr ? 1 : 2));

	f->cr = false;
	if (f->text.n == 0) {
		line_end(f, line, false, ret);
	} else {
		buf_add(&f->text, line);
		tag_note(f, buf_view(&f->text));
		line_end(f, buf_view(&f->text), true, ret);
	}
	return n;
}

/* The end of a line that is dropped: go on behind a literal, or be done. */
static void skip_line_end(struct imap_framer *f, struct imap_frame *ret)
{
	struct announcement a;
	const char *reply = f->reply;

	if (announcement_find(view_of(f->tail, f->tail_n), &a) && a.nonsync) {
		if (a.size > f->limits.nonsync) {
			frame_fatal(f, "BAD [TOOBIG] Literal too long to be sent without waiting",
				    ret);
			return;
		}
		f->left = a.size;
		f->tail_n = 0;
		f->state = IMAP_FRAMER_SKIP_LITERAL;
		return;
	}
	if (reply)
		frame_too_big(f, reply, ret);
	else
		command_end(f);
}

static size_t skip_take(struct imap_framer *f, struct view input, struct imap_frame *ret)
{
	size_t n = 0;
	bool ended = false;

	if (line_measure(f, input, &n, &ended)) {
		frame_fatal(f, "BAD Control character or line end out of place", ret);
		return 0;
	}
	struct view piece = view_head(input, n);

	f->skipped += n;
	if (f->skipped > IMAP_SKIP_MAX) {
		frame_fatal(f, "BAD [TOOBIG] Command without end", ret);
		return n;
	}
	if (!ended) {
		f->cr = n ? piece.p[n - 1] == '\r' : f->cr;
		tail_note(f, view_head(piece, n - (n && f->cr)));
		return n;
	}
	tail_note(f, view_head(piece, n - (f->cr ? 1 : 2)));
	f->cr = false;
	skip_line_end(f, ret);
	return n;
}

static size_t literal_take(struct imap_framer *f, struct view input)
{
	size_t n = f->left < input.n ? (size_t)f->left : input.n;

	buf_add(&f->text, view_head(input, n));
	f->left -= n;
	if (f->left == 0)
		f->state = IMAP_FRAMER_LINE;
	return n;
}

static size_t skip_literal_take(struct imap_framer *f, struct view input)
{
	size_t n = f->left < input.n ? (size_t)f->left : input.n;

	f->left -= n;
	if (f->left == 0) {
		f->state = IMAP_FRAMER_SKIP;
		f->tail_n = 0;
	}
	return n;
}

static size_t data_take(struct imap_framer *f, struct view input, struct imap_frame *ret)
{
	size_t n = f->left < input.n ? (size_t)f->left : input.n;

	f->left -= n;
	if (n) {
		*ret = (struct imap_frame){ .kind = IMAP_FRAME_DATA, .text = view_head(input, n) };
	} else if (f->left == 0) {
		*ret = (struct imap_frame){ .kind = IMAP_FRAME_DATA_END };
		f->state = IMAP_FRAMER_LINE;
		f->append = true;
		f->segment = 0;
	}
	return n;
}

/* One step of the state machine; the number of octets taken. */
static size_t frame_step(struct imap_framer *f, struct view input, struct imap_frame *ret)
{
	switch (f->state) {
	case IMAP_FRAMER_LINE: return line_take(f, input, ret);
	case IMAP_FRAMER_LITERAL: return literal_take(f, input);
	case IMAP_FRAMER_DATA: return data_take(f, input, ret);
	case IMAP_FRAMER_SKIP: return skip_take(f, input, ret);
	case IMAP_FRAMER_SKIP_LITERAL: return skip_literal_take(f, input);
	case IMAP_FRAMER_ASKED: ASSERT(f->state != IMAP_FRAMER_ASKED); break;
	case IMAP_FRAMER_DEAD: break;
	}
	frame_fatal(f, f->reply, ret);
	return 0;
}

void imap_framer_take(struct imap_framer *f, struct view input, struct imap_frame *ret,
		      size_t *ret_used)
{
	size_t used = 0;

	if (f->held) {
		buf_wipe(&f->text);
		buf_trim(&f->text, TEXT_KEEP);
		f->held = false;
		f->tag_n = 0;
	}
	*ret = (struct imap_frame){ .kind = IMAP_FRAME_MORE };
	for (;;) {
		enum imap_framer_state state = f->state;
		size_t n = frame_step(f, view_from(input, used), ret);

		used += n;
		/* First of all: what is complete by now is complete without what did not fit. */
		if (f->text.err)
			frame_fatal(f, "BAD Out of memory", ret);
		if (ret->kind != IMAP_FRAME_MORE)
			break;
		if (n == 0 && f->state == state)
			break;
		if (f->held) { /* a dropped command ended here */
			buf_clear(&f->text);
			f->held = false;
		}
	}
	*ret_used = used;
}

void imap_framer_accept(struct imap_framer *f)
{
	ASSERT(f->state == IMAP_FRAMER_ASKED);
	f->state = IMAP_FRAMER_DATA;
}

void imap_framer_refuse(struct imap_framer *f)
{
	ASSERT(f->state == IMAP_FRAMER_ASKED);
	if (f->nonsync) {
		skip_begin(f, NULL, IMAP_FRAMER_SKIP_LITERAL);
		return;
	}
	command_end(f);
}

void imap_framer_drop(struct imap_framer *f)
{
	f->tail_n = 0;
	if (f->state == IMAP_FRAMER_DATA)
		skip_begin(f, NULL, IMAP_FRAMER_SKIP_LITERAL);
	else if (f->state == IMAP_FRAMER_LINE && f->append)
		skip_begin(f, NULL, IMAP_FRAMER_SKIP);
	f->append = false;
}
