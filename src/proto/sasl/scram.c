/*
 * proto/sasl/scram.c: see scram.h.
 */
#include "proto/sasl/scram.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/encode.h"

/* cb-name = 1*(ALPHA / DIGIT / "." / "-") */
static bool is_binding_name(uint8_t c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-';
}

/* printable = %x21-2B / %x2D-7E */
static bool is_printable(uint8_t c)
{
	return ascii_is_graph(c) && c != ',';
}

/* value-safe-char, and "=" for the escapes: scram_name_decode looks at those. */
static bool is_name_char(uint8_t c)
{
	return c != 0 && c != ',';
}

static bool is_base64(uint8_t c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

static bool is_value_char(uint8_t c)
{
	return c != 0 && c != ',';
}

/* extensions = attr-val *("," attr-val): optional ones are ignored.   RFC 5802#5.1 */
static void skip_extensions(struct cursor *c)
{
	while (cursor_skip_char(c, ',')) {
		if (!ascii_is_alpha(cursor_byte(c)))
			cursor_fail(c, ERR_SYNTAX);
		cursor_char(c, '=');
		(void)cursor_span(c, is_value_char, SCRAM_MESSAGE_MAX);
	}
}

/* gs2-header = gs2-cbind-flag "," [ "a=" saslname ] ","    RFC 5802#7 */
static void parse_gs2_header(struct cursor *c, struct scram_first *ret)
{
	switch (cursor_byte(c)) {
	case 'n': ret->flag = SCRAM_FLAG_NONE; break;
	case 'y': ret->flag = SCRAM_FLAG_UNUSED; break;
	case 'p':
		ret->flag = SCRAM_FLAG_REQUIRED;
		cursor_char(c, '=');
		ret->binding_name = cursor_span(c, is_binding_name, SCRAM_BINDING_NAME_MAX);
		break;
	default: cursor_fail(c, ERR_SYNTAX);
	}
	cursor_char(c, ',');
	if (cursor_skip_char(c, 'a')) {
		cursor_char(c, '=');
		ret->authzid = cursor_span(c, is_name_char, SCRAM_MESSAGE_MAX);
	}
	cursor_char(c, ',');
	ret->gs2_header = view_head(c->text, c->at);
}

enum err scram_first_parse(struct view message, struct scram_first *ret)
{
	struct cursor c = cursor_init(message);
	struct scram_first first = { 0 };

	if (message.n > SCRAM_MESSAGE_MAX)
		return ERR_LIMIT;
	parse_gs2_header(&c, &first);
	first.bare = cursor_rest(&c);
	cursor_char(&c, 'n');
	cursor_char(&c, '=');
	first.name = cursor_span(&c, is_name_char, SCRAM_MESSAGE_MAX);
	cursor_char(&c, ',');
	cursor_char(&c, 'r');
	cursor_char(&c, '=');
	first.nonce = cursor_span(&c, is_printable, SCRAM_NONCE_MAX);
	skip_extensions(&c);
	cursor_end(&c);
	if (c.err)
		return c.err;
	*ret = first;
	return OK;
}

static enum err decode_proof(struct view text, uint8_t ret[SCRAM_KEY_LEN])
{
	struct buf CLEANUP(buf_done) b = BUF_INIT(SCRAM_KEY_LEN + 2);
	enum err err = base64_decode(&b, text);

	if (err)
		return err;
	if (b.n != SCRAM_KEY_LEN)
		return ERR_SYNTAX;
	memcpy(ret, b.p, SCRAM_KEY_LEN);
	return OK;
}

enum err scram_final_parse(struct view message, struct scram_final *ret)
{
	struct cursor c;
	struct scram_final final = { 0 };
	size_t proof = view_rfind_char(message, ',');
	enum err err;

	if (message.n > SCRAM_MESSAGE_MAX)
		return ERR_LIMIT;
	/* proof is the last attribute and base64 has no comma: what stands before it is signed. */
	if (proof == VIEW_NONE || !view_starts(view_from(message, proof), VIEW(",p=")))
		return ERR_SYNTAX;
	final.without_proof = view_head(message, proof);
	c = cursor_init(final.without_proof);
	cursor_char(&c, 'c');
	cursor_char(&c, '=');
	final.binding = cursor_span(&c, is_base64, SCRAM_BINDING_MAX * 4 / 3 + 4);
	cursor_char(&c, ',');
	cursor_char(&c, 'r');
	cursor_char(&c, '=');
	final.nonce = cursor_span(&c, is_printable, SCRAM_MESSAGE_MAX);
	skip_extensions(&c);
	cursor_end(&c);
	if (c.err)
		return c.err;
	err = decode_proof(view_from(message, proof + 3), final.proof);
	if (!err)
		*ret = final;
	return err;
}

enum err scram_name_decode(struct view name, struct buf *out)
{
	struct cursor c = cursor_init(name);

	while (!cursor_at_end(&c)) {
		uint8_t ch = cursor_byte(&c);

		if (ch != '=')
			buf_add_char(out, (char)ch);
		else if (cursor_skip_nocase(&c, VIEW("2C")))
			buf_add_char(out, ',');
		else if (cursor_skip_nocase(&c, VIEW("3D")))
			buf_add_char(out, '=');
		else
			return ERR_SYNTAX;
	}
	return c.err ? c.err : buf_err(out);
}

void scram_add_challenge(struct buf *out, struct view nonce, struct view salt, uint32_t iterations)
{
	buf_add_str(out, "r=");
	buf_add(out, nonce);
	buf_add_str(out, ",s=");
	base64_encode(out, salt);
	buf_addf(out, ",i=%u", iterations);
}

void scram_add_verifier(struct buf *out, struct view signature)
{
	buf_add_str(out, "v=");
	base64_encode(out, signature);
}
