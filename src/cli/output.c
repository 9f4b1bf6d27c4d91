/*
 * cli/output.c: tables for people, JSON for programs.
 */
#include "cli.h"

#include <stdarg.h>

enum { COLUMNS_MAX = 16, CELL_MAX = 400 };

void complain(const char *format, ...)
{
	va_list args;

	fputs("posthold: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void output_list(struct buf *out, json_t *list)
{
	size_t i;
	json_t *value;

	json_array_foreach(list, i, value)
	{
		if (i > 0)
			buf_add_str(out, ", ");
		buf_add_str(out, json_is_string(value) ? json_string_value(value) : "?");
	}
}

void output_value(struct buf *out, json_t *value)
{
	if (!value || json_is_null(value))
		buf_add_str(out, "-");
	else if (json_is_string(value))
		buf_add_str(out, json_string_length(value) ? json_string_value(value) : "-");
	else if (json_is_integer(value))
		buf_addf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		buf_add_str(out, json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value) && json_is_string(json_array_get(value, 0)))
		output_list(out, value);
	else if (json_is_array(value) && json_array_size(value) == 0)
		buf_add_str(out, "-");
	else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		buf_add_str(out, text ? text : "?");
		free(text);
	}
}

static size_t split(const char *columns, struct view names[COLUMNS_MAX])
{
	struct view rest = view_str(columns);
	size_t n = 0;

	while (rest.n > 0 && n < COLUMNS_MAX) {
		rest = view_cut(rest, ' ', &names[n]);
		n += names[n].n > 0;
	}
	return n;
}

static json_t *cell(json_t *row, struct view name)
{
	char key[64];

	snprintf(key, sizeof(key), VIEW_FMT, VIEW_ARG(name));
	return json_object_get(row, key);
}

/* Characters, not octets: names may be in any script. */
static size_t width_of(struct view text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (view_at(text, i) & 0xc0) != 0x80;
	return n;
}

static void print_cell(struct view text, size_t width, bool last)
{
	printf(VIEW_FMT, VIEW_ARG(text));
	for (size_t i = width_of(text); !last && i < width + 2; i++)
		putchar(' ');
}

static void print_table(json_t *rows, const struct view *names, size_t n)
{
	size_t widths[COLUMNS_MAX], i;
	json_t *row;

	for (size_t c = 0; c < n; c++) {
		widths[c] = names[c].n;
		json_array_foreach(rows, i, row)
		{
			struct buf CLEANUP(buf_done) text = BUF_INIT(CELL_MAX);

			output_value(&text, cell(row, names[c]));
			widths[c] = size_max(widths[c], width_of(buf_view(&text)));
		}
	}
	for (size_t c = 0; c < n; c++)
		print_cell(names[c], widths[c], c + 1 == n);
	putchar('\n');
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < n; c++) {
			struct buf CLEANUP(buf_done) text = BUF_INIT(CELL_MAX);

			output_value(&text, cell(row, names[c]));
			print_cell(buf_view(&text), widths[c], c + 1 == n);
		}
		putchar('\n');
	}
}

static void print_fields(json_t *rows)
{
	const char *key;
	json_t *row, *value;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (i > 0)
			putchar('\n');
		json_object_foreach(row, key, value)
		{
			struct buf CLEANUP(buf_done) text = BUF_INIT(64 * 1024);

			output_value(&text, value);
			printf("%-16s  %s\n", key, buf_cstr(&text));
		}
	}
}

void output_rows(json_t *rows, const char *columns, const char *empty, bool json)
{
	struct view names[COLUMNS_MAX];
	size_t n;

	if (json) {
		json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	if (json_array_size(rows) == 0) {
		if (empty)
			puts(empty);
		return;
	}
	if (strcmp(columns, EVERY_FIELD) == 0) {
		print_fields(rows);
		return;
	}
	n = split(columns, names);
	print_table(rows, names, n);
}
