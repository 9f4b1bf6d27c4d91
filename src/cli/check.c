/*
 * cli/check.c: is the configuration one that can serve?
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/date.h"
#include "start.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tls/keygen.h"

enum { PEM_MAX = 64 * 1024, CERTIFICATES_MAX = 16 };

struct checking {
	json_t *report; /* or NULL */
	bool fine;
	bool quiet;
};

PRINTF_LIKE(4, 5)
static void say(struct checking *c, bool bad, const char *what, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (bad)
		c->fine = false;
	if (c->report)
		json_array_append_new(c->report, json_pack("{s:s,s:b,s:s}", "what", what, "ok",
							   !bad, "text", text));
	else if (bad)
		complain("%s: %s", what, text);
}

static void check_hostname(struct checking *c, const struct config *config)
{
	struct view name = view_str(config->hostname);

	if (name.n == 0)
		say(c, true, "hostname",
		    "is missing; set it to the name that this server's address "
		    "has in DNS, such as mail.example.org");
	else if (!view_has(name, '.') || name.n > 253)
		say(c, true, "hostname", "\"%s\" is not a full name such as mail.example.org",
		    config->hostname);
	else
		say(c, false, "hostname", "%s", config->hostname);
}

static bool read_pem(struct checking *c, const char *option, const char *path, struct buf *to)
{
	enum err err = file_read_all(AT_FDCWD, path, to);

	if (!err)
		return true;
	say(c, true, option, "%s cannot be read: %s", path,
	    err == ERR_IO || err == ERR_NOTFOUND ? strerrordesc_np(errno) : err_text(err));
	return false;
}

static void explain_pair(struct checking *c, const char *path, enum err err)
{
	if (err == ERR_CRYPTO)
		say(c, true, "certificate",
		    "%s and the key at the same place of certificate_key do not "
		    "belong together",
		    path);
	else if (err == ERR_UNSUPPORTED)
		say(c, true, "certificate",
		    "%s: its key is of a kind or size that mail servers refuse; "
		    "use ECDSA P-256 or RSA of 2048 bits and more",
		    path);
	else
		say(c, true, "certificate", "%s: not a certificate and key in PEM form", path);
}

static void check_pair(struct checking *c, struct tls_env *env, const char *cert_path,
		       const char *key_path)
{
	struct buf CLEANUP(buf_done) cert = BUF_INIT(PEM_MAX);
	struct buf CLEANUP(buf_done) key = BUF_INIT(PEM_MAX);
	struct buf CLEANUP(buf_done) names = BUF_INIT(4096);
	struct keygen_report report;
	int64_t now = clock_wall();
	enum err err;

	if (!read_pem(c, "certificate", cert_path, &cert) ||
	    !read_pem(c, "certificate_key", key_path, &key))
		return;
	err = keygen_check(env, buf_view(&cert), buf_view(&key), &report, &names);
	buf_wipe(&key);
	if (err) {
		explain_pair(c, cert_path, err);
	} else if (now > report.until || now < report.from) {
		struct buf CLEANUP(buf_done) date = BUF_INIT(64);

		date_add_rfc3339(&date, (now > report.until ? report.until : report.from) * 1000);
		say(c, true, "certificate", "%s: %s %s (if that looks wrong, look at the clock)",
		    cert_path, now > report.until ? "expired on" : "is not in force before",
		    buf_cstr(&date));
	} else {
		say(c, false, "certificate", "%s: %s, %d bits, for %s, %lld days left", cert_path,
		    report.type, report.bits, buf_cstr(&names),
		    (long long)((report.until - now) / 86400));
	}
}

static char *nth(const char *list, size_t n)
{
	struct view rest = view_str(list), word = VIEW_EMPTY;

	for (size_t i = 0; i <= n; i++) {
		if (rest.n == 0)
			return NULL;
		rest = view_cut(rest, ',', &word);
	}
	return view_to_cstr(view_trim(word));
}

static void check_certificates(struct checking *c, const struct config *config)
{
	struct tls_env env;

	if (config->certificate[0] == '\0') {
		say(c, true, "certificate",
		    "is missing; without one nobody can log in. Set certificate "
		    "and certificate_key to files in PEM form");
		return;
	}
	if (tls_env_init(&env)) {
		say(c, true, "certificate", "no memory to check it");
		return;
	}
	for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
		char *cert = nth(config->certificate, i), *key = nth(config->certificate_key, i);

		if (cert && key)
			check_pair(c, &env, cert, key);
		else if (cert || key)
			say(c, true, "certificate_key",
			    "certificate and certificate_key must name the "
			    "same number of files");
		free(cert);
		free(key);
		if (!cert)
			break;
	}
	tls_env_done(&env);
}

bool check_instance(const struct instance *instance, json_t *report)
{
	struct checking c = { .report = report, .fine = true };

	check_hostname(&c, &instance->config);
	check_certificates(&c, &instance->config);
	return c.fine;
}

int cmd_check(struct cli *cli, const struct command *command)
{
	struct instance instance;
	json_t *report, *row;
	bool fine;
	size_t i;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	if (instance_load(cli, &instance))
		return EXIT_FAILED;
	report = json_array();
	fine = check_instance(&instance, report);
	if (cli->json) {
		output_rows(report, "", NULL, true);
	} else {
		json_array_foreach(report, i, row) printf(
			"%-7s %s: %s\n", json_is_true(json_object_get(row, "ok")) ? "ok" : "WRONG",
			json_string_value(json_object_get(row, "what")),
			json_string_value(json_object_get(row, "text")));
		printf("%s %s\n", instance.config_path,
		       fine ? "can be served." : "cannot be served until that is mended.");
	}
	json_decref(report);
	instance_done(&instance);
	return fine ? EXIT_FINE : EXIT_FAILED;
}

/* The instance that is meant; where none was named and none is installed, the defaults. */
static enum err load_or_defaults(struct cli *cli, struct instance *ret)
{
	enum err err = instance_find(cli, ret);

	if (err || (!cli->dir && !cli->config_path && access(ret->config_path, F_OK)))
		return err;
	instance_done(ret);
	return instance_load(cli, ret);
}

int cmd_options(struct cli *cli, const struct command *command)
{
	struct instance instance;
	json_t *rows;

	if (!argument_done(cli, command, 0))
		return EXIT_USAGE;
	if (load_or_defaults(cli, &instance))
		return EXIT_FAILED;
	rows = json_array();
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		struct buf CLEANUP(buf_done) value = BUF_INIT(1100);

		config_value(&instance.config, o, &value);
		json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s}", "option", o->name,
						      "value", buf_cstr(&value), "default",
						      o->initial, "meaning", o->text));
	}
	output_rows(rows, "option value default meaning", NULL, cli->json);
	json_decref(rows);
	instance_done(&instance);
	return EXIT_FINE;
}
