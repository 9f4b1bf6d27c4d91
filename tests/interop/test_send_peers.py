#!/usr/bin/env python3
"""Mail to other servers by a whole instance, from log-in to the sink, and back as a bounce.

time-limit: 280
"""

import contextlib
import email
import email.policy
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from cases import Cases, Skip  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from posthold import POSTHOLD, Instance, letter  # noqa: E402
from send_bench import free_port  # noqa: E402
from smtp_sink import DROP, Reply, SmtpSink, check_wire, self_signed  # noqa: E402

ANNA = "anna@example.test"
OPTIONS = {"send_private": "yes", "retry_first": "1s", "send_reuse_idle": "2s"}
OPTIONS |= {"rcpt_per_message": "1000", "submit_rcpt_hour": "100000"}
cases = Cases()


class World:
    """The instance, the DNS around it, and the servers of other domains."""

    def __init__(self):
        self.dns = DnsServer()
        self.port = free_port()
        options = OPTIONS | {"send_port": str(self.port)}
        self.instance = Instance(options=options, resolver=self.dns.address)
        self.last_host = 1
        self.last_domain = 0

    @contextlib.contextmanager
    def domain(self, *scripts, **sink):
        """A fresh domain with an exchanger for each script: (domain, sinks)."""
        self.last_domain += 1
        domain = f"far{self.last_domain}.test"
        self.dns.zone[domain] = {"MX": []}
        with contextlib.ExitStack() as stack:
            sinks = []
            for number, script in enumerate(scripts or [None], 1):
                self.last_host += 1
                ip, name = f"127.0.0.{self.last_host}", f"mx{number}.{domain}"
                self.dns.zone[name] = {"A": ip}
                self.dns.zone[domain]["MX"].append((10 * number, name))
                sinks.append(stack.enter_context(SmtpSink(ip, self.port, script, **sink)))
            yield domain, sinks

    def submit(self, to, sender=ANNA, options=(), rcpt_options=(), **parts):
        to = [to] if isinstance(to, str) else to
        with self.instance.submit(ANNA) as client:
            text = letter(ANNA, to[0], **parts)
            client.sendmail(sender, to, text, options, rcpt_options)

    def bounces(self, to):
        """Reports in anna's INBOX whose machine-readable part names an address."""
        found = []
        for raw in self.instance.messages(ANNA):
            message = email.message_from_bytes(raw, policy=email.policy.default)
            if message.get_content_type() == "multipart/report" and to.encode() in raw:
                found.append(message)
        return found

    def wait_bounce(self, to, seconds=15):
        found = self.instance.wait_for(lambda: self.bounces(to), seconds, f"a bounce for {to}")
        return found[0]


def fields_of(report):
    """The machine-readable part: per-message and per-recipient fields."""
    parts = list(report.iter_parts())
    cases.equal(parts[1].get_content_type(), "message/delivery-status")
    blocks = parts[1].get_payload()
    return [dict((k.lower(), " ".join(v.split())) for k, v in block.items()) for block in blocks]


@cases.add
def delivers_to_another_domain(world):
    with world.domain() as (domain, (sink,)):
        world.submit([f"one@{domain}", f"two@{domain}"])
        message = sink.wait_messages(1)[0]
        cases.equal(message.sender, ANNA)
        cases.equal(sorted(message.recipients), [f"one@{domain}", f"two@{domain}"])
        cases.true(message.data.endswith(b"\r\n\r\nHello.\r\n"), repr(message.data[-60:]))
        cases.equal(check_wire(message.wire), None)
        cases.true(message.data.startswith(b"Received:"), "no Received field")
        cases.true(b"Bcc" not in message.data, "Bcc left")


@cases.add
def recipients_of_a_domain_travel_together(world):
    """RFC 5321 section 4.5.4.1.  New addresses each time: what is known already is quick to find."""
    with world.domain() as (domain, (sink,)), world.domain() as (other, (second,)):
        for number in range(12):
            names = [f"{name}{number}@{domain}" for name in "abc"]
            world.submit([names[0], f"x{number}@{other}", *names[1:]])
            message = sink.wait_messages(number + 1)[number]
            cases.equal(sorted(message.recipients), names)
        cases.equal([len(m.recipients) for m in second.wait_messages(12)], [1] * 12)
        cases.equal(len(sink.messages), 12)
    with world.domain({"rcpt": ["450 4.2.0 later"] * 3 + [None]}) as (domain, (sink,)):
        names = [f"{name}@{domain}" for name in "abc"]
        world.submit(names)
        cases.equal(sorted(sink.wait_messages(1, 30)[0].recipients), names)


