/*
 * cli/quickstart.c: a complete instance below one folder, on loopback, for newcomers and tests.
 *
 * Creates what is missing once (configuration, certificate authority, accounts), serves in the
 * foreground, says "ready" when all listeners accept, ends on SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "cli.h"
#include "start.h"
#include "sys/file.h"

enum { ACCOUNTS_MAX = 20000, SETTINGS_MAX = 64 };

struct wish {
	const char *domain;
	const char *port_offset;
	const char *resolver;
	const char *accounts_file;
	const char *accounts[64]; /* ADDRESS:PASSWORD */
	size_t account_count;
	const char *settings[SETTINGS_MAX]; /* OPTION=VALUE */
	size_t setting_count;
};

static volatile sig_atomic_t asked_to_end;

static void on_signal(int number)
{
	asked_to_end = 1;
}

static bool take_arguments(struct cli *cli, const struct command *command, struct wish *w)
{
	const char *value;

	w->domain = argument_take(cli, "domain");
	w->port_offset = argument_take(cli, "port-offset");
	w->resolver = argument_take(cli, "resolver");
	w->accounts_file = argument_take(cli, "accounts-file");
	while (w->account_count < ARRAY_LEN(w->accounts) && (value = argument_take(cli, "account")))
		w->accounts[w->account_count++] = value;
	while (w->setting_count < SETTINGS_MAX && (value = argument_take(cli, "set")))
		w->settings[w->setting_count++] = value;
	if (!cli->dir || !w->port_offset) {
		complain("quickstart: --dir and --port-offset are needed, for example: posthold "
			 "quickstart "
			 "--dir /tmp/posthold --port-offset 10000");
		return false;
	}
	return argument_done(cli, command, 0);
}

/* ---- create ---- */

static bool write_file(const char *dir, const char *name, struct view text, mode_t mode)
{
	int CLEANUP(fd_close) fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && file_replace(fd, name, text, mode) == OK)
		return true;
	complain("cannot write %s/%s: %s", dir, name, strerrordesc_np(errno));
	return false;
}

static bool create_certificates(const struct instance *instance, const char *hostname)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/ca.pem", instance->data);
	if (access(path, R_OK) == 0)
		return true;
	return create_test_certificates(instance->data, hostname);
}

static bool create_config(const struct instance *instance, const struct wish *w)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(8192);
	const char *domain = w->domain ? w->domain : "example.test";

	if (access(instance->config_path, F_OK) == 0)
		return true;
	buf_addf(&text,
		 "# Made by `posthold quickstart`; every option is explained in posthold.conf(5).\n"
		 "hostname = \"mail.%s\"\n"
		 "domain = \"%s\"\n"
		 "listen_address = \"127.0.0.1,::1\"\n"
		 "port_offset = %s\n"
		 "certificate = \"%s/cert.pem\"\n"
		 "certificate_key = \"%s/key.pem\"\n",
		 domain, domain, w->port_offset, instance->data, instance->data);
	if (w->resolver)
		buf_addf(&text, "resolver = \"%s\"\n", w->resolver);
	return write_file(instance->data, "posthold.conf", buf_view(&text), 0644);
}

/* The command line wins over the file. */
static bool apply_settings(struct instance *instance, const struct wish *w)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(700);
	enum err err =
		config_set(&instance->config, VIEW("port_offset"), view_str(w->port_offset), &why);

	if (!err && w->resolver)
		err = config_set(&instance->config, VIEW("resolver"), view_str(w->resolver), &why);
	for (size_t i = 0; i < w->setting_count && !err; i++) {
		struct view name, value = view_cut(view_str(w->settings[i]), '=', &name);

		err = config_set(&instance->config, name, value, &why);
	}
	if (err)
		complain("%s", why.n ? buf_cstr(&why) : err_text(err));
	return err == OK;
}

/* ---- accounts ---- */

struct added {
	json_t *last_row;
};

static void keep_row(void *ctx, json_t *row)
{
	struct added *a = ctx;

	json_decref(a->last_row);
	a->last_row = json_incref(row);
}

static enum err add_account(struct client *client, struct view address, struct view password,
			    bool tell)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	struct added added = { NULL };
	json_t *args = json_pack("{s:s%}", "address", address.p, address.n);
	const char *made;
	enum err err;

	if (password.n > 0)
		json_object_set_new(args, "password", json_stringn(password.p, password.n));
	err = client_request(client, "account.add", args, keep_row, &added, &text);
	made = json_string_value(json_object_get(added.last_row, "password"));
	if (!err && tell)
		printf("account " VIEW_FMT " password " VIEW_FMT "\n", VIEW_ARG(address),
		       VIEW_ARG(made ? view_str(made) : password));
	else if (err == ERR_EXISTS && tell)
		printf("account " VIEW_FMT
		       " (made before; `posthold account password` sets a new one)\n",
		       VIEW_ARG(address));
	else if (err && err != ERR_EXISTS)
		complain("cannot add " VIEW_FMT ": %s", VIEW_ARG(address), buf_cstr(&text));
	json_decref(args);
	json_decref(added.last_row);
	return err == ERR_EXISTS ? OK : err;
}

