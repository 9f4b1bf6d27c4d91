#!/usr/bin/env python3
"""posthold-front and posthold-keys as programs, sandbox included.

The test plays the supervisor, the roles behind front (smtp, login, send) and the world around it.
"""
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAMS = ''
U8, U16, U32, U64 = '<B', '<H', '<I', '<Q'


def text(value, most=0):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(U32 if most > 65535 else U16, len(value)) + value


def pair():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


class Channel:
    """One end of a channel of sys/ipc.h."""

    def __init__(self, end):
        self.end = end
        self.end.settimeout(10)
        self.waiting = []

    def send(self, kind, body=b'', fd=None):
        packet = struct.pack('<HHI', kind, 1 if fd is not None else 0, len(body)) + body
        if fd is None:
            self.end.send(packet)
        else:
            socket.send_fds(self.end, [packet], [fd])

    def receive(self):
        """(type, body, descriptor or None) of the next message; None at the end."""
        if not self.waiting:
            packet, fds, _, _ = socket.recv_fds(self.end, 16384, 4)
            if not packet:
                return None
            while packet:
                kind, flags, n = struct.unpack('<HHI', packet[:8])
                self.waiting.append((kind, packet[8:8 + n], fds.pop(0) if flags & 1 else None))
                packet = packet[8 + n:]
        return self.waiting.pop(0)


class Reader:
    def __init__(self, body):
        self.body = body

    def number(self, form):
        n = struct.calcsize(form)
        value, = struct.unpack(form, self.body[:n])
        self.body = self.body[n:]
        return value

    def bytes(self):
        n = self.number(U16)
        value, self.body = self.body[:n], self.body[n:]
        return value


class Program:
    """A role, started as the supervisor does."""

    CONFIG, DESCRIPTOR, GO, READY, RELOAD, STOP, QUERY, STATUS = range(1, 9)

    def __init__(self, name, instance, config):
        ours, theirs = pair()
        self.life = Channel(ours)
        self.config = config
        self.process = subprocess.Popen(
            ['sh', '-c', f'exec 3<&{theirs.fileno()}; exec "$0" "$@"',
             os.path.join(PROGRAMS, 'posthold-' + name), f'--instance={instance}'],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            # The leak checker needs ptrace, which the sandbox forbids.
            env=os.environ | {'ASAN_OPTIONS': 'detect_leaks=0'})
        theirs.close()
        self.life.send(self.CONFIG, text(config))

    def give(self, kind, name, number, fd):
        self.life.send(self.DESCRIPTOR, text(kind) + text(name) + struct.pack(U64, number), fd)

    def go(self):
        self.life.send(self.GO)
        kind, body, _ = self.life.receive()
        assert kind == self.READY, kind
        return Reader(body).bytes().decode()

    def status(self):
        self.life.send(self.QUERY, struct.pack(U32, 7))
        kind, body, _ = self.life.receive()
        assert kind == self.STATUS, kind
        return json.loads(Reader(body[4:]).bytes())

    def end(self):
        self.life.send(self.STOP)
        code = self.process.wait(5)
        self.life.end.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.life.end.close()


def listener():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', 0))
    s.listen(1000)
    s.setblocking(False)
    return s