@cases.add
def what_an_alias_adds_goes_along(world):
    with world.domain() as (domain, (sink,)):
        names = [f"{name}@{domain}" for name in "abc"]
        for name in names[1:]:
            world.instance.cli("alias", "add", "crew@example.test", name)
        for number in range(3):
            world.submit([names[0], "crew@example.test"])
            cases.equal(sorted(sink.wait_messages(number + 1)[number].recipients), names)


@cases.add
def many_recipients_go_in_hundreds(world):
    with world.domain() as (domain, (sink,)):
        names = sorted(f"r{i:03}@{domain}" for i in range(230))
        world.submit(names)
        messages = sink.wait_messages(3, 20)
        cases.equal(sorted(len(m.recipients) for m in messages), [30, 100, 100])
        cases.equal(sorted(name for m in messages for name in m.recipients), names)


@cases.add
def prefers_and_falls_back(world):
    down = {"greeting": DROP}
    with world.domain(down, {"greeting": "421 4.3.2 no"}, None) as (domain, sinks):
        world.submit(f"a@{domain}")
        cases.equal(len(sinks[2].wait_messages(1)), 1)
        cases.equal([len(s.sessions) for s in sinks[:2]], [1, 1])
    with world.domain(None, None) as (domain, sinks):
        world.submit(f"a@{domain}")
        sinks[0].wait_messages(1)
        cases.equal(len(sinks[1].sessions), 0)


@cases.add
def uses_tls_where_offered(world):
    with tempfile.TemporaryDirectory() as folder:
        pair = self_signed(folder, "mx.test")
        with world.domain(tls=pair) as (domain, (sink,)):
            world.submit(f"a@{domain}")
            message = sink.wait_messages(1)[0]
            cases.true(message.tls.startswith("TLSv1.3"), message.tls)
            cases.true(b"MAIL" not in message.session.clear, "MAIL in clear")
        broken = {"starttls": Reply("220 go\nthis is no TLS", then="close")}
        with world.domain(broken, tls=pair) as (domain, (sink,)):
            world.submit(f"a@{domain}")
            cases.equal(sink.wait_messages(1)[0].tls, None)
        injected = {"starttls": b"220 go\r\n250-AUTH PLAIN\r\n250 X\r\n"}
        with world.domain(injected, tls=pair) as (domain, (sink,)):
            world.submit(f"a@{domain}")
            cases.equal(sink.wait_messages(1)[0].tls, None)
    log = world.instance
    log.wait_for(lambda: len(log.events("send.tls_failed")) == 2, what="the log of failed TLS")


@cases.add
def big_message(world):
    with world.domain() as (domain, (sink,)):
        body = "".join(f"line {i} of a long message\r\n" for i in range(60000))
        world.submit(f"a@{domain}", body=body)
        message = sink.wait_messages(1)[0]
        cases.true(message.data.endswith(body.encode()), "the body has changed")


@cases.add
def foreign_line_ends_never_leave(world):
    """THREATS.md 2.2: mail that holds bare CR or LF is refused at the door or leaves clean."""
    with world.domain() as (domain, (sink,)):
        for part in (".\r\n..\r\n.", "x\r\n.x", "." * 998, "y" * 990):
            world.submit(f"a@{domain}", body=part + "\r\nend\r\n")
        messages = sink.wait_messages(4)
        cases.equal(len(messages), 4)
        for message in messages:
            cases.equal(check_wire(message.wire), None)


@cases.add
def temporary_refusals_are_retried(world):
    script = {"greeting": ["421 4.3.2 later", None], "rcpt": ["450 4.2.0 greylisted", None]}
    with world.domain(script) as (domain, (sink,)):
        world.submit(f"a@{domain}")
        cases.equal(len(sink.wait_messages(1, 30)), 1)
        # The third attempt may come on the second connection, which is kept for a while.
        cases.true(len(sink.sessions) >= 2, "not on another connection")
        cases.equal(world.bounces(f"a@{domain}"), [])


@cases.add
def one_of_two_recipients_is_retried(world):
    with world.domain() as (domain, (sink,)):
        sink.script[f"rcpt:later@{domain}"] = ["452 4.2.2 full", None]
        world.submit([f"now@{domain}", f"later@{domain}"])
        messages = sink.wait_messages(2, 30)
        cases.equal([m.recipients for m in messages], [[f"now@{domain}"], [f"later@{domain}"]])


