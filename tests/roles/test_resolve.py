#!/usr/bin/env python3
"""The resolve role alone: every kind of answer, limits, hostile replies.

time-limit: 120
"""

import pathlib
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from cases import Cases  # noqa: E402
from dns_server import TYPES, DnsServer, encode_name  # noqa: E402
from role_harness import Role  # noqa: E402

OK, NODATA, NXDOMAIN, TEMPORARY = range(4)
QUESTION_SECONDS = 5
cases = Cases()

ZONE = {
    "example.test": {
        "MX": [(20, "Mx2.example.test"), (10, "mx1.example.test")],
        "TXT": ["one", ["two ", "three"]],
    },
    "mx1.example.test": {"A": ["127.0.0.2", "127.0.0.3"], "AAAA": "2001:db8::1"},
    "nomail.test": {"MX": (0, ".")},
    "alias.test": {"CNAME": "again.test"},
    "again.test": {"CNAME": "mx1.example.test"},
    "loop1.test": {"CNAME": "loop2.test"},
    "loop2.test": {"CNAME": "loop1.test"},
    "_25._tcp.mx1.example.test": {"TLSA": (3, 1, 1, b"\0" * 32)},
    "2.0.0.127.in-addr.arpa": {"PTR": "mx1.example.test"},
    "broken.test": "SERVFAIL",
    "refused.test": "REFUSED",
    "slow.test": "TIMEOUT",
    "many.test": {"MX": [(i, f"mx{i}.many.test") for i in range(500)]},
    "full.test": {"MX": [(i, f"mx{i}.full.test") for i in range(64)]},
    "big.test": {"TXT": ["x" * 3900] * 8},
    "toobig.test": {"TXT": ["x" * 4001, "short"]},
    "nul.test": {"MX": (10, "a\0b.test")},
    "line.test": {"PTR": "a\r\nb.test"},
    "dot.test": {"CNAME": "%n.\xff.test"},
    "badmx.test": {"MX": b"\0\12\5short"},
}


def ask(channel, name, kind, tag=1):
    """(status, records) of one question."""
    number = TYPES[kind] if kind in TYPES else int(kind)
    channel.send("query", tag=tag, name=name, type=number)
    message, answer, _ = channel.receive(QUESTION_SECONDS + 5)
    assert message == "answer" and answer["tag"] == tag, answer
    assert not answer["secure"]
    records = [(r["preference"], r["data"]) for r in answer["records"]]
    return answer["status"], records


@cases.add
def answers(role, dns):
    c = role.channels["resolve"]
    mx = [(10, b"mx1.example.test"), (20, b"mx2.example.test")]
    status, records = ask(c, "Example.TEST.", "MX")
    cases.equal((status, sorted(records)), (OK, mx))
    cases.equal(ask(c, "nomail.test", "MX"), (OK, [(0, b"")]))
    status, records = ask(c, "mx1.example.test", "A")
    cases.equal(sorted(records), [(0, b"\x7f\0\0\2"), (0, b"\x7f\0\0\3")])
    cases.equal(len(ask(c, "mx1.example.test", "AAAA")[1][0][1]), 16)
    status, records = ask(c, "example.test", "TXT")
    cases.equal(sorted(records), [(0, b"one"), (0, b"two three")])
    cases.equal(ask(c, "2.0.0.127.in-addr.arpa", "PTR"), (OK, [(0, b"mx1.example.test")]))
    cases.equal(ask(c, "_25._tcp.mx1.example.test", "TLSA")[1], [(0, b"\3\1\1" + b"\0" * 32)])


@cases.add
def chains_are_followed(role, dns):
    c = role.channels["resolve"]
    status, records = ask(c, "alias.test", "A")
    cases.equal((status, len(records)), (OK, 2))
    cases.equal(ask(c, "loop1.test", "A")[0], TEMPORARY)


@cases.add
def absence(role, dns):
    c = role.channels["resolve"]
    cases.equal(ask(c, "example.test", "A"), (NODATA, []))
    cases.equal(ask(c, "gone.test", "MX"), (NXDOMAIN, []))
    cases.equal(ask(c, "broken.test", "MX"), (TEMPORARY, []))
    cases.equal(ask(c, "refused.test", "MX"), (TEMPORARY, []))


@cases.add
def names_that_never_leave(role, dns):
    c = role.channels["resolve"]
    asked = len(dns.questions)
    for name in ("", "a..test", "a b.test", "b\xfccher.test", "-a.test", "x" * 64 + ".test"):
        cases.equal(ask(c, name, "A"), (NXDOMAIN, []))
    cases.equal(ask(c, ".".join(["x" * 49] * 5) + ".test", "A"), (NXDOMAIN, []))
    cases.equal(len(dns.questions), asked)


