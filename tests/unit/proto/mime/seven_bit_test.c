/*
 * tests/unit/proto/mime/seven_bit_test.c: what is rewritten, what is refused, and limits.
 *
 * Each message is also cut at every octet, and each result read with every small room.
 */
#include "proto/mime/seven_bit.h"

#include "cuts.h"
#include "proto/mime/seven_bit_check.h"

#define CTE    "Content-Transfer-Encoding: "
#define QP     CTE "quoted-printable\r\n"
#define BASE64 CTE "base64\r\n"
#define V1     "MIME-Version: 1.0\r\n"

/* All prefixes, and all rooms up to a size at which nothing changes any more. */
static void check_cuts(struct view message)
{
	struct mime_seven_bit plan = { 0 };
	const char *why;

	for (struct cuts c = cuts_heads(message); cuts_next(&c);)
		(void)seven_bit_check(c.piece, NULL);
	if (mime_seven_bit_plan(message, &plan, &why))
		return;

	struct buf CLEANUP(buf_done) whole = BUF_INIT(SEVEN_BIT_OUT_MAX);

	seven_bit_all(&plan, message, SEVEN_BIT_OUT_MAX, &whole);
	for (size_t room = MIME_SEVEN_BIT_ROOM; room < MIME_SEVEN_BIT_ROOM + 300; room++) {
		struct buf CLEANUP(buf_done) cut = BUF_INIT(SEVEN_BIT_OUT_MAX);

		seven_bit_all(&plan, message, room, &cut);
		assert_true(view_eq(buf_view(&whole), buf_view(&cut)));
	}
	mime_seven_bit_done(&plan);
}

static void converts_at(struct view message, struct view want, int line)
{
	struct buf CLEANUP(buf_done) out = BUF_INIT(SEVEN_BIT_OUT_MAX);
	char *copy = tight_copy(message);
	const char *why = seven_bit_check(view_of(copy, message.n), &out);

	if (why)
		print_error("%s\n", why);
	assert_null(why);
	assert_view_at(buf_view(&out), want, "result", __FILE__, line);
	check_cuts(view_of(copy, message.n));
	free(copy);
}

static void refused_at(struct view message, const char *want, int line)
{
	char *copy = tight_copy(message);
	const char *why = seven_bit_check(view_of(copy, message.n), NULL);

	assert_non_null(why);
	assert_view_at(view_str(why), view_str(want), "reason", __FILE__, line);
	check_cuts(view_of(copy, message.n));
	free(copy);
}

#define converts(message, want) converts_at(VIEW(message), VIEW(want), __LINE__)
#define same(message)		converts_at(VIEW(message), VIEW(message), __LINE__)
#define refused(message, want)	refused_at(VIEW(message), (want), __LINE__)

static void test_text(void **state)
{
	/* Nothing to do. */
	same("");
	same("\r\n");
	same("Subject: x\r\n\r\nplain\r\n");
	same(V1 CTE "8bit\r\n\r\nplain\r\n");
	/* The field is replaced in its place, or added at the end; MIME-Version is completed. */
	converts(V1 CTE "8bit\r\nSubject: x\r\n\r\nGr\xc3\xbc\xc3\x9f"
			"e = x\r\n",
		 V1 QP "Subject: x\r\n\r\nGr=C3=BC=C3=9Fe =3D x\r\n");
	converts("Subject: x\r\n\r\n\xe4\r\n", "Subject: x\r\n" V1 QP "\r\n=E4\r\n");
	converts("Content-transfer-ENCODING:\r\n\t8bit (c)\r\nSubject: x\r\n\r\n\xe4",
		 V1 QP "Subject: x\r\n\r\n=E4");
	converts(CTE "7bit\r\n\r\n\xe4", V1 QP "\r\n=E4");
	converts(CTE "binary\r\n\r\n\xe4", V1 QP "\r\n=E4");
	converts("\r\n\xe4\r\n", V1 QP "\r\n=E4\r\n");
	/* What a reader could take for something else at the start or end of a line. */
	converts("Subject: x\r\n\r\n.\r\nFrom \xe4 \r\n\t\r\n",
		 "Subject: x\r\n" V1 QP "\r\n=2E\r\n=46rom =E4=20\r\n=09\r\n");
	/* The line of a mailbox file stays first. */
	converts("From a@b\r\n\r\n\xe4", "From a@b\r\n" V1 QP "\r\n=E4");
}

