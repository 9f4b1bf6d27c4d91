#!/usr/bin/env python3
"""Start one role alone and play everybody it talks to.

    from role_harness import Role

    with Role("resolve", {"resolver": dns.address}, ["resolve"]) as role:
        channel = role.channels["resolve"]
        channel.send("query", tag=1, name="example.test", type=15)
        name, fields, fd = channel.receive()

The role is the real program, in its sandbox.  Channels are described once, in src/ipc; their files
are read here, so that a test says names and not octets.  We hold the peers' ends.
"""

import array
import os
import pathlib
import select
import socket
import struct
import subprocess

ROOT = pathlib.Path(os.environ.get("POSTHOLD_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("POSTHOLD_BUILD", ROOT / "build"))
PACKET_MAX = 65536
HEADER = struct.Struct("<HHI")
FLAG_FD = 1
LIFECYCLE_FD = 3
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q", "bool": "<?"}


def read_description(name):
    """Messages of src/ipc/NAME.ipc as (name, fields); a field is (type, name, inner fields)."""
    messages, into = [], None
    for line in (ROOT / "src" / "ipc" / f"{name}.ipc").read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("message", "record"):
            into = []
            messages.append((words[1], into))
        elif words[0] == "field":
            into.append((words[1], words[2], None))
        elif words[0] == "list":
            inner = []
            into.append(("list", words[1], inner))
            into = inner
        elif words[0] == "end":
            into = messages[-1][1]
    return messages


def encode(fields, values):
    out = b""
    for kind, name, inner in fields:
        if kind == "list":
            items = values.get(name, [])
            out += struct.pack("<H", len(items)) + b"".join(encode(inner, i) for i in items)
        elif kind in NUMBERS:
            out += struct.pack(NUMBERS[kind], values.get(name, 0))
        else:
            raw = values.get(name, b"")
            raw = raw.encode() if isinstance(raw, str) else raw
            out += struct.pack("<H", len(raw)) + raw
    return out


def decode(fields, body, at=0):
    values = {}
    for kind, name, inner in fields:
        if kind == "list":
            (count,) = struct.unpack_from("<H", body, at)
            at += 2
            values[name] = []
            for _ in range(count):
                item, at = decode(inner, body, at)
                values[name].append(item)
        elif kind in NUMBERS:
            (values[name],) = struct.unpack_from(NUMBERS[kind], body, at)
            at += struct.calcsize(NUMBERS[kind])
        else:
            (size,) = struct.unpack_from("<H", body, at)
            raw = body[at + 2 : at + 2 + size]
            values[name] = raw.decode() if kind == "str" else raw
            at += 2 + size
    return values, at


def encode_record(name, **values):
    """A record of src/ipc, such as the envelope."""
    return encode(read_description(name)[0][1], values)


class Channel:
    """Our end of a channel."""

    def __init__(self, name):
        self.name = name
        self.messages = read_description(name)
        self.numbers = {message: i for i, (message, _) in enumerate(self.messages, 1)}
        self.sock, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.other.setblocking(False)  # as the supervisor's pairs are
        self.waiting = []

    def send(self, message, fd=None, **values):
        number = self.numbers[message]
        body = encode(self.messages[number - 1][1], values)
        flags = 0 if fd is None else FLAG_FD
        packet = HEADER.pack(number, flags, len(body)) + body
        rights = [] if fd is None else [fd]
        socket.send_fds(self.sock, [packet], rights)

    def receive(self, seconds=20):
        """(message, fields, descriptor or None); TimeoutError, EOFError."""
        if not self.waiting:
            if not select.select([self.sock], [], [], seconds)[0]:
                raise TimeoutError(f"no message on {self.name} within {seconds} s")
            self._fill()
        return self.waiting.pop(0)

    def is_quiet(self, seconds):
        return not self.waiting and not select.select([self.sock], [], [], seconds)[0]

    def _fill(self):
        space = socket.CMSG_SPACE(array.array("i", [0]).itemsize)
        packet, extra, _, _ = self.sock.recvmsg(PACKET_MAX, space)
        if not packet:
            raise EOFError(f"the role closed {self.name}")
        fds = array.array("i")
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data)
        rights = list(fds)
        at = 0
        while at < len(packet):
            number, flags, size = HEADER.unpack_from(packet, at)
            message, fields = self.messages[number - 1]
            body = packet[at + HEADER.size : at + HEADER.size + size]
            values, _ = decode(fields, body)
            self.waiting.append((message, values, rights.pop(0) if flags & FLAG_FD else None))
            at += HEADER.size + size

    def close(self):
        self.sock.close()


class Role:
    """A running role.  options: text to text; channels: names, as in docs/internals/roles.md."""

    def __init__(self, program, options=None, channels=(), kinds=None):
        """kinds: which description a channel follows, where it is not its name."""
        kinds = kinds or {}
        self.lifecycle = Channel("lifecycle")
        self.channels = {name: Channel(kinds.get(name, name)) for name in channels}
        self.process = subprocess.Popen(
            [str(BUILD / "src" / "roles" / f"posthold-{program}")],
            preexec_fn=self._child,
            pass_fds=(self.lifecycle.other.fileno(), LIFECYCLE_FD),
            # The leak check stops the process by means that the sandbox forbids.
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
        )
        self.lifecycle.other.close()
        lines = "".join(f"{name}={value}\n" for name, value in (options or {}).items())
        self.lifecycle.send("config", text=lines)
        for name in self.channels:
            self.give(name)
        self.lifecycle.send("go")
        message, self.ready, _ = self.lifecycle.receive()
        assert message == "ready", message

    def _child(self):
        os.dup2(self.lifecycle.other.fileno(), LIFECYCLE_FD)
        os.set_inheritable(LIFECYCLE_FD, True)

    def give(self, name):
        """Hand the role its end of a channel, also a new one after renew."""
        channel = self.channels[name]
        self.lifecycle.send("descriptor", channel.other.fileno(), kind="channel", name=name, id=0)
        channel.other.close()

    def renew(self, name):
        """As when the peer has died and was started again."""
        kind = self.channels[name].name
        self.channels[name].close()
        self.channels[name] = Channel(kind)
        self.give(name)
        return self.channels[name]

    def status(self):
        """The role's counters, as text."""
        self.lifecycle.send("query", tag=1)
        message, values, _ = self.lifecycle.receive()
        assert message == "status", message
        return values["json"]

    def stop(self):
        """Ends the role; its exit code."""
        self.lifecycle.close()
        for channel in self.channels.values():
            channel.close()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()
