/*
 * cli/config_file.c: the configuration file, read by libconfuse, checked by sys/config.
 *
 * Every option is text to libconfuse; what values are possible is decided in one place, config/.
 */
#include "cli.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>

#include "base/ascii.h"
#include "sys/file.h"

enum { FILE_MAX_OCTETS = 1024 * 1024 };

struct reading {
	const char *path;
	struct config *config;
	struct buf *problems;
	unsigned count;
};

/* libconfuse hands no context to its callbacks; one file is read at a time. */
static struct reading *current;

static void add_problem(int line, const char *text)
{
	current->count++;
	buf_addf(current->problems, "%s:%d: %s\n", current->path, line, text);
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(500);

	buf_vaddf(&text, format, args);
	add_problem(cfg ? cfg->line : 0, buf_cstr(&text));
}

static bool in_name(uint8_t c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* The line without its comment; '#' within quotes is no comment. */
static struct view without_comment(struct view line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		else if (line.p[i] == '#' && !quoted)
			return view_head(line, i);
	}
	return line;
}

/*
 * What libconfuse gets: the same lines, without comments, which it counts twice, and without options
 * that do not exist, at the first of which it would stop.
 */
static void clean(struct view text, struct buf *out)
{
	for (int number = 1; text.n > 0; number++) {
		struct view line, name;
		size_t n = 0;

		text = view_cut(text, '\n', &line);
		line = view_trim(without_comment(line));
		while (n < line.n && in_name(view_at(line, n)))
			n++;
		name = view_head(line, n);
		if (name.n > 0 && !config_find(name)) {
			struct buf CLEANUP(buf_done) why = BUF_INIT(500);

			/* Asked only for its words: which option may have been meant. */
			if (config_set(current->config, name, VIEW_EMPTY, &why))
				add_problem(number, buf_cstr(&why));
		} else {
			buf_add(out, line);
		}
		buf_add_char(out, '\n');
	}
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(700);
	const char *value = cfg_opt_getnstr(opt, 0);

	if (config_set(current->config, view_str(opt->name), view_str(value), &why))
		add_problem(cfg->line, buf_cstr(&why));
	return 0;
}

static cfg_t *make_parser(cfg_opt_t *options)
{
	cfg_opt_t last = CFG_END();
	cfg_t *cfg;

	for (size_t i = 0; i < config_option_count; i++) {
		cfg_opt_t o = CFG_STR(config_options[i].name, NULL, CFGF_NONE);

		options[i] = o;
	}
	options[config_option_count] = last;
	cfg = cfg_init(options, CFGF_NONE);
	if (!cfg)
		return NULL;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < config_option_count; i++)
		cfg_set_validate_func(cfg, config_options[i].name, on_value);
	return cfg;
}

static enum err parse(struct view text)
{
	struct buf CLEANUP(buf_done) cleaned = BUF_INIT(FILE_MAX_OCTETS + 1);
	cfg_opt_t *options = calloc(config_option_count + 1, sizeof(*options));
	cfg_t *cfg = options ? make_parser(options) : NULL;
	enum err err = cfg ? OK : ERR_NOMEM;

	clean(text, &cleaned);
	if (!err)
		err = buf_err(&cleaned);
	if (!err && cfg_parse_buf(cfg, buf_cstr(&cleaned)) != CFG_SUCCESS && current->count == 0)
		add_problem(1, "expected are lines NAME = VALUE");
	if (cfg)
		cfg_free(cfg);
	free(options);
	return err;
}

enum err config_file_read(const char *path, struct config *config, struct buf *problems,
			  unsigned *ret_count)
{
	struct reading reading = { path, config, problems, 0 };
	struct buf CLEANUP(buf_done) text = BUF_INIT(FILE_MAX_OCTETS);
	enum err err = file_read_all(AT_FDCWD, path, &text);

	current = &reading;
	if (err) {
		reading.count++;
		buf_addf(problems, "%s: cannot be read: %s\n", path,
			 err == ERR_LIMIT ? "it is larger than 1 MiB" : strerrordesc_np(errno));
		err = OK;
	} else {
		err = parse(buf_view(&text));
	}
	current = NULL;
	if (!err)
		*ret_count = reading.count;
	return err;
}
