#!/usr/bin/env python3
"""An SMTP server that records every octet and answers as a test tells it to.

    from smtp_sink import SmtpSink, Reply, self_signed

    with SmtpSink(host="127.0.0.2", port=2525, script={"rcpt": "450 4.2.0 later"}) as sink:
        ...
        message = sink.wait_messages(1)[0]
        message.sender, message.recipients, message.data, message.wire, message.tls

A port of 0 is chosen by the kernel (sink.port).  The script maps a stage to what is answered there:

    greeting ehlo helo starttls mail rcpt data dot rset noop vrfy quit   the stages of a session
    body            once body_after octets of a body came
    rcpt:ADDRESS    wins over rcpt
    unknown         any other command

The answer of a stage is one of

    None              the normal reply
    "450 4.2.0 x"     a reply; lines are parted by \\n, CRLF is added to each
    b"250\\0x\\r\\n"      octets sent as they are
    Reply(...)        the same with delays and an end, see the class
    a list            one of these for each time the stage is reached; the last goes on for ever
    a function        called with (session, line), returns one of these

MAIL, RCPT, DATA and STARTTLS count as accepted when the last line that was sent begins with 2 or 3.
A message counts as taken (sink.messages) when the reply to its final dot does, or when
Reply(record=True).

Recorded are: sink.sessions (each with .input, the octets received, .clear, those received before
TLS, .lines, .tls, .messages, .ended) and sink.messages (envelope, .data without dot-stuffing, .wire
as it came with its final dot, .mail_line and .rcpt_lines with their parameters).
check_wire(message.wire) checks what RFC 5321 asks of every octet between 354 and the next command.

From the command line the script comes as JSON, {"reply": ..., "delay": 2, "then": "close"} being a
Reply:

    tests/lib/smtp_sink.py --port 2525 [--cert FILE --key FILE] [--script script.json]

It prints `ready ADDRESS:PORT`, then a line for each message.
"""

import argparse
import json
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
WIRE = re.compile(rb"([^\r\n\0]{0,999}\r\n)*\.\r\n")
READ_SIZE = 65536
IDLE_SECONDS = 120

NORMAL = {
    "greeting": "220 sink ESMTP",
    "helo": "250 sink",
    "starttls": "220 2.0.0 go",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go",
    "dot": "250 2.0.0 taken",
    "rset": "250 2.0.0 ok",
    "noop": "250 2.0.0 ok",
    "vrfy": "252 2.5.0 perhaps",
    "quit": "221 2.0.0 bye",
    "unknown": "500 5.5.2 what",
}


class Reply:
    """What is sent at a stage.

    text         str or bytes as in a script; None: the normal reply of the stage; b"": nothing
    delay        seconds of silence before it
    octet_delay  seconds between its octets
    then         None, "close", "reset" (RST) or "silence" (nothing more, connection left open)
    record       whether a message counts as taken; None: by the reply
    """

    def __init__(self, text=None, delay=0, octet_delay=0, then=None, record=None):
        self.text = text
        self.delay = delay
        self.octet_delay = octet_delay
        self.then = then
        self.record = record

    def filled(self, normal):
        """The same with its text in octets."""
        text = normal if self.text is None else self.text
        if isinstance(text, str):
            text = "".join(line + "\r\n" for line in text.split("\n")).encode()
        return Reply(text, self.delay, self.octet_delay, self.then, self.record)

    def good(self):
        """Whether the client may go on; text must be in octets."""
        return self.text.rstrip(b"\r\n").rsplit(b"\n", 1)[-1][:1] in (b"2", b"3")


DROP = Reply(b"", then="close")
RESET = Reply(b"", then="reset")
SILENCE = Reply(b"", then="silence")


class Message:
    def __init__(self, session, mail_line, rcpt_lines, wire):
        self.session = session
        self.mail_line = mail_line
        self.rcpt_lines = rcpt_lines
        self.sender = path_of(mail_line)
        self.recipients = [path_of(line) for line in rcpt_lines]
        self.wire = wire
        body = wire[:-3] if wire.endswith(b".\r\n") else wire
        self.data = re.sub(rb"(?m)^\.", b"", body)
        self.tls = session.tls
        self.hello = session.hello
        self.time = time.time()


def path_of(line):
    """The address between the brackets of a MAIL or RCPT line."""
    match = re.search(r"<([^>]*)>", line)
    return match[1] if match else ""


