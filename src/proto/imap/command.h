/*
 * proto/imap/command.h: what a client can ask, parsed.
 *
 * One row per command in the table of command.c: name, parser, states, reference.  Parsing is straight
 * code over one complete, bounded text; views borrow from that text or live in the arena.  UID, special
 * and flag numbers are IMAP's own; no store is known here.  RFC 9051#6, RFC 3501#6 and the extensions
 * named in the rows.
 */
#ifndef PROTO_IMAP_COMMAND_H
#define PROTO_IMAP_COMMAND_H

#include "proto/imap/set.h"

enum {
	IMAP_TAG_MAX = 128, /* octets; past it BAD */
	IMAP_PAREN_DEPTH_MAX = 50, /* imap_paren_depth: BAD [LIMIT] */
	IMAP_SEARCH_DEPTH_MAX = 100, /* imap_search_depth: BAD [LIMIT] */
	IMAP_SEARCH_KEYS_MAX = 1000, /* imap_search_keys: BAD [LIMIT] */
	IMAP_FETCH_ITEMS_MAX = 256, /* past it BAD [LIMIT] */
	IMAP_HEADER_NAMES_MAX = 256, /* field names in one section; past it BAD [LIMIT] */
	IMAP_SECTION_PATH_MAX = 64, /* part numbers in one section; past it BAD [LIMIT] */
	IMAP_FLAGS_MAX = 100, /* flags in one list; past it BAD [LIMIT] */
	IMAP_FLAG_LEN_MAX = 128, /* octets; past it BAD [LIMIT] */
	IMAP_PATTERNS_MAX = 100, /* of one LIST; past it BAD [LIMIT] */
	IMAP_ID_PAIRS_MAX = 30, /* RFC 2971#3.3 */
	IMAP_ENABLE_MAX = 32, /* words of one ENABLE; past it BAD [LIMIT] */
	IMAP_PARSE_ARENA_MAX =
		2 * 1024 * 1024, /* an arena of this size is enough for any command */
};

enum imap_command_id {
	/* any state */
	IMAP_CMD_CAPABILITY,
	IMAP_CMD_NOOP,
	IMAP_CMD_LOGOUT,
	IMAP_CMD_ID,
	/* not authenticated */
	IMAP_CMD_STARTTLS,
	IMAP_CMD_LOGIN,
	IMAP_CMD_AUTHENTICATE,
	/* authenticated */
	IMAP_CMD_ENABLE,
	IMAP_CMD_SELECT,
	IMAP_CMD_EXAMINE,
	IMAP_CMD_CREATE,
	IMAP_CMD_DELETE,
	IMAP_CMD_RENAME,
	IMAP_CMD_SUBSCRIBE,
	IMAP_CMD_UNSUBSCRIBE,
	IMAP_CMD_LIST,
	IMAP_CMD_LSUB,
	IMAP_CMD_NAMESPACE,
	IMAP_CMD_STATUS,
	IMAP_CMD_APPEND,
	IMAP_CMD_IDLE,
	IMAP_CMD_GETQUOTA,
	IMAP_CMD_GETQUOTAROOT,
	/* selected */
	IMAP_CMD_CHECK,
	IMAP_CMD_CLOSE,
	IMAP_CMD_UNSELECT,
	IMAP_CMD_EXPUNGE,
	IMAP_CMD_SEARCH,
	IMAP_CMD_FETCH,
	IMAP_CMD_STORE,
	IMAP_CMD_COPY,
	IMAP_CMD_MOVE,
	IMAP_CMD_COUNT
};

/* Bits: the states in which a command is allowed   RFC 9051#3 */
enum imap_state {
	IMAP_NONAUTH = 1 << 0,
	IMAP_AUTH = 1 << 1,
	IMAP_SELECTED = 1 << 2,
	IMAP_ANY = IMAP_NONAUTH | IMAP_AUTH | IMAP_SELECTED,
	IMAP_LOGGED_IN = IMAP_AUTH | IMAP_SELECTED,
};

/* A mailbox name in NFC UTF-8.  err: what the client sent is no name (ERR_SYNTAX, ERR_LIMIT): answer
 * NO [CANNOT] or [NONEXISTENT]; name is empty then. */
struct imap_mailbox_arg {
	struct view name;
	enum err err;
};

struct imap_views {
	const struct view *at;
	size_t n;
};

struct imap_login_args {
	struct view user;
	struct view password;
};

/* RFC 9051#6.2.2, RFC 4959 */
struct imap_authenticate_args {
	struct view mechanism;
	bool has_initial; /* "=" gives an empty one */
	struct view initial; /* base64, not decoded */
};

