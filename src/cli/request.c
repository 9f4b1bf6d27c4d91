/*
 * cli/request.c: commands that are one request to the running instance.
 *
 * The table in main.c names verb, arguments and columns; the role that owns the data checks the values
 * and words the answer.
 */
#include "cli.h"

#include <unistd.h>

static void collect(void *ctx, json_t *row)
{
	json_array_append(ctx, row);
}

/* Positional arguments by the names in the table, then every --name value that is left. */
static bool make_args(struct cli *cli, const struct command *command, json_t *args)
{
	struct view rest = view_str(command->args);
	int at = 0;

	for (int i = 0; i < cli->argc;) {
		const char *word = cli->argv[i];
		const char *value;
		char name[64];

		if (strncmp(word, "--", 2) != 0) {
			i++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
		value = argument_take(cli, name);
		if (!value && !argument_flag(cli, name)) {
			complain("%s: cannot read %s", command->name, word);
			return false;
		}
		json_object_set_new(args, name, json_string(value ? value : "yes"));
	}
	while (rest.n > 0) {
		struct view name;
		bool optional;
		char key[64];

		rest = view_cut(rest, ' ', &name);
		optional = view_starts(name, VIEW("?"));
		snprintf(key, sizeof(key), VIEW_FMT, VIEW_ARG(view_from(name, optional)));
		if (argument_at(cli, at))
			json_object_set_new(args, key, json_string(argument_at(cli, at++)));
		else if (!optional) {
			complain("%s: the argument %s is missing. Usage: posthold %s %s",
				 command->name, key, command->name, command->usage);
			return false;
		}
	}
	return argument_done(cli, command, at);
}

/* --password-stdin: one line, so that no password stands on a command line. */
static bool read_password(json_t *args)
{
	char line[1100];

	if (!json_object_get(args, "password-stdin"))
		return true;
	json_object_del(args, "password-stdin");
	if (!fgets(line, sizeof(line), stdin)) {
		complain("no password on standard input");
		return false;
	}
	line[strcspn(line, "\r\n")] = '\0';
	json_object_set_new(args, "password", json_string(line));
	explicit_bzero(line, sizeof(line));
	return true;
}

static int report(const struct cli *cli, const struct command *command, enum err err, json_t *rows,
		  const char *text)
{
	if (err) {
		if (cli->json)
			json_dumpf(json_pack("{s:s,s:s}", "error", err_text(err), "text", text),
				   stdout, 0);
		complain("%s", text[0] ? text : err_text(err));
		return EXIT_FAILED;
	}
	if (command->columns || cli->json)
		output_rows(rows, command->columns ? command->columns : "", command->empty,
			    cli->json);
	if (text[0] && !cli->json)
		puts(text);
	return EXIT_FINE;
}

int cmd_request(struct cli *cli, const struct command *command)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(8192);
	struct instance instance;
	struct client client;
	json_t *args = json_object(), *rows = json_array();
	int status = EXIT_USAGE;

	if (make_args(cli, command, args) && read_password(args)) {
		status = EXIT_FAILED;
		if (!(cli->dir ? instance_find(cli, &instance) : instance_load(cli, &instance))) {
			if (!client_open(&instance, false, &client)) {
				enum err err = client_request(&client, command->verb, args, collect,
							      rows, &text);

				client_close(&client);
				status = report(cli, command, err, rows, buf_cstr(&text));
			}
			instance_done(&instance);
		}
	}
	json_decref(args);
	json_decref(rows);
	return status;
}
