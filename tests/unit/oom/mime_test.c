/*
 * tests/unit/oom/mime_test.c: reading and writing messages when memory is short.  Whoever accepts mail trusts
 * these: a From field that was not seen for want of memory must not read as one that is not there.
 */
#include "makers.h"

#include "proto/mime/build.h"
#include "proto/mime/encoded_word.h"
#include "proto/mime/envelope.h"
#include "proto/mime/seven_bit.h"

static const struct view message =
	VIEW_INIT("From: \"A. Nna\" <anna@example.test>, ben (B.) <ben@example.test>\r\n"
		  "Sender: anna@example.test\r\n"
		  "To: friends: carl@example.test, dora@example.test;, e@example.test\r\n"
		  "Cc: =?utf-8?q?F=C3=BCnf?= <f@example.test>\r\n"
		  "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= and\r\n\tmore of them\r\n"
		  "Date: Fri, 20 Nov 2026 10:00:00 +0100\r\n"
		  "Message-ID: <1@example.test>\r\n"
		  "References: <0@example.test> <00@example.test>\r\n"
		  "MIME-Version: 1.0\r\n"
		  "Content-Type: multipart/mixed; boundary=\"outer\"; a*0*=utf-8''%c3%bc; a*1=b\r\n"
		  "\r\n"
		  "preamble\r\n"
		  "--outer\r\n"
		  "Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
		  "Content-Transfer-Encoding: 8bit\r\n"
		  "Content-Description: a\r\n text\r\n"
		  "Content-Language: de, en\r\n"
		  "\r\n"
		  "Gr\xc3\xbc\xc3\x9f"
		  "e\r\n"
		  "--outer\r\n"
		  "Content-Type: message/rfc822\r\n"
		  "\r\n"
		  "From: other@example.test\r\n"
		  "Subject: inner\r\n"
		  "Content-Type: multipart/alternative; boundary=inner\r\n"
		  "\r\n"
		  "--inner\r\n"
		  "\r\n"
		  "one\r\n"
		  "--inner\r\n"
		  "Content-Type: text/html\r\n"
		  "Content-Disposition: attachment; filename=\"x.html\"; size=3\r\n"
		  "\r\n"
		  "two\r\n"
		  "--inner--\r\n"
		  "--outer--\r\n");

static void add_params(struct buf *out, struct mime_params params)
{
	for (size_t i = 0; i < params.n; i++)
		buf_addf(out, " " VIEW_FMT "=" VIEW_FMT, VIEW_ARG(params.at[i].name),
			 VIEW_ARG(params.at[i].value));
}

static enum err make_tree(struct buf *out)
{
	struct mime_part *root;
	struct arena a;
	enum err err;

	arena_init(&a, MIME_SCAN_ARENA_MAX);
	err = mime_scan(&a, message, &root);
	for (const struct mime_part *p = err ? NULL : root; p; p = mime_part_walk(root, p)) {
		mime_part_add_section(out, p);
		buf_addf(out,
			 ": %d %x %zu-%zu-%zu " VIEW_FMT "/" VIEW_FMT " " VIEW_FMT " " VIEW_FMT,
			 (int)p->kind, p->flags, p->header_at, p->body_at, p->body_end,
			 VIEW_ARG(p->type), VIEW_ARG(p->subtype), VIEW_ARG(p->description),
			 VIEW_ARG(p->disposition));
		add_params(out, p->params);
		add_params(out, p->raw_params);
		add_params(out, p->raw_disposition_params);
		buf_add_char(out, '\n');
	}
	arena_done(&a);
	return err;
}

static enum err make_head(struct buf *out)
{
	struct mime_part *part;
	struct arena a;
	enum err err;

	arena_init(&a, MIME_SCAN_ARENA_MAX);
	err = mime_scan_header(&a, message, &part);
	if (!err) {
		buf_add(out, part->type);
		add_params(out, part->params);
	}
	arena_done(&a);
	return err;
}

static void add_addresses(struct buf *out, const struct address_list *list)
{
	buf_addf(out, "%zu:", list->n);
	for (size_t i = 0; i < list->n; i++)
		buf_addf(out, " %d " VIEW_FMT " " VIEW_FMT "@" VIEW_FMT, (int)list->at[i].kind,
			 VIEW_ARG(list->at[i].name), VIEW_ARG(list->at[i].mailbox),
			 VIEW_ARG(list->at[i].host));
}

