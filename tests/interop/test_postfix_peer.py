#!/usr/bin/env python3
"""Debian's Postfix as the remote server, in both directions, TLS and reports included.

It runs with a configuration, a queue and a port of its own below a temporary folder and is ended by
the test; the system's Postfix is not touched.  Needs root, as Postfix does.

time-limit: 240
"""

import email
import email.policy
import os
import pathlib
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from cases import Cases  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from posthold import POSTHOLD, Instance, letter  # noqa: E402
from send_bench import free_port  # noqa: E402
from smtp_sink import self_signed  # noqa: E402

ANNA = "anna@example.test"
CARL, DORA, JORG = "carl@peer.test", "dora@peer.test", "j\u00f6rg@peer.test"
PEER_IP = "127.0.0.77"
DAEMONS = "/usr/lib/postfix/sbin"
cases = Cases()

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
myhostname = mx.peer.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_host_lookup = native
transport_maps = inline:{{ example.test=smtp:[127.0.0.1]:{posthold} }}
virtual_mailbox_domains = peer.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ carl@peer.test=carl/ dora@peer.test=dora/
    j\u00f6rg@peer.test=jorg/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtputf8_enable = yes
local_recipient_maps =
alias_maps =
alias_database =
minimal_backoff_time = 5s
queue_run_delay = 5s
"""

# service type private unpriv chroot wakeup maxproc command
MASTER_CF = """
{ip}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, port, posthold):
        self.port = port
        self.posthold = posthold
        self.dir = tempfile.mkdtemp(prefix="postfix-peer-")
        os.chmod(self.dir, 0o755)
        self.config = f"{self.dir}/config"
        self.seen = set()

    def start(self):
        user = pwd.getpwnam("postfix")
        for name in ("config", "queue", "data", "mail"):
            os.mkdir(f"{self.dir}/{name}", 0o755)
        for name in ("data", "mail"):
            os.chown(f"{self.dir}/{name}", user.pw_uid, user.pw_gid)
        cert, key = self_signed(self.dir, "mx.peer.test")
        values = {"dir": self.dir, "daemons": DAEMONS, "cert": cert, "key": key}
        values |= {"uid": user.pw_uid, "gid": user.pw_gid, "posthold": self.posthold}
        values |= {"ip": PEER_IP, "port": self.port}
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            pathlib.Path(self.config, name).write_text(text.format(**values).lstrip())
        self.run("start")

    def run(self, *words):
        result = subprocess.run(
            ["postfix", "-c", self.config, *words], capture_output=True, text=True, timeout=60
        )
        if result.returncode:
            raise RuntimeError(f"postfix {words}: {result.stdout} {result.stderr} {self.log()}")

    def log(self):
        try:
            return pathlib.Path(self.dir, "mail.log").read_text(errors="replace")
        except OSError:
            return ""

    def stop(self):
        try:
            self.run("stop")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def fresh(self, name, count, seconds=20):
        """The next count messages that come into a Maildir, as they were delivered."""
        folder = pathlib.Path(self.dir, "mail", name, "new")
        deadline = time.monotonic() + seconds
        while True:
            found = [p for p in folder.glob("*") if p not in self.seen]
            if len(found) >= count:
                self.seen.update(found)
                return [p.read_bytes() for p in found]
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} has {len(found)} of {count}: {self.log()[-1500:]}")
            time.sleep(0.05)

    def submit(self, to, text, sender=CARL, options=(), rcpt_options=()):
        with smtplib.SMTP(PEER_IP, self.port, "client.test", timeout=20) as client:
            client.sendmail(sender, to, text, options, rcpt_options)


class World:
    def __init__(self, dns):
        port = free_port()
        dns.zone["peer.test"] = {"MX": (10, "mx.peer.test")}
        dns.zone["mx.peer.test"] = {"A": PEER_IP}
        options = {"send_private": "yes", "retry_first": "1s", "send_port": str(port)}
        self.instance = Instance(options=options, resolver=dns.address)
        self.postfix = Postfix(port, self.instance.port("smtp"))

    def submit(self, to, text=None, mail_options=(), rcpt_options=()):
        to = [to] if isinstance(to, str) else to
        with self.instance.submit(ANNA) as client:
            client.sendmail(ANNA, to, text or letter(ANNA, to[0]), mail_options, rcpt_options)

    def report_about(self, to, seconds=20):
        """A delivery report in anna's INBOX that names the address."""

        def find():
            for raw in self.instance.messages(ANNA):
                message = email.message_from_bytes(raw, policy=email.policy.default)
                if message.get_content_type() == "multipart/report" and to.encode() in raw:
                    return message
            return None

        return self.instance.wait_for(find, seconds, f"a report about {to}")


