/*
 * proto/imap/parse_auth.c: LOGIN, AUTHENTICATE, ID, ENABLE.
 */
#include "base/ascii.h"
#include "proto/imap/parser.h"

/* login = "LOGIN" SP userid SP password   RFC 9051#6.2.3 */
void imap_parse_login(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->login.user = imap_astring(p);
	cursor_space(&p->c);
	cmd->login.password = imap_astring(p);
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]   RFC 9051#6.2.2 */
void imap_parse_authenticate(struct imap_parser *p, struct imap_command *cmd)
{
	cursor_space(&p->c);
	cmd->authenticate.mechanism = imap_atom(p);
	cmd->authenticate.has_initial = cursor_skip_char(&p->c, ' ');
	if (!cmd->authenticate.has_initial)
		return;
	if (view_eq(cursor_rest(&p->c), VIEW("="))) {
		cursor_take(&p->c, 1);
		cmd->authenticate.initial = VIEW("");
		return;
	}
	cmd->authenticate.initial = imap_word(p, IMAP_IS_ATOM); /* base64; its decoder is strict */
}

/* id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / "NIL")   RFC 2971#3.1 */
void imap_parse_id(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_view_list pairs = { 0 };

	cursor_space(&p->c);
	if (imap_skip_word(p, "NIL"))
		return;
	cursor_char(&p->c, '(');
	if (!cursor_skip_char(&p->c, ')')) {
		do {
			imap_view_list_add(p, &pairs, imap_string(p), 2 * IMAP_ID_PAIRS_MAX,
					   "[LIMIT] Too many fields");
			cursor_space(&p->c);
			imap_view_list_add(p, &pairs, imap_nstring(p), 2 * IMAP_ID_PAIRS_MAX,
					   "[LIMIT] Too many fields");
		} while (cursor_skip_char(&p->c, ' '));
		cursor_char(&p->c, ')');
	}
	cmd->id.pairs = imap_view_list_done(&pairs);
}

/* enable = "ENABLE" 1*(SP capability)   RFC 9051#6.3.1 */
void imap_parse_enable(struct imap_parser *p, struct imap_command *cmd)
{
	struct imap_view_list words = { 0 };

	cursor_space(&p->c);
	do
		imap_view_list_add(p, &words, imap_atom(p), IMAP_ENABLE_MAX,
				   "[LIMIT] Too many capabilities");
	while (cursor_skip_char(&p->c, ' '));
	cmd->enable = imap_view_list_done(&words);
}
