"""Octets on the wire: a client that sends exactly what it is told, in the pieces it is told.

    w = Wire(it, 'smtp')                    # a TCP connection; the greeting is not read
    w.expect(220)
    w.command('EHLO x', 250)
    w.starttls()                            # the protocol's command, then the handshake
    w.send(b'half of a li', b'ne\\r\\n')    # two segments, and two TLS records
    w.ended()                               # the server closes: what it still said

Inside TLS each piece is one record; `joined=True` sends all records in one segment.  Nothing is repaired: what
does not come as expected raises.
"""
import base64
import re
import socket
import ssl
import struct
import threading
import time

PAUSE = 0.004  # between two segments, so that the server reads them one by one
REPLY = re.compile(rb'(\d{3})([ -])(?:(\d\.\d{1,3}\.\d{1,3}) )?([^\r\n]*)\r\n\Z')


class Closed(Exception):
    """The server has closed where an answer was awaited."""


class Reply:
    """code, enhanced ('' if there is none), text of the last line, all lines."""

    def __init__(self, lines):
        self.lines = lines
        found = REPLY.match(lines[-1])
        if not found:
            raise AssertionError(f'not a reply: {lines!r}')
        self.code = int(found[1])
        self.enhanced = (found[3] or b'').decode()
        self.text = found[4].decode()

    def __repr__(self):
        return f'{self.code} {self.enhanced} {self.text}'


