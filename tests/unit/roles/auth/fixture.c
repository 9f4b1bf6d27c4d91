/* See fixture.h. */
#include "fixture.h"

#include "sys/clock.h"
#include "sys/log.h"

static void on_challenge(void *ctx, unsigned client, uint32_t tag, struct view text)
{
	struct fixture *f = ctx;

	f->said = SAID_CHALLENGE;
	f->client = client;
	f->tag = tag;
	buf_clear(&f->text);
	buf_add(&f->text, text);
}

static void on_success(void *ctx, unsigned client, const struct authn_success *m)
{
	struct fixture *f = ctx;

	f->said = SAID_SUCCESS;
	f->client = client;
	f->tag = m->tag;
	f->account = m->account;
	(void)snprintf(f->name, sizeof(f->name), VIEW_FMT, VIEW_ARG(m->name));
	f->ticket_n = m->ticket.n;
	if (m->ticket.n) {
		assert_int_equal(m->ticket.n, TICKET_LEN);
		memcpy(f->ticket, m->ticket.p, TICKET_LEN);
	}
	buf_clear(&f->text);
	buf_add(&f->text, m->final);
}

static void on_failure(void *ctx, unsigned client, uint32_t tag, enum authn_failure_kind kind)
{
	struct fixture *f = ctx;

	f->said = SAID_FAILURE;
	f->client = client;
	f->tag = tag;
	f->kind = kind;
}

static void on_revoked(void *ctx, uint64_t account, bool removed)
{
	struct fixture *f = ctx;

	f->revoked_count++;
	f->revoked = account;
	f->removed = removed;
}

static void on_changed(void *ctx)
{
	((struct fixture *)ctx)->changed_count++;
}

static void on_row(void *ctx, uint32_t tag, struct view json)
{
	struct fixture *f = ctx;

	assert_int_equal(tag, 77);
	buf_add(&f->rows, json);
	buf_add_char(&f->rows, '\n');
}

static void on_end(void *ctx, uint32_t tag, enum err err, struct view text)
{
	struct fixture *f = ctx;

	assert_int_equal(tag, 77);
	f->end_count++;
	f->end_err = err;
	(void)snprintf(f->end_text, sizeof(f->end_text), VIEW_FMT, VIEW_ARG(text));
}

static const struct auth_hooks hooks = {
	.challenge = on_challenge,
	.success = on_success,
	.failure = on_failure,
	.revoked = on_revoked,
	.changed = on_changed,
	.admin_row = on_row,
	.admin_end = on_end,
};

static void open_core(struct fixture *f)
{
	struct directory *d;

	assert_int_equal(directory_open(f->path, &d), OK);
	assert_int_equal(auth_new(NULL, 0, &f->config, d, &hooks, f, &f->auth), OK);
}

static uint64_t add_account(struct fixture *f, const char *address)
{
	struct directory_account account;

	assert_int_equal(
		fixture_admin(f, "account.add", "address", address, "password", PASSWORD, NULL),
		OK);
	assert_int_equal(directory_account_find(f->auth->d, view_str(address), &account), OK);
	return account.id;
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_set_level(LOG_LEVEL_ERROR);
	clock_set_wall_ms(1795233600000);
	clock_set_mono_ms(1000000);
	buf_init(&f->text, 10000);
	buf_init(&f->rows, 100000);
	f->dir = folder_new(f->folder, "auth");
	(void)snprintf(f->path, sizeof(f->path), "%s/directory.db", f->folder);
	assert_int_equal(config_init(&f->config), OK);
	f->config.argon2_memory = 16384; /* below what the option allows, to be quick */
	f->config.scram_iterations = 4096;
	assert_int_equal(password_init(), OK);
	open_core(f);
	assert_int_equal(fixture_admin(f, "domain.add", "domain", "example.org", NULL), OK);
	f->anna = add_account(f, "anna@example.org");
	(void)add_account(f, "ben@example.org");
	f->revoked_count = f->changed_count = f->end_count = 0;
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	auth_free(f->auth);
	config_done(&f->config);
	buf_done(&f->text);
	buf_done(&f->rows);
	folder_remove(f->dir, f->folder);
	clock_set_wall_ms(-1);
	clock_set_mono_ms(-1);
	free(f);
	return 0;
}

void fixture_restart(struct fixture *f)
{
	auth_free(f->auth);
	f->auth = NULL;
	open_core(f);
}

unsigned fixture_hash(struct fixture *f)
{
	unsigned count = 0;

	while (pool_step(f->auth->pool))
		count++;
	return count;
}

struct authn_start fixture_start(const char *mechanism)
{
	return (struct authn_start){
		.tag = 5,
		.session = 42,
		.service = SERVICE_IMAPS,
		.mechanism = view_str(mechanism),
		.peer_ip = VIEW("\xc0\x00\x02\x01"),
		.tls = true,
	};
}

void fixture_plain(struct fixture *f, const char *ip, const char *name, const char *password)
{
	struct authn_start m = fixture_start("PLAIN");
	struct buf CLEANUP(buf_done) message = BUF_INIT(9216);

	buf_add_char(&message, 0);
	buf_add_str(&message, name);
	buf_add_char(&message, 0);
	buf_add_str(&message, password);
	m.has_initial = true;
	m.initial = buf_view(&message);
	if (ip)
		m.peer_ip = view_of(ip, 4);
	f->said = SAID_NOTHING;
	assert_int_equal(auth_start(f->auth, AUTH_CLIENT_LOGIN, &m), OK);
	(void)fixture_hash(f);
	assert_int_not_equal(f->said, SAID_NOTHING);
	assert_int_not_equal(f->said, SAID_CHALLENGE);
}

void fixture_step(struct fixture *f, unsigned client, struct view response)
{
	struct authn_step m = { .tag = 5, .response = response };

	f->said = SAID_NOTHING;
	assert_int_equal(auth_step(f->auth, client, &m), OK);
}

enum err fixture_admin(struct fixture *f, const char *verb, ...)
{
	struct admin_request_args list[8];
	struct admin_request m = { .tag = 77, .verb = view_str(verb), .args = list };
	struct admin_request decoded;
	struct buf CLEANUP(buf_done) body = BUF_INIT(IPC_BODY_MAX);
	va_list args;
	const char *key;

	va_start(args, verb);
	while ((key = va_arg(args, const char *)) != NULL) {
		list[m.args_count].key = view_str(key);
		list[m.args_count].value = view_str(va_arg(args, const char *));
		m.args_count++;
	}
	va_end(args);
	/* Only what was decoded can be walked. */
	admin_request_encode(&body, &m);
	assert_int_equal(buf_err(&body), OK);
	assert_int_equal(admin_request_decode(buf_view(&body), &decoded), OK);
	buf_clear(&f->rows);
	f->end_count = 0;
	auth_admin(f->auth, &decoded);
	(void)fixture_hash(f);
	assert_int_equal(f->end_count, 1);
	return f->end_err;
}