@cases.add
def longest_name_and_label(role, dns):
    c = role.channels["resolve"]
    dns.zone["x" * 63 + ".test"] = {"A": "127.0.0.9"}
    cases.equal(ask(c, "x" * 63 + ".test", "A")[0], OK)


@cases.add
def many_records_are_cut(role, dns):
    c = role.channels["resolve"]
    cases.equal(len(ask(c, "full.test", "MX")[1]), 64)
    cases.equal(len(ask(c, "many.test", "MX")[1]), 64)


@cases.add
def big_records_are_left_out(role, dns):
    c = role.channels["resolve"]
    status, records = ask(c, "big.test", "TXT")
    cases.equal((status, len(records)), (OK, 8))
    cases.equal(ask(c, "toobig.test", "TXT"), (OK, [(0, b"short")]))


@cases.add
def hostile_contents(role, dns):
    c = role.channels["resolve"]
    for name, kind in (("nul.test", "MX"), ("line.test", "PTR"), ("badmx.test", "MX")):
        status, records = ask(c, name, kind)
        cases.equal((status, records), (TEMPORARY, []))
    cases.equal(ask(c, "dot.test", "CNAME"), (TEMPORARY, []))


@cases.add
def hostile_packets(role, dns):
    c = role.channels["resolve"]
    question = encode_name("x.test") + struct.pack("!HH", 1, 1)
    head = struct.pack("!HHHHH", 0x8480, 1, 1, 0, 0)
    loop = head + question + b"\xc0\x18" + struct.pack("!HHIH", 1, 1, 0, 4) + b"\1\2\3\4"
    other = encode_name("evil.test") + struct.pack("!HHIH", 1, 1, 0, 4) + b"\1\2\3\4"
    replies = {"compression loop": loop, "answer for another name": head + question + other}
    replies["nothing"] = b""
    replies["half a header"] = b"\x84"
    replies["garbage"] = b"\xff" * 500
    replies["truncated for ever"] = struct.pack("!HHHHH", 0x8680, 1, 0, 0, 0) + question
    for what, reply in replies.items():
        dns.zone["x.test"] = reply
        status, records = ask(c, "x.test", "A")
        cases.equal((what, records), (what, []))
        cases.true(status in (TEMPORARY, NODATA), what)
    del dns.zone["x.test"]
    cases.equal(ask(c, "mx1.example.test", "A")[0], OK)


@cases.add
def slow_question_ends_and_others_go_on(role, dns):
    c = role.channels["resolve"]
    began = time.monotonic()
    c.send("query", tag=77, name="slow.test", type=1)
    cases.equal(ask(c, "mx1.example.test", "A", 78)[0], OK)
    cases.true(time.monotonic() - began < 1, "another question had to wait")
    _, answer, _ = c.receive(QUESTION_SECONDS + 5)
    cases.equal((answer["tag"], answer["status"]), (77, TEMPORARY))
    took = time.monotonic() - began
    cases.true(took < QUESTION_SECONDS + 1, f"took {took:.1f} s")


@cases.add
def full_load(role, dns):
    c = role.channels["resolve"]
    for tag in range(1000):
        c.send("query", tag=tag, name=f"n{tag}.test", type=1)
    tags = {c.receive()[1]["tag"] for _ in range(1000)}
    cases.equal(len(tags), 1000)


@cases.add
def asker_restarts(role, dns):
    c = role.channels["resolve"]
    c.send("query", tag=1, name="slow.test", type=1)
    c = role.renew("resolve")
    cases.equal(ask(c, "mx1.example.test", "A", 5)[0], OK)
    cases.true(c.is_quiet(QUESTION_SECONDS + 1), "an answer for the one before")


@cases.add
def from_the_root_without_resolver(role, dns):
    """Whatever the network is like, every question is answered in time."""
    with Role("resolve", {}, ["resolve"]) as alone:
        began = time.monotonic()
        c = alone.channels["resolve"]
        c.send("query", tag=1, name="example.org", type=1)
        _, answer, _ = c.receive(QUESTION_SECONDS + 5)
        cases.true(time.monotonic() - began < QUESTION_SECONDS + 1, "too late")
        cases.true(answer["status"] in (OK, TEMPORARY), answer)
        c.send("query", tag=2, name="localhost", type=1)
        _, answer, _ = c.receive(1)
        cases.equal(answer["records"], [{"preference": 0, "data": b"\x7f\0\0\1"}])


@cases.add
def resolver_that_is_no_address(role, dns):
    try:
        with Role("resolve", {"resolver": "dns.example.test"}, ["resolve"]):
            raise AssertionError("started")
    except (EOFError, ConnectionResetError):
        pass


def main():
    with DnsServer(ZONE) as dns:
        with Role("resolve", {"resolver": dns.address}, ["resolve"]) as role:
            cases.true("seccomp" in role.ready["sandbox"], "no sandbox")
            return cases.run(role, dns)


if __name__ == "__main__":
    sys.exit(main())
