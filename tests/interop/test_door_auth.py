#!/usr/bin/env python3
"""Who gets in: tries, bans, known devices, mechanisms, what an answer tells about an account, revocation, and a fresh
installation (THREATS 2.16, 2.24, 3)."""
import base64
import hashlib
import hmac
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, SERVICES, Instance, Report
from wire import Log, Wire, plain, serves

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
ACCOUNTS = {f'{n}@example.test': PASSWORD for n in ('anna', 'ben', 'carl', 'dora', 'emil')}
WRONG = 'a wrong password'
BANS = {'loopback_limits': 'yes', 'ban_failures': 3, 'ban_time': '1 m', 'auth_tries': 2, 'greeting_delay': '0 s', 'conn_client_new': 1000,
        'tls_handshake_rate': 1000}
TRIES = 200  # of each kind, to compare times


def smtp(it, source=None):
    w = Wire(it, 'submissions', source=source)
    w.hello()
    return w


def imap(it, source=None):
    w = Wire(it, 'imaps', source=source)
    w.line()
    return w


def fail(it, source, name=ANNA, times=1):
    for _ in range(times):
        with smtp(it, source) as w:
            w.command('AUTH PLAIN ' + plain(name, WRONG), 535, '5.7.8')


def gets_in(it, source=None, name=ANNA, password=PASSWORD):
    with smtp(it, source) as w:
        w.command('AUTH PLAIN ' + plain(name, password), 235, '2.7.0')
    with imap(it, source) as w:
        text, _ = w.tagged(f'LOGIN {name} "{password}"')
        assert text.startswith('OK'), text


def banned(it, source, name=ANNA):
    """Even the right password: 421, BYE."""
    w = smtp(it, source)
    w.send('AUTH PLAIN ' + plain(name, PASSWORD) + '\r\n')
    w.expect(421, '4.7.0')
    assert w.ended() == b''
    w = imap(it, source)
    text, _ = w.tagged(f'LOGIN {name} "{PASSWORD}"')
    assert text.startswith('NO [UNAVAILABLE]'), text
    assert w.ended() == b'* BYE Too many failed log-ins from your address\r\n'


# ---- tries and bans ----

def auth_tries(it):
    log = Log(it)
    w = smtp(it, '127.1.0.1')
    w.command('AUTH PLAIN ' + plain(ANNA, WRONG), 535, '5.7.8')
    gets_in(it, '127.1.0.99')
    w.command('AUTH PLAIN ' + plain('nobody@example.test', WRONG), 535, '5.7.8')
    w.send('AUTH PLAIN ' + plain(ANNA, PASSWORD) + '\r\n')
    w.expect(421, '4.7.0')
    assert w.ended() == b''
    log.saw('auth.failed', address='127.1.0.1', name=ANNA, reason='wrong password')
    log.saw('auth.failed', address='127.1.0.1', name='nobody@example.test', reason='no such account')
    log.saw('smtp.ended', code=421, why='Too many failed attempts')
    w = imap(it, '127.1.0.2')
    for _ in range(2):
        text, _ = w.tagged(f'LOGIN {ANNA} "{WRONG}"')
        assert text.startswith('NO [AUTHENTICATIONFAILED]'), text
    w.send(f'a LOGIN {ANNA} "{PASSWORD}"\r\n')
    assert w.ended() == b'* BYE Too many failed log-ins\r\n'
    log.saw('login.closed', why='Too many failed log-ins')
    # Within one connection the second try may be right.
    w = smtp(it, '127.1.0.3')
    w.command('AUTH PLAIN ' + plain(ANNA, WRONG), 535, '5.7.8')
    w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD), 235, '2.7.0')