/* name, value, name, value ...; p == NULL for NIL   RFC 2971#3.3 */
struct imap_id_args {
	struct imap_views pairs;
};

/* RFC 7162#3.2.5.2 */
struct imap_qresync_args {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool has_known;
	struct imap_seq known; /* UIDs */
	struct imap_seq match_seq, match_uid; /* n == 0 where not given */
};

struct imap_select_args {
	struct imap_mailbox_arg mailbox;
	bool condstore;
	bool qresync;
	struct imap_qresync_args q;
};

/* RFC 6154#2, RFC 8457; bits */
enum imap_use {
	IMAP_USE_ALL = 1 << 0,
	IMAP_USE_ARCHIVE = 1 << 1,
	IMAP_USE_DRAFTS = 1 << 2,
	IMAP_USE_FLAGGED = 1 << 3,
	IMAP_USE_JUNK = 1 << 4,
	IMAP_USE_SENT = 1 << 5,
	IMAP_USE_TRASH = 1 << 6,
	IMAP_USE_IMPORTANT = 1 << 7,
	IMAP_USE_COUNT = 8,
};

struct imap_create_args {
	struct imap_mailbox_arg mailbox; /* without the separator that may stand at its end */
	uint32_t use; /* enum imap_use */
	bool bad_use; /* a use that is not known: NO [USEATTR] */
};

struct imap_rename_args {
	struct imap_mailbox_arg from;
	struct imap_mailbox_arg to;
};

/* Items of STATUS, bits   RFC 9051#6.3.11, RFC 8474, RFC 7162 */
enum imap_status_item {
	IMAP_STATUS_MESSAGES = 1 << 0,
	IMAP_STATUS_RECENT = 1 << 1,
	IMAP_STATUS_UIDNEXT = 1 << 2,
	IMAP_STATUS_UIDVALIDITY = 1 << 3,
	IMAP_STATUS_UNSEEN = 1 << 4,
	IMAP_STATUS_DELETED = 1 << 5,
	IMAP_STATUS_SIZE = 1 << 6,
	IMAP_STATUS_HIGHESTMODSEQ = 1 << 7,
	IMAP_STATUS_MAILBOXID = 1 << 8,
	IMAP_STATUS_APPENDLIMIT = 1 << 9,
};

struct imap_status_args {
	struct imap_mailbox_arg mailbox;
	unsigned items; /* enum imap_status_item */
};

/* Selection and return options of LIST, bits   RFC 5258#3, RFC 6154#5.2, RFC 5819 */
enum imap_list_option {
	IMAP_LIST_SUBSCRIBED = 1 << 0,
	IMAP_LIST_REMOTE = 1 << 1,
	IMAP_LIST_RECURSIVE = 1 << 2,
	IMAP_LIST_SPECIAL = 1 << 3,
	IMAP_LIST_RETURN_SUBSCRIBED = 1 << 4,
	IMAP_LIST_RETURN_CHILDREN = 1 << 5,
	IMAP_LIST_RETURN_SPECIAL = 1 << 6,
	IMAP_LIST_RETURN_STATUS = 1 << 7,
	IMAP_LIST_EXTENDED = 1 << 8, /* any option or a list of patterns was given */
};

struct imap_list_args {
	struct view reference; /* UTF-8 */
	struct imap_views
		patterns; /* UTF-8; those that are no text match nothing and are left out */
	size_t pattern_count; /* as sent */
	bool asked_root; /* a pattern was the empty string */
	unsigned options; /* enum imap_list_option */
	unsigned status; /* enum imap_status_item */
};

/* System flags, bits   RFC 9051#2.3.2 */
enum imap_flag {
	IMAP_FLAG_SEEN = 1 << 0,
	IMAP_FLAG_ANSWERED = 1 << 1,
	IMAP_FLAG_FLAGGED = 1 << 2,
	IMAP_FLAG_DELETED = 1 << 3,
	IMAP_FLAG_DRAFT = 1 << 4,
	IMAP_FLAG_RECENT = 1 << 5, /* accepted and without effect in STORE and APPEND */
};

struct imap_flag_list {
	unsigned flags; /* enum imap_flag */
	struct imap_views keywords; /* as written, "$Forwarded" */
};

/* One message of APPEND, up to its literal. */
struct imap_append_item {
	struct imap_flag_list flags;
	bool has_date;
	int64_t date; /* seconds since 1970 UTC */
	int zone; /* minutes east */
	bool utf8; /* inside "UTF8 (" ")"   RFC 6855#4 */
	uint64_t size; /* octets of the literal */
	bool binary; /* literal8 */
};

