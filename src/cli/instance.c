/*
 * cli/instance.c: which instance is meant, where its files are, and its configuration.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

#define SYSTEM_CONFIG "/etc/posthold/posthold.conf"

static bool absolute(const char *path, char *to, size_t room)
{
	char here[512] = "";
	int n;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return false;
	n = snprintf(to, room, "%s%s%s", here, path[0] == '/' ? "" : "/", path);
	return n > 0 && (size_t)n < room;
}

enum err instance_find(const struct cli *cli, struct instance *ret)
{
	enum err err;
	bool fits = true;

	memset(ret, 0, sizeof(*ret));
	err = config_init(&ret->config);
	if (err)
		return err;
	if (cli->dir)
		fits = absolute(cli->dir, ret->data, sizeof(ret->data));
	if (fits && cli->config_path)
		fits = absolute(cli->config_path, ret->config_path, sizeof(ret->config_path));
	else if (fits)
		fits = snprintf(ret->config_path, sizeof(ret->config_path), "%s",
				cli->dir ? "" : SYSTEM_CONFIG) >= 0;
	if (fits && cli->dir && !cli->config_path)
		snprintf(ret->config_path, sizeof(ret->config_path), "%s/posthold.conf", ret->data);
	if (!fits) {
		complain("a path is too long");
		return ERR_LIMIT;
	}
	return OK;
}

enum err instance_load(const struct cli *cli, struct instance *ret)
{
	struct buf CLEANUP(buf_done) problems = BUF_INIT(64 * 1024);
	unsigned count = 0;
	enum err err = instance_find(cli, ret);

	if (err)
		return err;
	err = config_file_read(ret->config_path, &ret->config, &problems, &count);
	if (!err && count > 0) {
		fputs(buf_cstr(&problems), stderr);
		err = ERR_SYNTAX;
	}
	if (!err && !ret->data[0] && !absolute(ret->config.data, ret->data, sizeof(ret->data)))
		err = ERR_LIMIT;
	if (!err) {
		struct buf CLEANUP(buf_done) why = BUF_INIT(300);

		err = config_set(&ret->config, VIEW("data"), view_str(ret->data), &why);
	}
	return err;
}

void instance_done(struct instance *instance)
{
	config_done(&instance->config);
}

bool make_folders(const char *path, unsigned mode)
{
	char part[1100];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return false;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) && errno != EEXIST)
			return false;
	}
	return true;
}

enum err instance_write_options(const struct instance *instance)
{
	struct buf CLEANUP(buf_done) lines = BUF_INIT(CONFIG_TEXT_MAX);
	char run[1100];
	int CLEANUP(fd_close) dir = -1;
	enum err err;

	snprintf(run, sizeof(run), "%s/run", instance->data);
	if (!make_folders(run, 0711)) {
		complain("cannot make the folder %s: %s", run, strerrordesc_np(errno));
		return ERR_IO;
	}
	config_dump(&instance->config, &lines);
	dir = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = buf_err(&lines);
	if (!err)
		err = dir < 0 ? ERR_IO : file_replace(dir, "options", buf_view(&lines), 0600);
	if (err)
		complain("cannot write %s/options: %s", run, strerrordesc_np(errno));
	return err;
}

const char *instance_libexec(void)
{
	static char path[1100];
	char self[1000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	/* Beside us when built, in libexec when installed. */
	static const char *const places[] = { "%s/../roles", "%s/../libexec/posthold",
					      "%s/../lib/posthold", "%s" };
	char *slash;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char program[1200];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), places[i], self);
#pragma GCC diagnostic pop
		snprintf(program, sizeof(program), "%s/posthold-supervisor", path);
		if (access(program, X_OK) == 0)
			return path;
	}
	return NULL;
}
