/*
 * cli/status.c: status, log, trace, reload.
 */
#include "cli.h"
#include "start.h"

#include <unistd.h>

static void collect(void *ctx, json_t *row)
{
	json_array_append(ctx, row);
}

/* Connect, ask, complain.  Rows are owned by the caller. */
static enum err ask(struct cli *cli, const char *verb, json_t *args, json_t *rows)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(8192);
	struct instance instance;
	struct client client;
	enum err err = cli->dir ? instance_find(cli, &instance) : instance_load(cli, &instance);

	if (err)
		return err;
	err = client_open(&instance, false, &client);
	if (!err) {
		err = client_request(&client, verb, args, collect, rows, &text);
		client_close(&client);
		if (text.n > 0 || err)
			complain("%s", text.n ? buf_cstr(&text) : err_text(err));
	}
	instance_done(&instance);
	return err;
}

static void print_duration(struct buf *out, long long s)
{
	if (s >= 86400)
		buf_addf(out, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		buf_addf(out, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		buf_addf(out, "%lldm %llds", s / 60, s % 60);
	else
		buf_addf(out, "%llds", s);
}

/* Add what a person wants to see beside the raw values. */
static void decorate(json_t *row)
{
	struct buf CLEANUP(buf_done) up = BUF_INIT(64);
	struct buf CLEANUP(buf_done) name = BUF_INIT(64);
	json_t *account = json_object_get(row, "account");

	print_duration(&up, json_integer_value(json_object_get(row, "uptime_s")));
	json_object_set_new(row, "up", json_string(buf_cstr(&up)));
	buf_add_str(&name, json_string_value(json_object_get(row, "role")));
	if (account)
		buf_addf(&name, " %lld", (long long)json_integer_value(account));
	json_object_set_new(row, "name", json_string(buf_cstr(&name)));
}

static const char *text_of(json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

/* By name, an account's process by its number. */
static int compare(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	int order = strcmp(text_of(*x, "role"), text_of(*y, "role"));
	json_int_t m = json_integer_value(json_object_get(*x, "account"));
	json_int_t n = json_integer_value(json_object_get(*y, "account"));

	return order ? order : (m > n) - (m < n);
}

/* Processes answer in any order; people look for a name.  Owned by the caller. */
static json_t *sorted(json_t *rows)
{
	size_t i, n = json_array_size(rows);
	json_t **list = calloc(n + 1, sizeof(*list)), *row, *result = json_array();

	if (!list)
		return json_incref(rows);
	json_array_foreach(rows, i, row) list[i] = row;
	qsort(list, n, sizeof(*list), compare);
	for (i = 0; i < n; i++)
		json_array_append(result, list[i]);
	free(list);
	return result;
}

/* An account's process comes and goes with its sessions; all others must be there. */
static bool serves(json_t *row)
{
	const char *state = text_of(row, "state");

	return strcmp(state, "ready") == 0 ||
	       (json_object_get(row, "account") && strcmp(state, "down") != 0);
}

/* How many rows from the first have the same text; 0 where one before it has. */
static size_t count_alike(json_t *rows, size_t first, const char *name)
{
	const char *text = text_of(json_array_get(rows, first), name);
	size_t i, count = 0;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (strcmp(text_of(row, name), text) != 0)
			continue;
		if (i < first)
			return 0;
		count++;
	}
	return count;
}

static void print_weaker(json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		size_t count = text_of(row, "weaker")[0] ? count_alike(rows, i, "weaker") : 0;

		if (count > 1)
			printf("\nWeaker than possible (%zu processes): %s.\n", count,
			       text_of(row, "weaker"));
		else if (count == 1)
			printf("\nWeaker than possible (%s): %s.\n", text_of(row, "name"),
			       text_of(row, "weaker"));
	}
}

static void print_restarts(json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (text_of(row, "last_end")[0] &&
		    json_integer_value(json_object_get(row, "restarts")) > 0)
			printf("\n%s was started again; the process before it: %s.\n",
			       text_of(row, "name"), text_of(row, "last_end"));
	}
}