def openssl(*args):
    subprocess.run(('openssl',) + args, check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


class Session:
    """What the role behind front sees of a connection."""

    OPEN, STARTTLS, SECURED, GONE, LOAD, SERVED = range(1, 7)

    def __init__(self, body, fd):
        r = Reader(body)
        self.number, self.service = r.number(U64), r.number(U8)
        self.peer_ip, self.peer_port = r.bytes(), r.number(U16)
        self.local_ip, self.local_port = r.bytes(), r.number(U16)
        self.loopback, self.known, self.tls = r.number(U8), r.number(U8), r.number(U8)
        self.version, self.cipher, self.sni = r.bytes(), r.bytes(), r.bytes()
        self.exporter, self.end_point = r.bytes(), r.bytes()
        self.take(fd)

    def take(self, fd):
        self.stream = socket.socket(fileno=fd)
        self.stream.settimeout(5)


class FrontTest(unittest.TestCase):
    CONFIG = 'hostname=mx.example.org\n'

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        path = cls.folder.name
        for name, kind in (('ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']),
                           ('rsa', ['-newkey', 'rsa:2048'])):
            openssl('req', '-x509', *kind, '-nodes', '-keyout', f'{path}/{name}.key', '-out',
                    f'{path}/{name}.pem', '-days', '30', '-subj', '/CN=localhost', '-addext',
                    'subjectAltName=DNS:localhost,IP:127.0.0.1')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start_keys(self, folder=None):
        self.keys_dir = folder or tempfile.mkdtemp(dir=self.folder.name)
        keys = Program('keys', 'keys', self.CONFIG)
        with_dir = os.open(self.keys_dir, os.O_RDONLY | os.O_DIRECTORY)
        keys.give('dir', 'keys', 0, with_dir)
        os.close(with_dir)
        self.give_certificates(keys, ['ec', 'rsa'])
        self.addCleanup(keys.kill)
        return keys

    def give_certificates(self, keys, names):
        for i, name in enumerate(names):
            for option, suffix in (('certificate', 'pem'), ('certificate_key', 'key')):
                with open(f'{self.folder.name}/{name}.{suffix}', 'rb') as f:
                    keys.give('file', option, i, f.fileno())

    def start(self, services, extra=''):
        """keys and a front with these services; the channels of both backends."""
        self.keys = self.start_keys()
        front = Program('front', 'front-test', self.CONFIG + extra)
        self.addCleanup(front.kill)
        ours, theirs = pair()
        front.give('channel', 'tls', 0, ours.fileno())
        self.keys.give('channel', 'tls', 0, theirs.fileno())
        ours.close()
        theirs.close()
        self.ports, self.backend = {}, []
        for number in (0, 1):
            self.backend.append(self.new_backend(front, number))
        for number, name in enumerate(services):
            s = listener()
            self.ports[name] = s.getsockname()[1]
            front.give('listener', name, number, s.fileno())
            s.close()
        self.keys.level = self.keys.go()
        front.level = front.go()
        self.front = front
        return front

    def new_backend(self, front, number):
        ours, theirs = pair()
        front.give('channel', 'session', number, theirs.fileno())
        theirs.close()
        self.addCleanup(ours.close)
        return Channel(ours)

    def connect(self, service, seconds=5, **address):
        s = socket.create_connection(('127.0.0.1', self.ports[service]), 5, **address)
        s.settimeout(seconds)
        self.addCleanup(s.close)
        return s

    def tls(self, s, version=None, alpn=None, ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            context.maximum_version = version
        if alpn:
            context.set_alpn_protocols(alpn)
        if ciphers:
            context.set_ciphers(ciphers)
        s = context.wrap_socket(s, server_hostname='localhost')
        self.addCleanup(s.close)
        return s

    def accept(self, number=0):
        kind, body, fd = self.backend[number].receive()
        self.assertEqual(kind, Session.OPEN)
        session = Session(body, fd)
        self.addCleanup(session.stream.close)
        return session

    def starttls(self, session, number=0):
        session.stream.close()
        self.backend[number].send(Session.STARTTLS, struct.pack(U64, session.number))

    def secured(self, session, number=0):
        kind, body, fd = self.backend[number].receive()
        self.assertEqual(kind, Session.SECURED)
        r = Reader(body)
        self.assertEqual(r.number(U64), session.number)
        session.version, session.cipher, session.sni = r.bytes(), r.bytes(), r.bytes()
        session.exporter, session.end_point = r.bytes(), r.bytes()
        session.take(fd)
        self.addCleanup(session.stream.close)

    def test_sandbox(self):
        self.start(['smtp'])
        self.assertIn('seccomp', self.front.level)
        self.assertIn('seccomp', self.keys.level)

    def test_clear(self):
        self.start(['smtp'])
        client = self.connect('smtp')
        session = self.accept()
        self.assertEqual(session.service, 1)
        self.assertEqual(session.peer_ip, b'\x7f\0\0\1')
        self.assertEqual(session.peer_port, client.getsockname()[1])
        self.assertEqual(session.local_port, self.ports['smtp'])
        self.assertEqual((session.loopback, session.tls), (1, 0))
        session.stream.send(b'220 hi\r\n')
        self.assertEqual(client.recv(100), b'220 hi\r\n')
        client.send(b'QUIT\r\n')
        self.assertEqual(session.stream.recv(100), b'QUIT\r\n')
        session.stream.send(b'221 bye\r\n')
        session.stream.close()
        self.assertEqual(client.recv(100), b'221 bye\r\n')
        self.assertEqual(client.recv(100), b'')

    def test_implicit_tls(self):
        self.start(['imaps', 'submissions'])
        client = self.tls(self.connect('imaps'))
        session = self.accept(1)
        self.assertEqual((session.service, session.tls), (6, 1))
        self.assertEqual(session.version, b'TLSv1.3')
        self.assertEqual(session.cipher, b'TLS_AES_256_GCM_SHA384')
        self.assertEqual(session.sni, b'localhost')
        self.assertEqual(len(session.exporter), 32)
        self.assertEqual(len(session.end_point), 32)
        session.stream.send(b'* OK\r\n')
        self.assertEqual(client.recv(100), b'* OK\r\n')
        client = self.tls(self.connect('submissions'), ssl.TLSVersion.TLSv1_2,
                          ciphers='ECDHE-RSA-AES256-GCM-SHA384')
        self.assertEqual(self.accept(0).cipher, b'ECDHE-RSA-AES256-GCM-SHA384')
        self.assertEqual(self.keys.status()['signatures'], 2)
        self.assertEqual(self.front.status()['handshakes'], 2)

    def test_starttls(self):
        self.start(['smtp'])
        client = self.connect('smtp')
        session = self.accept()
        client.send(b'STARTTLS\r\n')
        self.assertEqual(session.stream.recv(100), b'STARTTLS\r\n')
        session.stream.send(b'220 go\r\n')
        self.starttls(session)
        self.assertEqual(client.recv(100), b'220 go\r\n')
        client = self.tls(client)
        self.secured(session)
        self.assertEqual(session.version, b'TLSv1.3')
        client.send(b'EHLO x\r\n')
        self.assertEqual(session.stream.recv(100), b'EHLO x\r\n')

    def test_starttls_injection(self):
        self.start(['smtp'])
        client = self.connect('smtp')
        session = self.accept()
        client.send(b'STARTTLS\r\nEHLO x\r\nNOOP\r\n')
        time.sleep(.1)
        self.assertEqual(session.stream.recv(10), b'STARTTLS\r\n')
        session.stream.send(b'220 go\r\n')
        self.starttls(session)
        client.settimeout(5)
        seen = b''
        try:
            while data := client.recv(100):
                seen += data
        except ConnectionResetError:
            pass
        self.assertIn(seen, (b'', b'220 go\r\n'))
        kind, body, _ = self.backend[0].receive()
        self.assertEqual(kind, Session.GONE)
        self.assertIn(b'clear text behind STARTTLS', body)

    def test_truncation_is_told_first(self):
        self.start(['submissions'])
        raw = self.connect('submissions')
        client = self.tls(raw)
        session = self.accept()
        session.stream.send(b'354 go\r\n')
        self.assertEqual(client.recv(100), b'354 go\r\n')
        client.send(b'DATA half')
        self.assertEqual(session.stream.recv(100), b'DATA half')
        os.close(client.detach())
        self.assertEqual(session.stream.recv(100), b'')
        # The message is in the channel before the stream ends.
        self.backend[0].end.setblocking(False)
        kind, body, _ = self.backend[0].receive()
        self.assertEqual(kind, Session.GONE)
        self.assertIn(b'close_notify', body)

    def test_alpn(self):
        self.start(['submissions', 'imaps'])
        for service in ('submissions', 'imaps'):
            with self.assertRaisesRegex(ssl.SSLError, '(?i)no.application.protocol'):
                self.tls(self.connect(service), alpn=['h2', 'http/1.1'])
        self.assertEqual(self.tls(self.connect('imaps'), alpn=['imap']).selected_alpn_protocol(),
                         'imap')

    def test_client_limit(self):
        self.start(['smtp', 'imap'], 'conn_client_max=3\nconn_client_max_user=4\n'
                   'conn_client_new=1000\nloopback_limits=yes\n')
        held = [self.connect('smtp') for _ in range(3)]
        for _ in held:
            self.accept()
        self.assertEqual(self.connect('smtp').recv(200),
                         b'421 4.7.0 mx.example.org too many connections from your address\r\n')
        held.append(self.connect('imap'))
        self.accept(1)
        self.assertEqual(self.connect('imap').recv(200),
                         b'* BYE too many connections from your address\r\n')

    def test_rate_limit(self):
        self.start(['smtp'], 'conn_client_new=3\nloopback_limits=yes\n')
        for _ in range(3):
            self.connect('smtp').close()
        self.assertEqual(self.connect('smtp').recv(200),
                         b'421 4.7.0 mx.example.org too many new connections from your address\r\n')

    def test_handshake_rate(self):
        self.start(['imaps'], 'tls_handshake_rate=2\nloopback_limits=yes\n')
        time.sleep(1 - time.monotonic() % 1)
        for _ in range(2):
            self.tls(self.connect('imaps'))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.tls(self.connect('imaps'))
        time.sleep(1.1)
        self.tls(self.connect('imaps'))

    def test_service_limit(self):
        self.start(['smtp'], 'conn_service_max=10\n')
        for _ in range(9):
            self.connect('smtp')
            self.accept()
        # The last tenth is for known clients.
        self.assertEqual(self.connect('smtp').recv(200),
                         b'421 4.3.2 mx.example.org too many connections\r\n')

    def test_known_client(self):
        """Strangers fill a service; who was served before still gets in, who only talked much does not."""
        self.start(['smtp'], 'conn_service_max=20\nloopback_limits=yes\n')

        def visit(source, served):
            client = self.connect('smtp', source_address=(source, 0))
            session = self.accept()
            self.assertFalse(session.known)
            client.sendall(b'x' * 4096)
            while session.stream.recv(4096, socket.MSG_WAITALL) != b'x' * 4096:
                pass
            if served:
                self.backend[0].send(Session.SERVED, struct.pack(U64, session.number))
            client.shutdown(socket.SHUT_WR)
            session.stream.close()
            self.assertEqual(client.recv(100), b'')

        visit('127.5.0.1', True)
        visit('127.5.0.2', False)
        self.backend[0].send(Session.SERVED, struct.pack(U64, 12345))  # gone already: ignored
        for i in range(18):
            self.connect('smtp', source_address=(f'127.6.0.{i + 1}', 0))
            self.accept()
        full = b'421 4.3.2 mx.example.org too many connections\r\n'
        for source in ('127.5.0.2', '127.6.1.1'):
            self.assertEqual(self.connect('smtp', source_address=(source, 0)).recv(200), full)
        for _ in range(2):
            self.connect('smtp', source_address=('127.5.0.1', 0))
            self.assertTrue(self.accept().known)
        self.assertEqual(self.connect('smtp', source_address=('127.5.0.1', 0)).recv(200), full)
        self.assertEqual(self.front.status()['known'], 1)

    def test_loopback_is_exempt(self):
        self.start(['smtp'], 'conn_client_max=1\nconn_client_new=1\n')
        for _ in range(20):
            self.connect('smtp')
            self.accept()

    def test_busy_and_restart(self):
        self.start(['smtp'])
        self.backend[0].send(Session.LOAD, struct.pack('<IB', 1, 1))
        time.sleep(.1)
        busy = b'421 4.3.2 mx.example.org the service is not available\r\n'
        self.assertEqual(self.connect('smtp').recv(200), busy)
        self.backend[0].send(Session.LOAD, struct.pack('<IB', 1, 0))
        time.sleep(.1)
        client = self.connect('smtp')
        session = self.accept()
        self.backend[0].end.close()
        session.stream.close()
        self.assertEqual(client.recv(100), b'')
        time.sleep(.1)
        self.assertEqual(self.connect('smtp').recv(200), busy)
        self.backend[0] = self.new_backend(self.front, 0)
        time.sleep(.1)
        self.connect('smtp')
        self.accept()

    def test_handed_over_stream_survives_a_restart(self):
        self.start(['imap'])
        client = self.connect('imap')
        session = self.accept(1)
        self.backend[1].end.close()
        time.sleep(.1)
        session.stream.send(b'* OK from the mailbox\r\n')
        self.assertEqual(client.recv(100), b'* OK from the mailbox\r\n')

    def test_handshake_time(self):
        self.start(['imaps'], 'tls_handshake_time=1 s\n')
        client = self.connect('imaps')
        begin = time.monotonic()
        self.assertEqual(client.recv(100), b'')
        self.assertAlmostEqual(time.monotonic() - begin, 1, delta=.5)

    def test_keys_restart_and_reload(self):
        self.start(['imaps'])
        self.give_certificates(self.keys, ['rsa'])
        self.keys.life.send(Program.RELOAD)
        time.sleep(.2)
        client = self.tls(self.connect('imaps'), ssl.TLSVersion.TLSv1_2)
        self.assertIn('RSA', client.cipher()[0])
        self.keys.kill()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.tls(self.connect('imaps'))
        self.keys = self.start_keys()
        ours, theirs = pair()
        self.front.give('channel', 'tls', 0, ours.fileno())
        self.keys.give('channel', 'tls', 0, theirs.fileno())
        ours.close()
        theirs.close()
        self.keys.go()
        time.sleep(.2)
        client = self.tls(self.connect('imaps'), ssl.TLSVersion.TLSv1_2)
        self.assertIn('ECDSA', client.cipher()[0])

    def test_keys_silent(self):
        """A keys role that does not answer fails one handshake after 5 s, others at once, and nothing else."""
        self.start(['smtp', 'imaps'])
        self.tls(self.connect('imaps'))
        self.accept(1)
        os.kill(self.keys.process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.tls(self.connect('imaps', seconds=10))
        self.assertAlmostEqual(time.monotonic() - begin, 5, delta=1)
        begin = time.monotonic()
        for _ in range(3):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.tls(self.connect('imaps'))
        clear = self.connect('smtp')
        session = self.accept()
        clear.sendall(b'hello')
        self.assertEqual(session.stream.recv(100), b'hello')
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(self.front.status()['tls_failed'], 4)
        os.kill(self.keys.process.pid, signal.SIGCONT)
        time.sleep(.3)
        self.tls(self.connect('imaps'))
        self.accept(1)
        self.assertEqual(self.keys.status()['signatures'], 3)

    def test_large_transfer(self):
        self.start(['imaps'])
        client = self.tls(self.connect('imaps'))
        session = self.accept(1)
        data = os.urandom(1 << 20) * 32
        if os.fork() == 0:
            session.stream.settimeout(60)
            session.stream.sendall(data)
            os._exit(0)
        session.stream.close()
        seen = bytearray()
        while len(seen) < len(data):
            part = client.recv(1 << 20)
            self.assertTrue(part)
            seen += part
        os.wait()
        self.assertTrue(seen == data)

    def test_stop(self):
        front = self.start(['smtp'])
        client = self.connect('smtp')
        session = self.accept()
        session.stream.send(b'421 4.3.2 stopping\r\n')
        session.stream.close()
        begin = time.monotonic()
        self.assertEqual(front.end(), 0)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(client.recv(100), b'421 4.3.2 stopping\r\n')
        self.assertEqual(self.keys.end(), 0)

    # ---- keys ----

    def account_key(self, keys, account):
        ours, theirs = pair()
        keys.give('channel', 'account_key', account, theirs.fileno())
        theirs.close()
        self.addCleanup(ours.close)
        channel = Channel(ours)
        channel.send(1)
        kind, body, _ = channel.receive()
        self.assertEqual(kind, 2)
        return body

    def test_account_keys(self):
        keys = self.start_keys()
        keys.go()
        one, two = self.account_key(keys, 1), self.account_key(keys, 2)
        self.assertEqual(one[0], 1)
        self.assertNotEqual(one, two)
        self.assertEqual(self.account_key(keys, 1), one)
        keys.kill()
        keys = self.start_keys(self.keys_dir)
        keys.go()
        self.assertEqual(self.account_key(keys, 1), one)
        ours, theirs = pair()
        keys.give('channel', 'admin', 4, theirs.fileno())
        theirs.close()
        admin = Channel(ours)
        self.addCleanup(ours.close)
        request = struct.pack(U32, 9) + text('account_key.erase') + struct.pack(U16, 1)
        admin.send(1, request + text('id') + text('1'))
        kind, body, _ = admin.receive()
        self.assertEqual((kind, body[4]), (3, 0))
        self.assertEqual(self.account_key(keys, 1)[0], 0)
        self.assertEqual(self.account_key(keys, 2), two)
        admin.send(1, struct.pack(U32, 10) + text('keys.list') + struct.pack(U16, 0))
        kind, body, _ = admin.receive()
        self.assertEqual(kind, 2)
        self.assertIn(b'"names":"localhost 127.0.0.1","type":"EC"', body)

    # ---- out ----

    OPEN, OPENED, STARTTLS, SECURED, GONE = range(1, 6)

    def start_out(self, extra=''):
        front = Program('front', 'front-out', self.CONFIG + extra)
        self.addCleanup(front.kill)
        ours, theirs = pair()
        front.give('channel', 'connect', 0, theirs.fileno())
        theirs.close()
        front.go()
        self.out = Channel(ours)
        self.addCleanup(ours.close)
        return front

    def open_out(self, number, port, ip=b'\x7f\0\0\1'):
        self.out.send(self.OPEN, struct.pack(U64, number) + text(ip) + struct.pack(U16, port) +
                      text(b''))
        kind, body, fd = self.out.receive()
        self.assertEqual(kind, self.OPENED)
        r = Reader(body)
        self.assertEqual(r.number(U64), number)
        ok, local, why = r.number(U8), r.bytes(), r.bytes()
        self.assertEqual(bool(ok), fd is not None)
        if not ok:
            return None, why
        stream = socket.socket(fileno=fd)
        stream.settimeout(5)
        self.addCleanup(stream.close)
        return stream, local

    def secure_out(self, number, stream, name, verify):
        self.out.send(self.STARTTLS, struct.pack(U64, number) + text(name) +
                      struct.pack(U8, verify))
        stream.close()

    def secured_out(self, number):
        kind, body, fd = self.out.receive()
        self.assertEqual(kind, self.SECURED)
        r = Reader(body)
        self.assertEqual(r.number(U64), number)
        ok, verified = r.number(U8), r.number(U8)
        version, _, why = r.bytes(), r.bytes(), r.bytes()
        return ok, verified, version, why, fd

    def server(self):
        s = listener()
        s.setblocking(True)
        s.settimeout(5)
        self.addCleanup(s.close)
        return s

    def test_out(self):
        self.start_out()
        server = self.server()
        stream, local = self.open_out(1, server.getsockname()[1])
        self.assertEqual(local, b'\x7f\0\0\1')
        peer, _ = server.accept()
        peer.send(b'220 hi\r\n')
        self.assertEqual(stream.recv(100), b'220 hi\r\n')
        for verify in (0, 1):
            number = 2 + verify
            stream, _ = self.open_out(number, server.getsockname()[1])
            peer, _ = server.accept()
            self.secure_out(number, stream, 'localhost', verify)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f'{self.folder.name}/ec.pem', f'{self.folder.name}/ec.key')
            if verify:
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(peer, server_side=True).recv(1)
                ok, _, _, why, _ = self.secured_out(number)
                self.assertEqual((ok, why), (0, b'certificate verify failed'))
                continue
            peer = context.wrap_socket(peer, server_side=True)
            self.addCleanup(peer.close)
            ok, verified, version, _, fd = self.secured_out(number)
            self.assertEqual((ok, verified, version), (1, 0, b'TLSv1.3'))
            stream = socket.socket(fileno=fd)
            stream.send(b'EHLO x\r\n')
            self.assertEqual(peer.recv(100), b'EHLO x\r\n')
            stream.close()
            self.assertEqual(peer.recv(100), b'')

    def test_out_refused(self):
        self.start_out('send_connect_time=1 s\n')
        server = self.server()
        port = server.getsockname()[1]
        server.close()
        self.assertEqual(self.open_out(1, port), (None, b'Connection refused'))
        self.assertEqual(self.open_out(1, port, b'\1\2\3'), (None, b'not an address'))

    def test_out_clear_text_behind(self):
        self.start_out()
        server = self.server()
        stream, _ = self.open_out(1, server.getsockname()[1])
        peer, _ = server.accept()
        peer.send(b'220 go\r\n250-AUTH PLAIN\r\n250 X\r\n')
        time.sleep(.1)
        self.assertEqual(stream.recv(8), b'220 go\r\n')
        self.secure_out(1, stream, 'localhost', 0)
        ok, _, _, why, _ = self.secured_out(1)
        self.assertEqual((ok, why), (0, b'clear text behind STARTTLS'))
        with self.assertRaises(ConnectionError):
            if not peer.recv(100):
                raise ConnectionError

    def test_out_reset_is_told(self):
        self.start_out()
        server = self.server()
        stream, _ = self.open_out(1, server.getsockname()[1])
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        peer.close()
        self.assertEqual(stream.recv(100), b'')
        kind, body, _ = self.out.receive()
        self.assertEqual(kind, self.GONE)
        self.assertIn(b'reset', body)


class Lines(unittest.TextTestResult):
    """Results as lines of the script protocol of tests/run."""

    def addSuccess(self, test):
        super().addSuccess(test)
        print(f'ok {test.id().split(".")[-1]}', flush=True)

    def wrong(self, test, err):
        why = ' '.join(str(err[1]).split())[:600]
        print(f'not ok {test.id().split(".")[-1]}: {err[0].__name__} {why}', flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.wrong(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.wrong(test, err)


if __name__ == '__main__':
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    PROGRAMS = os.path.join(os.environ.get('POSTHOLD_BUILD') or os.path.join(root, 'build'), 'src', 'roles')
    unittest.main(verbosity=0, warnings='ignore',
                  testRunner=unittest.TextTestRunner(resultclass=Lines, verbosity=0))