def check_wire(wire):
    """None when the octets of a body are as they must be on the wire, else what is wrong."""
    if not WIRE.fullmatch(wire):
        return "bare CR, bare LF, NUL, a long line or no end"
    lines = wire[:-3].split(b"\r\n")[:-1]
    if any(line == b"." for line in lines):
        return "more than one end"
    if any(line.startswith(b".") and not line.startswith(b"..") for line in lines):
        return "a dot that is not stuffed"
    return None


class Ended(Exception):
    """The session is over."""


class Session:
    """One connection; runs in a thread of its own."""

    def __init__(self, sink, sock, peer):
        self.sink = sink
        self.sock = sock
        self.peer = peer
        self.input = b""
        self.clear = b""
        self.lines = []
        self.messages = []
        self.hello = ""
        self.tls = None
        self.ended = None
        self.pending = b""
        self.mail_line = None
        self.rcpt_lines = []
        self.accepted = False

    def run(self):
        try:
            self.answer("greeting", "")
            while True:
                self.command(self.read_line())
        except Ended as why:
            self.ended = str(why)
        except (OSError, ssl.SSLError) as error:
            self.ended = repr(error)
        finally:
            try:
                self.sock.close()
            except OSError:
                pass

    # ---- octets ----

    def fill(self):
        data = self.sock.recv(READ_SIZE)
        if not data:
            raise Ended("closed by the client")
        self.input += data
        if not self.tls:
            self.clear += data
        self.pending += data

    def read_line(self):
        while b"\n" not in self.pending:
            self.fill()
        line, self.pending = self.pending.split(b"\n", 1)
        text = line.removesuffix(b"\r").decode("latin-1")
        self.lines.append(text)
        return text

    def read_body(self):
        """All octets up to CRLF . CRLF; the only end that counts."""
        told = False
        while True:
            if self.pending.startswith(b".\r\n"):
                end = 3
                break
            at = self.pending.find(b"\r\n.\r\n")
            if at >= 0:
                end = at + 5
                break
            if not told and "body" in self.sink.script:
                if len(self.pending) >= self.sink.body_after:
                    told = True
                    self.answer("body", "", normal=b"")
            self.fill()
        wire, self.pending = self.pending[:end], self.pending[end:]
        return wire

    def send(self, reply):
        if reply.delay:
            time.sleep(reply.delay)
        if reply.octet_delay:
            for at in range(len(reply.text)):
                self.sock.sendall(reply.text[at : at + 1])
                time.sleep(reply.octet_delay)
        elif reply.text:
            self.sock.sendall(reply.text)
        if reply.then == "close":
            raise Ended("closed by the script")
        if reply.then == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Ended("reset by the script")
        if reply.then == "silence":
            while True:
                self.fill()

    # ---- the dialogue ----

    def answer(self, stage, line, normal=None, keys=()):
        """Send what the script says; returns the Reply, with its text in octets."""
        reply = self.sink.reply_for(self, stage, line, keys)
        reply = reply.filled(NORMAL.get(stage, "") if normal is None else normal)
        self.send(reply)
        return reply

    def reset(self):
        self.mail_line = None
        self.rcpt_lines = []

    def command(self, line):
        word = line.split(" ", 1)[0].upper()
        handler = getattr(self, "do_" + word.lower(), None) if word.isalpha() else None
        if handler:
            handler(line)
        else:
            self.answer("unknown", line)

    def do_ehlo(self, line):
        self.hello = line[5:]
        self.reset()
        extensions = list(self.sink.extensions)
        if self.sink.context and not self.tls:
            extensions.append("STARTTLS")
        texts = ["sink"] + extensions
        lines = [f"250-{text}" for text in texts[:-1]] + [f"250 {texts[-1]}"]
        self.answer("ehlo", line, normal="\n".join(lines))

    def do_helo(self, line):
        self.hello = line[5:]
        self.reset()
        self.answer("helo", line)

    def do_starttls(self, line):
        reply = self.answer("starttls", line)
        if not reply.good() or not self.sink.context:
            return
        self.pending = b""
        self.sock = self.sink.context.wrap_socket(self.sock, server_side=True)
        self.tls = f"{self.sock.version()} {self.sock.cipher()[0]}"
        self.hello = ""
        self.reset()

    def do_mail(self, line):
        if self.answer("mail", line).good():
            self.mail_line = line
            self.rcpt_lines = []

    def do_rcpt(self, line):
        if self.mail_line is None and "rcpt" not in self.sink.script:
            self.send(Reply(b"503 5.5.1 MAIL first\r\n"))
            return
        if self.answer("rcpt", line, keys=["rcpt:" + path_of(line)]).good():
            self.rcpt_lines.append(line)

    def do_data(self, line):
        if not self.rcpt_lines and "data" not in self.sink.script:
            self.send(Reply(b"554 5.5.1 no valid recipients\r\n"))
            return
        if not self.answer("data", line).good():
            return
        wire = self.read_body()
        message = Message(self, self.mail_line or "", list(self.rcpt_lines), wire)
        self.reset()
        self.sink.take(self, line, message)

    def do_rset(self, line):
        self.reset()
        self.answer("rset", line)

    def do_noop(self, line):
        self.answer("noop", line)

    def do_vrfy(self, line):
        self.answer("vrfy", line)

    def do_quit(self, line):
        self.answer("quit", line)
        raise Ended("quit")


