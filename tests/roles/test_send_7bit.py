#!/usr/bin/env python3
"""The send role and servers without 8BITMIME: messages are rewritten, or refused with a reason.

time-limit: 120
"""

import email
import email.policy
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from cases import Cases  # noqa: E402
from send_bench import DELIVERED, FAILED, RELAYED, code, far  # noqa: E402
from smtp_sink import DROP, check_wire  # noqa: E402

PLAIN = {"ehlo": "250-sink\n250-PIPELINING\n250 SIZE 52428800"}
HEADER = b"From: me@own.test\r\nSubject: hello\r\n"
TEXT = HEADER + (
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
)
WORDS = "Gr\u00fc\u00dfe an alle = und jeden \r\n.\r\n..\r\nFrom uns\r\n".encode()
PNG = bytes(range(256)) * 5
cases = Cases()


def mixed(*parts, subtype=b"mixed"):
    head = HEADER + b"MIME-Version: 1.0\r\nContent-Type: multipart/" + subtype
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return head + b"; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body + b"--b--\r\n"


def part(kind, data, encoding=b"8bit"):
    return b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (kind, encoding) + data


def leaves(data):
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    found = [p for p in message.walk() if not p.is_multipart()]
    return [(p.get_content_type(), p.get_payload(decode=True)) for p in found]


def check_seven(message):
    cases.equal(check_wire(message.wire), None)
    cases.true(message.data.isascii(), "octets above 127")
    cases.true(" BODY=" not in message.mail_line, message.mail_line)
    size = int(re.search(r" SIZE=(\d+)", message.mail_line)[1])
    cases.equal(size, len(message.data))


@cases.add
def text_becomes_quoted_printable():
    with far(script=PLAIN) as bench:
        result = bench.send("far.test", ["a@far.test"], TEXT + WORDS, body_type=1)
        cases.equal(result[0]["outcome"], RELAYED)
        message = bench.sinks[0].messages[0]
        check_seven(message)
        cases.true(b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in message.data, "field")
        cases.true(b"8bit" not in message.data, repr(message.data))
        cases.equal(leaves(message.data), [("text/plain", WORDS)])


@cases.add
def parts_are_rewritten_one_by_one():
    inner = b"Subject: inner\r\n\r\n\xe4\xf6\xfc"
    body = mixed(
        part(b"text/html; charset=iso-8859-1", b"<p>\xe4</p>"),
        part(b"image/png", PNG, b"binary"),
        part(b"text/plain", b"only ASCII", b"7bit"),
        part(b"message/rfc822", inner),
    )
    with far(script=PLAIN) as bench:
        cases.equal(bench.send("far.test", ["a@far.test"], body)[0]["outcome"], RELAYED)
        message = bench.sinks[0].messages[0]
        check_seven(message)
        found = leaves(message.data)
        cases.equal(found[0], ("text/html", b"<p>\xe4</p>"))
        cases.equal(found[1], ("image/png", PNG))
        cases.equal(found[2], ("text/plain", b"only ASCII"))
        cases.equal(found[3], ("text/plain", b"\xe4\xf6\xfc"))
        cases.true(b"\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n"
                   in message.data, "the composite")


@cases.add
def what_cannot_be_rewritten_is_refused():
    signed = mixed(part(b"text/plain", b"\xe4"), part(b"application/pgp-signature", b"x"),
                   subtype=b"signed; protocol=\"application/pgp-signature\"")
    for body, word in (
        (b"Subject: \xe4\r\n\r\nx\r\n", "header"),
        (signed, "signed"),
        (HEADER + b"Content-Type: message/partial\r\n\r\n\xe4\r\n", "type"),
        (HEADER + b"Content-Transfer-Encoding: base64\r\n\r\n\xe4\r\n", "encoded"),
        (HEADER + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n\xe4\r\n", "ambig"),
    ):
        with far(script=PLAIN) as bench:
            result = bench.send("far.test", ["a@far.test", "b@far.test"], body)
            for one in result.values():
                cases.equal((word, code(one)), (word, (FAILED, 0, "5.6.3")))
                cases.true(word in one["text"], one["text"])
            cases.equal(bench.sinks[0].messages, [])
            # The connection is of use for others.
            cases.equal(bench.send("far.test", ["a@far.test"], TEXT)[0]["outcome"], RELAYED)
            cases.equal(len(bench.sinks[0].sessions), 1)


@cases.add
def untouched_where_8bitmime_is_offered():
    signed = mixed(part(b"text/plain", b"\xe4"), subtype=b"signed")
    with far() as bench:
        for body in (TEXT + WORDS, signed):
            cases.equal(bench.send("far.test", ["a@far.test"], body)[0]["outcome"], DELIVERED)
            message = bench.sinks[0].messages[-1]
            cases.equal(message.data, body)
            cases.true(" BODY=8BITMIME" in message.mail_line, message.mail_line)


@cases.add
def size_is_that_of_what_is_sent():
    body = TEXT + b"\xe4" * 70 + b"\r\n"
    room = len(body) + 100
    with far(script={"ehlo": f"250-sink\n250 SIZE {room}"}) as bench:
        result = bench.send("far.test", ["a@far.test"], body)
        cases.equal(code(result[0]), (FAILED, 0, "5.3.4"))
    with far(script={"ehlo": f"250-sink\n250-8BITMIME\n250 SIZE {room}"}) as bench:
        cases.equal(bench.send("far.test", ["a@far.test"], body)[0]["outcome"], RELAYED)


@cases.add
def big_message_in_pieces():
    words = b"".join(b"Zeile %07d mit \xc3\xa4\xc3\xb6\xc3\xbc\r\n" % i for i in range(150000))
    with far(script=PLAIN) as bench:
        body = mixed(part(b"text/plain; charset=utf-8", words), part(b"image/png", PNG * 2000))
        cases.equal(bench.send("far.test", ["a@far.test"], body)[0]["outcome"], RELAYED)
        message = bench.sinks[0].messages[0]
        check_seven(message)
        cases.equal([data for _, data in leaves(message.data)], [words, PNG * 2000])


@cases.add
def again_for_other_recipients_and_servers():
    few = {"ehlo": "250-sink\n250-SIZE\n250 LIMITS RCPTMAX=1"}
    with far(2, [few | {"mail": [None, DROP]}, None]) as bench:
        result = bench.send("far.test", ["a@far.test", "b@far.test"], TEXT + WORDS)
        cases.equal([result[i]["outcome"] for i in range(2)], [RELAYED, DELIVERED])
        first, second = bench.sinks[0].messages[0], bench.sinks[1].messages[0]
        check_seven(first)
        cases.equal(second.data, TEXT + WORDS)


if __name__ == "__main__":
    sys.exit(cases.run())
