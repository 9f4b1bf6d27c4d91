#!/usr/bin/env python3
"""The send role alone: choice of hosts, the dialogue, hostile servers, TLS, reuse of connections.

time-limit: 280
"""

import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from cases import Cases  # noqa: E402
from send_bench import DEFERRED, DELIVERED, FAILED, RELAYED, SendBench, code, far  # noqa: E402
from smtp_sink import DROP, RESET, SILENCE, Reply, SmtpSink, check_wire, self_signed  # noqa: E402

BODY = b"From: me@own.test\r\nSubject: hello\r\n\r\n.dots\r\n..\r\nend\r\n"
SMUGGLED = b"\n.\n|\n.\r|\r.\n|\r.\r|\n.\r\n|\r.\r\n|\r\n.\r\r\n|\r\r\n.\r\r\n|\r\n\0.\r\n"
cases = Cases()


@cases.add
def delivers_and_reports():
    with far() as bench:
        result = bench.send("far.test", ["a@far.test", "b@far.test"], BODY)
        cases.equal(code(result[0]), (DELIVERED, 250, "2.0.0"))
        cases.equal(result[1]["remote"], "mx1.far.test")
        cases.equal(result[1]["tls"], "none")
        message = bench.sinks[0].messages[0]
        cases.equal((message.sender, message.hello), ("me@own.test", "mail.own.test"))
        cases.equal(message.recipients, ["a@far.test", "b@far.test"])
        cases.equal(message.data, BODY)
        cases.equal(check_wire(message.wire), None)


@cases.add
def big_body_comes_by_descriptor():
    body = BODY + b"".join(b"line %06d of the body\r\n" % i for i in range(200000))
    with far() as bench:
        result = bench.send("far.test", ["a@far.test"], body)
        cases.equal(code(result[0]), (DELIVERED, 250, "2.0.0"))
        cases.equal(bench.sinks[0].messages[0].data, body)


@cases.add
def wire_is_clean_whatever_the_body():
    with far() as bench:
        for part in SMUGGLED.split(b"|"):
            body = b"Subject: x\r\n\r\nbefore" + part + b"MAIL FROM:<evil@evil.test>\r\n"
            bench.send("far.test", ["a@far.test"], body)
        bench.send("far.test", ["a@far.test"], b"x" * 5000)
        bench.send("far.test", ["a@far.test"], b"")
        messages = bench.sinks[0].messages
        cases.equal(len(messages), 11)
        for message in messages:
            cases.equal(check_wire(message.wire), None, repr(message.wire))
            cases.true("evil" not in message.sender, "a second transaction")


@cases.add
def exchangers_in_order_of_preference():
    with far(3, [{"greeting": DROP}, {"greeting": "421 4.3.2 no"}, None]) as bench:
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(result[0]["outcome"], DELIVERED)
        cases.equal(bench.front.opened, ["127.0.0.2", "127.0.0.3", "127.0.0.4"])


@cases.add
def refused_connection_and_greeting_lead_on():
    for first in ({"greeting": "554 5.7.1 no"}, {"ehlo": "550 no", "helo": "550 no"}):
        with far(2, [first, None]) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal(result[0]["outcome"], DELIVERED)
            cases.equal(result[0]["remote"], "mx2.far.test")
    with far(2) as bench:
        bench.sinks[0].stop()
        cases.equal(bench.send("far.test", ["a@far.test"], BODY)[0]["outcome"], DELIVERED)
        bench.sinks[1].stop()
        bench.zone["near.test"] = bench.zone["far.test"]
        result = bench.send("near.test", ["a@near.test"], BODY)
        cases.equal(code(result[0]), (DEFERRED, 0, "4.4.1"))
        cases.true("refused" in result[0]["text"], result[0]["text"])


@cases.add
def only_when_all_refuse_it_is_final():
    with far(2, {"greeting": "554 5.7.1 go away"}) as bench:
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(code(result[0]), (FAILED, 554, "5.7.1"))
    with far(2, [{"greeting": "554 5.7.1 no"}, {"greeting": "450 4.7.1 later"}]) as bench:
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(code(result[0]), (DEFERRED, 450, "4.7.1"))


@cases.add
def lost_connection_leads_on():
    for stage in ("ehlo", "mail", "rcpt", "data"):
        with far(2, [{stage: DROP}, None]) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal((stage, result[0]["outcome"]), (stage, DELIVERED))