static enum err make_envelope(struct buf *out)
{
	struct mime_envelope e;
	struct arena a;
	enum err err;

	arena_init(&a, MIME_ENVELOPE_ARENA_MAX);
	err = mime_envelope_parse(&a, message, &e);
	if (!err) {
		add_addresses(out, &e.from);
		add_addresses(out, mime_envelope_sender(&e));
		add_addresses(out, &e.to);
		add_addresses(out, &e.cc);
		buf_addf(out, VIEW_FMT VIEW_FMT VIEW_FMT " %lld", VIEW_ARG(e.subject),
			 VIEW_ARG(e.message_id), VIEW_ARG(e.references), (long long)e.date_seconds);
	}
	arena_done(&a);
	return err;
}

static enum err make_authors(struct buf *out)
{
	struct mime_authors authors;
	const char *why;
	enum err err = mime_authors_parse(message, 0, &authors, &why);

	for (size_t i = 0; !err && i < authors.n; i++)
		buf_addf(out, "%.*s\n", (int)authors.at[i].local_n, authors.at[i].local);
	return err;
}

static enum err make_words(struct buf *out)
{
	encoded_word_decode(out, VIEW("=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?b?/Pz8?= rest"),
			    NULL);
	return buf_err(out);
}

static enum err make_fields(struct buf *out)
{
	const struct view names[] = { VIEW("F\xc3\xbcnf"), VIEW("A. B") };
	struct mime_param param = { .name = VIEW("filename"), .value = VIEW("\xc3\xbc.txt") };
	struct address addresses[2];
	enum err err = address_make(VIEW("f"), VIEW("example.test"), 0, &addresses[0]);

	if (!err)
		err = address_make(VIEW("ab"), VIEW("example.test"), 0, &addresses[1]);
	if (!err)
		err = mime_add_address_field(out, VIEW("To"), names, addresses, 2);
	if (!err)
		err = mime_add_text_field(out, VIEW("Subject"),
					  VIEW("Gr\xc3\xbc\xc3\x9f"
					       "e, many of them"));
	if (!err)
		err = mime_add_date_field(out, VIEW("Date"), 1795233600, 60);
	if (!err)
		err = mime_add_param_field(out, VIEW("Content-Disposition"), VIEW("attachment"),
					   (struct mime_params){ &param, 1 });
	return err;
}

static enum err make_text_field(struct buf *out)
{
	return mime_add_text_field(out, VIEW("Subject"),
				   VIEW("Gr\xc3\xbc\xc3\x9f"
					"e Gr\xc3\xbc\xc3\x9f"
					"e Gr\xc3\xbc\xc3\x9f"
					"e Gr\xc3\xbc\xc3\x9f"
					"e and a word that is too long for the line"));
}

static enum err make_param_field(struct buf *out)
{
	struct mime_param params[] = {
		{ .name = VIEW("filename"),
		  .value = VIEW("a long name with \xc3\xbc that is written"
				" in several pieces for its length.txt") },
		{ .name = VIEW("size"), .value = VIEW("12") },
	};

	return mime_add_param_field(out, VIEW("Content-Disposition"), VIEW("attachment"),
				    (struct mime_params){ params, 2 });
}

static enum err make_seven_bit(struct buf *out)
{
	struct mime_seven_bit plan = { 0 };
	struct mime_seven_bit_reader r;
	const char *why;
	uint64_t size;
	enum err err = mime_seven_bit_plan(message, &plan, &why);

	if (!err)
		err = mime_seven_bit_size(&plan, message, &size);
	if (!err) {
		mime_seven_bit_reader_init(&r, &plan, message);
		err = mime_seven_bit_read(&r, out);
	}
	mime_seven_bit_done(&plan);
	return err;
}

static void reading(void **state)
{
	static const struct maker makers[] = {
		{ "mime_scan", make_tree, false },
		{ "mime_scan_header", make_head, false },
		{ "mime_envelope_parse", make_envelope, false },
		{ "mime_authors_parse", make_authors, false },
		{ "encoded_word_decode", make_words, false },
	};

	makers_run(makers, ARRAY_LEN(makers));
}

static void writing(void **state)
{
	static const struct maker makers[] = {
		{ "mime_add_..._field", make_fields, false },
		{ "mime_add_text_field", make_text_field, true },
		{ "mime_add_param_field", make_param_field, true },
		{ "mime_seven_bit", make_seven_bit, false },
	};

	makers_run(makers, ARRAY_LEN(makers));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
