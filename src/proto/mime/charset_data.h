/*
 * proto/mime/charset_data.h: the form of the tables that tools/charset-gen makes.
 *
 * Private to charset_table.c and the generated file.  Points are of the basic plane; 0: no meaning.
 */
#ifndef PROTO_MIME_CHARSET_DATA_H
#define PROTO_MIME_CHARSET_DATA_H

#include "base/view.h"

enum charset_form {
	CHARSET_SINGLE, /* ASCII, and a table for 0x80 .. 0xff */
	CHARSET_GB, /* GB 18030, which holds GBK and GB 2312 */
	CHARSET_BIG5,
	CHARSET_KR, /* code page 949, which holds EUC-KR */
	CHARSET_SJIS, /* code page 932 */
	CHARSET_EUC_JP,
	CHARSET_ISO_2022_JP,
};

struct charset_label {
	struct view name;
	enum charset_form form;
	unsigned single; /* of charset_singles */
};

/* Characters of two octets; points are in rows of trail_max - trail_min + 1. */
struct charset_pairs {
	uint8_t lead_min, lead_max, trail_min, trail_max;
	const uint16_t *points;
};

/* Four-octet codes of GB 18030 from number linear on, up to the next range. */
struct charset_range {
	uint16_t linear;
	uint16_t point;
};

extern const struct charset_label charset_labels[];
extern const size_t charset_label_n;
extern const uint16_t charset_singles[][128];
extern const struct charset_pairs charset_gbk, charset_big5, charset_kr, charset_cp932,
	charset_jis0212;
extern const struct charset_range charset_gb_ranges[];
extern const size_t charset_gb_range_n;

#endif
