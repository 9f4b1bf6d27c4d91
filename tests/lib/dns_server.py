#!/usr/bin/env python3
"""A small authoritative DNS server over UDP and TCP, for tests.

    from dns_server import DnsServer

    with DnsServer({
        "example.test": {"MX": [(10, "mx1.example.test")], "TXT": ["v=spf1 -all"]},
        "mx1.example.test": {"A": ["127.0.0.2"], "AAAA": ["::1"]},
        "alias.test": {"CNAME": "example.test"},
        "nomail.test": {"MX": [(0, ".")]},
        "2.0.0.127.in-addr.arpa": {"PTR": "mx1.example.test"},
        "gone.test": "NXDOMAIN",
        "broken.test": "SERVFAIL",
        "slow.test": "TIMEOUT",
    }) as dns:
        start_server(resolver=dns.address)      # "127.0.0.1:PORT"
        dns.zone["new.test"] = {"A": ["127.0.0.3"]}
        dns.asked("example.test", "MX")         # how many questions came

A name that is in the dictionary, or above one that is, and lacks the type gives NODATA; any other
name NXDOMAIN.  The value of a name is

    a dictionary    type to value or list of values (below)
    a word          NXDOMAIN, NODATA, SERVFAIL, REFUSED, NOTIMP or TIMEOUT (no answer at all)
    bytes           what follows the id in the reply, sent as it is (hostile answers)
    a function      called with (Question) and returning one of these

Values: A, AAAA text; MX (preference, name); CNAME, PTR, NS a name; TXT text or bytes, or a list of
them for one record of several strings; SRV (priority, weight, port, name); TLSA (usage, selector,
matching, bytes); any type, TYPEn too, RDATA as bytes.  A SOA is made up where it is needed.  A
chain of CNAMEs inside the dictionary is told at once.  An answer that does not fit its datagram is
truncated, so that the asker comes again by TCP.  The time to live of everything is `ttl`, 0 unless
told: nobody caches, and a changed dictionary is seen at once.

From the command line the dictionary comes as JSON:

    tests/lib/dns_server.py --port 5300 zone.json

It prints `ready ADDRESS:PORT`, then one line for each question.
"""

import argparse
import collections
import ipaddress
import json
import socketserver
import struct
import sys
import threading

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "OPT": 41,
    "DS": 43,
    "RRSIG": 46,
    "DNSKEY": 48,
    "TLSA": 52,
    "CAA": 257,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {
    "NODATA": 0,
    "NOERROR": 0,
    "FORMERR": 1,
    "SERVFAIL": 2,
    "NXDOMAIN": 3,
    "NOTIMP": 4,
    "REFUSED": 5,
}
CHAIN_MAX = 32
BIND_TRIES = 50

Question = collections.namedtuple("Question", "name type protocol")


