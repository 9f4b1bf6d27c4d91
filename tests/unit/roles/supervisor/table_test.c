/*
 * tests/unit/roles/supervisor/table_test.c: the graph of processes agrees with itself and with the
 * descriptions of channels.
 */
#include "roles/supervisor/table.h"

#include <fcntl.h>

#include "base/buf.h"
#include "sys/file.h"
#include "unit.h"

enum { DESCRIPTION_MAX = 64 * 1024 };

/* Channels whose ends are not rows of the table: made with a process, for every role or every account. */
static const char *const beside_table[] = { "lifecycle", "log", "account_key", "deliver",
					    "envelope" };

static const char *channel_of(const char *name)
{
	return strcmp(name, "tls") == 0 ? "tls_keys" : name;
}

static const char *program_of(unsigned instance)
{
	return instance == I_SUPERVISOR ? "supervisor" : instance_rows[instance].program;
}

static bool exists(unsigned instance)
{
	return instance < I_COUNT || instance == I_SUPERVISOR;
}

/* Is the word one of the line "KEY word word" of src/ipc/CHANNEL.ipc? */
static bool describes(const char *channel, const char *key, const char *word)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(DESCRIPTION_MAX);
	struct buf CLEANUP(buf_done) path = BUF_INIT(1000);
	struct view rest, line, head;

	buf_addf(&path, "%s/src/ipc/%s.ipc", SOURCE_ROOT, channel);
	assert_int_equal(file_read_all(AT_FDCWD, buf_cstr(&path), &text), OK);
	for (rest = buf_view(&text); rest.n > 0;) {
		rest = view_cut(rest, '\n', &line);
		line = view_cut(line, ' ', &head);
		if (!view_eq(head, view_str(key)))
			continue;
		while (line.n > 0) {
			line = view_cut(line, ' ', &head);
			if (view_eq(head, view_str(word)))
				return true;
		}
	}
	return false;
}

static void every_instance_is_whole(void **state)
{
	for (unsigned i = 0; i < I_COUNT; i++) {
		const struct instance_row *row = &instance_rows[i];

		assert_non_null(row->name);
		assert_non_null(row->program);
		assert_non_null(row->reads);
		assert_non_null(row->holds);
		assert_true(row->memory > 0);
		assert_true(row->files > 0);
		assert_true(row->phase < PHASE_COUNT);
		assert_int_equal(row->dir == NULL, row->dir_name == NULL);
		/* Only these two have a phase of their own: supervisor_stop_step counts on it. */
		assert_true(row->phase != PHASE_MAILBOX);
		assert_int_equal(row->phase == PHASE_LOG, i == I_LOG);
		for (unsigned k = 0; k < i; k++) {
			assert_string_not_equal(row->name, instance_rows[k].name);
			if (row->dir && instance_rows[k].dir)
				assert_string_not_equal(row->dir, instance_rows[k].dir);
		}
	}
	assert_int_equal(mailbox_row.phase, PHASE_MAILBOX);
}

static void edges_join_what_exists(void **state)
{
	for (size_t i = 0; i < edge_count; i++) {
		const struct edge_row *e = &edge_rows[i];

		assert_true(exists(e->client) && exists(e->server));
		assert_int_not_equal(e->client, e->server);
		/* One name for both ends: ARCHITECTURE.md and roles.md speak of channels by it. */
		assert_string_equal(e->client_name, e->server_name);
	}
}

static void edges_are_as_described(void **state)
{
	for (size_t i = 0; i < edge_count; i++) {
		const struct edge_row *e = &edge_rows[i];
		const char *channel = channel_of(e->client_name);

		if (!describes(channel, "client", program_of(e->client)) ||
		    !describes(channel, "server", program_of(e->server)))
			fail_msg("%s.ipc does not let %s speak to %s", channel,
				 program_of(e->client), program_of(e->server));
	}
}

/* Both ways: what a description offers has an edge in the table. */
static void descriptions_have_edges(void **state)
{
	static const char *const channels[] = { IPC_NAMES };

	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		bool beside = false, found = false;

		for (size_t k = 0; k < ARRAY_LEN(beside_table); k++)
			beside = beside || strcmp(channels[i], beside_table[k]) == 0;
		for (size_t k = 0; k < edge_count; k++)
			found = found ||
				strcmp(channels[i], channel_of(edge_rows[k].client_name)) == 0;
		if (beside == found)
			fail_msg("channel %s %s", channels[i], found ? "has edges" : "has no edge");
	}
}

/* An end of a channel is named by instance, name and number: a second one would replace the first. */
static void no_end_is_named_twice(void **state)
{
	for (size_t i = 0; i < edge_count; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct edge_row *a = &edge_rows[i], *b = &edge_rows[k];

			assert_false(a->client == b->client && a->client_id == b->client_id &&
				     strcmp(a->client_name, b->client_name) == 0);
			assert_false(a->server == b->server && a->server_id == b->server_id &&
				     strcmp(a->server_name, b->server_name) == 0);
		}
	}
}

/* Who asks ends no later than who answers. */
static void phases_follow_edges(void **state)
{
	for (size_t i = 0; i < edge_count; i++) {
		const struct edge_row *e = &edge_rows[i];

		if (e->client == I_SUPERVISOR || e->server == I_SUPERVISOR)
			continue;
		if (instance_rows[e->client].phase > instance_rows[e->server].phase)
			fail_msg("%s ends after %s, which it asks", instance_rows[e->client].name,
				 instance_rows[e->server].name);
	}
}

/* No two roles wait for each other: taking away those that nobody asks any more leaves none. */
static void requests_make_no_circle(void **state)
{
	bool gone[I_COUNT] = { false };
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < I_COUNT; i++) {
			bool asked = false;

			for (size_t k = 0; k < edge_count; k++)
				asked = asked || (edge_rows[k].server == i &&
						  edge_rows[k].client < I_COUNT &&
						  !gone[edge_rows[k].client]);
			if (!gone[i] && !asked)
				gone[i] = more = true;
		}
	}
	for (unsigned i = 0; i < I_COUNT; i++)
		assert_true(gone[i]);
}

/* Who reads from the network has no folder: principle 1 of the design. */
static void readers_of_hostile_bytes_hold_no_folder(void **state)
{
	static const unsigned hostile[] = { I_SMTP_MX,	  I_SMTP_SUBMIT, I_LOGIN, I_FRONT_MX,
					    I_FRONT_USER, I_FRONT_OUT,	 I_SEND,  I_RESOLVE };

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
		assert_null(instance_rows[hostile[i]].dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instance_is_whole),
		cmocka_unit_test(edges_join_what_exists),
		cmocka_unit_test(edges_are_as_described),
		cmocka_unit_test(descriptions_have_edges),
		cmocka_unit_test(no_end_is_named_twice),
		cmocka_unit_test(phases_follow_edges),
		cmocka_unit_test(requests_make_no_circle),
		cmocka_unit_test(readers_of_hostile_bytes_hold_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
