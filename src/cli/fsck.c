/*
 * cli/fsck.c: have the mail of an account checked, or its index rebuilt, by its own mailbox process,
 * the only one that holds the account's key.
 */
#include "cli.h"

enum { ACCOUNTS_SHOWN = 1000000 };

static void collect(void *ctx, json_t *row)
{
	json_array_append(ctx, row);
}

struct totals {
	long long messages, damaged;
	unsigned accounts, failed;
};

static void print_report(const char *address, json_t *rows, struct totals *totals)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *damage = json_string_value(json_object_get(row, "damage"));

		if (damage) {
			printf("%s: damaged: %s in %s at octet %lld\n", address, damage,
			       json_string_value(json_object_get(row, "file")),
			       (long long)json_integer_value(json_object_get(row, "offset")));
			continue;
		}
		totals->messages += json_integer_value(json_object_get(row, "messages"));
		totals->damaged += json_integer_value(json_object_get(row, "damaged"));
		printf("%s: %lld records, %lld messages, %lld damaged%s\n", address,
		       (long long)json_integer_value(json_object_get(row, "records")),
		       (long long)json_integer_value(json_object_get(row, "messages")),
		       (long long)json_integer_value(json_object_get(row, "damaged")),
		       json_is_true(json_object_get(row, "rebuilt")) ? "; the index was rebuilt"
								     : "");
	}
}

static enum err check_account(struct cli *cli, struct client *client, json_t *account, bool rebuild,
			      json_t *all, struct totals *totals)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	const char *address = json_string_value(json_object_get(account, "address"));
	json_t *args = json_pack("{s:O,s:b}", "account", json_object_get(account, "id"), "rebuild",
				 rebuild);
	json_t *rows = json_array();
	enum err err =
		args ? client_request(client, "fsck", args, collect, rows, &text) : ERR_NOMEM;

	totals->accounts++;
	if (err) {
		totals->failed++;
		complain("%s: %s", address ? address : "?",
			 text.n ? buf_cstr(&text) : err_text(err));
	} else if (cli->json) {
		json_array_append_new(all, json_pack("{s:s,s:O}", "address",
						     address ? address : "?", "rows", rows));
	} else {
		print_report(address ? address : "?", rows, totals);
	}
	json_decref(args);
	json_decref(rows);
	return err;
}

static enum err find_accounts(struct client *client, const char *address, json_t *accounts)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	json_t *args = address ? json_pack("{s:s}", "address", address) : json_object();
	enum err err = client_request(client, address ? "account.show" : "account.list", args,
				      collect, accounts, &text);

	if (err)
		complain("%s", text.n ? buf_cstr(&text) : err_text(err));
	json_decref(args);
	return err;
}

static int check_accounts(struct cli *cli, struct client *client, const char *address, bool rebuild)
{
	json_t *accounts = json_array(), *all = json_array(), *account;
	struct totals totals = { 0 };
	enum err err = find_accounts(client, address, accounts);
	size_t i;

	json_array_foreach(accounts, i, account)
	{
		/* account.show also has a row of aliases. */
		if (!err && json_object_get(account, "id") &&
		    check_account(cli, client, account, rebuild, all, &totals))
			continue;
	}
	if (!err && cli->json)
		output_rows(all, "", NULL, true);
	else if (!err)
		printf("%u accounts, %lld messages, %lld damaged records.\n", totals.accounts,
		       totals.messages, totals.damaged);
	json_decref(accounts);
	json_decref(all);
	return err || totals.failed || totals.damaged ? EXIT_FAILED : EXIT_FINE;
}

int cmd_fsck(struct cli *cli, const struct command *command)
{
	bool all = argument_flag(cli, "all");
	bool rebuild = argument_flag(cli, "rebuild");
	const char *address = argument_at(cli, 0);
	struct instance instance;
	struct client client;
	int status = EXIT_FAILED;

	if (!argument_done(cli, command, 1))
		return EXIT_USAGE;
	if (all == (address != NULL)) {
		complain("fsck: name one account, or give --all. Usage: posthold fsck %s",
			 command->usage);
		return EXIT_USAGE;
	}
	if (cli->dir ? instance_find(cli, &instance) : instance_load(cli, &instance))
		return EXIT_FAILED;
	if (!client_open(&instance, false, &client)) {
		status = check_accounts(cli, &client, address, rebuild);
		client_close(&client);
	}
	instance_done(&instance);
	return status;
}
