/*
 * roles/log/format.c: a record as JSON and as text.
 *
 * Values come from peers: every byte that is not plain text is escaped, so that no value can make a
 * second line or a second field.
 */
#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/date.h"
#include "base/encode.h"
#include "base/num.h"
#include "log_role.h"
#include "sys/clock.h"

static const char *const level_names[] = { "error", "warning", "notice", "info", "debug" };

/* Length of a valid UTF-8 sequence at v[at], 0 if there is none.   RFC 3629#4 */
static size_t utf8_length(struct view v, size_t at)
{
	uint8_t c = view_at(v, at);
	size_t n = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
	uint8_t second;

	if (c > 0xf4 || n == 0 || at + n > v.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((view_at(v, at + i) & 0xc0) != 0x80)
			return 0;
	second = view_at(v, at + 1);
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return n;
}

/* The code point of a valid sequence of n octets. */
static uint32_t utf8_point(struct view v, size_t at, size_t n)
{
	static const uint8_t mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = view_at(v, at) & mask[n];

	for (size_t i = 1; i < n; i++)
		point = point << 6 | (view_at(v, at + i) & 0x3fU);
	return point;
}

/* Controls, line ends beyond ASCII, and what turns the direction of text: a reader must not act on them. */
static bool is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* How much of v from octet at on stands for itself. */
static size_t plain_length(struct view v, size_t at)
{
	size_t n = 0;

	for (; at + n < v.n; n++) {
		uint8_t c = view_at(v, at + n);

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			break;
	}
	return n;
}

static void add_json_text(struct buf *out, struct view v)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < v.n;) {
		size_t plain = plain_length(v, i);

		if (plain) {
			buf_add(out, view_part(v, i, plain));
			i += plain;
			continue;
		}

		uint8_t c = view_at(v, i);
		size_t n = c < 0x80 ? 1 : utf8_length(v, i);
		uint32_t point = n ? utf8_point(v, i, n) : 0xfffd;

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (n == 0 || is_hidden(point))
			buf_addf(out, "\\u%04x", point);
		else
			buf_add(out, view_part(v, i, n));
		i += n ? n : 1;
	}
	buf_add_char(out, '"');
}

static struct view field_text(const struct log_record_fields *f, char room[64])
{
	char id[ID_TEXT_LEN];
	uint64_t number = f->value.n == 8 ? num_get64(f->value.p) : 0;
	int n = 0;

	switch (f->type) {
	case LOG_TYPE_TEXT: return f->value;
	case LOG_TYPE_UINT: return num_text(number, room);
	case LOG_TYPE_INT: n = snprintf(room, 64, "%lld", (long long)number); break;
	case LOG_TYPE_ID: {
		struct view text = id_text(number, id);

		memcpy(room, text.p, text.n);
		return view_of(room, text.n);
	}
	case LOG_TYPE_IP:
		if ((f->value.n == 4 || f->value.n == 16) &&
		    inet_ntop(f->value.n == 4 ? AF_INET : AF_INET6, f->value.p, room, 64))
			return view_str(room);
		return VIEW("?");
	default: return VIEW("?");
	}
	return view_of(room, n > 0 ? (size_t)n : 0);
}

static bool key_is_plain(struct view key)
{
	for (size_t i = 0; i < key.n; i++)
		if (!ascii_is_alnum(view_at(key, i)) && key.p[i] != '_')
			return false;
	return key.n > 0;
}

void log_format_json(struct buf *out, struct view role, uint64_t id, const struct log_record *m)
{
	struct view raw = m->fields_raw;
	struct log_record_fields f;
	char room[64];

	buf_add_str(out, "{\"time\":\"");
	date_add_rfc3339(out, m->time_ms);
	buf_add_str(out, "\",\"level\":\"");
	buf_add_str(out, level_names[size_min(m->level, ARRAY_LEN(level_names) - 1)]);
	buf_add_str(out, "\",\"role\":");
	add_json_text(out, role);
	if (id)
		buf_addf(out, ",\"of\":%llu", (unsigned long long)id);
	buf_add_str(out, ",\"event\":");
	add_json_text(out, m->event);
	buf_add_str(out, ",\"text\":");
	add_json_text(out, m->text);
	while (log_record_fields_next(&raw, &f)) {
		struct view text = field_text(&f, room);

		if (!key_is_plain(f.key))
			continue;
		buf_add_str(out, ",\"");
		buf_add(out, f.key);
		buf_add_str(out, "\":");
		if (f.type == LOG_TYPE_UINT || f.type == LOG_TYPE_INT)
			buf_add(out, text);
		else
			add_json_text(out, text);
	}
	buf_add_char(out, '}');
}

void log_format_text(struct buf *out, struct view role, const struct log_record *m)
{
	struct view raw = m->fields_raw;
	struct log_record_fields f;
	struct date d = date_of(m->time_ms / 1000, clock_zone(m->time_ms / 1000));
	char room[64];

	buf_addf(out, "%02d:%02d:%02d %-12.*s %-7s " VIEW_FMT, d.hour, d.minute, d.second,
		 (int)role.n, role.p, level_names[size_min(m->level, ARRAY_LEN(level_names) - 1)],
		 VIEW_ARG(m->text));
	while (log_record_fields_next(&raw, &f)) {
		buf_addf(out, "  " VIEW_FMT "=", VIEW_ARG(f.key));
		if (f.type == LOG_TYPE_TEXT)
			add_json_text(out, f.value);
		else
			buf_add(out, field_text(&f, room));
	}
}
