/*
 * roles/mailbox/imap/cmd_enable.c: ENABLE.
 */
#include "roles/mailbox/imap/imap.h"

static const struct {
	struct view name;
	unsigned features; /* enum session_feature, what it implies included */
} rows[] = {
	{ VIEW_INIT("IMAP4rev2"), FEATURE_REV2 },
	{ VIEW_INIT("UTF8=ACCEPT"), FEATURE_UTF8 },
	{ VIEW_INIT("CONDSTORE"), FEATURE_CONDSTORE },
	{ VIEW_INIT("QRESYNC"), FEATURE_QRESYNC | FEATURE_CONDSTORE },
};

/* RFC 9051#6.3.1: unknown capabilities are ignored, those that came into force are listed. */
void cmd_enable(struct imap_session *s)
{
	buf_add(&s->out, VIEW("* ENABLED"));
	for (size_t i = 0; i < s->cmd.enable.n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			if (!view_eq_nocase(s->cmd.enable.at[i], rows[k].name) ||
			    (s->features & rows[k].features) == rows[k].features)
				continue;
			s->features |= rows[k].features;
			buf_add_char(&s->out, ' ');
			buf_add(&s->out, rows[k].name);
		}
	}
	buf_add(&s->out, VIEW("\r\n"));
	session_reply(s, "OK Done");
}