def encode_name(name):
    """Wire form without compression."""
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def decode_name(packet, at):
    """Name of a question (never compressed) and where it ends."""
    labels = []
    while packet[at]:
        size = packet[at]
        labels.append(packet[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    return ".".join(labels), at + 1


def encode_strings(value):
    parts = value if isinstance(value, (list, tuple)) else [value]
    out = b""
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        for at in range(0, max(len(raw), 1), 255):
            piece = raw[at : at + 255]
            out += bytes([len(piece)]) + piece
    return out


def encode_data(kind, value):
    """RDATA of one record; bytes are taken as they are."""
    if isinstance(value, bytes) and kind != "TXT":
        return value
    if kind == "A":
        return ipaddress.IPv4Address(value).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(value).packed
    if kind in ("CNAME", "PTR", "NS"):
        return encode_name(value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + encode_name(value[1])
    if kind == "SRV":
        return struct.pack("!HHH", *value[:3]) + encode_name(value[3])
    if kind == "TXT":
        return encode_strings(value)
    if kind == "TLSA":
        return bytes(value[:3]) + bytes(value[3])
    raise ValueError(f"no way to write a {kind} record from {value!r}")


def type_number(kind):
    return TYPES[kind] if kind in TYPES else int(kind.removeprefix("TYPE"))


def values_of(kind, entry):
    """Entries may leave out the list around a single value."""
    value = entry[kind]
    if kind in ("MX", "SRV", "TLSA") and isinstance(value, (list, tuple)):
        return [value] if value and isinstance(value[0], int) else list(value)
    return list(value) if isinstance(value, (list, tuple)) else [value]


class DnsServer:
    """See the top of the file.  Starts when made; stop() or `with` ends it."""

    def __init__(self, zone=None, host="127.0.0.1", port=0, ttl=0, on_question=None):
        self.zone = dict(zone or {})
        self.ttl = ttl
        self.questions = []
        self.on_question = on_question
        self.lock = threading.Lock()
        self.udp, self.tcp = self._bind(host, port)
        self.host, self.port = self.udp.server_address[:2]
        self.address = f"{self.host}:{self.port}"
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def _bind(self, host, port):
        """The same port for both, chosen by the kernel when port is 0."""
        for _ in range(BIND_TRIES):
            udp = UdpServer((host, port), UdpHandler)
            udp.owner = self
            try:
                tcp = TcpServer((host, udp.server_address[1]), TcpHandler)
            except OSError:
                udp.server_close()
                if port:
                    raise
                continue
            tcp.owner = self
            return udp, tcp
        raise OSError("found no port that is free for UDP and TCP")

    def stop(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()

    def asked(self, name, kind=None):
        """How many questions for name (of that type) have come."""
        with self.lock:
            return sum(
                q.name.lower() == name.lower() and kind in (None, q.type) for q in self.questions
            )

    # ---- answering ----

    def find(self, name):
        """The entry of a name; a word for those that have none."""
        lower = name.lower().rstrip(".")
        for key, entry in list(self.zone.items()):
            if key.lower().rstrip(".") == lower:
                return entry
        for key in list(self.zone):
            if key.lower().rstrip(".").endswith("." + lower):
                return "NODATA"
        return "NXDOMAIN"

    def resolve(self, question):
        """Records as (name, type number, RDATA), and the response code or a word or bytes."""
        records = []
        name = question.name
        for _ in range(CHAIN_MAX):
            entry = self.find(name)
            if callable(entry):
                entry = entry(question._replace(name=name))
            if isinstance(entry, bytes):
                return records, entry
            if isinstance(entry, str):
                return records, entry
            if question.type in entry:
                for value in values_of(question.type, entry):
                    data = encode_data(question.type, value)
                    records.append((name, type_number(question.type), data))
                return records, "NOERROR"
            if "CNAME" not in entry:
                return records, "NODATA"
            target = values_of("CNAME", entry)[0]
            records.append((name, TYPES["CNAME"], encode_name(target)))
            name = target
        return records, "NOERROR"

    def reply(self, packet, protocol):
        """The whole reply to a packet, or None for none."""
        number, flags, count = struct.unpack("!HHH", packet[:6])
        if flags & 0x8000 or count != 1:
            return None
        name, at = decode_name(packet, 12)
        (kind,) = struct.unpack("!H", packet[at : at + 2])
        asked = packet[12 : at + 4]
        size, has_opt = self._edns(packet, at + 4)
        question = Question(name, TYPE_NAMES.get(kind, f"TYPE{kind}"), protocol)
        with self.lock:
            self.questions.append(question)
        if self.on_question:
            self.on_question(question)
        records, outcome = self.resolve(question)
        if outcome == "TIMEOUT":
            return None
        if isinstance(outcome, bytes):
            return packet[:2] + outcome
        authority = b"" if outcome not in ("NODATA", "NXDOMAIN") else self._soa(name)
        body = b"".join(
            encode_name(owner) + struct.pack("!HHIH", number, 1, self.ttl, len(data)) + data
            for owner, number, data in records
        )
        opt = b"\0" + struct.pack("!HHIH", TYPES["OPT"], 1232, 0, 0) if has_opt else b""
        # QR, AA, RD as asked, RA
        head = 0x8480 | (flags & 0x0100) | RCODES[outcome]
        counts = [1, len(records), 1 if authority else 0, 1 if opt else 0]
        out = struct.pack("!HHHHHH", number, head, *counts) + asked + body + authority + opt
        if protocol == "udp" and len(out) > size:
            counts = [1, 0, 0, 1 if opt else 0]
            out = struct.pack("!HHHHHH", number, head | 0x0200, *counts) + asked + opt
        return out

    @staticmethod
    def _edns(packet, at):
        """Datagram size of the asker, and whether it sent an OPT record."""
        (additional,) = struct.unpack("!H", packet[10:12])
        if additional and len(packet) >= at + 11 and packet[at] == 0:
            kind, size = struct.unpack("!HH", packet[at + 1 : at + 5])
            if kind == TYPES["OPT"]:
                return max(size, 512), True
        return 512, False

    def _soa(self, name):
        """A made-up SOA, so that the absence of something can be told."""
        parts = name.rstrip(".").split(".")
        zone = parts[-1]
        data = encode_name("ns." + zone) + encode_name("hostmaster." + zone)
        data += struct.pack("!IIIII", 1, 3600, 600, 86400, self.ttl)
        head = struct.pack("!HHIH", TYPES["SOA"], 1, self.ttl, len(data))
        return encode_name(zone) + head + data


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class UdpHandler(socketserver.BaseRequestHandler):
    def handle(self):
        packet, sock = self.request
        try:
            reply = self.server.owner.reply(packet, "udp")
        except (struct.error, IndexError):
            return
        if reply is not None:
            sock.sendto(reply, self.client_address)


class TcpHandler(socketserver.BaseRequestHandler):
    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.request.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def handle(self):
        self.request.settimeout(30)
        try:
            while True:
                (size,) = struct.unpack("!H", self.read(2))
                reply = self.server.owner.reply(self.read(size), "tcp")
                if reply is None:
                    return
                self.request.sendall(struct.pack("!H", len(reply)) + reply)
        except (EOFError, OSError, struct.error, IndexError):
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5300)
    parser.add_argument("--ttl", type=int, default=0)
    parser.add_argument("zone", help="JSON file: name to types to values")
    args = parser.parse_args()
    with open(args.zone, encoding="utf-8") as file:
        zone = json.load(file)

    def show(question):
        print(question.protocol, question.name, question.type, flush=True)

    server = DnsServer(zone, args.host, args.port, args.ttl, show)
    print("ready", server.address, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
