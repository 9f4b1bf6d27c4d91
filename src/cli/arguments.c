/*
 * cli/arguments.c: options and positional arguments of a command.
 */
#include "cli.h"

static void drop(struct cli *cli, int at, int n)
{
	for (int i = at; i + n < cli->argc; i++)
		cli->argv[i] = cli->argv[i + n];
	cli->argc -= n;
}

const char *argument_take(struct cli *cli, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < cli->argc; i++) {
		const char *word = cli->argv[i];

		if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, n) != 0)
			continue;
		if (word[2 + n] == '=') {
			drop(cli, i, 1);
			return word + 3 + n;
		}
		if (word[2 + n] == '\0' && i + 1 < cli->argc) {
			const char *value = cli->argv[i + 1];

			drop(cli, i, 2);
			return value;
		}
	}
	return NULL;
}

bool argument_flag(struct cli *cli, const char *name)
{
	for (int i = 0; i < cli->argc; i++) {
		if (strncmp(cli->argv[i], "--", 2) == 0 && strcmp(cli->argv[i] + 2, name) == 0) {
			drop(cli, i, 1);
			return true;
		}
	}
	return false;
}

const char *argument_at(const struct cli *cli, int n)
{
	return n < cli->argc ? cli->argv[n] : NULL;
}

bool argument_done(const struct cli *cli, const struct command *command, int at_most)
{
	for (int i = 0; i < cli->argc; i++) {
		if (strncmp(cli->argv[i], "--", 2) == 0) {
			complain("%s: unknown option, or its value is missing: %s", command->name,
				 cli->argv[i]);
			return false;
		}
	}
	if (cli->argc > at_most) {
		complain("%s: too many arguments, from \"%s\" on. Usage: posthold %s %s",
			 command->name, cli->argv[at_most], command->name, command->usage);
		return false;
	}
	return true;
}