def ban_failures(it):
    """Two failures are nothing, the third bans the address, and no other; it can be lifted."""
    log = Log(it)
    fail(it, '127.2.0.1', times=2)
    gets_in(it, '127.2.0.1', BEN)
    fail(it, '127.2.0.1')
    banned(it, '127.2.0.1', ANNA)
    event = log.saw('auth.ban', network='127.2.0.1')
    assert 50 <= event['seconds'] <= 60, event
    gets_in(it, '127.2.0.2')
    assert [r['network'] for r in it.json('ban', 'list')] == ['127.2.0.1'], it.json('ban', 'list')
    it.cli('ban', 'remove', '127.2.0.1')
    gets_in(it, '127.2.0.1')


def known_device(it):
    """From where its owner has logged in before a ban does not keep the owner out, only others."""
    gets_in(it, '127.3.0.1', 'carl@example.test')
    fail(it, '127.3.0.1', BEN, times=3)
    banned(it, '127.3.0.1', BEN)
    gets_in(it, '127.3.0.1', 'carl@example.test')
    it.cli('ban', 'remove', '127.3.0.1')


def spraying(it):
    """One try at each of many names is what bans are for, whether the names exist or not."""
    for name in ('anna@example.test', 'nobody1@example.test', 'nobody2@other.test'):
        fail(it, '127.4.0.1', name)
    banned(it, '127.4.0.1', 'emil@example.test')
    it.cli('ban', 'remove', '127.4.0.1')


def by_imap_too(it):
    """Failures of all services count together."""
    fail(it, '127.5.0.1')
    for _ in range(2):
        with imap(it, '127.5.0.1') as w:
            text, _ = w.tagged(f'LOGIN {ANNA} "{WRONG}"')
            assert text.startswith('NO [AUTHENTICATIONFAILED]'), text
    banned(it, '127.5.0.1')


def not_the_account(it):
    """Tries from everywhere do not lock the owner out."""
    for i in range(12):
        fail(it, f'127.6.0.{i + 1}', 'dora@example.test')
    gets_in(it, '127.6.1.1', 'dora@example.test')


def ban_networks(it):
    """A network by hand: its first and last address, not the neighbours; mail from there goes on; owners are let in."""
    gets_in(it, '127.8.0.9', 'carl@example.test')
    assert it.cli('ban', 'add', '127.8.0.77/25').stdout == 'banned 127.8.0.0/25\n'
    for source in ('127.8.0.0', '127.8.0.127'):
        banned(it, source)
    gets_in(it, '127.8.0.128')
    gets_in(it, '127.7.255.255')
    gets_in(it, '127.8.0.9', 'carl@example.test')
    banned(it, '127.8.0.9', ANNA)
    serves(it, '127.8.0.1')
    assert '127.8.0.0/25' in [r['network'] for r in it.json('ban', 'list')]
    for network, why in (('127.8.0.5', '127.8.0.5 is banned as part of 127.8.0.0/25'), ('127.8.1.5', '127.8.1.5 is not banned')):
        result = it.cli('ban', 'remove', network, check=False)
        assert result.returncode != 0 and why in result.stderr, result
    for network, why in (('10.0.0.0/7', 'cannot be banned'), ('2001:db8::/129', 'cannot be banned'), ('10.0.0/8', 'no address or network')):
        result = it.cli('ban', 'add', network, check=False)
        assert result.returncode != 0 and why in result.stderr, result
    it.cli('ban', 'remove', '127.8.0.0/25')
    gets_in(it, '127.8.0.127')


def ban_lasts(it):
    """A ban outlives a restart."""
    it.cli('ban', 'add', '127.9.0.0')
    it.cli('ban', 'add', '127.9.0.1')
    it.cli('ban', 'add', '127.9.1.0/24')
    it.cli('ban', 'add', '2001:db8::/40')
    it.stop()
    it.start()
    banned(it, '127.9.0.1')
    banned(it, '127.9.1.200')
    gets_in(it, '127.9.0.2')
    serves(it, '127.9.0.3')
    assert {r['network'] for r in it.json('ban', 'list')} >= {'127.9.0.0', '127.9.0.1', '127.9.1.0/24', '2001:db8::/40'}


