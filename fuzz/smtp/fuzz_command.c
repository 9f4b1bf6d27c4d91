/*
 * fuzz/smtp/fuzz_command.c: any line through every command's parser.
 */
#include "proto/smtp/command.h"
#include "proto/smtp/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a parsed address may do on the wire: nothing but be an address. */
static void check_path(const struct smtp_path *p)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(ADDRESS_TEXT_MAX);

	address_add(&text, &p->addr);
	ASSERT(!buf_err(&text));
	ASSERT(!view_has(buf_view(&text), '\r') && !view_has(buf_view(&text), '\n') &&
	       !view_has(buf_view(&text), '\0'));
}

static void check(const struct smtp_command *c)
{
	if (c->verb == SMTP_MAIL) {
		struct buf CLEANUP(buf_done) envid = BUF_INIT(SMTP_ENVID_MAX);

		check_path(&c->mail.path);
		ASSERT(smtp_xtext_printable(&envid, c->mail.envid) == OK);
		ASSERT(c->mail.priority >= -9 && c->mail.priority <= 9);
	} else if (c->verb == SMTP_RCPT) {
		check_path(&c->rcpt.path);
		ASSERT(c->rcpt.path.addr.local_n);
		ASSERT(c->rcpt.orcpt.n <= SMTP_ORCPT_MAX);
	} else if (c->verb == SMTP_AUTH) {
		ASSERT(c->name.n && c->name.n <= SMTP_MECHANISM_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view line = view_of(data, size);
	const struct smtp_command_row *row;
	struct smtp_command command;
	struct view args;

	if (smtp_line_is_http(line) || smtp_command_find(line, &row, &args))
		return 0;
	if (!smtp_command_parse(row, args, &command))
		check(&command);
	return 0;
}
