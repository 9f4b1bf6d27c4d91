/*
 * cli/main.c: the posthold command: its table, its help.
 */
#include "cli.h"

#include <signal.h>

#include "sys/log.h"

#define REQUEST(name, usage, help, verb, args, columns, empty)                                     \
	{                                                                                          \
		name, usage, help, cmd_request, verb, args, columns, empty                         \
	}
#define OWN(name, usage, help, run)                                                                \
	{                                                                                          \
		name, usage, help, run, NULL, NULL, NULL, NULL                                     \
	}

const struct command commands[] = {
	OWN("quickstart",
	    "--dir DIR --port-offset N [--domain D] [--account ADDRESS:PASSWORD]... "
	    "[--accounts-file FILE] "
	    "[--resolver HOST:PORT] [--set OPTION=VALUE]...",
	    "make and serve a complete instance on loopback, to try or to test", cmd_quickstart),
	OWN("init", "--hostname NAME --domain DOMAIN --cert FILE --key FILE [--force]",
	    "write the configuration of a real server, with a systemd unit", cmd_init),
	OWN("serve", "", "serve mail in the foreground", cmd_serve),
	OWN("check", "", "check the configuration and say what is wrong, with file and line",
	    cmd_check),
	OWN("options", "", "show every option with its value, default and meaning", cmd_options),
	{ "status", "", "show every process, its sandbox and its counters", cmd_status, "status",
	  "", "name state pid up restarts sandbox resident_kib", NULL },
	{ "reload", "",
	  "read the configuration and certificates again, without ending a connection", cmd_reload,
	  "reload", NULL, NULL, NULL },
	REQUEST("domain add", "DOMAIN", "host a domain", "domain.add", "domain", NULL, NULL),
	REQUEST("domain list", "", "show the hosted domains", "domain.list", "",
		"domain accounts aliases created",
		"No domain is hosted yet: posthold domain add DOMAIN"),
	REQUEST("domain remove", "DOMAIN", "no longer host a domain (it must be empty)",
		"domain.remove", "domain", NULL, NULL),
	REQUEST("account add", "ADDRESS [--display NAME] [--quota SIZE] [--password-stdin]",
		"add an account; without a password one is made and shown once", "account.add",
		"address", NULL, NULL),
	REQUEST("account list", "[DOMAIN]", "show the accounts", "account.list", "?domain",
		"id address display state quota created",
		"There is no account yet: posthold account add ADDRESS"),
	REQUEST("account show", "ADDRESS", "show one account", "account.show", "address",
		EVERY_FIELD, NULL),
	REQUEST("account password", "ADDRESS [--password-stdin]",
		"set a new password; sessions end at once", "account.password", "address", NULL,
		NULL),
	REQUEST("account quota", "ADDRESS SIZE", "set how much an account may store; 0 is no limit",
		"account.quota", "address quota", NULL, NULL),
	REQUEST("account disable", "ADDRESS",
		"no log-in, no mail, until enabled; sessions end at once", "account.disable",
		"address", NULL, NULL),
	REQUEST("account enable", "ADDRESS", "undo disable", "account.enable", "address", NULL,
		NULL),
	REQUEST("account remove", "ADDRESS", "remove an account", "account.remove", "address", NULL,
		NULL),
	REQUEST("alias add", "ADDRESS TARGET",
		"send mail for ADDRESS (or @DOMAIN: all others) on to TARGET", "alias.add",
		"address target", NULL, NULL),
	REQUEST("alias list", "[DOMAIN]", "show the aliases", "alias.list", "?domain",
		"address target", "There is no alias yet: posthold alias add ADDRESS TARGET"),
	REQUEST("alias remove", "ADDRESS [TARGET]", "remove an alias, or one of its targets",
		"alias.remove", "address ?target", NULL, NULL),
	REQUEST("queue list", "", "show what waits to be delivered", "queue.list", "",
		"id state age size sender recipient attempts next reply", "Nothing waits."),
	REQUEST("queue show", "ID", "show one message that waits, and each of its recipients",
		"queue.show", "id", EVERY_FIELD, NULL),
	REQUEST("queue retry", "ID|DOMAIN|all", "try again now", "queue.retry", "what", NULL, NULL),
	REQUEST("queue hold", "ID", "keep a message until released", "queue.hold", "id", NULL,
		NULL),
	REQUEST("queue release", "ID", "undo hold", "queue.release", "id", NULL, NULL),
	REQUEST("queue delete", "ID", "forget a message, without telling its sender",
		"queue.delete", "id", NULL, NULL),
	REQUEST("queue bounce", "ID", "return a message to its sender", "queue.bounce", "id", NULL,
		NULL),
	REQUEST("queue status", "", "show how much waits, and whether sending is stopped",
		"queue.status", "",
		"messages memory full stopped accepted refused delivered sent deferred failed "
		"bounced",
		NULL),
	REQUEST("queue stop", "", "stop all sending to other servers, until started again",
		"queue.stop", "", NULL, NULL),
	REQUEST("queue start", "", "undo stop", "queue.start", "", NULL, NULL),
	REQUEST("ban list", "", "show addresses that may not log in", "ban.list", "",
		"network until bans", "No address is banned."),
	REQUEST("ban add", "ADDRESS|NETWORK", "keep an address or network from logging in",
		"ban.add", "network", NULL, NULL),
	REQUEST("ban remove", "ADDRESS|NETWORK", "lift a ban", "ban.remove", "network", NULL, NULL),
	REQUEST("cert list", "", "show the certificates in use and when they expire", "keys.list",
		"", "certificate names type expires days", "No certificate is loaded."),
	{ "trace", "ID", "everything that happened to a message", cmd_trace, "trace", "", NULL,
	  NULL },
	{ "log", "[--last N] [--level L] [--role R] [--event E] [--session ID] [--text T]",
	  "show events", cmd_log, "log.tail", "", NULL, NULL },
	OWN("fsck", "ACCOUNT-ADDRESS|--all [--rebuild]",
	    "check stored mail by its checksums; rebuild an index from the packs", cmd_fsck),
};