static void test_other_types(void **state)
{
	converts(V1 "Content-Type: image/png\r\n" CTE "8bit\r\n\r\n\xff\xfe\xfd\xfc",
		 V1 "Content-Type: image/png\r\n" BASE64 "\r\n//79/A==\r\n");
	/* text, but not in lines: as octets */
	converts(V1 "Content-Type: text/plain\r\n\r\n\xe4\0",
		 V1 "Content-Type: text/plain\r\n" BASE64 "\r\n5AA=\r\n");
	converts(V1 "\r\n\xe4\n", V1 BASE64 "\r\n5Ao=\r\n");
	converts(V1 "\r\n\xe4\rx", V1 BASE64 "\r\n5A14\r\n");
	converts(V1 "\r\n\xe4\r", V1 BASE64 "\r\n5A0=\r\n");
	/* No 8-bit octet, but nothing that the wire would leave alone. */
	converts(V1 "\r\na\nb", V1 BASE64 "\r\nYQpi\r\n");
}

static void test_multipart(void **state)
{
	converts(V1 "Content-Type: multipart/mixed; boundary=b\r\n" CTE "8bit\r\n\r\npre\r\n"
		    "--b\r\n\r\n\xe4\r\n"
		    "--b\r\nContent-Type: text/html\r\n" CTE "8bit\r\n\r\nplain\r\n"
		    "--b\r\nContent-Type: audio/ogg\r\n\r\n\x80\r\n"
		    "--b--\r\nepi\r\n",
		 V1 "Content-Type: multipart/mixed; boundary=b\r\n" CTE "7bit\r\n\r\npre\r\n"
		    "--b\r\n" QP "\r\n=E4\r\n"
		    "--b\r\nContent-Type: text/html\r\n" CTE "8bit\r\n\r\nplain\r\n"
		    "--b\r\nContent-Type: audio/ogg\r\n" BASE64 "\r\ngA==\r\n\r\n"
		    "--b--\r\nepi\r\n");
	/* Nested; composites without the field get none; an outer one that is not touched stays. */
	converts("Content-Type: multipart/mixed; boundary=o\r\n\r\n"
		 "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n" CTE "binary\r\n\r\n"
		 "--i\r\n\r\n\xe4\r\n--i--\r\n"
		 "--o\r\nContent-Type: multipart/mixed; boundary=j\r\n" CTE "8bit\r\n\r\n"
		 "--j\r\n\r\nx\r\n--j--\r\n--o--\r\n",
		 "Content-Type: multipart/mixed; boundary=o\r\n" V1 "\r\n"
		 "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n" CTE "7bit\r\n\r\n"
		 "--i\r\n" QP "\r\n=E4\r\n--i--\r\n"
		 "--o\r\nContent-Type: multipart/mixed; boundary=j\r\n" CTE "8bit\r\n\r\n"
		 "--j\r\n\r\nx\r\n--j--\r\n--o--\r\n");
	/* Without its closing delimiter. */
	converts(V1 "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n",
		 V1 "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" QP "\r\n=E4\r\n");
}

static void test_embedded(void **state)
{
	converts(V1 "Content-Type: message/rfc822\r\n" CTE "8bit\r\n\r\nSubject: y\r\n\r\n\xe4\r\n",
		 V1 "Content-Type: message/rfc822\r\n" CTE "7bit\r\n\r\nSubject: y\r\n" V1 QP
		    "\r\n=E4\r\n");
	converts(V1 "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n" V1
		    "\r\n\xe4\r\n--d--\r\n",
		 V1 "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n" V1 QP
		    "\r\n=E4\r\n--d--\r\n");
}