def bans():
    with Instance(accounts=ACCOUNTS, options=BANS) as it:
        for test in (auth_tries, ban_failures, known_device, spraying, by_imap_too, not_the_account, ban_networks,
                     ban_lasts):
            report.run(test.__name__, test, it)


# ---- mechanisms ----

def malformed(it):
    """What no client would send: refused alike, and the connection goes on."""
    w = smtp(it)
    b64 = lambda b: base64.b64encode(b).decode()  # noqa: E731
    name, password = ANNA.encode(), PASSWORD.encode()
    for message in (b'', name + password, b'\0' + name + password, b'\0' + name + b'\0' + password + b'\0', b'\0\0\0\0', b'\0\0' + password,
                    b'\0' + name + b'\0', BEN.encode() + b'\0' + name + b'\0' + password, b'root\0' + name + b'\0' + password,
                    b'\0' + b'x' * 5000 + b'\0' + password, b'\0\xff\xfe\0' + password, b'\0' + name + b'\0' + password + b'\xff'):
        w.command('AUTH PLAIN ' + (b64(message) or '='), 535, '5.7.8')
    w.command('AUTH PLAIN !!!!', 501)
    w.command('AUTH PLAIN AAA', 501)
    w.command('AUTH PLAIN', 334)
    w.command('*', 501, '5.7.0')
    for mechanism in ('CRAM-MD5', 'DIGEST-MD5', 'NTLM', 'GSSAPI', 'ANONYMOUS', 'EXTERNAL', 'XOAUTH2', 'SCRAM-SHA-1', 'PLAIN2'):
        w.command(f'AUTH {mechanism}', 504, '5.5.4')
    w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD, ANNA), 235, '2.7.0')
    w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD), 503, '5.5.1')


def spellings(it):
    """Case of the name does not matter, that of the password does."""
    gets_in(it, name='ANNA@Example.TEST')
    w = smtp(it)
    w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD.upper()), 535, '5.7.8')
    w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD + ' '), 535, '5.7.8')
    w.command('AUTH PLAIN ' + plain('anna', PASSWORD), 535, '5.7.8')
    w.command('AUTH PLAIN ' + plain('anna+x@example.test', PASSWORD), 535, '5.7.8')


