/*
 * roles/smtp/notice.c: an account's owner is told that the account has reached its limit for sending.
 *
 * Whoever has stolen a password is refused and goes on elsewhere; the owner, who could change it, learns of
 * it by a message from <> in the own INBOX, at most once a day.  It takes the way of all mail: envelope and body to
 * the queue.  Nobody waits for the answer; a notice that the queue does not take is lost, and logged.
 */
#include "ipc/accept.h"
#include "ipc/envelope.h"
#include "ipc/types.h"
#include "proto/mime/build.h"
#include "smtp_role.h"
#include "sys/clock.h"
#include "sys/file.h"

#define DAY_MS (24 * HOUR_MS)

/* What is said in it. */
struct notice {
	struct view account; /* its address */
	struct view hostname;
	struct view ip; /* of the client that was refused, as text */
	uint64_t trace;
	uint64_t limit; /* submit_rcpt_hour */
	int64_t now; /* wall clock, s */
};

/* RFC 5322#3.6, RFC 3834#5 */
static enum err add_header(struct buf *out, const struct notice *n, bool *ret_utf8)
{
	static const struct view none, service = VIEW_INIT("Mail delivery service");
	char id[ID_TEXT_LEN];
	struct address from, to;
	enum err err = address_make(VIEW("MAILER-DAEMON"), n->hostname, 0, &from);

	if (!err)
		err = address_parse_mailbox(n->account, ADDRESS_UTF8, &to);
	if (!err)
		err = mime_add_date_field(out, VIEW("Date"), n->now, 0);
	if (!err)
		err = mime_add_address_field(out, VIEW("From"), &service, &from, 1);
	if (!err)
		err = mime_add_address_field(out, VIEW("To"), &none, &to, 1);
	if (err)
		return err;
	buf_addf(out,
		 "Subject: Your account has reached its limit for sending\r\n"
		 "Message-ID: <" VIEW_FMT ".limit@" VIEW_FMT ">\r\n"
		 "Auto-Submitted: auto-generated\r\n"
		 "MIME-Version: 1.0\r\n"
		 "Content-Type: text/plain; charset=utf-8\r\n"
		 "Content-Transfer-Encoding: 8bit\r\n\r\n",
		 VIEW_ARG(id_text(n->trace, id)), VIEW_ARG(n->hostname));
	*ret_utf8 = to.utf8;
	return buf_err(out);
}

static void add_text(struct buf *out, const struct notice *n)
{
	buf_addf(out,
		 "Your account has tried to write to more than %llu recipients within an\r\n"
		 "hour. Further ones are refused for now and the program that sends shows\r\n"
		 "an error; what was accepted before is on its way.\r\n\r\n"
		 "The last one came from the address " VIEW_FMT ".\r\n\r\n"
		 "If that was you, wait a while and send the rest. If it was not, somebody\r\n"
		 "else knows your password: have it changed now, and tell the people who\r\n"
		 "run this server.\r\n\r\n"
		 "You are told at most once a day.\r\n",
		 (unsigned long long)n->limit, VIEW_ARG(n->ip));
}

static enum err send_notice(struct smtp_role *r, const struct notice *n)
{
	struct buf CLEANUP(buf_done) body = BUF_INIT(MESSAGE_INLINE_MAX);
	struct buf CLEANUP(buf_done) payload = BUF_INIT(MESSAGE_INLINE_MAX);
	struct envelope_recipients to = { .address = n->account, .notify = NOTIFY_NEVER };
	struct envelope e = {
		.trace = n->trace,
		.received_ms = clock_wall_ms(),
		.service = SERVICE_LOCAL,
		.recipients_count = 1,
		.recipients = &to,
	};
	struct accept_put put = { .tag = MESSAGE_NOTICE_TAG };
	enum err err = add_header(&body, n, &e.smtputf8);

	if (err)
		return err;
	add_text(&body, n);
	e.body_type = e.smtputf8 ? BODY_8BITMIME : BODY_7BIT;
	envelope_encode(&payload, &e);
	put.envelope_n = (uint32_t)payload.n;
	put.body_n = body.n;
	buf_add(&payload, buf_view(&body));
	if (buf_err(&body) || buf_err(&payload))
		return ERR_LIMIT;
	put.payload = buf_view(&payload);
	return accept_send_put(r->accept, &put, -1);
}

void notice_limit(struct conn *c)
{
	struct smtp_role *r = c->role;
	const struct config *o = role_config(r->role);
	uint64_t account = 0;
	struct notice n = {
		.account = smtp_session_account(&c->smtp, &account),
		.hostname = view_str(o->hostname),
		.ip = view_str(c->ip_text),
		.trace = random_u64(),
		.limit = o->submit_rcpt_hour,
		.now = clock_wall(),
	};
	int64_t wait;
	enum err err;

	if (!account || !r->accept || r->disk_full || ipc_chan_full(r->accept) ||
	    rate_take(&r->notices, map_key_u64(&account), 1, DAY_MS, clock_mono_ms(), &wait))
		return;
	err = send_notice(r, &n);
	if (err)
		LOG_WARNING("smtp.notice_lost", "an owner could not be told of the limit",
			    LOG_VIEW("account", n.account), LOG_ERR(err));
	else
		LOG_NOTICE("smtp.owner_told", "told an owner that the account is at its limit",
			   LOG_ID("trace", n.trace), LOG_ID("session", c->session),
			   LOG_VIEW("account", n.account), LOG_IP("ip", view_of(c->ip, c->ip_n)));
}