@cases.add
def permanent_refusal_comes_back(world):
    with world.domain({"rcpt": "550 5.1.1 there is no such user here"}) as (domain, _):
        to = f"gone@{domain}"
        world.submit(to)
        report = world.wait_bounce(to)
        cases.equal(report["Return-Path"] or "<>", "<>")
        cases.equal(report["Auto-Submitted"].split()[0].rstrip(";"), "auto-replied")
        cases.equal(report.get_param("report-type"), "delivery-status")
        kinds = [part.get_content_type() for part in report.iter_parts()]
        cases.equal(kinds[:2], ["text/plain", "message/delivery-status"])
        cases.true(kinds[2] in ("message/rfc822", "text/rfc822-headers"), kinds[2])
        whole, one = fields_of(report)[:2]
        cases.true(whole["reporting-mta"].startswith("dns;"), whole["reporting-mta"])
        cases.equal(one["final-recipient"].replace(" ", ""), f"rfc822;{to}")
        cases.equal((one["action"], one["status"]), ("failed", "5.1.1"))
        cases.equal(one["remote-mta"].replace(" ", ""), f"dns;mx1.{domain}")
        cases.true(one["diagnostic-code"].startswith("smtp; 550"), one["diagnostic-code"])
        cases.true("no such user" in one["diagnostic-code"], one["diagnostic-code"])
        time.sleep(1.5)
        cases.equal(len(world.bounces(to)), 1)


@cases.add
def eight_bits_for_seven(world):
    """RFC 6152 section 3: rewritten where that can be done, else returned in our own words."""
    with world.domain({"ehlo": "250-sink\n250-PIPELINING\n250 SIZE"}) as (domain, (sink,)):
        to = f"a@{domain}"
        text = "Gr\u00fc\u00dfe =\r\n.\r\n"
        extra = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        eight = "Content-Transfer-Encoding: 8bit\r\n"
        world.submit(to, body=text, extra=extra + eight, options=["BODY=8BITMIME"])
        message = sink.wait_messages(1)[0]
        cases.equal(check_wire(message.wire), None)
        cases.true(message.data.isascii() and b"8bit" not in message.data, repr(message.data))
        parsed = email.message_from_bytes(message.data, policy=email.policy.SMTP)
        cases.equal(parsed["Content-Transfer-Encoding"], "quoted-printable")
        cases.equal(parsed.get_payload(decode=True), text.encode())

        signed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n" + eight
        body = f"--b\r\n{extra}{eight}\r\n{text}--b--\r\n"
        world.submit(to, body=body, extra=signed, options=["BODY=8BITMIME"])
        one = fields_of(world.wait_bounce(to))[1]
        cases.equal((one["action"], one["status"]), ("failed", "5.6.3"))
        # Nobody said so by SMTP (RFC 3464 section 2.3.6).
        cases.true(one["diagnostic-code"].startswith("x-posthold;"), one["diagnostic-code"])
        cases.true("signed" in one["diagnostic-code"], one["diagnostic-code"])
        cases.equal(len(sink.messages), 1)


@cases.add
def what_dns_says_comes_back(world):
    world.dns.zone["null.test"] = {"MX": (0, ".")}
    world.dns.zone["nohost.test"] = {"MX": (10, "missing.test")}
    for domain, status in (
        ("null.test", "5.1.10"),
        ("nowhere.test", "5.1.2"),
        ("nohost.test", "5.4.4"),
    ):
        world.submit(f"a@{domain}")
        one = fields_of(world.wait_bounce(f"a@{domain}"))[1]
        cases.equal((domain, one["action"], one["status"]), (domain, "failed", status))
        cases.true(one["diagnostic-code"].startswith("x-posthold;"), one["diagnostic-code"])


@cases.add
def dns_that_is_down_is_waited_for(world):
    with world.domain() as (domain, (sink,)):
        records = world.dns.zone[domain]
        world.dns.zone[domain] = "SERVFAIL"
        world.submit(f"a@{domain}")
        world.instance.wait_for(lambda: world.dns.asked(domain, "MX"), what="a question")
        time.sleep(0.5)
        world.dns.zone[domain] = records
        cases.equal(len(sink.wait_messages(1, 30)), 1)


