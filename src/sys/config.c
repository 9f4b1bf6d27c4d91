/*
 * sys/config.c: see config.h.
 */
#include "sys/config.h"

#include "base/num.h"

static void *slot(struct config *c, const struct config_option *o)
{
	return (char *)c + o->at;
}

static const void *slot_const(const struct config *c, const struct config_option *o)
{
	return (const char *)c + o->at;
}

const struct config_option *config_find(struct view name)
{
	for (size_t i = 0; i < config_option_count; i++)
		if (view_eq(view_str(config_options[i].name), name))
			return &config_options[i];
	return NULL;
}

/* Characters that both have at the beginning and, beyond those, at the end. */
static size_t alike(struct view a, struct view b)
{
	size_t shorter = size_min(a.n, b.n);
	size_t head = 0, tail = 0;

	while (head < shorter && a.p[head] == b.p[head])
		head++;
	while (head + tail < shorter && a.p[a.n - 1 - tail] == b.p[b.n - 1 - tail])
		tail++;
	return head + tail;
}

static void explain_unknown(struct view name, struct buf *why)
{
	const struct config_option *near = NULL;
	size_t best = 2;

	for (size_t i = 0; i < config_option_count; i++) {
		size_t n = alike(name, view_str(config_options[i].name));

		if (n > best) {
			best = n;
			near = &config_options[i];
		}
	}
	buf_addf(why, "there is no option \"" VIEW_FMT "\"", VIEW_ARG(view_head(name, 64)));
	if (near)
		buf_addf(why, "; did you mean \"%s\"?", near->name);
}

static const char *expected(enum config_type type)
{
	switch (type) {
	case CONFIG_SIZE: return "a size such as \"50 MiB\", \"64 KiB\" or \"4096\"";
	case CONFIG_DURATION: return "a time such as \"10 s\", \"5 m\", \"4 h\" or \"5 d\"";
	case CONFIG_INT: return "a whole number";
	case CONFIG_BOOL: return "yes or no";
	case CONFIG_STR: return "text of at most 1000 octets without control characters";
	}
	return "";
}

static void add_in_unit(struct buf *out, enum config_type type, uint64_t n)
{
	static const struct {
		enum config_type type;
		uint64_t of;
		const char *name;
	} units[] = {
		{ CONFIG_SIZE, 1U << 30, " GiB" },  { CONFIG_SIZE, 1U << 20, " MiB" },
		{ CONFIG_SIZE, 1U << 10, " KiB" },  { CONFIG_DURATION, 86400000, " d" },
		{ CONFIG_DURATION, 3600000, " h" }, { CONFIG_DURATION, 60000, " m" },
		{ CONFIG_DURATION, 1000, " s" },    { CONFIG_DURATION, 1, " ms" },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].type == type && n >= units[i].of && n % units[i].of == 0) {
			buf_addf(out, "%llu%s", (unsigned long long)(n / units[i].of),
				 units[i].name);
			return;
		}
	}
	buf_add_u64(out, n);
	if (type == CONFIG_DURATION)
		buf_add_str(out, " ms");
}

static enum err parse_number(const struct config_option *o, struct view value, uint64_t *ret)
{
	uint64_t n;
	enum err err;

	if (o->type == CONFIG_SIZE)
		err = num_size(value, &n);
	else if (o->type == CONFIG_DURATION)
		err = num_duration(value, &n);
	else
		err = num_u64(value, UINT64_MAX, &n);
	if (!err && (n < o->min || n > o->max))
		err = ERR_RANGE;
	if (!err)
		*ret = n;
	return err;
}

static enum err set_text(struct config *c, const struct config_option *o, struct view value)
{
	char **at = slot(c, o);
	char *copy;

	if (value.n > CONFIG_VALUE_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < value.n; i++)
		if (view_at(value, i) < 0x20 || view_at(value, i) == 0x7f)
			return ERR_SYNTAX;
	copy = view_to_cstr(value);
	if (!copy)
		return ERR_NOMEM;
	free(*at);
	*at = copy;
	return OK;
}

static enum err set_value(struct config *c, const struct config_option *o, struct view value)
{
	if (o->type == CONFIG_STR)
		return set_text(c, o, value);
	if (o->type == CONFIG_BOOL) {
		if (!view_eq(value, VIEW("yes")) && !view_eq(value, VIEW("no")))
			return ERR_SYNTAX;
		*(bool *)slot(c, o) = view_eq(value, VIEW("yes"));
		return OK;
	}
	return parse_number(o, value, slot(c, o));
}

enum err config_set(struct config *c, struct view name, struct view value, struct buf *why)
{
	const struct config_option *o = config_find(name);
	enum err err;

	if (!o) {
		explain_unknown(name, why);
		return ERR_NOTFOUND;
	}
	err = set_value(c, o, view_trim(value));
	if (!err)
		return OK;
	buf_addf(why, "%s: \"" VIEW_FMT "\" is not possible; expected is %s", o->name,
		 VIEW_ARG(view_head(value, 64)), expected(o->type));
	if (err == ERR_RANGE) {
		buf_add_str(why, " from ");
		add_in_unit(why, o->type, o->min);
		buf_add_str(why, " to ");
		add_in_unit(why, o->type, o->max);
	}
	return err;
}

enum err config_init(struct config *c)
{
	char room[256];
	struct buf why = BUF_INIT(sizeof(room));
	enum err err = OK;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < config_option_count && !err; i++)
		err = config_set(c, view_str(config_options[i].name),
				 view_str(config_options[i].initial), &why);
	buf_done(&why);
	if (err)
		config_done(c);
	return err;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].type == CONFIG_STR) {
			char **at = slot(c, &config_options[i]);

			free(*at);
			*at = NULL;
		}
	}
}

void config_value(const struct config *c, const struct config_option *o, struct buf *out)
{
	const void *at = slot_const(c, o);

	if (o->type == CONFIG_STR)
		buf_add_str(out, *(char *const *)at);
	else if (o->type == CONFIG_BOOL)
		buf_add_str(out, *(const bool *)at ? "yes" : "no");
	else
		add_in_unit(out, o->type, *(const uint64_t *)at);
}

void config_dump(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < config_option_count; i++) {
		buf_add_str(out, config_options[i].name);
		buf_add_char(out, '=');
		config_value(c, &config_options[i], out);
		buf_add_char(out, '\n');
	}
}

enum err config_load(struct config *c, struct view lines, struct buf *why)
{
	while (lines.n > 0) {
		struct view line, name, value;
		enum err err;

		lines = view_cut(lines, '\n', &line);
		if (line.n == 0)
			continue;
		value = view_cut(line, '=', &name);
		err = config_set(c, name, value, why);
		if (err)
			return err;
	}
	return OK;
}