def impostors(it):
    """Nobody tells us who they are but by logging in."""
    w = smtp(it)
    for command in ('XCLIENT ADDR=192.0.2.1 NAME=x', 'XFORWARD ADDR=192.0.2.1', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 25'):
        w.command(command, 500, '5.5.2')
    w = Wire(it, 'smtp')
    w.expect(220)
    w.command('PROXY TCP4 192.0.2.1 192.0.2.2 1 25', 500, '5.5.2')
    w = Wire(it, 'imaps', tls=False)
    w.raw(b'\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff' + b'x' * 100)  # the second version of PROXY, which lies about its length
    assert b'OK' not in w.ended()


class Scram:
    """The client's side of SCRAM-SHA-256 (RFC 5802), with every part open to lies."""

    def __init__(self, name, password, header='n,,', binding=b''):
        self.name, self.password, self.header, self.binding = name, password, header, binding
        self.nonce = base64.b64encode(os.urandom(18)).decode()

    def first(self):
        self.bare = f'n={self.name},r={self.nonce}'
        return self.header + self.bare

    def last(self, challenge, proof=None):
        parts = dict(p.split('=', 1) for p in challenge.split(','))
        self.parts = parts
        assert parts['r'].startswith(self.nonce) and len(parts['r']) > len(self.nonce) + 15, challenge
        salted = hashlib.pbkdf2_hmac('sha256', self.password.encode(), base64.b64decode(parts['s']), int(parts['i']))
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        without = f'c={bound},r={parts["r"]}'
        message = f'{self.bare},{challenge},{without}'.encode()
        client = hmac.digest(salted, b'Client Key', 'sha256')
        signature = hmac.digest(hashlib.sha256(client).digest(), message, 'sha256')
        self.server = base64.b64encode(hmac.digest(hmac.digest(salted, b'Server Key', 'sha256'), message, 'sha256')).decode()
        made = bytes(a ^ b for a, b in zip(client, signature))
        return f'{without},p={base64.b64encode(proof or made).decode()}'


def scram(w, client, mechanism='SCRAM-SHA-256', proof=None):
    """The exchange over SMTP: the last reply."""
    b64 = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
    w.send(f'AUTH {mechanism} {b64(client.first())}\r\n')
    reply = w.reply()
    if reply.code != 334:
        return reply
    w.send(b64(client.last(base64.b64decode(reply.lines[0][4:]).decode(), proof)) + '\r\n')
    reply = w.reply()
    if reply.code != 334:
        return reply
    assert base64.b64decode(reply.lines[0][4:]).decode() == 'v=' + client.server, 'the server does not know the password'
    w.send('\r\n')
    return w.reply()


def scram_exchanges(it):
    w = smtp(it)
    plus = b'SCRAM-SHA-256-PLUS' in b''.join(w.command('EHLO client.test', 250).lines)
    rows = [(Scram(ANNA, WRONG), 'SCRAM-SHA-256'), (Scram('nobody@example.test', PASSWORD), 'SCRAM-SHA-256'),
            (Scram(ANNA, PASSWORD, header='n,a=ben@example.test,'), 'SCRAM-SHA-256')]
    if plus:  # we offered it: a client that says we did not has been lied to
        rows += [(Scram(ANNA, PASSWORD, header='y,,'), 'SCRAM-SHA-256'),
                 (Scram(ANNA, PASSWORD, header='p=tls-exporter,,', binding=os.urandom(32)), 'SCRAM-SHA-256-PLUS'),
                 (Scram(ANNA, PASSWORD, header='p=tls-exporter,,'), 'SCRAM-SHA-256-PLUS'),
                 (Scram(ANNA, PASSWORD), 'SCRAM-SHA-256-PLUS')]
    for client, mechanism in rows:
        reply = scram(w, client, mechanism)
        assert (reply.code, reply.enhanced) == (535, '5.7.8'), (client.header, mechanism, reply)
    reply = scram(w, Scram(ANNA, PASSWORD), proof=bytes(32))
    assert (reply.code, reply.enhanced) == (535, '5.7.8'), reply
    reply = scram(w, Scram(ANNA, PASSWORD))
    assert (reply.code, reply.enhanced) == (235, '2.7.0'), reply


def scram_replayed(it):
    """A proof is good once, for the nonce that it was made for."""
    b64 = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
    client, w = Scram(ANNA, PASSWORD), smtp(it)
    w.send(f'AUTH SCRAM-SHA-256 {b64(client.first())}\r\n')
    last = client.last(base64.b64decode(w.expect(334).lines[0][4:]).decode())
    w.command('*', 501, '5.7.0')
    for _ in range(2):
        w.send(f'AUTH SCRAM-SHA-256 {b64(client.first())}\r\n')
        w.expect(334)
        w.command(b64(last), 535, '5.7.8')


# ---- what an answer tells ----

def same_words(it):
    """Known or not: the same reply to the octet, by every mechanism."""
    for mechanism in ('PLAIN', 'LOGIN', 'SCRAM'):
        said = []
        for name in (ANNA, 'nobody@example.test'):
            w = smtp(it)
            if mechanism == 'PLAIN':
                w.send('AUTH PLAIN ' + plain(name, WRONG) + '\r\n')
            elif mechanism == 'LOGIN':
                w.command('AUTH LOGIN', 334)
                w.command(base64.b64encode(name.encode()).decode(), 334)
                w.send(base64.b64encode(WRONG.encode()) + b'\r\n')
            else:
                said.append(repr(scram(w, Scram(name, WRONG))))
                continue
            said.append(repr(w.reply()))
        assert said[0] == said[1], said
    said = []
    for name in (ANNA, 'nobody@example.test'):
        w = imap(it)
        said.append(w.tagged(f'LOGIN {name} "{WRONG}"'))
    assert said[0] == said[1], said


def same_salt(it):
    """The salt of somebody who does not exist looks and stays like one of somebody who does."""
    seen = {}
    for name in (ANNA, 'nobody@example.test', 'NOBODY@Example.test'):
        for _ in range(2):
            client, w = Scram(name, WRONG), smtp(it)
            assert scram(w, client).code == 535
            seen.setdefault(name, []).append((client.parts['s'], client.parts['i']))
    for name, parts in seen.items():
        assert parts[0] == parts[1], (name, parts)
    assert len(base64.b64decode(seen[ANNA][0][0])) == len(base64.b64decode(seen['nobody@example.test'][0][0]))
    assert seen[ANNA][0][1] == seen['nobody@example.test'][0][1], seen
    assert seen['nobody@example.test'] == seen['NOBODY@Example.test'], seen
    assert seen[ANNA][0][0] != seen['nobody@example.test'][0][0]


def same_time(it):
    """A statistical check with a generous bound: medians of many tries, taken in turns so that load hits both alike."""
    kinds = {ANNA: [], 'nobody@example.test': []}
    for i in range(TRIES):
        if i % 40 == 0:
            w = smtp(it)
        for name, times in kinds.items():
            begun = time.perf_counter()
            w.command('AUTH PLAIN ' + plain(name, WRONG), 535, '5.7.8')
            times.append(time.perf_counter() - begun)
    known, unknown = (statistics.median(t) for t in kinds.values())
    bound = max(0.003, 0.15 * max(known, unknown))
    assert abs(known - unknown) < bound, f'known {known * 1000:.2f} ms, unknown {unknown * 1000:.2f} ms'


def log_is_clean(it):
    """No password, tried or right, is in the log."""
    text = it.events_text()
    for secret in (PASSWORD, WRONG):
        assert secret not in text and base64.b64encode(secret.encode()).decode() not in text
        assert plain(ANNA, secret) not in text


# ---- revocation ----

def password_changed(it):
    """A new password ends what the old one began, within a second, and the old one is worth nothing at once."""
    gets_in(it, name=BEN)  # the old one is remembered as right
    w, m, other = smtp(it), imap(it), imap(it)
    w.command('AUTH PLAIN ' + plain(BEN, PASSWORD), 235, '2.7.0')
    assert m.tagged(f'LOGIN {BEN} "{PASSWORD}"')[0].startswith('OK')
    assert other.tagged(f'LOGIN {ANNA} "{PASSWORD}"')[0].startswith('OK')
    begun = time.monotonic()
    it.cli('account', 'password', BEN, '--password-stdin', input='entirely another passphrase\n')
    smtp_said, imap_said = w.ended(), m.ended()
    assert time.monotonic() - begun < 2.5, 'it took long'
    assert smtp_said.startswith(b'421 4.3.2 '), smtp_said
    assert imap_said.startswith(b'* BYE '), imap_said
    with smtp(it) as w:
        w.command('AUTH PLAIN ' + plain(BEN, PASSWORD), 535, '5.7.8')
        w.command('AUTH PLAIN ' + plain(BEN, 'entirely another passphrase'), 235, '2.7.0')
    assert other.tagged('NOOP')[0].startswith('OK'), 'somebody else was thrown out'


def disabled(it):
    m = imap(it)
    assert m.tagged(f'LOGIN carl@example.test "{PASSWORD}"')[0].startswith('OK')
    m.send('b IDLE\r\n')
    m.line()
    it.cli('account', 'disable', 'carl@example.test')
    assert m.ended().startswith(b'* BYE ')
    with smtp(it) as w:
        w.command('AUTH PLAIN ' + plain('carl@example.test', PASSWORD), 535, '5.7.8')
        w.command('AUTH PLAIN ' + plain('carl@example.test', WRONG), 535, '5.7.8')
    it.cli('account', 'enable', 'carl@example.test')
    gets_in(it, name='carl@example.test')


def removed(it):
    m = imap(it)
    assert m.tagged(f'LOGIN emil@example.test "{PASSWORD}"')[0].startswith('OK')
    it.cli('account', 'remove', 'emil@example.test')
    assert m.ended().startswith(b'* BYE ')
    with smtp(it) as w:
        w.command('AUTH PLAIN ' + plain('emil@example.test', PASSWORD), 535, '5.7.8')


def exchanges():
    with Instance(accounts=ACCOUNTS, options={'auth_tries': 100, 'bad_commands': 100, 'bad_commands_user': 100}) as it:
        for test in (malformed, spellings, impostors, scram_exchanges, scram_replayed, same_words, same_salt, same_time, password_changed,
                     disabled, removed, log_is_clean):
            report.run(test.__name__, test, it)


def auth_hash_queue():
    """One hash at a time and one that waits: the rest is told to come back, and nobody else notices."""
    options = {'auth_workers': 1, 'auth_hash_queue': 1, 'argon2_memory': '64 MiB', 'argon2_passes': 4}
    with Instance(options=options) as it:
        clients = [smtp(it) for _ in range(6)]
        m = imap(it)
        replies = []

        def one(w):
            w.send('AUTH PLAIN ' + plain(ANNA, WRONG) + '\r\n')
            r = w.reply()
            replies.append((r.code, r.enhanced))
        threads = [threading.Thread(target=one, args=(w,)) for w in clients]
        for t in threads:
            t.start()
        m.send(f'a LOGIN {ANNA} "{WRONG}"\r\n')
        serves(it)
        for t in threads:
            t.join()
        m.line()
        assert set(replies) == {(535, '5.7.8'), (454, '4.7.0')}, replies
        assert replies.count((454, '4.7.0')) >= 3, replies
        gets_in(it)


# ---- a fresh installation ----

def listening(it):
    """Port numbers, without the offset, at which a process of the instance listens."""
    inodes = set()
    for pid in it.pids():
        for fd in os.listdir(f'/proc/{pid}/fd'):
            try:
                inodes.add(os.readlink(f'/proc/{pid}/fd/{fd}'))
            except OSError:
                pass
    ports = set()
    for table in ('/proc/net/tcp', '/proc/net/tcp6', '/proc/net/udp', '/proc/net/udp6'):
        for row in open(table).read().splitlines()[1:]:
            words = row.split()
            state = words[3] == '0A' or 'udp' in table
            if state and f'socket:[{words[9]}]' in inodes:
                ports.add(int(words[1].split(':')[1], 16) - it.offset)
    return ports


def fresh():
    with Instance(accounts={}) as it:
        ports = listening(it)
        assert ports == {SERVICES[s] for s in ('smtp', 'submission', 'submissions', 'imaps')}, ports
        for service in ('submissions', 'imaps'):  # in clear these say nothing at all
            w = Wire(it, service, tls=False)
            w.sock.settimeout(0.5)
            try:
                assert not w.receive(), w.plain
            except TimeoutError:
                pass
        for name in ('admin', 'root', 'postmaster', 'admin@example.test', 'postmaster@example.test', 'root@example.test', ''):
            for password in ('', 'admin', 'password', 'posthold', 'changeme', 'root', '123456', name):
                with imap(it) as w:
                    text, _ = w.tagged(f'LOGIN "{name}" "{password}"')
                    assert text.startswith('NO [AUTHENTICATIONFAILED]'), (name, password, text)
        mode = os.stat(os.path.join(it.dir, 'data')).st_mode & 0o077 if os.path.isdir(os.path.join(it.dir, 'data')) else 0
        assert mode == 0, oct(mode)
        serves(it)


if __name__ == '__main__':
    bans()
    exchanges()
    report.run('auth_hash_queue', auth_hash_queue)
    report.run('fresh installation', fresh)
    sys.exit(report.end())