int cmd_status(struct cli *cli, const struct command *command)
{
	json_t *args = json_object(), *answer = json_array(), *rows, *row;
	long long kib = 0;
	bool all_serve = true;
	size_t i;
	enum err err;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	err = ask(cli, command->verb, args, answer);
	rows = sorted(answer);
	json_array_foreach(rows, i, row)
	{
		decorate(row);
		kib += json_integer_value(json_object_get(row, "resident_kib"));
		all_serve = all_serve && serves(row);
	}
	if (!err) {
		output_rows(rows, command->columns, NULL, cli->json);
		if (!cli->json) {
			printf("\n%zu processes, %lld MiB resident (shared pages counted in "
			       "each).\n",
			       json_array_size(rows), kib / 1024);
			print_restarts(rows);
			print_weaker(rows);
		}
	}
	json_decref(args);
	json_decref(answer);
	json_decref(rows);
	return err || !all_serve ? EXIT_FAILED : EXIT_FINE;
}

/* ---- events ---- */

static void print_event(json_t *row)
{
	static const char *const shown[] = { "time", "level", "role", "of", "event", "text", NULL };
	const char *time = json_string_value(json_object_get(row, "time"));
	const char *key;
	json_t *value;

	printf("%.23s %-12s %-7s %s", time ? time : "?",
	       json_string_value(json_object_get(row, "role")),
	       json_string_value(json_object_get(row, "level")),
	       json_string_value(json_object_get(row, "text")));
	json_object_foreach(row, key, value)
	{
		struct buf CLEANUP(buf_done) text = BUF_INIT(4096);
		bool skip = false;

		for (size_t i = 0; shown[i]; i++)
			skip = skip || strcmp(shown[i], key) == 0;
		if (skip)
			continue;
		output_value(&text, value);
		printf("  %s=%s", key, buf_cstr(&text));
	}
	putchar('\n');
}

static int show_events(struct cli *cli, const char *verb, json_t *args, const char *empty)
{
	json_t *rows = json_array(), *row;
	size_t i;
	enum err err = ask(cli, verb, args, rows);

	if (!err && cli->json)
		output_rows(rows, "", NULL, true);
	else if (!err && json_array_size(rows) == 0)
		puts(empty);
	else
		json_array_foreach(rows, i, row) print_event(row);
	json_decref(rows);
	return err ? EXIT_FAILED : EXIT_FINE;
}

int cmd_log(struct cli *cli, const struct command *command)
{
	static const char *const names[] = { "last",  "level",	 "role", "event",
					     "trace", "session", "text" };
	json_t *args = json_object();
	int status = EXIT_USAGE;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = argument_take(cli, names[i]);

		if (value)
			json_object_set_new(args, names[i], json_string(value));
	}
	if (argument_done(cli, command, 0))
		status = show_events(cli, command->verb, args, "No event matches.");
	json_decref(args);
	return status;
}

int cmd_trace(struct cli *cli, const struct command *command)
{
	const char *id = argument_at(cli, 0);
	json_t *args = json_object();
	int status = EXIT_USAGE;

	if (!id)
		complain("trace: which message? Give the id that the server answered after 250, or "
			 "that "
			 "stands in its Received field.");
	else if (argument_done(cli, command, 1)) {
		json_object_set_new(args, "trace", json_string(id));
		status = show_events(
			cli, command->verb, args,
			"No event of that message is in the log any more, or the id is wrong.");
	}
	json_decref(args);
	return status;
}

int cmd_reload(struct cli *cli, const struct command *command)
{
	json_t *args = json_object(), *rows = json_array();
	struct instance instance;
	enum err err;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	/* File and certificates are checked here; the running instance reads the checked result. */
	err = instance_load(cli, &instance);
	if (!err) {
		err = check_instance(&instance, NULL) ? instance_write_options(&instance)
						      : ERR_SYNTAX;
		instance_done(&instance);
	}
	if (!err)
		err = ask(cli, command->verb, args, rows);
	json_decref(args);
	json_decref(rows);
	return err ? EXIT_FAILED : EXIT_FINE;
}
