#!/usr/bin/env python3
"""The send role alone, with its three peers played here: queue, resolve and front-out.

    zone = {"far.test": {"MX": (10, "mx.far.test")}, "mx.far.test": {"A": "127.0.0.2"}}
    with SendBench(zone) as bench:
        results = bench.send("far.test", ["a@far.test"], b"Subject: x\\r\\n\\r\\nhello\\r\\n")
        results[0]["outcome"] == DELIVERED

Connections are real TCP connections to loopback addresses, all at bench.port, so that sinks on
127.0.0.2, 127.0.0.3 ... stand for different hosts.
"""

import contextlib
import fcntl
import os
import random
import select
import socket
import ssl
import threading
import time

from dns_server import TYPE_NAMES, DnsServer, Question, type_number
from role_harness import Role, encode_record
from smtp_sink import SmtpSink

DELIVERED, DEFERRED, FAILED, RELAYED = 1, 2, 3, 4
OK, NODATA, NXDOMAIN, TEMPORARY = range(4)
PAYLOAD_MAX = 13000
SERVICE_SUBMISSION = 2


def free_port():
    """A port that is free on every loopback address, below those that the kernel gives out."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port


def sealed(data):
    """A memfd that can no longer change."""
    fd = os.memfd_create("job", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Resolver(threading.Thread):
    """Plays resolve, by the dictionary of DnsServer; no octet of DNS is made."""

    def __init__(self, channel, zone):
        super().__init__(daemon=True)
        self.channel = channel
        self.server = DnsServer.__new__(DnsServer)
        self.server.zone = zone
        self.secure = False
        self.asked = []

    def run(self):
        while True:
            try:
                _, query, _ = self.channel.receive(3600)
                self.answer(query)
            except (OSError, EOFError, TimeoutError, ValueError):
                return

    def answer(self, query):
        kind = TYPE_NAMES[query["type"]]
        self.asked.append((query["name"], kind))
        records, outcome = self.server.resolve(Question(query["name"], kind, "ipc"))
        status = {"NXDOMAIN": NXDOMAIN, "NODATA": NODATA, "NOERROR": OK}.get(outcome, TEMPORARY)
        if outcome == "TIMEOUT":
            return
        rows = []
        for _, number, data in records:
            if number != type_number(kind):
                continue
            preference = 0
            if kind == "MX":
                preference = int.from_bytes(data[:2], "big")
                data = self.text(data[2:])
            rows.append({"preference": preference, "data": data})
        self.channel.send(
            "answer",
            tag=query["tag"],
            status=status,
            secure=self.secure,
            ttl=60,
            records=rows[:64],
        )

    @staticmethod
    def text(wire):
        labels = []
        while wire[0]:
            labels.append(wire[1 : 1 + wire[0]])
            wire = wire[1 + wire[0] :]
        return b".".join(labels).lower()


class Front(threading.Thread):
    """Plays front-out: connects, hands the socket over, does TLS."""

    def __init__(self, channel):
        super().__init__(daemon=True)
        self.channel = channel
        self.sockets = {}
        self.opened = []
        self.starttls = []
        self.verified = False
        self.local_ip = b"\x7f\0\0\1"

    def run(self):
        while True:
            try:
                message, values, _ = self.channel.receive(3600)
            except (OSError, EOFError, TimeoutError, ValueError):
                return
            handler = {"open": self.open, "starttls": self.secure}[message]
            threading.Thread(target=handler, args=(values,), daemon=True).start()

    def open(self, values):
        session, raw = values["session"], values["ip"]
        family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
        ip = socket.inet_ntop(family, raw)
        self.opened.append(ip)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.connect((ip, values["port"]))
        except OSError as error:
            self.channel.send("opened", session=session, ok=False, why=error.strerror)
            return
        self.sockets[session] = sock
        handed = os.dup(sock.fileno())
        os.set_blocking(handed, False)
        self.channel.send("opened", handed, session=session, ok=True, local_ip=self.local_ip)
        os.close(handed)

    def secure(self, values):
        session = values["session"]
        self.starttls.append((values["name"], values["verify"]))
        context = ssl._create_unverified_context()
        sock = self.sockets.pop(session)
        sock.setblocking(True)
        sock.settimeout(10)
        try:
            tls = context.wrap_socket(sock, server_hostname=values["name"] or None)
        except (OSError, ssl.SSLError) as error:
            self.channel.send("secured", session=session, ok=False, why=str(error)[:150])
            return
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.channel.send(
            "secured",
            theirs.fileno(),
            session=session,
            ok=True,
            verified=self.verified,
            tls_version=tls.version(),
            tls_cipher=tls.cipher()[0],
        )
        theirs.close()
        self.relay(ours, tls)

    @staticmethod
    def relay(plain, tls):
        # What can be read of TLS may be a ticket and no text: never wait inside recv.
        tls.setblocking(False)
        try:
            while True:
                ready = [tls] if tls.pending() else select.select([plain, tls], [], [])[0]
                if plain in ready:
                    data = plain.recv(16384)
                    tls.setblocking(True)
                    tls.sendall(data)
                    tls.setblocking(False)
                    if not data:
                        return
                if tls in ready:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        data = tls.recv(65536)
                        if not data:
                            return
                        plain.sendall(data)
        except (OSError, ssl.SSLError):
            return
        finally:
            plain.close()
            tls.close()


class SendBench:
    def __init__(self, zone, **options):
        self.zone = zone
        self.port = free_port()
        self.options = {"hostname": "mail.own.test", "send_port": str(self.port)}
        self.options |= {"send_private": "yes", "send_reuse_idle": "1s"}
        self.options |= {name: str(value) for name, value in options.items()}
        self.role = Role("send", self.options, ["transfer", "resolve", "connect"])
        self.play_resolve()
        self.play_front()
        self.last_job = 0

    def play_resolve(self):
        self.resolver = Resolver(self.role.channels["resolve"], self.zone)
        self.resolver.start()

    def play_front(self):
        self.front = Front(self.role.channels["connect"])
        self.front.start()

    def give(self, domain, recipients, body, **envelope):
        """Hand out a job; its number."""
        values = {"trace": 7, "service": SERVICE_SUBMISSION, "sender": "me@own.test"} | envelope
        rows = [r if isinstance(r, dict) else {"address": r} for r in recipients]
        text = encode_record("envelope", recipients=rows, **values)
        self.last_job += 1
        message = {"job": self.last_job, "domain": domain, "attempt": 1}
        message |= {"envelope_n": len(text), "body_n": len(body)}
        message["recipients"] = [{"index": i} for i in range(len(rows))]
        if len(text + body) <= PAYLOAD_MAX:
            self.role.channels["transfer"].send("job", payload=text + body, **message)
        else:
            fd = sealed(text + body)
            self.role.channels["transfer"].send("job", fd, **message)
            os.close(fd)
        return self.last_job

    def wait(self, *jobs, seconds=20):
        """Results of jobs: {job: {index: result}}, once all are finished."""
        found, open_jobs = {job: {} for job in jobs}, set(jobs)
        deadline = time.monotonic() + seconds
        while open_jobs:
            left = deadline - time.monotonic()
            message, values, _ = self.role.channels["transfer"].receive(max(left, 0.01))
            if message == "finished":
                open_jobs.remove(values["job"])
            else:
                results = found[values["job"]]
                assert values["index"] not in results, "two results for one recipient"
                results[values["index"]] = values
        return found

    def send(self, domain, recipients, body, seconds=20, **envelope):
        """One job and its results by recipient."""
        job = self.give(domain, recipients, body, **envelope)
        return self.wait(job, seconds=seconds)[job]

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.role.stop()


@contextlib.contextmanager
def far(hosts=1, script=None, options=None, **sink):
    """A bench and sinks on 127.0.0.2 ..., exchangers of far.test; script: one, or one for each."""
    names = [f"mx{i}.far.test" for i in range(1, hosts + 1)]
    zone = {name: {"A": f"127.0.0.{i}"} for i, name in enumerate(names, 2)}
    zone["far.test"] = {"MX": [(10 * i, name) for i, name in enumerate(names, 1)]}
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(SendBench(zone, **(options or {})))
        scripts = script if isinstance(script, list) else [script] * hosts
        bench.sinks = [
            stack.enter_context(SmtpSink(f"127.0.0.{i}", bench.port, one, **sink))
            for i, one in enumerate(scripts, 2)
        ]
        yield bench


def code(result):
    return result["outcome"], result["code"], result["enhanced"]
