/*
 * cli/init.c: the configuration of a real server, on the standard ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "start.h"
#include "sys/file.h"
#include "unit_template.h"

#define UNIT_PATH "/etc/systemd/system/posthold.service"

struct answers {
	const char *hostname, *domain, *cert, *key;
	bool force;
};

static bool split_path(const char *path, char *folder, size_t room, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= room)
		return false;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	*ret_name = slash + 1;
	return true;
}

static bool write_new(const char *path, struct view text, mode_t mode, bool force)
{
	char folder[1100];
	const char *name;
	int CLEANUP(fd_close) dir = -1;

	if (!split_path(path, folder, sizeof(folder), &name))
		return false;
	if (!force && access(path, F_OK) == 0) {
		complain("%s is already there; nothing was changed. Use --force to replace it.",
			 path);
		return false;
	}
	if (!make_folders(folder, 0755)) {
		complain("cannot make the folder %s: %s", folder, strerrordesc_np(errno));
		return false;
	}
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || file_replace(dir, name, text, mode)) {
		complain("cannot write %s: %s", path, strerrordesc_np(errno));
		return false;
	}
	printf("wrote %s\n", path);
	return true;
}

static bool write_config(const struct cli *cli, const struct instance *instance,
			 const struct answers *a)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(8192);

	buf_addf(&text,
		 "# Posthold. Every option is explained in posthold.conf(5) and by `posthold "
		 "options`.\n"
		 "hostname = \"%s\"\n"
		 "domain = \"%s\"\n"
		 "certificate = \"%s\"\n"
		 "certificate_key = \"%s\"\n",
		 a->hostname, a->domain, a->cert, a->key);
	if (!cli->dir)
		buf_add_str(&text, "data = \"/var/lib/posthold\"\n");
	return write_new(instance->config_path, buf_view(&text), 0644, a->force);
}

/* unit_template with the words between two '@' replaced, as the build does for the installed unit. */
static void fill_unit(struct buf *out, const char *program, const char *option, const char *where)
{
	struct view part, rest = view_str(unit_template);

	for (bool word = false; rest.n > 0; word = !word) {
		rest = view_cut(rest, '@', &part);
		if (!word)
			buf_add(out, part);
		else if (view_eq(part, VIEW("POSTHOLD")))
			buf_add_str(out, program);
		else if (view_eq(part, VIEW("INSTANCE")))
			buf_addf(out, "%s %s", option, where);
	}
}

static bool write_unit(const struct cli *cli, const struct instance *instance,
		       const struct answers *a)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(8192);
	char self[1000];
	char path[1200] = UNIT_PATH;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (cli->dir)
		snprintf(path, sizeof(path), "%s/posthold.service", instance->data);
	fill_unit(&text, self, cli->dir ? "--dir" : "--config",
		  cli->dir ? instance->data : instance->config_path);
	return write_new(path, buf_view(&text), 0644, a->force);
}

static bool set(struct instance *instance, const char *name, const char *value)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(700);

	if (config_set(&instance->config, view_str(name), view_str(value), &why) == OK)
		return true;
	complain("%s", buf_cstr(&why));
	return false;
}

static bool check_answers(struct instance *instance, const struct answers *a)
{
	return set(instance, "hostname", a->hostname) && set(instance, "domain", a->domain) &&
	       set(instance, "certificate", a->cert) && set(instance, "certificate_key", a->key) &&
	       check_instance(instance, NULL);
}

static void print_next(const struct cli *cli, const struct answers *a)
{
	char which[600] = "";

	if (cli->dir)
		snprintf(which, sizeof(which), " --dir %s", cli->dir);
	printf("\nNext:\n"
	       "  systemctl daemon-reload && systemctl enable --now posthold\n"
	       "  posthold%s domain add %s\n"
	       "  posthold%s account add you@%s\n"
	       "\nIn DNS, so that others find this server and trust it:\n"
	       "  %s.  MX  10 %s.\n"
	       "  %s.  A / AAAA  this server's addresses, whose PTR records name it again\n"
	       "  %s.  TXT  \"v=spf1 mx -all\"\n",
	       which, a->domain, which, a->domain, a->domain, a->hostname, a->hostname, a->domain);
}

int cmd_init(struct cli *cli, const struct command *command)
{
	struct answers a = {
		.hostname = argument_take(cli, "hostname"),
		.domain = argument_take(cli, "domain"),
		.cert = argument_take(cli, "cert"),
		.key = argument_take(cli, "key"),
		.force = argument_flag(cli, "force"),
	};
	struct instance instance;
	int status = EXIT_FAILED;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	if (!a.hostname || !a.domain || !a.cert || !a.key) {
		complain("init needs all of --hostname, --domain, --cert and --key, for example:\n"
			 "  posthold init --hostname mail.example.org --domain example.org --cert "
			 "/etc/ssl/mail.pem --key /etc/ssl/mail.key");
		return EXIT_USAGE;
	}
	if (instance_find(cli, &instance))
		return EXIT_FAILED;
	if (check_answers(&instance, &a) && write_config(cli, &instance, &a) &&
	    write_unit(cli, &instance, &a)) {
		print_next(cli, &a);
		status = EXIT_FINE;
	}
	instance_done(&instance);
	return status;
}