struct imap_append_args {
	struct imap_mailbox_arg mailbox;
	struct imap_append_item item; /* the first; further ones by imap_parse_append_next */
};

enum imap_section_kind {
	IMAP_SECTION_ALL, /* of the path: the whole, or the body of a part */
	IMAP_SECTION_HEADER,
	IMAP_SECTION_HEADER_FIELDS,
	IMAP_SECTION_HEADER_FIELDS_NOT,
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME,
};

/* section-spec of RFC 9051#6.4.5.1 */
struct imap_section {
	enum imap_section_kind kind;
	const uint32_t *path; /* part numbers from 1 */
	size_t path_n;
	struct imap_views names; /* HEADER_FIELDS, HEADER_FIELDS_NOT */
};

enum imap_fetch_kind {
	IMAP_FETCH_UID,
	IMAP_FETCH_FLAGS,
	IMAP_FETCH_INTERNALDATE,
	IMAP_FETCH_SIZE, /* RFC822.SIZE */
	IMAP_FETCH_MODSEQ,
	IMAP_FETCH_EMAILID,
	IMAP_FETCH_THREADID,
	IMAP_FETCH_SAVEDATE,
	IMAP_FETCH_PREVIEW,
	IMAP_FETCH_ENVELOPE,
	IMAP_FETCH_BODY, /* structure without extension data */
	IMAP_FETCH_BODYSTRUCTURE,
	IMAP_FETCH_SECTION, /* BODY[...] */
	IMAP_FETCH_RFC822,
	IMAP_FETCH_RFC822_HEADER,
	IMAP_FETCH_RFC822_TEXT,
	IMAP_FETCH_BINARY,
	IMAP_FETCH_BINARY_SIZE,
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	bool peek; /* does not set \Seen */
	bool lazy; /* PREVIEW (LAZY)   RFC 8970#3.1 */
	bool partial;
	uint64_t offset; /* octets */
	uint64_t length;
	struct imap_section section;
};

struct imap_fetch_args {
	struct imap_seq seq;
	const struct imap_fetch_item *items;
	size_t n;
	bool changed_since; /* RFC 7162#3.1.4.1 */
	uint64_t modseq;
	bool vanished; /* RFC 7162#3.2.6 */
};

enum imap_store_op { IMAP_STORE_ADD, IMAP_STORE_REMOVE, IMAP_STORE_REPLACE };

struct imap_store_args {
	struct imap_seq seq;
	enum imap_store_op op;
	bool silent;
	bool unchanged_since; /* RFC 7162#3.1.3 */
	uint64_t modseq;
	struct imap_flag_list flags;
};

struct imap_copy_args {
	struct imap_seq seq;
	struct imap_mailbox_arg mailbox;
};

struct imap_expunge_args {
	bool has_uids; /* UID EXPUNGE   RFC 4315#2.1 */
	struct imap_seq uids;
};

enum imap_search_op {
	IMAP_SEARCH_AND, /* all children */
	IMAP_SEARCH_OR, /* two children */
	IMAP_SEARCH_NOT, /* one child */
	IMAP_SEARCH_ALL,
	IMAP_SEARCH_FLAG, /* number: one enum imap_flag, set */
	IMAP_SEARCH_KEYWORD, /* text */
	IMAP_SEARCH_SEQ, /* seq */
	IMAP_SEARCH_UID, /* seq */
	IMAP_SEARCH_MODSEQ, /* number: at least */
	IMAP_SEARCH_LARGER, /* number: octets */
	IMAP_SEARCH_SMALLER,
	IMAP_SEARCH_OLDER, /* number: seconds   RFC 5032 */
	IMAP_SEARCH_YOUNGER,
	IMAP_SEARCH_BEFORE, /* number: days since 1970 */
	IMAP_SEARCH_ON,
	IMAP_SEARCH_SINCE,
	IMAP_SEARCH_SENTBEFORE,
	IMAP_SEARCH_SENTON,
	IMAP_SEARCH_SENTSINCE,
	IMAP_SEARCH_SAVEDBEFORE, /* RFC 8514#4.3 */
	IMAP_SEARCH_SAVEDON,
	IMAP_SEARCH_SAVEDSINCE,
	IMAP_SEARCH_SAVEDATE_SUPPORTED,
	IMAP_SEARCH_EMAILID, /* text   RFC 8474#6 */
	IMAP_SEARCH_THREADID,
	IMAP_SEARCH_HEADER, /* field, text */
	IMAP_SEARCH_BCC, /* text */
	IMAP_SEARCH_CC,
	IMAP_SEARCH_FROM,
	IMAP_SEARCH_SUBJECT,
	IMAP_SEARCH_TO,
	IMAP_SEARCH_BODY,
	IMAP_SEARCH_TEXT,
};