static enum err add_domain_of(struct client *client, struct view address)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(2000);
	size_t at = view_rfind_char(address, '@');
	struct view domain = at == VIEW_NONE ? address : view_from(address, at + 1);
	json_t *args = json_pack("{s:s%}", "domain", domain.p, domain.n);
	enum err err = client_request(client, "domain.add", args, NULL, NULL, &text);

	json_decref(args);
	if (err && err != ERR_EXISTS)
		complain("cannot add the domain " VIEW_FMT ": %s", VIEW_ARG(domain),
			 buf_cstr(&text));
	return err == ERR_EXISTS ? OK : err;
}

static enum err add_line(struct client *client, struct view line, bool tell)
{
	size_t at = view_rfind_char(view_head(line, size_min(line.n, 320)), '@');
	size_t colon = at == VIEW_NONE ? VIEW_NONE : view_find_char(view_from(line, at), ':');
	struct view address, password;
	enum err err;

	if (colon == VIEW_NONE) {
		complain("\"" VIEW_FMT "\": expected is ADDRESS:PASSWORD",
			 VIEW_ARG(view_head(line, 80)));
		return ERR_SYNTAX;
	}
	address = view_head(line, at + colon);
	password = view_from(line, at + colon + 1);
	err = add_domain_of(client, address);
	return err ? err : add_account(client, address, password, tell);
}

static enum err add_file(struct client *client, const char *path)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(ACCOUNTS_MAX * 400UL);
	enum err err = file_read_all(AT_FDCWD, path, &text);
	struct view rest = buf_view(&text);

	if (err)
		complain("cannot read %s: %s", path, strerrordesc_np(errno));
	while (!err && rest.n > 0) {
		struct view line;

		rest = view_cut(rest, '\n', &line);
		line = view_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			err = add_line(client, line, false);
	}
	return err;
}

static enum err add_defaults(struct client *client, const struct instance *instance)
{
	static const char *const names[] = { "anna", "ben" };
	enum err err = add_domain_of(client, view_str(instance->config.domain));

	for (size_t i = 0; i < ARRAY_LEN(names) && !err; i++) {
		struct buf CLEANUP(buf_done) address = BUF_INIT(320);

		buf_addf(&address, "%s@%s", names[i], instance->config.domain);
		err = add_account(client, buf_view(&address), VIEW_EMPTY, true);
	}
	return err;
}

static bool add_accounts(const struct instance *instance, const struct wish *w)
{
	struct client client;
	enum err err = client_open(instance, false, &client);

	if (err)
		return false;
	if (w->domain)
		err = add_domain_of(&client, view_str(w->domain));
	for (size_t i = 0; i < w->account_count && !err; i++)
		err = add_line(&client, view_str(w->accounts[i]), true);
	if (!err && w->accounts_file)
		err = add_file(&client, w->accounts_file);
	if (!err && w->account_count == 0 && !w->accounts_file)
		err = add_defaults(&client, instance);
	client_close(&client);
	return err == OK;
}

/* ---- run ---- */

static int wait_for_end(pid_t pid)
{
	int status;

	for (;;) {
		if (asked_to_end) {
			kill(pid, SIGTERM);
			asked_to_end = 0;
		}
		if (waitpid(pid, &status, 0) == pid)
			break;
		if (errno != EINTR)
			return EXIT_FAILED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

static int run(struct instance *instance, const struct wish *w)
{
	struct sigaction act = { .sa_handler = on_signal };
	pid_t pid;

	if (instance_write_options(instance))
		return EXIT_FAILED;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	pid = supervisor_start(instance);
	if (pid < 0)
		return EXIT_FAILED;
	if (!add_accounts(instance, w)) {
		kill(pid, SIGTERM);
		wait_for_end(pid);
		return EXIT_FAILED;
	}
	puts("ready");
	fflush(stdout);
	return wait_for_end(pid);
}

int cmd_quickstart(struct cli *cli, const struct command *command)
{
	struct instance instance;
	struct wish wish = { 0 };
	char hostname[300];
	int status = EXIT_FAILED;

	if (!take_arguments(cli, command, &wish))
		return EXIT_USAGE;
	if (!make_folders(cli->dir, 0755)) {
		complain("cannot make the folder %s: %s", cli->dir, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	if (instance_find(cli, &instance))
		return EXIT_FAILED;
	snprintf(hostname, sizeof(hostname), "mail.%s", wish.domain ? wish.domain : "example.test");
	if (create_config(&instance, &wish) && create_certificates(&instance, hostname)) {
		instance_done(&instance);
		if (instance_load(cli, &instance))
			return EXIT_FAILED;
		if (apply_settings(&instance, &wish))
			status = run(&instance, &wish);
	}
	instance_done(&instance);
	return status;
}
