/*
 * store_fixture.h: an account in a temporary folder, shared by the tests of store/.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "folder.h"
#include "store/fsck.h"
#include "store/store.h"
#include "sys/calls.h"
#include "sys/file.h"

struct account {
	char path[FOLDER_PATH_MAX];
	int dir;
	struct store *store;
	struct store_key key;
	struct store_config config;
	char text[256]; /* of the digest */
};

/* Envelope: the first line; search: "search:" and the first line. */
static inline enum err fixture_digest(void *ctx, struct view message, struct store_digest *ret)
{
	struct account *a = (struct account *)ctx;
	struct view line;

	view_cut(message, '\r', &line);
	line = view_head(line, 200);
	memcpy(a->text, line.p ? line.p : "", line.n);
	*ret = (struct store_digest){ .sent = 42, .thread = 7 };
	ret->envelope = view_of(a->text, line.n);
	ret->structure = VIEW("(structure)");
	ret->search = ret->envelope;
	return OK;
}

static inline enum err fixture_open(struct account *a)
{
	struct store_keys keys = { &a->key, 1 };

	return store_open(a->dir, &keys, &a->config, &a->store);
}

static inline void fixture_init(struct account *a)
{
	memset(a, 0, sizeof(*a));
	a->dir = folder_new(a->path, "store");
	a->key.generation = 1;
	memset(a->key.key, 0x5a, sizeof(a->key.key));
	a->config.account = 77;
	a->config.digest = fixture_digest;
	a->config.digest_ctx = a;
}

static inline void fixture_done(struct account *a)
{
	store_abort(&a->store);
	folder_remove(a->dir, a->path);
}

static inline void fixture_reopen(struct account *a)
{
	assert_int_equal(store_close(&a->store), OK);
	assert_int_equal(fixture_open(a), OK);
}

static inline uint64_t fixture_id(struct account *a, const char *name)
{
	const struct store_mailbox *m = store_mailbox_by_name(a->store, view_str(name));

	assert_non_null(m);
	return m->id;
}

static inline enum err fixture_put(struct account *a, enum store_put_mode mode, const char *mailbox,
				   struct view bytes, uint64_t mark, struct store_put_result *ret)
{
	struct store_target target = { .mailbox = fixture_id(a, mailbox) };
	struct store_put p = {
		.bytes = bytes,
		.fd = -1,
		.targets = &target,
		.target_n = 1,
		.date = 1700000000,
		.zone = 60,
		.marked = mark != 0,
		.mark = { mark, 0 },
	};

	return store_put(a->store, mode, &p, 1, ret);
}

static inline uint32_t fixture_deliver(struct account *a, const char *mailbox, const char *text,
				       uint64_t mark)
{
	struct store_put_result r;

	assert_int_equal(fixture_put(a, STORE_DELIVER, mailbox, view_str(text), mark, &r), OK);
	assert_int_equal(r.err, OK);
	return r.uid;
}

/* The octets of a message, owned by caller. */
static inline struct buf fixture_read(struct account *a, uint64_t blob)
{
	struct buf out = BUF_INIT((size_t)1 << 28);
	struct store_body *body;
	struct view part;

	assert_int_equal(store_body_open(a->store, blob, &body), OK);
	do {
		assert_int_equal(store_body_read(body, out.n, &part), OK);
		buf_add(&out, part);
	} while (part.n);
	assert_int_equal(out.n, store_body_size(body));
	store_body_close(&body);
	return out;
}

#endif
