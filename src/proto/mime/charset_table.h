/*
 * proto/mime/charset_table.h: the converter for the charsets that charset.c does not know by itself.
 *
 * ISO 8859, Windows 125x and 874, KOI8, GB 18030, Big5, EUC-KR, Shift_JIS, EUC-JP, ISO-2022-JP.  Not by
 * iconv, for three reasons: its converters are loaded from files when they are first used, which the
 * sandbox forbids; loaded before it, every mailbox process would pay for them; and they are state
 * machines of somebody else's in C that a stranger feeds.  These tables are made at build time by
 * tools/charset-gen, 200 KiB of read-only data that all processes share and of which only the pages
 * that are used are ever in memory.
 */
#ifndef PROTO_MIME_CHARSET_TABLE_H
#define PROTO_MIME_CHARSET_TABLE_H

#include "proto/mime/charset.h"

/* Static; has no state. */
extern const struct mime_converter mime_table_converter;

#endif
