/* SCRAM against libgsasl's client, and against a client that cheats. */
#include "fixture.h"

#include <gsasl.h>
#include <sodium.h>

#include "base/encode.h"

#define EXPORTER  "0123456789abcdef0123456789abcdef"
#define END_POINT "fedcba9876543210fedcba9876543210"

struct client {
	const char *name;
	const char *password;
	const char *exporter; /* NULL: cannot bind */
};

static int on_property(Gsasl *ctx, Gsasl_session *session, Gsasl_property property)
{
	const struct client *c = gsasl_session_hook_get(session);
	struct buf CLEANUP(buf_done) text = BUF_INIT(200);

	(void)ctx;
	switch (property) {
	case GSASL_AUTHID: return gsasl_property_set(session, property, c->name);
	case GSASL_PASSWORD: return gsasl_property_set(session, property, c->password);
	case GSASL_CB_TLS_EXPORTER:
		if (!c->exporter)
			return GSASL_NO_CALLBACK;
		base64_encode(&text, view_str(c->exporter));
		return gsasl_property_set(session, property, buf_cstr(&text));
	default: return GSASL_NO_CALLBACK;
	}
}

/* The whole dialogue; true when the client is content with the server too. */
static bool run_client(struct fixture *f, const char *mechanism, struct client *c)
{
	struct authn_start m = fixture_start(mechanism);
	Gsasl *ctx;
	Gsasl_session *session;
	char *out = NULL;
	size_t n = 0;
	int rc;

	m.binding_exporter = VIEW(EXPORTER);
	assert_int_equal(gsasl_init(&ctx), GSASL_OK);
	gsasl_callback_set(ctx, on_property);
	assert_int_equal(gsasl_client_start(ctx, mechanism, &session), GSASL_OK);
	gsasl_session_hook_set(session, c);
	rc = gsasl_step(session, NULL, 0, &out, &n);
	assert_int_equal(rc, GSASL_NEEDS_MORE);
	m.has_initial = true;
	m.initial = view_of(out, n);
	f->said = SAID_NOTHING;
	assert_int_equal(auth_start(f->auth, AUTH_CLIENT_LOGIN, &m), OK);
	gsasl_free(out);
	if (f->said == SAID_CHALLENGE) {
		rc = gsasl_step(session, f->text.p, f->text.n, &out, &n);
		assert_int_equal(rc, GSASL_NEEDS_MORE);
		fixture_step(f, AUTH_CLIENT_LOGIN, view_of(out, n));
		gsasl_free(out);
	}
	if (f->said == SAID_SUCCESS) {
		rc = gsasl_step(session, f->text.p, f->text.n, &out, &n);
		gsasl_free(out);
	}
	gsasl_finish(session);
	gsasl_done(ctx);
	return f->said == SAID_SUCCESS && rc == GSASL_OK;
}

static void test_plus_with_tls_exporter(void **state)
{
	struct fixture *f = *state;
	struct client c = { "anna@example.org", PASSWORD, EXPORTER };

	assert_true(run_client(f, "SCRAM-SHA-256-PLUS", &c));
	assert_int_equal(f->account, f->anna);
	assert_int_equal(f->ticket_n, TICKET_LEN);
	c.exporter = "another connection's exporter....";
	assert_false(run_client(f, "SCRAM-SHA-256-PLUS", &c));
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
}

