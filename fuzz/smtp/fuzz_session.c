/*
 * fuzz/smtp/fuzz_session.c: any client against a session whose owner answers by the rules of the dialogues.
 *
 * The first octet chooses service and connection.  0xff in the input is a control: the next octet cuts the input
 * there, lets time pass, ends the stream or stops the server.  The owner's assertions hold throughout, and every
 * line that is said is a reply.
 */
#include "base/ascii.h"
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_replies(struct view text)
{
	while (text.n) {
		size_t lf = view_find_char(text, '\n');
		struct view line;

		ASSERT(lf != VIEW_NONE && lf >= 4 && text.p[lf - 1] == '\r');
		line = view_head(text, lf - 1);
		ASSERT(line.n <= 512 || view_starts(line, VIEW("334 ")));
		for (size_t i = 0; i < line.n; i++)
			ASSERT(ascii_is_print(view_at(line, i)));
		ASSERT(ascii_is_digit(view_at(line, 0)) && ascii_is_digit(view_at(line, 1)) &&
		       ascii_is_digit(view_at(line, 2)) && (line.p[3] == ' ' || line.p[3] == '-'));
		text = view_from(text, lf + 1);
	}
}

static void control(struct drive *d, uint8_t what)
{
	switch (what % 8) {
	case 0: drive_wait(d, 1000); break;
	case 1: drive_wait(d, 61000); break;
	case 2: smtp_session_eof(&d->session); break;
	case 3: smtp_session_shutdown(&d->session); break;
	case 4: d->hold_commit = !d->hold_commit; break;
	case 5: d->begin = d->begin == SMTP_V_OK ? SMTP_V_STORAGE : SMTP_V_OK; break;
	case 6: d->sink_full_after = d->sink_full_after ? 0 : 600; break;
	default: /* only a cut, or the end of a handshake */
		if (d->handshake && !d->closed)
			drive_secured(d);
	}
	drive_turn(d);
}

static void prepare(struct drive *d, uint8_t choice)
{
	drive_init(d, (enum smtp_service)(choice % 3));
	d->peer.tls = choice & 4;
	d->config.greeting_ms = choice & 8 ? 3000 : 0;
	d->config.binarymime = d->config.deliverby = d->config.priority = choice & 16;
	d->config.future_max_s = choice & 16 ? 3600 : 0;
	d->config.message_size = choice & 32 ? 300 : 100000;
	d->config.bad_commands = 50;
	d->config.mechanisms = choice & 64 ? VIEW("PLAIN SCRAM-TEST") : d->config.mechanisms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct drive d;
	size_t from = 1;

	if (!size || size > 1 << 16)
		return 0;
	prepare(&d, data[0]);
	drive_start(&d);
	for (size_t i = 1; i < size; i++) {
		if (data[i] != 0xff)
			continue;
		drive_feed(&d, view_of(data + from, i - from));
		if (++i < size)
			control(&d, data[i]);
		from = i + 1;
	}
	if (from < size)
		drive_feed(&d, view_of(data + from, size - from));
	check_replies(buf_view(&d.replies));
	smtp_session_eof(&d.session);
	drive_turn(&d);
	drive_done(&d);
	return 0;
}