/* A soft line break must not make a delimiter out of text. */
static void test_no_new_delimiter(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);

	for (size_t n = 60; n < 90; n++) {
		buf_clear(&text);
		buf_clear(&out);
		buf_add_str(&text,
			    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe4");
		buf_add_fill(&text, 'x', n);
		buf_add_str(&text, "--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--\r\n");
		assert_null(seven_bit_check(buf_view(&text), &out));
		assert_int_equal(view_find(buf_view(&out), VIEW("\n--b\r\nContent-Type")),
				 VIEW_NONE);
	}
}

static void test_refused(void **state)
{
	static const char header[] = "a header has characters beyond ASCII";
	static const char is_signed[] = "a signed part must not be changed";
	static const char composite[] = "a part of its type must not be encoded";
	static const char encoded[] = "a part that is said to be encoded already is not";
	static const char odd[] = "its structure is ambiguous or past the limits";
	static const char between[] = "8-bit characters stand between its parts";

	refused("Subject: \xe4\r\n\r\nx\r\n", header);
	refused("Subject: \xe4\r\n\r\n\xe4\r\n", header);
	refused("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-ID: \xe4\r\n\r\nx",
		header);
	refused("Content-Type: message/rfc822\r\n\r\nSubject: \xe4\r\n\r\nx", header);
	refused("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n--b--\r\n",
		is_signed);
	refused("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
		"Content-Type: Multipart/Signed; boundary=b\r\n\r\n--b\r\n"
		"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n\xe4\r\n--b--\r\n--o--\r\n",
		is_signed);
	refused("Content-Type: message/partial\r\n\r\n\xe4", composite);
	refused("Content-Type: message/delivery-status\r\n\r\n\xe4", composite);
	refused("Content-Type: message/global\r\n\r\nSubject: x\r\n\r\n\xe4", composite);
	refused("Content-Type: multipart/mixed\r\n\r\n\xe4", composite);
	refused("Content-Type: multipart/mixed; boundary=b\r\n\r\n\xe4", composite);
	refused("Content-Type: message/rfc822\r\n" BASE64 "\r\n\xe4", composite);
	refused(BASE64 "\r\n\xe4", encoded);
	refused(QP "\r\n\xe4", encoded);
	refused(CTE "x-uuencode\r\n\r\n\xe4", encoded);
	refused(CTE "8bit\r\n" CTE "base64\r\n\r\n\xe4", odd);
	refused("Content-Type: text/plain\r\nContent-Type: message/partial\r\n\r\n\xe4", odd);
	refused("Subject: x\r\nno field\r\n\r\n\xe4", odd);
	refused("Content-Type: multipart/mixed; boundary=b\r\n" BASE64 "\r\n--b\r\n\r\n\xe4", odd);
	refused("Content-Type: multipart/mixed; boundary=b\r\n" CTE "x-y\r\n\r\n--b\r\n\r\n\xe4",
		odd);
	refused("Content-Type: multipart/mixed; boundary=b\r\n\r\n\xe4\r\n--b\r\n\r\nx", between);
	refused("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n\xe4",
		between);
	/* The boundary itself, by the way of RFC 2231. */
	refused("Content-Type: multipart/mixed; boundary*=utf-8''%E4\r\n\r\n--\xe4\r\n\r\nx\r\n",
		between);
}

