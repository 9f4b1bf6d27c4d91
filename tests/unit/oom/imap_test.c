/*
 * tests/unit/oom/imap_test.c: an IMAP command when memory is short: understood whole, or refused in words.  A
 * SEARCH that lost a key, or a STORE that lost a flag, would do something that nobody asked for.
 */
#include "makers.h"

#include "proto/imap/bodystructure.h"
#include "proto/imap/command.h"
#include "proto/imap/envelope.h"
#include "proto/imap/frame.h"

static struct view text; /* of the command */

static void add_seq(struct buf *out, struct imap_seq seq)
{
	for (size_t i = 0; i < seq.n; i++)
		buf_addf(out, " %u:%u", seq.at[i].first, seq.at[i].last);
}

static void add_views(struct buf *out, struct imap_views views)
{
	for (size_t i = 0; i < views.n; i++)
		buf_addf(out, " <" VIEW_FMT ">", VIEW_ARG(views.at[i]));
}

static void add_keys(struct buf *out, const struct imap_search_key *key)
{
	for (; key; key = key->next) {
		buf_addf(out, "(%d %lld " VIEW_FMT " " VIEW_FMT, (int)key->op,
			 (long long)key->number, VIEW_ARG(key->field), VIEW_ARG(key->text));
		add_seq(out, key->seq);
		if (key->child)
			add_keys(out, key->child);
		buf_add_char(out, ')');
	}
}

static void add_items(struct buf *out, const struct imap_fetch_args *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct imap_fetch_item *item = &f->items[i];

		buf_addf(out, " %d %d", (int)item->kind, (int)item->section.kind);
		for (size_t k = 0; k < item->section.path_n; k++)
			buf_addf(out, ".%u", item->section.path[k]);
		add_views(out, item->section.names);
	}
}

static void add_command(struct buf *out, const struct imap_command *c)
{
	buf_addf(out, VIEW_FMT " " VIEW_FMT, VIEW_ARG(c->tag), VIEW_ARG(c->info->name));
	switch (c->info->id) {
	case IMAP_CMD_SEARCH: add_keys(out, c->search.root); break;
	case IMAP_CMD_FETCH:
		add_seq(out, c->fetch.seq);
		add_items(out, &c->fetch);
		break;
	case IMAP_CMD_STORE:
		add_seq(out, c->store.seq);
		buf_addf(out, " %x", c->store.flags.flags);
		add_views(out, c->store.flags.keywords);
		break;
	case IMAP_CMD_LIST:
		buf_addf(out, " " VIEW_FMT " %x", VIEW_ARG(c->list.reference), c->list.options);
		add_views(out, c->list.patterns);
		break;
	case IMAP_CMD_LOGIN:
		buf_addf(out, " " VIEW_FMT " " VIEW_FMT, VIEW_ARG(c->login.user),
			 VIEW_ARG(c->login.password));
		break;
	case IMAP_CMD_ID: add_views(out, c->id.pairs); break;
	case IMAP_CMD_ENABLE: add_views(out, c->enable); break;
	case IMAP_CMD_SELECT: add_seq(out, c->select.q.known); break;
	case IMAP_CMD_RENAME:
		buf_addf(out, " " VIEW_FMT " " VIEW_FMT, VIEW_ARG(c->rename.from.name),
			 VIEW_ARG(c->rename.to.name));
		break;
	default: break;
	}
}

static enum err make_command(struct buf *out)
{
	struct imap_parse_mode mode = { .state = IMAP_SELECTED };
	struct imap_problem problem = { .text = NULL };
	struct imap_command command;
	struct arena a;
	enum err err;

	if (view_eq(view_head(text, 7), VIEW("a LOGIN")))
		mode.state = IMAP_NONAUTH;
	arena_init(&a, IMAP_PARSE_ARENA_MAX);
	err = imap_parse(&a, text, mode, &command, &problem);
	if (!err)
		add_command(out, &command);
	else
		assert_non_null(problem.text);
	arena_done(&a);
	return err;
}

static void commands(void **state)
{
	static const char *const samples[] = {
		"a LOGIN \"an\\\"na\" {6}\r\nsecret",
		"a ID (\"name\" \"x\" \"version\" NIL)",
		"a ENABLE CONDSTORE QRESYNC X",
		"a LIST (SUBSCRIBED) \"Gr&APw-n\" (\"a%\" \"b*\" {3}\r\nc/d) RETURN (CHILDREN)",
		"a SELECT INBOX (QRESYNC (1 2 1:50,70 (1,2,3 4,5,6)))",
		"a RENAME \"Gr&APw-n\" \"Bl&AOQ-u/x\"",
		"a UID STORE 1:5,7,9:* (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen $Junk other "
		"\\Deleted)",
		"a FETCH 1,3,5:9 (UID BODY.PEEK[1.2.HEADER.FIELDS (From \"To\" {2}\r\nCc)]<0.50> "
		"BINARY[3.4])",
		"a SEARCH RETURN (MIN COUNT) CHARSET UTF-8 OR (FROM \"a\\\\b\" TO {2}\r\nxy) NOT "
		"(SEEN "
		"KEYWORD $Junk UID 1:4,6) SINCE 1-Feb-2026 HEADER X-Y \"z\" LARGER 100",
	};

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct maker m = { samples[i], make_command, false };

		text = view_str(samples[i]);
		makers_run(&m, 1);
	}
}

