/*
 * sys/config.h: the options of an instance.
 *
 * The struct and the table are generated from config/ (one file an option).  Values travel as text:
 * from the file or the command line to the supervisor, and from it to every role.
 */
#ifndef SYS_CONFIG_H
#define SYS_CONFIG_H

#include "base/buf.h"
#include "config/options.h"

enum config_type { CONFIG_SIZE, CONFIG_DURATION, CONFIG_INT, CONFIG_BOOL, CONFIG_STR };

struct config_option {
	const char *name;
	enum config_type type;
	size_t at; /* offset in struct config */
	uint64_t min, max;
	const char *initial;
	bool reload;
	const char *text;
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

enum { CONFIG_VALUE_MAX = 1000, CONFIG_TEXT_MAX = 256 * 1024 };

/* All defaults.  Freed by config_done. */
MUST_USE enum err config_init(struct config *c);
void config_done(struct config *c);
/*
 * Set one option.  On failure why tells a person what is wrong and what is expected: ERR_NOTFOUND for an
 * unknown name (with the nearest one), ERR_SYNTAX, ERR_RANGE.
 */
MUST_USE enum err config_set(struct config *c, struct view name, struct view value,
			     struct buf *why);
/* The value as text that config_set takes. */
void config_value(const struct config *c, const struct config_option *o, struct buf *out);
/* All options as lines NAME=VALUE, and back. */
void config_dump(const struct config *c, struct buf *out);
MUST_USE enum err config_load(struct config *c, struct view lines, struct buf *why);
/* NULL if there is none. */
const struct config_option *config_find(struct view name);

#endif