@cases.add
def hostile_replies_do_no_harm(world):
    """THREATS.md 2.25"""
    replies = [
        b"5.7.2 x\r\n",
        b"999 x\r\n",
        b"250\0ok\r\n",
        b"250-x\r\n" * 100000,
        b"250 " + b"x" * 1000000,
        b"250-a\r\n251 b\r\n",
    ]
    for number, reply in enumerate(replies):
        stage = ("greeting", "ehlo", "mail", "dot")[number % 4]
        with world.domain({stage: [Reply(reply, record=False), None]}) as (domain, (sink,)):
            world.submit(f"a@{domain}")
            cases.equal((reply[:10], len(sink.wait_messages(1, 30))), (reply[:10], 1))
    with world.domain({"rcpt": b"550 5.1.1 x\x1b[2J\xff\r\nBcc: y@evil.test\r\n"}) as (domain, _):
        world.submit(f"a@{domain}")
        report = world.wait_bounce(f"a@{domain}")
        cases.equal(report["Bcc"], None)
        cases.true("\x1b" not in report.as_string(), "an escape in the bounce")


@cases.add
def lost_after_the_dot_is_sent_again(world):
    with world.domain({"dot": [Reply(b"", then="reset", record=True), None]}) as (domain, (sink,)):
        world.submit(f"a@{domain}")
        messages = sink.wait_messages(2, 30)
        cases.equal(len(messages), 2)
        cases.equal(messages[0].data, messages[1].data)
        cases.equal(world.bounces(f"a@{domain}"), [])


@cases.add
def connections_are_reused(world):
    with world.domain() as (domain, (sink,)):
        for _ in range(4):
            world.submit(f"a@{domain}")
            count = len(sink.messages) + 1
            sink.wait_messages(count, 5)
        cases.equal(len(sink.wait_messages(4)), 4)
        cases.true(len(sink.sessions) <= 2, f"{len(sink.sessions)} connections for 4 messages")


@cases.add
def slow_server_does_not_hold_up_others(world):
    with world.domain({"dot": Reply(delay=8)}) as (slow, _), world.domain() as (quick, (sink,)):
        for _ in range(10):
            world.submit(f"a@{slow}")
        began = time.monotonic()
        world.submit(f"a@{quick}")
        cases.equal(len(sink.wait_messages(1, 10)), 1)
        cases.true(time.monotonic() - began < 3, "waited for another domain")


@cases.add
def null_sender_is_never_bounced(world):
    with world.domain({"rcpt": "550 5.1.1 no"}) as (domain, (sink,)):
        before = len(world.instance.messages(ANNA))
        with world.instance.submit(ANNA) as client:
            try:
                client.sendmail("", [f"a@{domain}"], letter(ANNA, f"a@{domain}"))
            except Exception as why:  # to refuse it is another right answer
                raise Skip(f"submission takes no null sender: {why}") from None
        sink.wait_sessions(1)
        time.sleep(2)
        cases.equal(len(world.instance.messages(ANNA)), before)


@cases.add
def success_is_reported_when_asked(world):
    with world.domain(extensions=("PIPELINING", "8BITMIME")) as (domain, (sink,)):
        to = f"a@{domain}"
        world.submit(to, rcpt_options=["NOTIFY=SUCCESS"])
        sink.wait_messages(1)
        one = fields_of(world.wait_bounce(to))[1]
        cases.equal((one["action"], one["status"][0]), ("relayed", "2"))
    with world.domain() as (domain, (sink,)):
        world.submit(f"a@{domain}", rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
        message = sink.wait_messages(1)[0]
        cases.true(" NOTIFY=SUCCESS,FAILURE" in message.rcpt_lines[0], message.rcpt_lines[0])


@cases.add
def retry_survives_a_crash(world):
    with world.domain({"rcpt": ["450 4.2.0 later", None]}) as (domain, (sink,)):
        sink.script["rcpt"] = "450 4.2.0 later"
        world.submit(f"a@{domain}")
        sink.wait_sessions(1)
        time.sleep(0.3)
        world.instance.kill()
        world.instance.start()
        sink.script["rcpt"] = None
        cases.equal(len(sink.wait_messages(1, 30)), 1)
        time.sleep(1.5)
        cases.equal(len(sink.messages), 1)


@cases.add
def crash_while_sending_loses_nothing(world):
    with world.domain({"dot": Reply(delay=3)}) as (domain, (sink,)):
        world.submit(f"a@{domain}")
        sink.wait_sessions(1)
        time.sleep(1)
        world.instance.kill()
        sink.script["dot"] = None
        world.instance.start()
        cases.true(len(sink.wait_messages(1, 30)) >= 1, "lost")


def main():
    if not os.path.exists(POSTHOLD):
        print("skip send_peers: the command is not built")
        return 0
    world = World()
    with world.instance:
        return cases.run(world)


if __name__ == "__main__":
    sys.exit(main())