@cases.add
def replies_by_recipient():
    script = {
        "rcpt:gone@far.test": "550 5.1.1 no such user",
        "rcpt:full@far.test": "452-4.2.2 mailbox\n452 4.2.2 full",
        "rcpt:old@far.test": "553 unknown",
    }
    with far(script=script) as bench:
        names = ["ok@far.test", "gone@far.test", "full@far.test", "old@far.test"]
        result = bench.send("far.test", names, BODY)
        cases.equal(code(result[0]), (DELIVERED, 250, "2.0.0"))
        cases.equal(code(result[1]), (FAILED, 550, "5.1.1"))
        cases.equal(result[1]["text"], "550 5.1.1 no such user")
        cases.equal(code(result[2]), (DEFERRED, 452, "4.2.2"))
        cases.equal(code(result[3]), (FAILED, 553, "5.0.0"))
        cases.equal(bench.sinks[0].messages[0].recipients, ["ok@far.test"])


@cases.add
def refusal_at_each_stage():
    for stage in ("mail", "rcpt", "data", "dot"):
        for reply, outcome in (("451 4.3.0 later", DEFERRED), ("554 5.6.0 never", FAILED)):
            with far(2, [{stage: reply}, None]) as bench:
                result = bench.send("far.test", ["a@far.test"], BODY)
                want = (outcome, int(reply[:3]), reply[4:9])
                cases.equal((stage, code(result[0])), (stage, want))
                cases.equal(len(bench.sinks[1].messages), 0)


@cases.add
def unknown_outcome_is_a_possible_duplicate():
    for end in (RESET, DROP):
        with far(2, [{"dot": end}, None]) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal(code(result[0]), (DEFERRED, 0, "4.4.2"))
            cases.true("twice" in result[0]["text"], result[0]["text"])
            cases.true(b'"possible_duplicates":1,' in bench.role.status(), "not counted")
            cases.equal(len(bench.sinks[1].sessions), 0)


@cases.add
def shutdown_while_the_body_is_sent():
    body = BODY + b"x" * 70 + b"\r\n" * 50000
    with far(script={"body": Reply("421 4.3.2 closing", then="close")}) as bench:
        result = bench.send("far.test", ["a@far.test"], body)
        cases.equal(result[0]["outcome"], DEFERRED)


@cases.add
def hostile_replies():
    replies = [
        b"553-\r\n553\r\n",
        b"5.7.2 x\r\n",
        b"25\r\n",
        b"999 x\r\n",
        b"250\0ok\r\n",
        b"250 ok\n",
        b"250-x\r\n" * 100000,
        b"250 " + b"x" * 10000000,
        b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
        b"250-a\r\n251 b\r\n",
        b"\r\n",
        b"\xff" * 600 + b"\r\n",
    ]
    for reply in replies:
        for stage in ("greeting", "ehlo", "mail", "dot"):
            with far(script={stage: Reply(reply)}, options={"send_stage_time": "2s"}) as bench:
                result = bench.send("far.test", ["a@far.test"], BODY)
                what = f"{reply[:20]} at {stage}"
                final = reply.startswith(b"553") and stage in ("mail", "dot")
                strange = reply.startswith(b"250 ok\r\n250 ok") and stage == "dot"
                outcome = result[0]["outcome"]
                if final:
                    cases.equal((what, outcome), (what, FAILED))
                elif strange:
                    cases.equal((what, outcome), (what, DELIVERED))
                elif stage == "greeting" and reply.startswith(b"553"):
                    cases.true(outcome == FAILED, what)
                elif stage != "ehlo":
                    cases.equal((what, outcome), (what, DEFERRED))
                text = result[0]["text"]
                cases.true(text.isprintable() and text.isascii() and len(text) <= 500, text)


@cases.add
def line_ends_in_a_reply_stay_outside():
    with far(script={"rcpt": b"550 5.1.1 x\r\nBcc: y\r\n"}) as bench:
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.true("Bcc" not in result[0]["text"], result[0]["text"])


@cases.add
def many_keywords_and_strange_sizes():
    for line in ("SIZE 99999999999999999999", "SIZE x", "LIMITS RCPTMAX=0 MAILMAX=x", "SIZE 0"):
        with far(script={"ehlo": f"250-sink\n250-{line}\n250 8BITMIME"}) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal((line, result[0]["outcome"]), (line, RELAYED))
    with far(script={"ehlo": "\n".join(["250-X"] * 10000 + ["250 Y"])}) as bench:
        cases.equal(bench.send("far.test", ["a@far.test"], BODY)[0]["outcome"], DEFERRED)