def body_of(raw):
    """What stands behind the header, line ends as in mail."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text.split(b"\r\n\r\n", 1)[1]


@cases.add
def mail_to_postfix(world):
    text = letter(ANNA, CARL, body=".\r\n..\r\n.dot\r\n" + "x" * 990 + "\r\nend\r\n")
    world.submit(CARL, text)
    raw = world.postfix.fresh("carl", 1)[0]
    cases.equal(body_of(raw), body_of(text))
    cases.true(b"using TLSv1.3" in raw, "not by TLS")
    cases.true(b"Return-Path: <anna@example.test>" in raw, "another sender")


@cases.add
def mail_from_postfix(world):
    before = len(world.instance.messages(ANNA))
    text = letter(CARL, ANNA, body=".\r\n..\r\n.dot\r\n" + "y" * 900 + "\r\nend\r\n")
    world.postfix.submit([ANNA], text)
    have = world.instance.wait_for(
        lambda: world.instance.messages(ANNA)[before:], 20, "mail from Postfix"
    )
    cases.equal(body_of(have[0]), body_of(text))
    cases.true(b"ESMTPS" in have[0], "not by TLS")


@cases.add
def several_recipients_share_a_transaction(world):
    # The queue joins those that it has looked up in time; once in a few tries that must be all.
    for _ in range(5):
        world.submit([CARL, DORA])
        world.postfix.fresh("dora", 1)
        world.postfix.fresh("carl", 1)
        if "nrcpt=2" in world.postfix.log():
            return
    raise AssertionError("always one transaction for each: " + world.postfix.log()[-700:])


@cases.add
def big_and_eight_bit(world):
    body = "".join(f"Zeile {i}: Gr\u00fc\u00dfe\r\n" for i in range(100000))
    extra = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    extra += "Content-Transfer-Encoding: 8bit\r\n"
    text = letter(ANNA, DORA, body=body, extra=extra)
    world.submit(DORA, text, ["BODY=8BITMIME"])
    raw = world.postfix.fresh("dora", 1)[0]
    cases.equal(len(body_of(raw)), len(body_of(text)))
    cases.equal(body_of(raw), body_of(text))


@cases.add
def unknown_user_there(world):
    world.submit("nobody@peer.test")
    report = world.report_about("nobody@peer.test")
    status = list(report.iter_parts())[1].as_string()
    cases.true("Status: 5.1.1" in status, status)
    cases.true("550 5.1.1" in status.replace("\n", ""), status)
    cases.true("mx.peer.test" in status, status)


@cases.add
def unknown_user_here(world):
    world.postfix.submit(["nobody@example.test"], letter(CARL, "nobody@example.test"))
    raw = world.postfix.fresh("carl", 1)[0]
    report = email.message_from_bytes(raw, policy=email.policy.default)
    cases.equal(report.get_content_type(), "multipart/report")
    status = list(report.iter_parts())[1].as_string()
    cases.true("Status: 5.1.1" in status, status)


@cases.add
def success_report_from_postfix(world):
    world.submit(DORA, rcpt_options=["NOTIFY=SUCCESS"])
    world.postfix.fresh("dora", 1)
    report = world.report_about(DORA)
    status = list(report.iter_parts())[1].as_string()
    cases.true("Action: delivered" in status, status)
    cases.true("mx.peer.test" in status.split("Reporting-MTA")[1][:60], status)


@cases.add
def address_beyond_ascii(world):
    text = letter(ANNA, JORG)
    with world.instance.submit(ANNA) as client:
        client.ehlo()
        cases.true(client.has_extn("smtputf8"), "submission offers no SMTPUTF8")
        client.command_encoding = "utf-8"
        cases.equal(client.mail(ANNA, ["SMTPUTF8"])[0], 250)
        cases.equal(client.rcpt(JORG)[0], 250)
        cases.equal(client.data(text)[0], 250)
    cases.equal(body_of(world.postfix.fresh("jorg", 1)[0]), body_of(text))


@cases.add
def many_messages_share_connections(world):
    with world.instance.submit(ANNA) as client:
        for i in range(40):
            client.sendmail(ANNA, [CARL], letter(ANNA, CARL, subject=f"message {i}"))
    messages = world.postfix.fresh("carl", 40, 40)
    subjects = {email.message_from_bytes(m)["Subject"] for m in messages}
    cases.equal(subjects, {f"message {i}" for i in range(40)})


@cases.add
def waits_while_postfix_is_down(world):
    world.postfix.run("stop")
    world.submit(CARL)
    world.instance.wait_for(
        lambda: world.instance.events("send.deferred"), 20, "a failed attempt"
    )
    world.postfix.run("start")
    cases.equal(len(world.postfix.fresh("carl", 1, 40)), 1)


def main():
    if os.geteuid() != 0 or not os.path.exists(f"{DAEMONS}/master"):
        print("skip postfix_peer: needs root and the package postfix")
        return 0
    if not os.path.exists(POSTHOLD):
        print("skip postfix_peer: the command is not built")
        return 0
    with DnsServer() as dns:
        world = World(dns)
        with world.instance:
            try:
                world.postfix.start()
                return cases.run(world)
            finally:
                world.postfix.stop()


if __name__ == "__main__":
    sys.exit(main())
