/*
 * tests/unit/proto/smtp/play.c: see play.h.
 */
#include "play.h"

void play_init(struct play *p)
{
	*p = (struct play){ .body = "From: a@b\r\n\r\n.dot\n" };
	p->config.hello = VIEW("out.test");
	buf_init(&p->said, 1 << 20);
}

void play_done(struct play *p)
{
	smtp_client_done(&p->client);
	buf_done(&p->said);
}

void play_message(struct play *p, size_t recipients)
{
	static const char *const names[RCPT_MAX] = { "r1@far.test", "r2@far.test", "r3@far.test",
						     "r4@far.test", "r5@far.test", "r6@far.test",
						     "r7@far.test", "r8@far.test" };
	size_t i = p->message_n++;

	p->messages[i] = (struct smtp_client_message){ .sender = VIEW("a@here.test"),
						       .rcpt = p->rcpt[i],
						       .rcpt_n = recipients };
	for (size_t k = 0; k < recipients; k++)
		p->rcpt[i][k] = (struct smtp_client_rcpt){ .address = view_str(names[k]) };
}

static void body_write(struct play *p)
{
	struct view rest = view_str(p->body);

	while (rest.n) {
		size_t used;
		enum err err = smtp_client_body(&p->client, rest, &used);

		assert_true(err == OK || err == ERR_AGAIN);
		rest = view_from(rest, used);
		if (err == ERR_AGAIN) {
			struct view out = smtp_client_output(&p->client);

			buf_add(&p->said, out);
			smtp_client_sent(&p->client, out.n);
		}
	}
	if (!p->never_end)
		assert_int_equal(smtp_client_body_end(&p->client), OK);
}

/* Do what the client asks; false: nothing. */
static bool perform(struct play *p)
{
	struct smtp_client *c = &p->client;

	switch (smtp_client_request(c)) {
	case SMTP_CLIENT_WAIT: return false;
	case SMTP_CLIENT_STARTTLS:
		if (p->no_handshake)
			return false;
		p->handshakes++;
		smtp_client_tls_done(c, true);
		return true;
	case SMTP_CLIENT_READY:
		if (p->next < p->message_n)
			smtp_client_send(c, &p->messages[p->next++]);
		else
			smtp_client_quit(c);
		return true;
	case SMTP_CLIENT_BODY:
		if (p->never_end && p->body_begun)
			return false;
		p->body_begun = true;
		body_write(p);
		return true;
	case SMTP_CLIENT_REPORT:
		p->reports++;
		smtp_client_reported(c);
		return true;
	case SMTP_CLIENT_CLOSE: p->closed = true; return false;
	}
	return false;
}

void play_turn(struct play *p)
{
	bool moved = true;

	while (moved) {
		struct view out = smtp_client_output(&p->client);

		buf_add(&p->said, out);
		smtp_client_sent(&p->client, out.n);
		moved = out.n;
		moved |= perform(p);
	}
}

void play_server(struct play *p, struct view text)
{
	for (size_t i = 0; i < text.n && p->octets; i++) {
		smtp_client_input(&p->client, view_part(text, i, 1));
		play_turn(p);
	}
	if (!p->octets)
		smtp_client_input(&p->client, text);
	play_turn(p);
}

static void client_said(struct play *p, struct view line)
{
	struct buf CLEANUP(buf_done) want = BUF_INIT(4096);

	buf_add(&want, line);
	buf_add(&want, VIEW("\r\n"));
	if (!view_starts(buf_view(&p->said), buf_view(&want))) {
		print_error("said \"" VIEW_FMT "\", not \"" VIEW_FMT "\"\n",
			    VIEW_ARG(buf_view(&p->said)), VIEW_ARG(line));
		fail();
	}
	buf_consume(&p->said, want.n);
}

/* Server lines in a row arrive together. */
void play_run(struct play *p, const char *script)
{
	struct view rest = view_str(script);
	struct buf CLEANUP(buf_done) together = BUF_INIT(1 << 16);

	smtp_client_init(&p->client, &p->config, 1000);
	play_turn(p);
	while (rest.n) {
		struct view line;

		rest = view_cut(rest, '\n', &line);
		if (view_starts(line, VIEW("S: "))) {
			buf_add(&together, view_from(line, 3));
			buf_add(&together, VIEW("\r\n"));
			if (view_starts(rest, VIEW("S: ")))
				continue;
			play_server(p, buf_view(&together));
			buf_clear(&together);
		} else {
			client_said(p, view_from(line, 3));
		}
	}
	if (p->said.n) {
		print_error("also said \"" VIEW_FMT "\"\n", VIEW_ARG(buf_view(&p->said)));
		fail();
	}
}

void play_outcome(struct play *p, size_t message, size_t rcpt, enum smtp_outcome_kind kind,
		  unsigned code)
{
	const struct smtp_outcome *o = &p->rcpt[message][rcpt].outcome;

	if (o->kind != kind || o->reply.code != code)
		print_error("recipient %zu: kind %d code %u\n", rcpt, o->kind, o->reply.code);
	assert_int_equal(o->kind, kind);
	assert_int_equal(o->reply.code, code);
}

void play_both(void (*prepare)(struct play *), const char *script, void (*check)(struct play *))
{
	for (int octets = 0; octets < 2; octets++) {
		struct play p;

		play_init(&p);
		p.octets = octets;
		prepare(&p);
		play_run(&p, script);
		check(&p);
		play_done(&p);
	}
}