@cases.add
def replies_have_the_limits_of_the_options():
    def line(octets):
        return "250 " + "x" * (octets - 6)

    def lines(count):
        return "\n".join(["250-x"] * (count - 1) + ["250 x"])

    for options, good, bad in (
        ({"reply_line": 128}, line(128), line(129)),
        ({"reply_line": 4096}, line(4096), line(4097)),
        ({"reply_lines": 8}, lines(8), lines(9)),
        ({"reply_lines": 1000}, lines(1000), lines(1001)),
        ({}, line(512), line(513)),
        ({}, lines(64), lines(65)),
    ):
        for text, outcome in ((good, DELIVERED), (bad, DEFERRED)):
            with far(script={"mail": text}, options=options) as bench:
                result = bench.send("far.test", ["a@far.test"], BODY)
                cases.equal((options, len(text), result[0]["outcome"]), (options, len(text), outcome))


@cases.add
def silence_ends_after_stage_time():
    for stage in ("greeting", "mail", "rcpt", "data"):
        with far(script={stage: SILENCE}, options={"send_stage_time": "1s"}) as bench:
            began = time.monotonic()
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal((stage, code(result[0])), (stage, (DEFERRED, 0, "4.4.2")))
            cases.true(0.8 < time.monotonic() - began < 4, "not after one second")
    with far(script={"dot": SILENCE}, options={"send_stage_time": "1s"}) as bench:
        began = time.monotonic()
        cases.equal(code(bench.send("far.test", ["a@far.test"], BODY)[0])[0], DEFERRED)
        cases.true(1.8 < time.monotonic() - began < 5, "not after two seconds")


@cases.add
def slow_server_does_not_hold_up_others():
    slow = {"ehlo": Reply(octet_delay=5)}
    with far(script=slow, options={"send_session_time": "3s"}) as bench:
        bench.zone["near.test"] = {"A": "127.0.0.9"}
        with SmtpSink("127.0.0.9", bench.port):
            began = time.monotonic()
            job = bench.give("far.test", ["a@far.test"], BODY)
            other = bench.give("near.test", ["a@near.test"], BODY)
            cases.equal(bench.wait(other, job)[other][0]["outcome"], DELIVERED)
            cases.true(time.monotonic() - began < 6, "the session time does not hold")


@cases.add
def what_the_server_lacks():
    utf8 = "Subject: gr\u00fc\u00dfe\r\n\r\nx\r\n".encode()
    plain = {"ehlo": "250 sink"}
    with far(script=plain) as bench:
        result = bench.send("far.test", ["a@far.test"], utf8, smtputf8=True)
        # Own words: nobody replied, so there is no code.
        cases.equal(code(result[0]), (FAILED, 0, "5.6.7"))
        # Declared but not needed: that is no reason to refuse.
        result = bench.send("far.test", ["a@far.test"], BODY, smtputf8=True, body_type=1)
        cases.equal(code(result[0])[0], RELAYED)
    with far(script={"ehlo": "250-sink\n250 SIZE 20"}) as bench:
        cases.equal(code(bench.send("far.test", ["a@far.test"], BODY)[0]), (FAILED, 0, "5.3.4"))
    with far() as bench:
        result = bench.send("far.test", ["a@far.test"], BODY, requiretls=True)
        cases.equal(code(result[0]), (FAILED, 0, "5.7.30"))
        cases.equal(len(bench.sinks[0].messages), 0)