const size_t command_count = ARRAY_LEN(commands);

static void print_help(void)
{
	puts("usage: posthold [--dir DIR | --config FILE] [--json] COMMAND ...\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  %-18s %s\n", commands[i].name, commands[i].help);
	puts("\nposthold help COMMAND tells its arguments. --dir names an instance below one "
	     "folder; without"
	     "\nit the system's is meant (/etc/posthold/posthold.conf). --json answers for "
	     "programs.");
}

/* The longest name that the words begin with; *ret_words of it. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
	for (int words = argc < 2 ? argc : 2; words > 0; words--) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s%s", argv[0], words == 2 ? " " : "",
			 words == 2 ? argv[1] : "");
		for (size_t i = 0; i < command_count; i++) {
			if (strcmp(commands[i].name, name) == 0) {
				*ret_words = words;
				return &commands[i];
			}
		}
	}
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct command *c;
	int words;

	if (argc == 0) {
		print_help();
		return EXIT_FINE;
	}
	c = find_command(argc, argv, &words);
	if (!c) {
		complain("there is no command \"%s\"; `posthold help` lists them", argv[0]);
		return EXIT_USAGE;
	}
	printf("usage: posthold [--dir DIR | --config FILE] [--json] %s %s\n\n%s\n", c->name,
	       c->usage, c->help);
	return EXIT_FINE;
}

/* A first word that begins several commands: "account". */
static int explain_unknown(const char *word)
{
	size_t n = strlen(word);
	bool any = false;

	for (size_t i = 0; i < command_count; i++) {
		if (strncmp(commands[i].name, word, n) != 0 || commands[i].name[n] != ' ')
			continue;
		if (!any)
			complain("%s what? There are:", word);
		any = true;
		fprintf(stderr, "  posthold %s %s\n", commands[i].name, commands[i].usage);
	}
	if (!any)
		complain("there is no command \"%s\"; `posthold help` lists them", word);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct cli cli = { .argc = argc - 1, .argv = argv + 1 };
	const struct command *c;
	int words = 0;

	signal(SIGPIPE, SIG_IGN);
	log_set_name("posthold");
	cli.dir = argument_take(&cli, "dir");
	cli.config_path = argument_take(&cli, "config");
	cli.json = argument_flag(&cli, "json");
	if (argument_flag(&cli, "version")) {
		puts("posthold " POSTHOLD_VERSION);
		return EXIT_FINE;
	}
	if (cli.argc == 0 || argument_flag(&cli, "help"))
		return help(0, NULL);
	if (strcmp(cli.argv[0], "help") == 0)
		return help(cli.argc - 1, cli.argv + 1);
	c = find_command(cli.argc, cli.argv, &words);
	if (!c)
		return explain_unknown(cli.argv[0]);
	cli.argc -= words;
	cli.argv += words;
	return c->run(&cli, c);
}