/* A node of a search program; nesting is at most IMAP_SEARCH_DEPTH_MAX. */
struct imap_search_key {
	enum imap_search_op op;
	struct imap_search_key *child; /* first */
	struct imap_search_key *next; /* sibling */
	int64_t number;
	struct view field;
	struct view text; /* octets as sent, not folded */
	struct imap_seq seq;
	struct imap_ranges ranges; /* of seq, for whoever runs the program */
	struct view folded; /* of text, likewise */
};

/* Bits   RFC 4731#3.1, RFC 5182#2.1, RFC 9394#3.1 */
enum imap_search_return {
	IMAP_RETURN_MIN = 1 << 0,
	IMAP_RETURN_MAX = 1 << 1,
	IMAP_RETURN_ALL = 1 << 2,
	IMAP_RETURN_COUNT = 1 << 3,
	IMAP_RETURN_SAVE = 1 << 4,
	IMAP_RETURN_PARTIAL = 1 << 5,
	IMAP_RETURN_GIVEN = 1 << 6, /* RETURN was written: answer with ESEARCH */
};

struct imap_search_args {
	unsigned returns; /* enum imap_search_return */
	int64_t partial_first; /* from 1; negative: from the end */
	int64_t partial_last;
	bool bad_charset; /* NO [BADCHARSET (US-ASCII UTF-8)] */
	bool modseq; /* a MODSEQ key stands in it: answer the highest, RFC 7162#3.1.5 */
	struct imap_search_key *root; /* IMAP_SEARCH_AND */
};

struct imap_parser;
struct imap_command;
typedef void (*imap_parse_fn)(struct imap_parser *p, struct imap_command *cmd);

/* A row of the table. */
struct imap_command_info {
	enum imap_command_id id;
	struct view name;
	imap_parse_fn parse;
	unsigned states; /* enum imap_state */
	bool uid; /* may stand behind UID */
	const char *reference;
};

struct imap_command {
	struct view tag;
	const struct imap_command_info *info;
	bool uid; /* UID stood before it */
	union {
		struct imap_login_args login;
		struct imap_authenticate_args authenticate;
		struct imap_views enable;
		struct imap_id_args id;
		struct imap_select_args select;
		struct imap_create_args create;
		struct imap_mailbox_arg mailbox; /* DELETE, SUBSCRIBE, UNSUBSCRIBE, GETQUOTAROOT */
		struct imap_rename_args rename;
		struct imap_list_args list; /* LIST, LSUB */
		struct imap_status_args status;
		struct imap_append_args append;
		struct imap_expunge_args expunge;
		struct imap_search_args search;
		struct imap_fetch_args fetch;
		struct imap_store_args store;
		struct imap_copy_args copy; /* COPY, MOVE */
		struct view quota_root; /* GETQUOTA */
	};
};

/* What the session has agreed on. */
struct imap_parse_mode {
	unsigned state; /* one of enum imap_state */
	bool utf8; /* IMAP4rev2 or UTF8=ACCEPT is enabled: names are UTF-8 */
};

/* Why a command was refused; set whenever a parser fails. */
struct imap_problem {
	struct view tag; /* empty: none could be read, answer untagged ("*") */
	const char *text; /* "[LIMIT] Too many search keys", static; BAD stands before it */
};

/*
 * One complete command as imap_framer_take gave it (COMMAND; MESSAGE for APPEND).  ERR_SYNTAX, ERR_RANGE,
 * ERR_LIMIT, ERR_WRONG_STATE, ERR_UNSUPPORTED (unknown command), ERR_NOMEM: answer with *ret_problem.
 */
MUST_USE enum err imap_parse(struct arena *a, struct view text, struct imap_parse_mode mode,
			     struct imap_command *ret, struct imap_problem *ret_problem);
/*
 * What stands between two message literals of APPEND, or behind the last.  utf8: the one before was
 * inside "UTF8 (".  *ret_more: another message follows and is described in *ret.
 */
MUST_USE enum err imap_parse_append_next(struct arena *a, struct view text, bool utf8,
					 struct imap_append_item *ret, bool *ret_more,
					 const char **ret_problem);
/* By name, ASCII case ignored; NULL if none. */
const struct imap_command_info *imap_command_find(struct view name);
const struct imap_command_info *imap_command_info(enum imap_command_id id);

#endif