@cases.add
def parameters_are_passed_on():
    with far() as bench:
        rcpt = {"address": "a@far.test", "notify": 2 | 4, "orcpt": "rfc822;b+c@old.test"}
        envelope = {"ret": 2, "envid": "id=1", "body_type": 1}
        bench.send("far.test", [rcpt], BODY + b"\xe4\r\n", **envelope)
        message = bench.sinks[0].messages[0]
        cases.true(" BODY=8BITMIME" in message.mail_line, message.mail_line)
        cases.true(" RET=HDRS ENVID=id+3D1" in message.mail_line, message.mail_line)
        cases.true(f" SIZE={len(BODY) + 3}" in message.mail_line, message.mail_line)
        line = message.rcpt_lines[0]
        cases.true(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@old.test" in line, line)
        bench.send("far.test", ["a@far.test"], BODY, sender="")
        cases.true(bench.sinks[0].messages[1].mail_line.startswith("MAIL FROM:<> "), "null sender")


@cases.add
def recipients_beyond_the_servers_limit():
    with far(script={"ehlo": "250-sink\n250-PIPELINING\n250 LIMITS RCPTMAX=2"}) as bench:
        result = bench.send("far.test", [f"u{i}@far.test" for i in range(5)], BODY)
        cases.equal([result[i]["outcome"] for i in range(5)], [RELAYED] * 5)
        cases.equal([len(m.recipients) for m in bench.sinks[0].messages], [2, 2, 1])
        cases.equal(len(bench.sinks[0].sessions), 1)


@cases.add
def connections_are_reused():
    with far() as bench:
        for _ in range(5):
            bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(len(bench.sinks[0].sessions), 1)
        time.sleep(1.8)
        cases.equal(bench.sinks[0].sessions[0].ended, "quit")
        bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(len(bench.sinks[0].sessions), 2)


@cases.add
def reset_after_a_refused_message():
    with far(script={"rcpt": ["550 5.1.1 no", None]}) as bench:
        bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(bench.send("far.test", ["a@far.test"], BODY)[0]["outcome"], DELIVERED)
        cases.equal(len(bench.sinks[0].sessions), 1)
        cases.true("RSET" in bench.sinks[0].sessions[0].lines, "no RSET between")


@cases.add
def used_connection_that_ends_is_replaced():
    for end in (DROP, Reply("421 4.4.2 too long", then="close")):
        with far(script={"mail": [None, end, None]}) as bench:
            bench.send("far.test", ["a@far.test"], BODY)
            result = bench.send("far.test", ["b@far.test"], BODY)
            cases.equal(result[0]["outcome"], DELIVERED)
            cases.equal(len(bench.sinks[0].sessions), 2)


@cases.add
def concurrency_is_bounded():
    options = {"send_dest_conns": 3, "send_conns": 4, "send_reuse_idle": "0s"}
    with far(script={"dot": Reply(delay=0.3)}, options=options) as bench:
        jobs = [bench.give("far.test", [f"u{i}@far.test"], BODY) for i in range(12)]
        results = bench.wait(*jobs)
        cases.equal({results[j][0]["outcome"] for j in jobs}, {DELIVERED})
        cases.equal(len(bench.sinks[0].sessions), 3)
        cases.equal(len(bench.sinks[0].messages), 12)


@cases.add
def all_connections_together_are_bounded():
    with far(options={"send_conns": 1}) as bench:
        with SmtpSink("127.0.0.9", bench.port) as other:
            bench.zone["near.test"] = {"A": "127.0.0.9"}
            jobs = [bench.give("far.test", ["a@far.test"], BODY)]
            jobs += [bench.give("near.test", ["a@near.test"], BODY)]
            results = bench.wait(*jobs)
            cases.equal([results[j][0]["outcome"] for j in jobs], [DELIVERED] * 2)
            cases.equal(len(other.messages), 1)


@cases.add
def tls_where_offered():
    with tempfile.TemporaryDirectory() as folder:
        pair = self_signed(folder, "mx1.far.test")
        with far(tls=pair) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY)
            cases.equal(result[0]["outcome"], DELIVERED)
            cases.true(result[0]["tls"].startswith("TLSv1.3 "), result[0]["tls"])
            cases.true(result[0]["tls"].endswith(" unverified"), result[0]["tls"])
            session = bench.sinks[0].sessions[0]
            cases.equal(session.clear, b"EHLO mail.own.test\r\nSTARTTLS\r\n")
            cases.equal(bench.front.starttls, [("mx1.far.test", False)])


@cases.add
def tls_that_fails_is_replaced_by_clear_text():
    scripts = {
        "refused": {"starttls": "454 4.7.0 not now"},
        "no handshake": {"starttls": Reply("220 go\nrubbish instead of TLS", then="close")},
        "injected": {"starttls": b"220 go\r\n250-AUTH PLAIN\r\n250 X\r\n"},
        "closed": {"starttls": Reply("220 go", then="close")},
    }
    with tempfile.TemporaryDirectory() as folder:
        pair = self_signed(folder, "mx1.far.test")
        for what, script in scripts.items():
            with far(script=script, tls=pair) as bench:
                result = bench.send("far.test", ["a@far.test"], BODY)
                cases.equal((what, result[0]["outcome"]), (what, DELIVERED))
                cases.equal(result[0]["tls"], "none")
                cases.equal(len(bench.sinks[0].sessions), 2)
                first = bench.sinks[0].sessions[0]
                cases.true(b"MAIL" not in first.input, "mail where TLS was asked for")