/* Signed, and without octets above 127: not looked into, whatever is done beside it. */
static void test_signed_stays(void **state)
{
#define SIGNED                                                                                     \
	"Content-Type: multipart/signed; boundary=s\r\n" CTE "8bit\r\n\r\n--s\r\n" CTE             \
	"8bit\r\n\r\nx\ny\r\n--s--\r\n"
	same(SIGNED);
	converts("Content-Type: multipart/mixed; boundary=b\r\n" V1 "\r\n--b\r\n" SIGNED
		 "--b\r\n\r\n\xe4\r\n--b--\r\n",
		 "Content-Type: multipart/mixed; boundary=b\r\n" V1 "\r\n--b\r\n" SIGNED
		 "--b\r\n" QP "\r\n=E4\r\n--b--\r\n");
}

static void add_line(struct buf *out, size_t n)
{
	buf_clear(out);
	buf_add_str(out, "Subject: x\r\n\r\n");
	buf_add_fill(out, 'x', n);
	buf_add_str(out, "\r\n");
}

static void test_long_lines(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(10000);
	struct buf CLEANUP(buf_done) out = BUF_INIT(10000);

	add_line(&text, MIME_SEVEN_BIT_LINE);
	assert_null(seven_bit_check(buf_view(&text), &out));
	assert_true(view_eq(buf_view(&out), buf_view(&text)));
	buf_clear(&out);
	add_line(&text, MIME_SEVEN_BIT_LINE + 1);
	assert_null(seven_bit_check(buf_view(&text), &out));
	assert_true(view_find(buf_view(&out), VIEW("quoted-printable")) != VIEW_NONE);
}

static void add_parts(struct buf *out, size_t parts, struct view each)
{
	buf_clear(out);
	buf_add_str(out, V1 "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (size_t i = 0; i < parts; i++)
		buf_add(out, each);
	buf_add_str(out, "--b--\r\n");
}

static void test_part_limits(void **state)
{
	struct view each = VIEW("--b\r\n" CTE "8bit\r\n\r\n\xe4\r\n");
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 20);

	add_parts(&text, MIME_PARTS_MAX - 1, each);
	assert_null(seven_bit_check(buf_view(&text), NULL));
	add_parts(&text, MIME_PARTS_MAX, each);
	assert_non_null(seven_bit_check(buf_view(&text), NULL));
	/* The most steps that a part can have. */
	buf_clear(&text);
	buf_add_str(&text, V1 "Content-Type: multipart/digest; boundary=b\r\n\r\n");
	for (size_t i = 0; i < (MIME_PARTS_MAX - 1) / 2; i++)
		buf_add_str(&text, "--b\r\n" CTE "8bit\r\n\r\nA: b\r\n" CTE
				   "8bit\r\nA: b\r\n\r\n\xe4\r\n");
	assert_null(seven_bit_check(buf_view(&text), NULL));
}

static void add_nested(struct buf *out, size_t levels)
{
	buf_clear(out);
	for (size_t i = 0; i < levels; i++)
		buf_addf(out, "Content-Type: multipart/mixed; boundary=b%zu.\r\n\r\n--b%zu.\r\n", i,
			 i);
	buf_add_str(out, "\r\n\xe4\r\n");
}

static void test_depth_limit(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 20);

	add_nested(&text, MIME_DEPTH_MAX - 1);
	assert_null(seven_bit_check(buf_view(&text), NULL));
	add_nested(&text, MIME_DEPTH_MAX);
	assert_non_null(seven_bit_check(buf_view(&text), NULL));
}

static void test_big(void **state)
{
	struct buf CLEANUP(buf_done) text = BUF_INIT(1 << 24);
	struct buf CLEANUP(buf_done) out = BUF_INIT(1 << 26);

	buf_add_str(&text, V1 "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	while (text.n < 3 << 20)
		buf_add_str(&text, "gr\xc3\xbc\xc3\x9f"
				   "e und . -- = so weiter in einer Zeile, die l\xc3\xa4nger als "
				   "sechsundsiebzig Zeichen ist\r\n");
	assert_null(seven_bit_check(buf_view(&text), &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_multipart),
		cmocka_unit_test(test_embedded),
		cmocka_unit_test(test_no_new_delimiter),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_signed_stays),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_part_limits),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
