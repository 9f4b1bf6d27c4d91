/*
 * roles/smtp/options.c: the options of the instance as limits of sessions.
 */
#include "ipc/types.h"
#include "smtp_role.h"

enum {
	PRESSURE_PERCENT = 80, /* of conn_service_max */
	PRESSURE_WAIT_MS = 60 * 1000, /* smtp_command_wait then */
};

static void load(struct smtp_server_config *to, const struct config *o, enum smtp_service service)
{
	smtp_server_config_init(to, service);
	to->hostname = view_str(o->hostname);
	to->starttls = service != SMTP_LMTP;
	to->requiretls = service != SMTP_LMTP;
	to->greeting_ms = service == SMTP_MX ? (uint32_t)o->greeting_delay : 0;
	to->bad_commands = (uint32_t)o->bad_commands;
	to->bad_commands_auth = (uint32_t)o->bad_commands_user;
	to->auth_tries = (uint32_t)o->auth_tries;
	to->rcpt_per_message = (uint32_t)o->rcpt_per_message;
	to->mail_per_session = (uint32_t)o->mail_per_session;
	to->unknown_rcpt_delay = (uint32_t)o->unknown_rcpt_delay;
	to->unknown_rcpt_close = (uint32_t)o->unknown_rcpt_close;
	to->message_size = o->message_size;
	to->message_line = o->message_line;
	to->header_block = (uint32_t)o->header_block;
	to->header_fields = (uint32_t)o->header_fields;
	to->received_hops = (uint32_t)o->received_hops;
	to->own_hops = (uint32_t)o->own_hops;
	to->command_wait_ms = (uint32_t)o->smtp_command_wait;
	to->data_rate_min = (uint32_t)o->data_rate_min;
	to->data_rate_ms = (uint32_t)o->data_rate_window;
	to->data_time_ms = (uint32_t)o->data_time;
	to->session_time_ms = (uint32_t)o->smtp_session_time;
	to->preauth_ms = service == SMTP_SUBMISSION ? (uint32_t)o->preauth_time : 0;
	to->line_max = (uint32_t)o->smtp_line;
	to->auth_line_max = (uint32_t)o->smtp_auth_line;
}

void smtp_options_load(struct smtp_role *r)
{
	const struct config *o = role_config(r->role);

	load(&r->mx, o, SMTP_MX);
	load(&r->lmtp, o, SMTP_LMTP);
	load(&r->submission, o, SMTP_SUBMISSION);
	r->submission.mechanisms = VIEW("SCRAM-SHA-256 PLAIN LOGIN");
	r->submission_plus = r->submission;
	r->submission_plus.mechanisms = VIEW("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
	smtp_options_pressure(r);
}

/* Clients that only hold a connection go sooner when these get scarce. */
void smtp_options_pressure(struct smtp_role *r)
{
	const struct config *o = role_config(r->role);
	struct smtp_server_config *all[] = { &r->mx, &r->submission, &r->submission_plus,
					     &r->lmtp };
	bool scarce = r->conns * 100 >= o->conn_service_max * PRESSURE_PERCENT;
	uint64_t wait =
		scarce ? size_min(o->smtp_command_wait, PRESSURE_WAIT_MS) : o->smtp_command_wait;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i]->command_wait_ms = (uint32_t)wait;
}

const struct smtp_server_config *smtp_options_for(const struct smtp_role *r, const struct conn *c)
{
	switch (c->service) {
	case SERVICE_SUBMISSION:
	case SERVICE_SUBMISSIONS:
		/* Channel binding is offered where front could compute it. */
		return c->exporter_n || c->end_point_n ? &r->submission_plus : &r->submission;
	case SERVICE_LMTP: return &r->lmtp;
	default: return &r->mx;
	}
}