@cases.add
def requiretls_needs_proof():
    with tempfile.TemporaryDirectory() as folder:
        pair = self_signed(folder, "mx1.far.test")
        extensions = ("PIPELINING", "REQUIRETLS")
        with far(tls=pair, extensions=extensions) as bench:
            result = bench.send("far.test", ["a@far.test"], BODY, requiretls=True)
            cases.equal(code(result[0]), (FAILED, 0, "5.7.30"))
        with far(tls=pair, extensions=extensions) as bench:
            bench.front.verified = bench.resolver.secure = True
            result = bench.send("far.test", ["a@far.test"], BODY, requiretls=True)
            cases.equal(result[0]["outcome"], RELAYED)
            cases.true(" REQUIRETLS" in bench.sinks[0].messages[0].mail_line, "not passed on")
        with far(tls=pair) as bench:
            bench.front.verified = bench.resolver.secure = True
            result = bench.send("far.test", ["a@far.test"], BODY, requiretls=True)
            cases.equal(code(result[0]), (FAILED, 0, "5.7.30"))


@cases.add
def domains_that_take_no_mail():
    zone = {
        "null.test": {"MX": (0, ".")},
        "empty.test": {"TXT": "x"},
        "own.test": {"MX": [(10, "mail.own.test"), (10, "x.test")]},
        "nohost.test": {"MX": (10, "missing.test")},
        "broken.test": "SERVFAIL",
        "half.test": {"MX": (10, "broken.test")},
    }
    want = {
        "null.test": (FAILED, 0, "5.1.10"),
        "gone.test": (FAILED, 0, "5.1.2"),
        "empty.test": (FAILED, 0, "5.4.4"),
        "own.test": (FAILED, 0, "5.4.6"),
        "nohost.test": (FAILED, 0, "5.4.4"),
        "broken.test": (DEFERRED, 0, "4.4.3"),
        "half.test": (DEFERRED, 0, "4.4.3"),
        "a b.test": (FAILED, 0, "5.1.2"),
        "x" * 64 + ".test": (FAILED, 0, "5.1.2"),
    }
    with SendBench(zone) as bench:
        for domain, result in want.items():
            got = bench.send(domain, ["a@" + domain.replace(" ", "")], BODY)[0]
            cases.equal((domain, code(got)), (domain, result))
        cases.equal(bench.front.opened, [])


@cases.add
def address_without_mx_and_literal():
    with SendBench({"host.test": {"A": "127.0.0.2"}}) as bench:
        with SmtpSink("127.0.0.2", bench.port) as sink:
            result = bench.send("host.test", ["a@host.test"], BODY)
            cases.equal(result[0]["outcome"], DELIVERED)
            result = bench.send("[127.0.0.2]", ["a@[127.0.0.2]"], BODY)
            cases.equal((result[0]["outcome"], result[0]["remote"]), (DELIVERED, "[127.0.0.2]"))
            cases.equal(len(sink.messages), 2)


@cases.add
def domains_in_other_scripts():
    zone = {"xn--bcher-kva.test": {"A": "127.0.0.2"}}
    with SendBench(zone) as bench, SmtpSink("127.0.0.2", bench.port) as sink:
        result = bench.send("b\u00fccher.test", ["a@b\u00fccher.test"], BODY, smtputf8=True)
        cases.equal(result[0]["outcome"], DELIVERED)
        cases.true(" SMTPUTF8" in sink.messages[0].mail_line, sink.messages[0].mail_line)


@cases.add
def addresses_inside_are_refused():
    zone = {
        "loop.test": {"MX": (10, "lo.test")},
        "lo.test": {"A": "127.0.0.2", "AAAA": "::1"},
        "lan.test": {"MX": (10, "lan.host.test")},
        "lan.host.test": {"A": "192.168.1.1"},
        "mapped.test": {"AAAA": "::ffff:10.0.0.1"},
        "mixed.test": {"MX": [(10, "lo.test"), (20, "lan.host.test")]},
    }
    with SendBench(zone, send_private="no") as bench:
        for domain, status in (
            ("loop.test", "5.4.6"),
            ("lan.test", "5.4.4"),
            ("mapped.test", "5.4.4"),
            ("mixed.test", "5.4.6"),
            ("[127.0.0.1]", "5.4.6"),
            ("[IPv6:::1]", "5.4.6"),
        ):
            result = bench.send(domain, ["a@" + domain], BODY)[0]
            cases.equal((domain, code(result)), (domain, (FAILED, 0, status)))
        cases.equal(bench.front.opened, [])


