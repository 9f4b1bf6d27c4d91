/*
 * cli/cli.h: what the files of the posthold command share.
 *
 * The command checks configuration, starts the supervisor, and asks a running instance over the control
 * socket.  It never opens mail, queue or directory of a running instance itself.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>

#include "base/buf.h"
#include "sys/config.h"

enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1, /* what was asked for could not be done */
	EXIT_USAGE = 2, /* the command line is wrong */
};

struct cli {
	const char *dir; /* --dir: an instance below one folder; NULL: the system's */
	const char *config_path; /* --config */
	bool json;
	int argc; /* what follows the command's name */
	char **argv;
};

/* One command of the table in main.c. */
struct command {
	const char *name; /* "account add" */
	const char *usage; /* arguments */
	const char *help; /* one line */
	int (*run)(struct cli *cli, const struct command *command);
	/* For commands that are one request to the running instance (request.c). */
	const char *verb;
	const char *
		args; /* names of positional arguments, space separated; "?" before optional ones */
	const char *columns; /* of the table, space separated */
	const char *empty; /* what an empty list means */
};

extern const struct command commands[];
extern const size_t command_count;

/* ---- instance.c ---- */

struct instance {
	struct config config;
	char config_path[1100];
	char data[1024];
};

/* Paths only; the configuration file is not read. */
MUST_USE enum err instance_find(const struct cli *cli, struct instance *ret);
/* And its configuration; problems are told on standard error with file and line. */
MUST_USE enum err instance_load(const struct cli *cli, struct instance *ret);
void instance_done(struct instance *instance);
/* Write DATA/run/options for the supervisor. */
MUST_USE enum err instance_write_options(const struct instance *instance);
/* The folder of this program, where the supervisor is; NULL if unknown.  Static. */
const char *instance_libexec(void);
/* mkdir -p.  false with errno. */
bool make_folders(const char *path, unsigned mode);

/* ---- config_file.c ---- */

/* Read FILE into config; each problem is one line "FILE:LINE: what" in problems.  *ret_count of them. */
MUST_USE enum err config_file_read(const char *path, struct config *config, struct buf *problems,
				   unsigned *ret_count);

/* ---- client.c: the control socket ---- */

struct client {
	int fd;
	struct buf in;
};

typedef void client_row_fn(void *ctx, json_t *row);

/* ERR_NOTFOUND when nothing listens there; explained on standard error unless quiet. */
MUST_USE enum err client_open(const struct instance *instance, bool quiet, struct client *ret);
void client_close(struct client *c);
/*
 * One request.  Rows go to fn as they come.  Returns the instance's verdict; text is what it says to a
 * person.  args is borrowed.
 */
MUST_USE enum err client_request(struct client *c, const char *verb, json_t *args,
				 client_row_fn *fn, void *ctx, struct buf *text);

/* ---- output.c ---- */

/* Instead of columns: each row as lines NAME VALUE. */
#define EVERY_FIELD "*"
/* Rows as an aligned table with these columns, or as one JSON array. */
void output_rows(json_t *rows, const char *columns, const char *empty, bool json);
/* A value as a person reads it. */
void output_value(struct buf *out, json_t *value);
void complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- commands ---- */

int cmd_request(struct cli *cli, const struct command *command);
int cmd_status(struct cli *cli, const struct command *command);
int cmd_trace(struct cli *cli, const struct command *command);
int cmd_log(struct cli *cli, const struct command *command);
int cmd_reload(struct cli *cli, const struct command *command);
int cmd_serve(struct cli *cli, const struct command *command);
int cmd_quickstart(struct cli *cli, const struct command *command);
int cmd_init(struct cli *cli, const struct command *command);
int cmd_check(struct cli *cli, const struct command *command);
int cmd_fsck(struct cli *cli, const struct command *command);
int cmd_options(struct cli *cli, const struct command *command);

/* ---- arguments.c ---- */

/*
 * Take "--name value" or "--name=value" out of argv; NULL if it is not there.  For flags pass
 * argument_flag.  What is left over after all were taken must be positional.
 */
const char *argument_take(struct cli *cli, const char *name);
bool argument_flag(struct cli *cli, const char *name);
/* The n-th positional argument, or NULL. */
const char *argument_at(const struct cli *cli, int n);
/* Complain about options that nobody took; true when there are none. */
bool argument_done(const struct cli *cli, const struct command *command, int at_most);

#endif