class SmtpSink:
    """See the top of the file.  Listens when made; stop() or `with` ends it and every session."""

    def __init__(
        self,
        host="127.0.0.1",
        port=0,
        script=None,
        tls=None,
        extensions=EXTENSIONS,
        body_after=1,
    ):
        """tls: (certificate file, key file), offers STARTTLS."""
        self.script = dict(script or {})
        self.extensions = extensions
        self.body_after = body_after
        self.sessions = []
        self.messages = []
        self.on_message = None
        self.changed = threading.Condition()
        self.reached = {}
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(128)
        self.host, self.port = self.listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            sock.settimeout(IDLE_SECONDS)
            session = Session(self, sock, peer)
            with self.changed:
                self.sessions.append(session)
                self.changed.notify_all()
            threading.Thread(target=session.run, daemon=True).start()

    def stop(self):
        try:
            # Closing alone leaves accept() waiting in its thread, and with it the port in use.
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for session in list(self.sessions):
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()

    def reply_for(self, session, stage, line, keys):
        """The script's Reply for a stage, its lists and functions resolved."""
        with self.changed:
            key = next((k for k in keys if k in self.script), stage)
            entry = self.script.get(key)
            if isinstance(entry, list):
                at = self.reached.get(key, 0)
                self.reached[key] = at + 1
                entry = entry[min(at, len(entry) - 1)] if entry else None
        if callable(entry):
            entry = entry(session, line)
        return entry if isinstance(entry, Reply) else Reply(entry)

    def take(self, session, line, message):
        """The body has come: record the message, then answer."""
        reply = self.reply_for(session, "dot", line, ["dot:" + r for r in message.recipients])
        sent = reply.filled(NORMAL["dot"])
        if sent.good() if sent.record is None else sent.record:
            with self.changed:
                self.messages.append(message)
                session.messages.append(message)
                self.changed.notify_all()
            if self.on_message:
                self.on_message(message)
        session.send(sent)

    def wait_messages(self, count, seconds=20):
        """The messages once there are count of them; fewer when the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.messages) >= count, seconds)
            return list(self.messages)

    def wait_sessions(self, count, seconds=20):
        with self.changed:
            self.changed.wait_for(lambda: len(self.sessions) >= count, seconds)
            return list(self.sessions)


def self_signed(folder, *names):
    """A self-signed certificate for the names: (certificate file, key file).  Runs openssl."""
    cert, key = f"{folder}/{names[0]}.pem", f"{folder}/{names[0]}.key"
    alternative = ",".join(f"DNS:{name}" for name in names)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={names[0]}"]
    command += ["-addext", f"subjectAltName={alternative}", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def from_json(entry):
    if isinstance(entry, list):
        return [from_json(item) for item in entry]
    if isinstance(entry, dict):
        entry = dict(entry)
        return Reply(entry.pop("reply", None), **entry)
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--script", help="JSON file: stage to answer")
    args = parser.parse_args()
    script = {}
    if args.script:
        with open(args.script, encoding="utf-8") as file:
            script = {stage: from_json(entry) for stage, entry in json.load(file).items()}
    tls = (args.cert, args.key) if args.cert else None
    sink = SmtpSink(args.host, args.port, script, tls)

    def show(message):
        print(f"<{message.sender}>", *message.recipients, len(message.data), flush=True)

    sink.on_message = show
    print(f"ready {sink.host}:{sink.port}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sink.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