/* A series of numbers that is long enough to need arena blocks of its own. */
static enum err make_set(struct buf *out)
{
	struct imap_parse_mode mode = { .state = IMAP_SELECTED };
	struct imap_problem problem;
	struct imap_command command;
	struct imap_ranges ranges;
	struct arena a;
	enum err err;

	arena_init(&a, IMAP_PARSE_ARENA_MAX);
	err = imap_parse(&a, text, mode, &command, &problem);
	if (!err)
		err = imap_seq_resolve(&a, &command.copy.seq, 5000, &ranges);
	if (!err)
		imap_ranges_add_text(out, ranges);
	arena_done(&a);
	return err;
}

static void long_sets(void **state)
{
	static const struct maker m = { "imap_seq_resolve", make_set, false };
	struct buf CLEANUP(buf_done) copy = BUF_INIT(64 * 1024);

	buf_add_str(&copy, "a COPY 1");
	for (unsigned i = 3; i < 4000; i += 2)
		buf_addf(&copy, ",%u", i);
	buf_add_str(&copy, ",* Archive");
	text = buf_view(&copy);
	makers_run(&m, 1);
}

/* ---- frames ---- */

static enum err make_frames(struct buf *out)
{
	struct imap_framer f;
	struct view rest = text;
	enum err err = OK;

	imap_framer_init(&f, imap_frame_limits_auth(1000));
	while (rest.n > 0 && !err) {
		struct imap_frame frame;
		size_t used;

		imap_framer_take(&f, rest, &frame, &used);
		rest = view_from(rest, used);
		buf_addf(out, "%d " VIEW_FMT "\n", (int)frame.kind, VIEW_ARG(frame.text));
		if (frame.kind == IMAP_FRAME_MESSAGE)
			imap_framer_accept(&f);
		/* Without memory a command cannot be kept: it is refused, or the connection ends. */
		if (frame.kind == IMAP_FRAME_FATAL || frame.kind == IMAP_FRAME_TOO_BIG) {
			assert_non_null(frame.reply);
			err = ERR_NOMEM;
		}
	}
	imap_framer_done(&f);
	return err;
}

static void frames(void **state)
{
	static const struct maker m = { "imap_framer_take", make_frames, false };

	text = VIEW("a NOOP\r\nb LOGIN {4+}\r\nanna {300+}\r\n"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
		    "c APPEND INBOX (\\Seen) {5+}\r\nhello\r\nd NOOP\r\n");
	makers_run(&m, 1);
}

/* ---- answers ---- */

static const struct view message = VIEW_INIT(
	"From: \"A\" <a@example.test>, b@example.test\r\n"
	"Subject: \xc3\xbc\r\n"
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
	"--x\r\nContent-Type: message/rfc822\r\n\r\nFrom: c@example.test\r\n\r\nhi\r\n"
	"--x\r\nContent-Disposition: inline; filename=\"\xc3\xbc\"\r\n\r\nho\r\n--x--\r\n");

static enum err make_structure(struct buf *out)
{
	struct buf CLEANUP(buf_done) cuts = BUF_INIT(10000);
	struct mime_envelope envelope;
	struct mime_part *root;
	struct arena a, scratch;
	enum err err;

	arena_init(&a, MIME_SCAN_ARENA_MAX);
	arena_init(&scratch, MIME_ENVELOPE_ARENA_MAX);
	err = mime_scan(&a, message, &root);
	if (!err)
		err = imap_add_bodystructure(out, &scratch, message, root, true, &cuts);
	if (!err)
		err = buf_err(&cuts);
	if (!err)
		err = mime_envelope_parse(&a, message, &envelope);
	if (!err)
		imap_add_envelope(out, &envelope);
	buf_add(out, buf_view(&cuts));
	arena_done(&a);
	arena_done(&scratch);
	return err;
}

static void answers(void **state)
{
	static const struct maker m = { "imap_add_bodystructure", make_structure, false };

	makers_run(&m, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(long_sets),
		cmocka_unit_test(frames),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
