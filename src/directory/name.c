/*
 * directory/name.c: see name.h.
 */
#include "directory/name.h"

#include <idn2.h>
#include <utf8proc.h>

#include "base/ascii.h"

enum { LOOKUP_FLAGS = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES };

static enum err idn2_err(int rc)
{
	if (rc == IDN2_OK)
		return OK;
	return rc == IDN2_MALLOC ? ERR_NOMEM : ERR_SYNTAX;
}

static bool is_ascii(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (view_at(v, i) > 0x7f)
			return false;
	return true;
}

enum err name_domain(struct view text, struct buf *out)
{
	enum err err = address_check_domain(text, ADDRESS_UTF8);
	char *from;
	uint8_t *to = NULL;

	if (err)
		return err;
	if (is_ascii(text)) {
		buf_add_lower(out, text);
		return buf_err(out);
	}
	from = view_to_cstr(text); /* NUL is no part of a domain: it was refused above */
	if (!from)
		return ERR_NOMEM;
	err = idn2_err(idn2_lookup_u8((const uint8_t *)from, &to, LOOKUP_FLAGS));
	free(from);
	if (err)
		return err;
	/* The mapping may have made dots or nothing out of letters. */
	err = address_check_domain(view_str((const char *)to), 0);
	if (!err) {
		buf_add_lower(out, view_str((const char *)to));
		err = buf_err(out);
	}
	idn2_free(to);
	return err;
}

/* Decoded and encoded again it is the same. */
static enum err check_label(struct view label)
{
	char *from, *unicode = NULL;
	uint8_t *to = NULL;
	enum err err;

	if (!view_starts_nocase(label, VIEW("xn--")))
		return OK;
	if (view_has(label, '\0'))
		return ERR_SYNTAX;
	from = view_to_cstr(label);
	if (!from)
		return ERR_NOMEM;
	err = idn2_err(idn2_to_unicode_8z8z(from, &unicode, 0));
	if (!err)
		err = idn2_err(idn2_lookup_u8((const uint8_t *)unicode, &to, LOOKUP_FLAGS));
	if (!err && !view_eq_nocase(label, view_str((const char *)to)))
		err = ERR_SYNTAX;
	idn2_free(to);
	idn2_free(unicode);
	free(from);
	return err;
}

enum err name_domain_check_idna(struct view a_label)
{
	enum err err = OK;

	while (a_label.n && !err) {
		struct view label;

		a_label = view_cut(a_label, '.', &label);
		err = check_label(label);
	}
	return err;
}

void name_domain_shown(struct view a_label, struct buf *out)
{
	char *from = name_domain_check_idna(a_label) ? NULL : view_to_cstr(a_label);
	char *to = NULL;

	if (from && idn2_to_unicode_8z8z(from, &to, 0) == IDN2_OK)
		buf_add_str(out, to);
	else
		buf_add(out, a_label);
	idn2_free(to);
	free(from);
}

/* Full-width ASCII made narrow, then lower case. */
static utf8proc_int32_t fold_point(utf8proc_int32_t c, void *data)
{
	(void)data;
	if (c >= 0xff01 && c <= 0xff5e)
		c -= 0xfee0;
	return utf8proc_tolower(c);
}

enum err name_local_key(struct view local, struct buf *out)
{
	utf8proc_uint8_t *to = NULL;
	utf8proc_ssize_t n;

	for (size_t i = 0; i < local.n; i++)
		if (ascii_is_ctl(view_at(local, i)))
			return ERR_SYNTAX;
	if (local.n == 0)
		return ERR_SYNTAX;
	if (is_ascii(local)) {
		buf_add_lower(out, local);
		return buf_err(out);
	}
	n = utf8proc_map_custom((const utf8proc_uint8_t *)local.p, (utf8proc_ssize_t)local.n, &to,
				UTF8PROC_STABLE | UTF8PROC_COMPOSE, fold_point, NULL);
	if (n == UTF8PROC_ERROR_NOMEM)
		return ERR_NOMEM;
	if (n < 0)
		return ERR_SYNTAX;
	buf_add(out, view_of(to, (size_t)n));
	free(to);
	return buf_err(out);
}

enum err name_parse(struct view text, struct name *ret)
{
	struct buf CLEANUP(buf_done) domain = BUF_INIT(ADDRESS_DOMAIN_MAX);
	struct buf CLEANUP(buf_done) key = BUF_INIT(NAME_KEY_MAX);
	struct name name = { 0 };
	struct address written;
	enum err err = address_parse_mailbox(text, ADDRESS_UTF8, &written);

	if (err)
		return err;
	name.address = written;
	if (!written.literal) {
		err = name_domain(address_domain(&written), &domain);
		if (err)
			return err;
		memcpy(name.address.domain, domain.p, domain.n);
		name.address.domain_n = (uint8_t)domain.n;
	}
	err = name_local_key(address_local(&written), &key);
	if (err)
		return err;
	memcpy(name.key, key.p, key.n);
	name.key_n = key.n;
	*ret = name;
	return OK;
}