static void test_without_binding(void **state)
{
	struct fixture *f = *state;
	struct client c = { "Anna@EXAMPLE.org", PASSWORD, NULL };

	assert_true(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->account, f->anna);
	c.password = "wrong";
	assert_false(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	c.name = "nobody@example.org";
	assert_false(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	assert_int_equal(f->auth->count.hashes, 2); /* those of the fixture's accounts */
}

static void test_a_disabled_account_says_so_only_to_its_owner(void **state)
{
	struct fixture *f = *state;
	struct client c = { "anna@example.org", PASSWORD, NULL };

	assert_int_equal(fixture_admin(f, "account.disable", "address", "anna@example.org", NULL),
			 OK);
	assert_false(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->kind, AUTHN_DISABLED);
	c.password = "wrong";
	assert_false(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
}

static void test_failures_count_towards_a_ban(void **state)
{
	struct fixture *f = *state;
	struct client c = { "anna@example.org", "wrong", NULL };

	for (int i = 0; i < 5; i++) {
		assert_false(run_client(f, "SCRAM-SHA-256", &c));
		assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	}
	assert_false(run_client(f, "SCRAM-SHA-256", &c));
	assert_int_equal(f->kind, AUTHN_BANNED);
}

/* ---- a client of our own, which can say anything ---- */

static enum said first(struct fixture *f, bool plus, const char *message)
{
	struct authn_start m = fixture_start(plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256");
	struct authn_cancel cancel = { .tag = m.tag };

	assert_int_equal(auth_cancel(f->auth, 0, &cancel), OK);
	m.binding_exporter = VIEW(EXPORTER);
	m.binding_end_point = VIEW(END_POINT);
	m.has_initial = true;
	m.initial = view_str(message);
	f->said = SAID_NOTHING;
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	return f->said;
}

/* Answer the challenge in f->text to client-first-bare with this gs2 header and binding. */
static void final(struct fixture *f, const char *bare, const char *binding, const char *nonce_tail)
{
	struct buf CLEANUP(buf_done) without = BUF_INIT(2000);
	struct buf CLEANUP(buf_done) auth_message = BUF_INIT(4000);
	struct view server_first = buf_view(&f->text);
	struct view nonce;
	struct verifiers v;
	char salted[32];
	char client[32];
	char server[32];
	char stored[32];
	uint8_t signature[32];

	assert_int_equal(directory_verifiers(f->auth->d, f->anna, &v), OK);
	assert_int_equal(gsasl_scram_secrets_from_password(
				 GSASL_HASH_SHA256, PASSWORD, v.scram_iterations,
				 (const char *)v.scram_salt, 16, salted, client, server, stored),
			 GSASL_OK);
	(void)view_cut(view_from(server_first, 2), ',', &nonce);
	buf_add_str(&without, "c=");
	base64_encode(&without, view_str(binding));
	buf_add_str(&without, ",r=");
	buf_add(&without, nonce);
	buf_add_str(&without, nonce_tail);
	buf_addf(&auth_message, "%s," VIEW_FMT "," VIEW_FMT, bare, VIEW_ARG(server_first),
		 VIEW_ARG(buf_view(&without)));
	crypto_auth_hmacsha256(signature, (const uint8_t *)auth_message.p, auth_message.n,
			       (const uint8_t *)stored);
	for (size_t i = 0; i < 32; i++)
		client[i] = (char)(client[i] ^ signature[i]);
	buf_add_str(&without, ",p=");
	base64_encode(&without, view_of(client, 32));
	fixture_step(f, 0, buf_view(&without));
}

#define BARE "n=anna@example.org,r=abcdef"

static void test_plus_with_end_point(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(first(f, true, "p=tls-server-end-point,," BARE), SAID_CHALLENGE);
	final(f, BARE, "p=tls-server-end-point,," END_POINT, "");
	assert_int_equal(f->said, SAID_SUCCESS);
	/* The other kind's data. */
	assert_int_equal(first(f, true, "p=tls-server-end-point,," BARE), SAID_CHALLENGE);
	final(f, BARE, "p=tls-server-end-point,," EXPORTER, "");
	assert_int_equal(f->said, SAID_FAILURE);
}

static void test_stripped_offer_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("SCRAM-SHA-256");

	/* The client could bind and saw no offer, but we made one: somebody took it away. */
	assert_int_equal(first(f, false, "y,," BARE), SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	/* Where there is nothing to bind to, y is the truth. */
	m.has_initial = true;
	m.initial = VIEW("y,," BARE);
	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->said, SAID_CHALLENGE);
	final(f, BARE, "y,,", "");
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_flag_and_mechanism_must_agree(void **state)
{
	struct fixture *f = *state;

	f->config.ban_failures = 1000;
	assert_int_equal(first(f, true, "n,," BARE), SAID_FAILURE);
	assert_int_equal(first(f, true, "y,," BARE), SAID_FAILURE);
	assert_int_equal(first(f, false, "p=tls-exporter,," BARE), SAID_FAILURE);
	assert_int_equal(first(f, true, "p=tls-unique,," BARE), SAID_FAILURE);
	assert_int_equal(first(f, true, "p=x,," BARE), SAID_FAILURE);
}

static void test_other_identity(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(first(f, false, "n,a=ben@example.org," BARE), SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_BAD_CREDENTIALS);
	assert_int_equal(first(f, false, "n,a=anna@example.org," BARE), SAID_CHALLENGE);
	final(f, BARE, "n,a=anna@example.org,", "");
	assert_int_equal(f->said, SAID_SUCCESS);
}

static void test_cheats(void **state)
{
	struct fixture *f = *state;

	f->config.ban_failures = 1000;
	/* Another header than at first. */
	assert_int_equal(first(f, false, "n,," BARE), SAID_CHALLENGE);
	final(f, BARE, "y,,", "");
	assert_int_equal(f->said, SAID_FAILURE);
	/* Another nonce. */
	assert_int_equal(first(f, false, "n,," BARE), SAID_CHALLENGE);
	final(f, BARE, "n,,", "x");
	assert_int_equal(f->said, SAID_FAILURE);
	/* No message at all. */
	assert_int_equal(first(f, false, "n,," BARE), SAID_CHALLENGE);
	fixture_step(f, 0, VIEW(""));
	assert_int_equal(f->kind, AUTHN_MALFORMED);
	assert_int_equal(first(f, false, "hello"), SAID_FAILURE);
	assert_int_equal(f->kind, AUTHN_MALFORMED);
}

/* The same name gets the same salt, whether it exists or not, and in all its spellings. */
static void test_salts_tell_nothing(void **state)
{
	static const char *const known[] = { "n,,n=anna@example.org,r=a",
					     "n,,n=ANNA@example.org,r=a" };
	static const char *const unknown[] = { "n,,n=eve@example.org,r=a",
					       "n,,n=EVE@Example.org,r=a" };
	struct fixture *f = *state;
	char salts[4][64];

	for (size_t i = 0; i < 4; i++) {
		struct view salt;
		struct view rest;

		if (i == 3)
			fixture_restart(f);
		assert_int_equal(first(f, false, i < 2 ? known[i] : unknown[i - 2]),
				 SAID_CHALLENGE);
		rest = view_from(buf_view(&f->text),
				 view_find(buf_view(&f->text), VIEW(",s=")) + 3);
		rest = view_cut(rest, ',', &salt);
		assert_view(rest, "i=4096");
		assert_int_equal(salt.n, 24);
		(void)snprintf(salts[i], sizeof(salts[i]), VIEW_FMT, VIEW_ARG(salt));
	}
	assert_string_equal(salts[0], salts[1]);
	assert_string_equal(salts[2], salts[3]);
	assert_string_not_equal(salts[0], salts[2]);
}

static void test_asked_for_the_first_message(void **state)
{
	struct fixture *f = *state;
	struct authn_start m = fixture_start("SCRAM-SHA-256");

	assert_int_equal(auth_start(f->auth, 0, &m), OK);
	assert_int_equal(f->said, SAID_CHALLENGE);
	assert_int_equal(f->text.n, 0);
	fixture_step(f, 0, VIEW("n,," BARE));
	assert_int_equal(f->said, SAID_CHALLENGE);
	final(f, BARE, "n,,", "");
	assert_int_equal(f->said, SAID_SUCCESS);
	assert_true(view_starts(buf_view(&f->text), VIEW("v=")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_plus_with_tls_exporter),
		AUTH_TEST(test_without_binding),
		AUTH_TEST(test_a_disabled_account_says_so_only_to_its_owner),
		AUTH_TEST(test_failures_count_towards_a_ban),
		AUTH_TEST(test_plus_with_end_point),
		AUTH_TEST(test_stripped_offer_is_noticed),
		AUTH_TEST(test_flag_and_mechanism_must_agree),
		AUTH_TEST(test_other_identity),
		AUTH_TEST(test_cheats),
		AUTH_TEST(test_salts_tell_nothing),
		AUTH_TEST(test_asked_for_the_first_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
