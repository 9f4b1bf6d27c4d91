/*
 * sys/log.h: events with typed fields.
 *
 *	LOG_INFO("smtp.accepted", "accepted a message", LOG_ID("trace", trace), LOG_VIEW("from", sender));
 *
 * A role sends them to the log role; before that, and in command-line tools, they go to standard error
 * as text.  Values may be any bytes: the reader escapes them.  No secret is ever a field.  Event names
 * are role.what, lower case, and stay stable: people search for them.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "base/view.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_type { LOG_TYPE_TEXT, LOG_TYPE_UINT, LOG_TYPE_INT, LOG_TYPE_ID, LOG_TYPE_IP };

struct log_field {
	enum log_type type;
	const char *key;
	uint64_t number;
	struct view text;
};

#define LOG_VIEW(k, v) ((struct log_field){ LOG_TYPE_TEXT, (k), 0, (v) })
#define LOG_STR(k, s)  ((struct log_field){ LOG_TYPE_TEXT, (k), 0, view_str(s) })
#define LOG_UINT(k, n) ((struct log_field){ LOG_TYPE_UINT, (k), (uint64_t)(n), VIEW_EMPTY })
#define LOG_INT(k, n)  ((struct log_field){ LOG_TYPE_INT, (k), (uint64_t)(int64_t)(n), VIEW_EMPTY })
/* Shown as in base/encode.h id_text: "trace" for messages, "session" for connections. */
#define LOG_ID(k, n) ((struct log_field){ LOG_TYPE_ID, (k), (n), VIEW_EMPTY })
/* 4 or 16 octets. */
#define LOG_IP(k, v) ((struct log_field){ LOG_TYPE_IP, (k), 0, (v) })
/* The text of errno, at the time of the call. */
#define LOG_ERRNO()                                                                                \
	((struct log_field){ LOG_TYPE_TEXT, "errno", 0, view_str(strerrordesc_np(errno)) })
#define LOG_ERR(e) ((struct log_field){ LOG_TYPE_TEXT, "error", 0, view_str(err_text(e)) })

void log_event(enum log_level level, const char *event, const char *text,
	       const struct log_field *fields, size_t count);

#define LOG_AT(level, event, text, ...)                                                            \
	log_event((level), (event), (text), (struct log_field[]){ { 0 }, ##__VA_ARGS__ } + 1,      \
		  sizeof((struct log_field[]){ { 0 }, ##__VA_ARGS__ }) /                           \
				  sizeof(struct log_field) -                                       \
			  1)
#define LOG_ERROR(event, ...)	LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define LOG_WARNING(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define LOG_NOTICE(event, ...)	LOG_AT(LOG_LEVEL_NOTICE, event, __VA_ARGS__)
#define LOG_INFO(event, ...)	LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_DEBUG(event, ...)	LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

struct loop;
/* Send events to the log role by this channel end from now on (taken over); -1 for standard error. */
void log_to_channel(struct loop *loop, int fd);
/* Is this level written?  To save the work of collecting fields. */
bool log_wanted(enum log_level level);
/* Events above this level are not even encoded. */
void log_set_level(enum log_level level);
MUST_USE enum err log_level_parse(struct view name, enum log_level *ret);
/* A name for text on standard error. */
void log_set_name(const char *name);

#endif
