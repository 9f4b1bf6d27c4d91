/*
 * tests/unit/roles/queue/letter.h: what happens in a world: letters are posted, the administrator asks.
 */
#ifndef TESTS_QUEUE_LETTER_H
#define TESTS_QUEUE_LETTER_H

#include "world.h"

struct letter {
	const char *sender;
	const char *to[4];
	uint8_t notify;
	const char *orcpt;
	const char *envid;
	uint8_t ret;
	struct view body;
	bool by_descriptor;
	bool unsealed;
	bool plain; /* a file on the disk */
	uint64_t lie; /* added to body_n */
};

/* The tag of its answer. */
static inline uint32_t post(struct world *w, const struct letter *l)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 26);
	struct envelope_recipients to[4];
	struct envelope e = { .trace = random_u64(),
			      .received_ms = clock_wall_ms(),
			      .service = SERVICE_SMTP,
			      .sender = view_str(l->sender),
			      .envid = view_str(l->envid),
			      .ret = l->ret,
			      .recipients = to };
	struct accept_put put = { .tag = w->next_tag++ };
	struct view body = l->body.p ? l->body : VIEW("Subject: x\r\n\r\nhello\r\n");
	int fd = -1;

	w->last_trace = e.trace;
	for (size_t i = 0; i < 4 && l->to[i]; i++)
		to[e.recipients_count++] =
			(struct envelope_recipients){ .address = view_str(l->to[i]),
						      .notify = l->notify,
						      .orcpt = view_str(l->orcpt) };
	envelope_encode(&text, &e);
	put.envelope_n = (uint32_t)text.n;
	put.body_n = body.n + l->lie;
	buf_add(&text, body);
	assert_int_equal(buf_err(&text), OK);
	if (l->by_descriptor && l->plain) {
		fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		assert_int_equal(file_write(fd, buf_view(&text)), OK);
	} else if (l->by_descriptor && l->unsealed) {
		fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_int_equal(file_write(fd, buf_view(&text)), OK);
	} else if (l->by_descriptor) {
		fd = open_sealed(buf_view(&text), VIEW_EMPTY);
	} else {
		put.payload = buf_view(&text);
	}
	assert_int_equal(accept_send_put(w->smtp, &put, fd), OK);
	return put.tag;
}

static inline uint32_t posted(struct world *w, const struct letter *l)
{
	uint32_t tag = post(w, l);

	SPIN_UNTIL(w, w->answers[tag]);
	assert_int_equal(w->answers[tag], ACCEPT_OK + 1);
	return tag;
}

static inline uint32_t simple(struct world *w, const char *sender, const char *to)
{
	return posted(w, &(struct letter){ .sender = sender, .to = { to } });
}

static inline void ask(struct world *w, const char *verb, const char *key, struct view value)
{
	struct admin_request_args arg = { .key = view_str(key), .value = value };
	struct admin_request r = {
		.tag = 1, .verb = view_str(verb), .args_count = key ? 1 : 0, .args = &arg
	};

	w->end = -1;
	buf_clear(&w->rows);
	buf_clear(&w->end_text);
	assert_int_equal(admin_send_request(w->control, &r), OK);
	SPIN_UNTIL(w, w->end >= 0);
}

static inline void ask_id(struct world *w, const char *verb, uint64_t trace)
{
	char id[ID_TEXT_LEN];

	ask(w, verb, "id", id_text(trace, id));
}

static inline bool says(const struct buf *b, const char *text)
{
	return view_find(buf_view(b), view_str(text)) != VIEW_NONE;
}

#endif