class Wire:
    def __init__(self, it, service, source=None, tls=None, timeout=20, alpn=None, context=None, host='127.0.0.1'):
        self.it, self.service = it, service
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, it.port(service)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = None
        self.plain = b''  # read, decrypted and not yet taken
        self.eof = None  # how the server ended: 'fin', 'notify' (TLS close_notify), 'reset'
        self.context = context
        if tls if tls is not None else service in ('submissions', 'imaps'):
            self.handshake(alpn)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    # ---- TLS ----

    def handshake(self, alpn=None):
        context = self.context or self.it.ssl()
        if alpn:
            context.set_alpn_protocols(alpn)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname='mail.example.test')
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                if not self.receive(raw=True):
                    raise Closed('during the handshake') from None
        self.flush()
        self.tls = tls
        self.decrypt()  # what came in one segment with the end of the handshake

    def starttls(self):
        if self.service.startswith('imap'):
            self.send(b's STARTTLS\r\n')
            line = self.line()
            assert line.startswith(b's OK'), line
        else:
            self.command('STARTTLS', 220, '2.0.0')
        self.handshake()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def records(self, *pieces):
        """The pieces as TLS records, one each, not sent."""
        out = []
        for piece in pieces:
            if piece:
                self.tls.write(piece)
                out.append(self.outgoing.read())
        return out

    def notify(self):
        """close_notify as octets, not sent; nothing more can be said after it."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass
        return self.outgoing.read()

    # ---- sending ----

    def raw(self, data):
        """Octets on the descriptor, past TLS."""
        self.sock.sendall(data)

    def send(self, *pieces, joined=False, pause=PAUSE):
        pieces = [p.encode() if isinstance(p, str) else p for p in pieces]
        if self.tls:
            pieces = self.records(*pieces)
        if joined:
            pieces = [b''.join(pieces)]
        for i, piece in enumerate(p for p in pieces if p):
            if i:
                time.sleep(pause)
            self.sock.sendall(piece)

    def reset(self):
        """End the connection by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()

    # ---- receiving ----

    def receive(self, raw=False):
        """Wait for octets; False: the server has ended."""
        if self.eof:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            self.eof = 'reset'
            return False
        if self.tls or raw:
            if data:
                self.incoming.write(data)
            else:
                self.eof = 'fin'
                self.incoming.write_eof()
            if self.tls:
                self.decrypt()
            return bool(data)
        if not data:
            self.eof = 'fin'
        self.plain += data
        return bool(data)

    def decrypt(self):
        while True:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                self.eof = 'notify'
                return
            except ssl.SSLError:
                self.eof = self.eof or 'fin'
                return
            if not data:
                self.eof = self.eof or 'fin'
                return
            self.plain += data

    def line(self):
        while b'\n' not in self.plain:
            if not self.receive() and b'\n' not in self.plain:
                raise Closed(f'the server closed ({self.eof}) after {self.plain!r}')
        line, _, self.plain = self.plain.partition(b'\n')
        return line + b'\n'

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == b'-':
            lines.append(self.line())
        return Reply(lines)

    def expect(self, code, enhanced=None):
        """The next reply is this one, to the digit."""
        r = self.reply()
        if r.code != code or (enhanced is not None and r.enhanced != enhanced):
            raise AssertionError(f'expected {code} {enhanced or ""}, got {r!r}')
        return r

    def command(self, text, code, enhanced=None):
        self.send(text.encode() + b'\r\n' if isinstance(text, str) else text + b'\r\n')
        try:
            return self.expect(code, enhanced)
        except AssertionError as e:
            raise AssertionError(f'{text[:80]!r}: {e}') from None

    def tagged(self, text, tag='a'):
        """An IMAP command; (the tagged line without its tag, the untagged ones)."""
        self.send(f'{tag} {text}\r\n' if isinstance(text, str) else tag.encode() + b' ' + text + b'\r\n')
        return self.tagged_end(tag)

    def tagged_end(self, tag='a'):
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag.encode() + b' '):
                return line[len(tag) + 1:].rstrip(b'\r\n').decode(errors='replace'), untagged
            untagged.append(line)

    def ended(self, timeout=None):
        """The server closes: what it said until then."""
        self.sock.settimeout(timeout or self.timeout)
        while self.receive():
            pass
        if self.eof == 'notify':  # FIN follows
            try:
                self.sock.recv(1)
            except ConnectionResetError:
                pass
        self.sock.settimeout(self.timeout)
        rest, self.plain = self.plain, b''
        return rest

    def silent(self, seconds):
        """Nothing comes for so long and the connection stays."""
        self.sock.settimeout(seconds)
        try:
            before = len(self.plain)
            got = self.receive()
            assert not got or len(self.plain) == before, f'got {self.plain!r}'
            assert got, f'the server closed ({self.eof})'
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(self.timeout)

    # ---- what every test begins with ----

    def hello(self, name='client.test'):
        self.expect(220)
        return self.command(f'EHLO {name}', 250)

    def login(self, address, password):
        """AUTH PLAIN or LOGIN, by the protocol; the connection is greeted already."""
        if self.service.startswith('imap'):
            text, _ = self.tagged(f'LOGIN {address} "{password}"')
            assert text.startswith('OK'), text
        else:
            self.command('AUTH PLAIN ' + plain(address, password), 235, '2.7.0')

    def ready(self, address=None, password=None):
        """Greeting, STARTTLS where the service wants it, EHLO and log-in."""
        if self.service.startswith('imap'):
            assert self.line().startswith(b'* OK')
            if self.service == 'imap':
                self.starttls()
        else:
            self.hello()
            if self.service == 'submission':
                self.starttls()
                self.command('EHLO client.test', 250)
        if address:
            self.login(address, password)
        return self

    def envelope(self, sender, *recipients, parameters=''):
        self.command(f'MAIL FROM:<{sender}>{parameters}', 250, '2.1.0')
        for r in recipients:
            self.command(f'RCPT TO:<{r}>', 250, '2.1.5')


def plain(name, password, authzid=''):
    return base64.b64encode(f'{authzid}\0{name}\0{password}'.encode()).decode()


def serves(it, source=None):
    """Others are served: a second client gets through the door meanwhile."""
    with Wire(it, 'smtp', source=source) as w:
        w.hello('second.test')
        w.command('NOOP', 250, '2.0.0')
        w.command('QUIT', 221, '2.0.0')
        w.ended()


class Log:
    """What the instance logs from here on."""

    def __init__(self, it):
        self.it, self.seen = it, len(it.events())

    def saw(self, event, timeout=5, **fields):
        """An event with these fields; it may come a little later than what it is about."""
        deadline = time.monotonic() + timeout
        while True:
            rows = self.it.events()[self.seen:]
            for row in rows:
                if row['event'] == event and all(row.get(k) == v for k, v in fields.items()):
                    return row
            if time.monotonic() > deadline:
                last = [r for r in rows if r['event'].split('.')[0] == event.split('.')[0]][-5:]
                raise AssertionError(f'no {event} with {fields} in the log; last are {last}')
            time.sleep(0.02)


def parallel(report, tests):
    """(name, function, arguments...) at the same time; each is one result."""
    threads = [threading.Thread(target=report.run, args=test) for test in tests]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