@cases.add
def both_families_take_turns():
    zone = {"far.test": {"A": ["127.0.0.2", "127.0.0.3"], "AAAA": ["::1"]}}
    with SendBench(zone) as bench, SmtpSink("127.0.0.3", bench.port):
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(result[0]["outcome"], DELIVERED)
        cases.equal(bench.front.opened[0], "::1")


@cases.add
def many_exchangers_are_cut():
    zone = {f"mx{i}.far.test": {"A": f"127.0.1.{i}"} for i in range(1, 65)}
    zone["far.test"] = {"MX": [(i, f"mx{i}.far.test") for i in range(1, 65)]}
    with SendBench(zone) as bench:
        result = bench.send("far.test", ["a@far.test"], BODY)
        cases.equal(code(result[0]), (DEFERRED, 0, "4.4.1"))
        cases.equal(len(bench.front.opened), 16)
        cases.equal(len(bench.resolver.asked), 1 + 2 * 16)


@cases.add
def smart_host_gets_everything():
    with SendBench({}, smart_host="127.0.0.2:1") as bench:
        bench.role.stop()
    with SendBench({}) as probe:
        port = probe.port
    with SmtpSink("127.0.0.2", port) as sink:
        options = {"smart_host": f"127.0.0.2:{port}", "send_private": "no"}
        with SendBench({}, **options) as bench:
            for domain in ("a.test", "b.test"):
                result = bench.send(domain, [f"x@{domain}"], BODY)
                cases.equal(code(result[0]), (DELIVERED, 250, "2.0.0"))
            cases.equal(bench.resolver.asked, [])
        cases.equal(len(sink.sessions), 1)


@cases.add
def dead_destination_ends_all_that_wait():
    with far(script={"greeting": "421 4.3.2 no"}, options={"send_dest_conns": 1}) as bench:
        jobs = [bench.give("far.test", [f"u{i}@far.test"], BODY) for i in range(50)]
        results = bench.wait(*jobs)
        cases.equal({code(results[j][0]) for j in jobs}, {(DEFERRED, 421, "4.3.2")})
        cases.true(len(bench.sinks[0].sessions) < 5, "asked for each message")


@cases.add
def peers_restart():
    with far(script={"dot": [SILENCE, None]}) as bench:
        bench.give("far.test", ["a@far.test"], BODY)
        bench.sinks[0].wait_sessions(1)
        time.sleep(0.3)
        bench.role.renew("transfer")
        cases.equal(bench.send("far.test", ["b@far.test"], BODY)[0]["outcome"], DELIVERED)
        bench.role.renew("resolve")
        bench.play_resolve()
        bench.role.renew("connect")
        bench.play_front()
        bench.zone["again.test"] = {"A": "127.0.0.2"}
        result = bench.send("again.test", ["b@again.test"], BODY)
        cases.equal(result[0]["outcome"], DELIVERED)


@cases.add
def resolve_restarts_during_a_question():
    zone = {"far.test": "TIMEOUT", "mx.test": {"A": "127.0.0.2"}}
    with SendBench(zone) as bench, SmtpSink("127.0.0.2", bench.port):
        job = bench.give("far.test", ["a@far.test"], BODY)
        time.sleep(0.3)
        zone["far.test"] = {"MX": (10, "mx.test")}
        bench.role.renew("resolve")
        bench.play_resolve()
        cases.equal(bench.wait(job)[job][0]["outcome"], DELIVERED)


@cases.add
def stop_finishes_what_is_sent():
    with far(script={"dot": Reply(delay=1)}) as bench:
        job = bench.give("far.test", ["a@far.test"], BODY)
        bench.sinks[0].wait_sessions(1)
        time.sleep(0.4)
        bench.role.lifecycle.send("stop")
        cases.equal(bench.wait(job)[job][0]["outcome"], DELIVERED)
        cases.equal(bench.role.process.wait(5), 0)


@cases.add
def full_load():
    with far(script=None) as bench:
        jobs = [bench.give("far.test", [f"u{i}@far.test"], BODY) for i in range(1000)]
        results = bench.wait(*jobs, seconds=60)
        cases.equal({results[j][0]["outcome"] for j in jobs}, {DELIVERED})
        cases.true(len(bench.sinks[0].sessions) <= 20, "a connection for nearly every message")


if __name__ == "__main__":
    sys.exit(cases.run())
