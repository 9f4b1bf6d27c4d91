/*
 * cli/config_file.c: the configuration file, read by libconfuse, checked by sys/config.
 *
 * Every option is text to libconfuse; what values are possible is decided in one place, config/.
 */
#include "cli.h"

#include <confuse.h>
#include <errno.h>

#include "sys/file.h"

struct reading {
	struct config *config;
	struct buf *problems;
	unsigned count;
};

/* libconfuse hands no context to its callbacks; one file is read at a time. */
static struct reading *current;

static void add_problem(cfg_t *cfg, const char *text)
{
	current->count++;
	buf_addf(current->problems, "%s:%d: %s\n", cfg && cfg->filename ? cfg->filename : "?",
		 cfg ? cfg->line : 0, text);
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(500);

	buf_vaddf(&text, format, args);
	if (strncmp(buf_cstr(&text), "no such option '", 16) == 0) {
		struct view name = view_from(buf_view(&text), 16);
		struct buf CLEANUP(buf_done) why = BUF_INIT(500);

		view_cut(name, '\'', &name);
		/* Asked only for its words: which option may have been meant. */
		if (config_set(current->config, name, VIEW_EMPTY, &why))
			add_problem(cfg, buf_cstr(&why));
		return;
	}
	add_problem(cfg, buf_cstr(&text));
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	struct buf CLEANUP(buf_done) why = BUF_INIT(700);
	const char *value = cfg_opt_getnstr(opt, 0);

	if (config_set(current->config, view_str(opt->name), view_str(value), &why))
		add_problem(cfg, buf_cstr(&why));
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

enum err config_file_read(const char *path, struct config *config, struct buf *problems,
			  unsigned *ret_count)
{
	struct reading reading = { config, problems, 0 };
	cfg_opt_t *options = calloc(config_option_count + 1, sizeof(*options));
	cfg_t *cfg;
	int result;

	if (!options)
		return ERR_NOMEM;
	current = &reading;
	cfg = make_parser(options);
	result = cfg ? cfg_parse(cfg, path) : CFG_FILE_ERROR;
	if (result == CFG_FILE_ERROR) {
		reading.count++;
		buf_addf(problems, "%s: cannot be read: %s\n", path, strerrordesc_np(errno));
	} else if (result == CFG_PARSE_ERROR && reading.count == 0) {
		reading.count++;
		buf_addf(problems, "%s: expected are lines NAME = VALUE\n", path);
	}
	if (cfg)
		cfg_free(cfg);
	free(options);
	current = NULL;
	*ret_count = reading.count;
	return OK;
}
