#!/usr/bin/env python3
"""The door of IMAP: every budget before and after log-in at its limit and one past it, injections across STARTTLS, and
input that is only there to cost memory (THREATS 2.3, 2.15, 3)."""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter
from wire import Closed, Log, Wire, parallel, serves

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
SMALL = {'imap_clear': 'yes', 'imap_preauth_line': '1 KiB', 'literal_preauth': 512, 'literal_nonsync': 512, 'bad_commands': 3,
         'bad_commands_user': 4, 'imap_line': '8 KiB', 'mailbox_name': 255, 'mailbox_depth': 5, 'mailbox_count': 20,
         'message_size': '64 KiB'}
TIMES = {'imap_clear': 'yes', 'preauth_time': '3 s', 'account_sessions': 3, 'imap_idle': '3 s', 'imap_output_stall': '10 s',
         'imap_output_queue': '64 KiB', 'imap_search_cpu': '1 s'}


def open_imap(it, service='imaps', source=None):
    w = Wire(it, service, source=source)
    assert w.line().startswith(b'* OK [CAPABILITY '), 'no greeting'
    return w


def user(it, address=ANNA):
    w = open_imap(it)
    w.login(address, PASSWORD)
    return w


def answers(w, text, expected, tag='a'):
    """The tagged answer begins with this."""
    got, untagged = w.tagged(text, tag)
    assert got.startswith(expected), f'{text[:60]!r}...: expected {expected}, got {got}'
    return untagged


def last_line(w, *expected):
    """These lines, of which only the beginnings count, and then the end."""
    said = w.ended()
    lines = said.split(b'\r\n')
    assert lines[-1] == b'' and len(lines) == len(expected) + 1, said[:300]
    for line, want in zip(lines, expected):
        assert line.startswith(want.encode()), said[:300]


def serves_imap(it):
    with user(it, BEN) as w:
        answers(w, 'NOOP', 'OK')


# ---- before log-in ----

def preauth_line(it):
    w = open_imap(it)
    answers(w, 'NOOP', 'OK')
    # Octets with CRLF: "a LOGIN x " is ten.
    w.send(b'a LOGIN x ' + b'y' * (1024 - 12) + b'\r\n')
    assert w.line().startswith(b'a NO ['), 'a line at the limit was not read'
    w.send(b'a LOGIN x ' + b'y' * (1025 - 12) + b'\r\n')
    last_line(w, 'a BAD [TOOBIG] ', '* BYE ')


def preauth_literals(it):
    w = open_imap(it)
    w.send('a LOGIN {300}\r\n')
    assert w.line() == b'+ OK\r\n'
    w.send(b'x' * 300 + b' {212}\r\n')
    assert w.line() == b'+ OK\r\n'
    w.send(b'y' * 212 + b'\r\n')
    assert w.line().startswith(b'a NO ['), 'literals at the limit were not read'
    w.send('a LOGIN {300}\r\n')
    assert w.line() == b'+ OK\r\n'
    w.send(b'x' * 300 + b' {213}\r\n')
    last_line(w, 'a BAD [TOOBIG] ', '* BYE ')


def preauth_nonsync(it):
    w = open_imap(it)
    w.send(b'a LOGIN {1+}\r\nx {511+}\r\n' + b'y' * 511 + b'\r\n')
    assert w.line().startswith(b'a NO ['), 'a literal at the limit was not read'
    w.send(b'a LOGIN {513+}\r\n')
    last_line(w, 'a BAD [TOOBIG] ', '* BYE ')


def preauth_bad_commands(it):
    log = Log(it)
    w = open_imap(it)
    for _ in range(3):
        answers(w, 'NONSENSE', 'BAD')
    serves_imap(it)
    w.send('a NONSENSE\r\n')
    last_line(w, 'a BAD ', '* BYE Too many commands that make no sense')
    log.saw('login.closed', why='Too many commands that make no sense')


def preauth_state(it):
    """What needs a log-in is refused without looking."""
    for command in ('SELECT INBOX', 'LIST "" *', 'FETCH 1 BODY[]', 'APPEND INBOX {10+}\r\n0123456789'):
        w = open_imap(it)
        w.send(f'a {command}\r\n')
        line = w.line()
        assert line.startswith(b'a BAD'), line


def hostile(it):
    """Sizes that lie, nesting without end, NUL: BAD, BYE, the end; the role's memory stays flat."""
    warm(it)
    before = it.resident('login')
    inputs = [b'a LOGIN {4294967295}\r\n', b'a LOGIN {99999999999999999999}\r\n', b'a LOGIN {18446744073709551615+}\r\n',
              b'a LOGIN {4097+}\r\n', b'a NOOP ' + b'(' * 4000000, b'a' * 1000000 + b' NOOP\r\n', b'a LOGIN "' + b'x' * 4000000,
              b'a ID (' + b'"x" ' * 1000000, b'a AUTHENTICATE PLAIN ' + b'A' * 1000000, b'a LOGIN "u\0x" "p"\r\n', b'a LOGIN "\\\0" x\r\n',
              b'a NOOP\n', b'a NOOP\rx', b'\0', b'\xff' * 2000000, b'a LOGIN {1}\r\nx {1}\r\n' * 10000]
    for text in inputs * 3:
        w = open_imap(it)
        try:
            w.send(text)
        except (ConnectionError, TimeoutError):
            pass
        try:
            said = w.ended(10)
        except ConnectionError:
            continue
        assert len(said) < 4096 and (b'BYE' in said or said == b''), (text[:40], said[:200])
    for text in (b'a LOGIN {-1}\r\n', b'a LOGIN {0}\r\n', b'a LOGIN "\\x" y\r\n', b'* NOOP\r\n', b'+ NOOP\r\n', b'a\r\n', b' \r\n', b'\r\n'):
        w = open_imap(it)
        w.send(text)
        line = w.line()
        assert re.match(rb'(a|\*) BAD |\+ OK', line), (text, line)
    growth = it.resident('login') - before
    assert growth < 4 * 1024 * 1024, f'login grew by {growth} octets'
    serves_imap(it)


def warm(it):
    for _ in range(20):
        with open_imap(it) as w:
            answers(w, 'NOOP', 'OK')


def held(it):
    """Many clients that stop in the middle of a command: each costs no more than its budget."""
    warm(it)
    before = it.resident('login')
    clients = [Wire(it, 'imap') for _ in range(200)]
    for w in clients:
        w.line()
        w.send(b'a LOGIN "' + b'x' * 1000)
    serves_imap(it)
    each = (it.resident('login') - before) / len(clients)
    assert each < 64 * 1024, f'{each:.0f} octets each'
    for w in clients:
        w.close()


# ---- across STARTTLS ----

def behind_starttls(it):
    """Octets in clear behind STARTTLS: no answer to them, no handshake."""
    for behind in (b'b LOGIN x y\r\n', b'b NOOP\r\n', b'\r\n', b'\x16\x03\x01', b'b CAPABILITY\r\n' * 100):
        w = open_imap(it, 'imap')
        w.send(b'a STARTTLS\r\n' + behind)
        said = w.ended()
        assert b'b ' not in said and b'CAPABILITY' not in said, said
        assert said in (b'', b'a OK Begin TLS now\r\n'), said
    w = open_imap(it, 'imap')
    w.send(b'a STARTTLS\nb NOOP\r\n')
    last_line(w, 'a BAD ', '* BYE ')


def starttls_forgets(it):
    w = open_imap(it, 'imap')
    greeting = answers(w, 'CAPABILITY', 'OK')[0]
    assert b'STARTTLS' in greeting and b'LOGINDISABLED' in greeting and b'AUTH=' not in greeting, greeting
    w.starttls()
    w.silent(0.3)  # no second greeting
    capabilities = answers(w, 'CAPABILITY', 'OK')[0]
    assert b'STARTTLS' not in capabilities and b'LOGINDISABLED' not in capabilities and b'AUTH=PLAIN' in capabilities, capabilities
    answers(w, 'STARTTLS', 'BAD')
    w.login(ANNA, PASSWORD)
    answers(w, 'STARTTLS', 'BAD')
    w = open_imap(it)
    answers(w, 'STARTTLS', 'BAD')


def no_login_in_clear(it):
    w = open_imap(it, 'imap')
    answers(w, f'LOGIN {ANNA} "{PASSWORD}"', 'NO [PRIVACYREQUIRED]')
    answers(w, 'AUTHENTICATE PLAIN', 'NO [PRIVACYREQUIRED]')
    answers(w, 'NOOP', 'OK')


def http(it):
    w = open_imap(it, 'imap')
    w.send(b'POST / HTTP/1.1\r\nHost: injected.test\r\n\r\na LOGIN injected injected\r\n')
    said = w.ended()
    assert b'injected' not in said and said.count(b'\r\n') <= 1, said


# ---- after log-in ----

def line(it):
    w = user(it)
    answers(w, 'SELECT INBOX', 'OK')
    for octets, expected in ((8192, 'OK'), (8193, 'BAD [TOOBIG]'), (200000, 'BAD [TOOBIG]')):
        body = f'a SEARCH SUBJECT "{"x" * (octets - 20 - 1)}"\r\n'
        assert len(body) == octets, (len(body), octets)
        w.send(body)
        got, _ = w.tagged_end()
        assert got.startswith(expected), (octets, got[:80])
    answers(w, 'NOOP', 'OK')


def endless_command(it):
    w = user(it)
    try:
        for _ in range(64):
            w.send(b'a' * 65536)
    except OSError:
        pass
    try:
        said = w.ended()
    except ConnectionError:
        said = b''
    assert said == b'' or b'* BYE ' in said, said[:200]
    serves_imap(it)


def nonsync(it):
    w = user(it)
    w.send(b'a LIST "" {512+}\r\n' + b'x' * 512 + b'\r\n')
    got, _ = w.tagged_end()
    assert got.startswith('OK'), got
    w.send(b'a LIST "" {513+}\r\n')
    last_line(w, 'a BAD [TOOBIG] ', '* BYE ')
    w = user(it)
    w.send(b'a APPEND INBOX {513+}\r\n')
    last_line(w, 'a BAD [TOOBIG] ', '* BYE ')


def bad_commands(it):
    w = user(it)
    for _ in range(4):
        answers(w, 'NONSENSE', 'BAD')
    w.send('a NONSENSE\r\n')
    last_line(w, '* BYE Too many bad commands')


def depths(it):
    rows = (('(' * 50 + 'ALL' + ')' * 50, 'OK'), ('(' * 51 + 'ALL' + ')' * 51, 'BAD [LIMIT]'),
            ('NOT ' * 99 + 'ALL', 'OK'), ('NOT ' * 100 + 'ALL', 'BAD [LIMIT]'), ('NOT ' * 2000 + 'ALL', 'BAD [LIMIT]'), ('OR ' * 1000 + 'ALL ' * 1001, 'BAD [LIMIT]'),
            ('(' * 4000, 'BAD'))
    for program, expected in rows:
        w = user(it)
        answers(w, 'SELECT INBOX', 'OK')
        answers(w, 'SEARCH ' + program.strip(), expected)
        answers(w, 'NOOP', 'OK')


def search_keys(it):
    w = user(it)
    answers(w, 'SELECT INBOX', 'OK')
    answers(w, 'SEARCH ' + ' '.join(['ALL'] * 999), 'OK')  # the list of them counts, too
    answers(w, 'SEARCH ' + ' '.join(['ALL'] * 1000), 'BAD [LIMIT]')
    answers(w, 'NOOP', 'OK')


def mailbox_name(it):
    w = user(it)
    answers(w, 'CREATE ' + 'n' * 255, 'OK')
    answers(w, 'CREATE ' + 'n' * 256, 'NO [CANNOT]')
    answers(w, 'CREATE ' + 'm' * 7000, 'NO [CANNOT]')
    answers(w, f'RENAME {"n" * 255} {"o" * 256}', 'NO [CANNOT]')
    answers(w, f'DELETE {"n" * 255}', 'OK')
    for name in ('../other/INBOX', '..', '/etc/passwd', 'a//b', '"a\x7fb"', '%', '*'):
        got, _ = w.tagged(f'CREATE {name}')
        assert got.startswith(('NO [CANNOT]', 'BAD')), (name, got)
        if got.startswith('BAD'):
            w = user(it)
    assert not any(b'passwd' in row for row in answers(w, 'LIST "" *', 'OK'))


def mailbox_depth(it):
    w = user(it)
    answers(w, 'CREATE a/b/c/d/e', 'OK')
    answers(w, 'CREATE a/b/c/d/e/f', 'NO [CANNOT]')
    answers(w, 'CREATE z', 'OK')
    answers(w, 'RENAME a/b z/a/b', 'NO [CANNOT]')
    for name in ('a/b/c/d/e', 'a/b/c/d', 'a/b/c', 'a/b', 'a', 'z'):
        answers(w, f'DELETE {name}', 'OK')


def mailbox_count(it):
    w = user(it)
    have = len(answers(w, 'LIST "" *', 'OK'))
    for i in range(20 - have):
        answers(w, f'CREATE box{i}', 'OK')
    answers(w, 'CREATE onemore', 'NO [LIMIT]')
    answers(w, 'CREATE p/onemore', 'NO [LIMIT]')
    begun = time.monotonic()
    answers(w, 'LIST "" ' + '%*' * 8, 'OK')
    assert time.monotonic() - begun < 3, 'a pattern of wildcards is slow'
    assert len(answers(w, 'LIST "" *', 'OK')) == 20
    for i in range(20 - have):
        answers(w, f'DELETE box{i}', 'OK')


def message_size(it):
    w = user(it)
    text = letter(BEN, ANNA, 'kept', 'x' * 998 + '\r\n')
    text += (b'y' * 78 + b'\r\n') * ((65536 - len(text)) // 80)
    text += b'z' * (65536 - len(text) - 2) + b'\r\n'
    w.send(f'a APPEND INBOX {{{len(text)}}}\r\n')
    assert w.line() == b'+ OK\r\n'
    w.send(text + b'\r\n')
    got, _ = w.tagged_end()
    assert got.startswith('OK'), got
    w.send(f'a APPEND INBOX {{{len(text) + 1}}}\r\n')
    got, _ = w.tagged_end()
    assert got.startswith('NO [TOOBIG]'), got
    answers(w, 'NOOP', 'OK')
    assert it.messages(ANNA) == [text], 'not exactly the one that fits'


def many_items(it):
    w = user(it)
    answers(w, 'SELECT INBOX', 'OK')
    answers(w, 'FETCH 1:* (' + ' '.join(['BODY[]'] * 1200) + ')', 'BAD')
    got, _ = w.tagged('FETCH 1:* (' + ' '.join(['BODY.PEEK[]<0.1>'] * 400) + ')')
    assert got.startswith(('OK', 'BAD')), got
    answers(w, 'NOOP', 'OK')


def control_characters(it):
    for text in (b'a NOOP\0\r\n', b'a NOOP\n', b'a NOOP\r\r\n', b'a LIST "" "\0"\r\n'):
        w = user(it)
        w.send(text)
        said = w.ended()
        assert b' BAD ' in said and b'* BYE ' in said, (text, said)


# ---- times ----

def preauth_time(it, service):
    begun = time.monotonic()
    w = Wire(it, service)
    w.line()
    while time.monotonic() - begun < 2:
        answers(w, 'NOOP', 'OK')
        time.sleep(0.6)
    last_line(w, '* BYE Time to log in is over')
    assert 2.8 < time.monotonic() - begun < 6, time.monotonic() - begun


def idle(it):
    w = user(it, BEN)
    begun = time.monotonic()
    last_line(w, '* BYE ')
    assert 2.8 < time.monotonic() - begun < 8, time.monotonic() - begun


def account_sessions(it):
    clients = [user(it, 'carl@example.test') for _ in range(3)]
    w = open_imap(it)
    got, _ = w.tagged(f'LOGIN carl@example.test "{PASSWORD}"')
    assert got.startswith('NO [LIMIT]'), got
    serves_imap(it)
    clients[0].send('a LOGOUT\r\n')
    clients[0].ended()
    for _ in range(50):
        w = open_imap(it)
        got, _ = w.tagged(f'LOGIN carl@example.test "{PASSWORD}"')
        if got.startswith('OK'):
            return
        time.sleep(0.1)
    raise AssertionError(f'no room after a session has ended: {got}')


def stalled(it):
    """Who asks for much and reads nothing: output stops growing, the session ends, others do not notice."""
    log = Log(it)
    w = user(it)
    text = letter(BEN, ANNA, 'large', ('x' * 76 + '\r\n') * 13000)  # 1 MB
    for _ in range(4):
        w.send(f'a APPEND INBOX {{{len(text)}}}\r\n')
        assert w.line() == b'+ OK\r\n'
        w.send(text + b'\r\n')
        got, _ = w.tagged_end()
        assert got.startswith('OK'), got
    w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    answers(w, 'SELECT INBOX', 'OK')
    begun = time.monotonic()
    w.send(b''.join(b'b%d FETCH 1:* BODY.PEEK[]\r\n' % i for i in range(20)))
    for _ in range(8):
        time.sleep(1)
        with user(it) as other:  # the same account, the same process
            answers(other, 'NOOP', 'OK')
    log.saw('mailbox.stalled', timeout=20)
    seconds = time.monotonic() - begun
    assert 9 < seconds < 25, seconds


def search_cpu(it):
    """A search that costs too much is given up; the session and others go on."""
    w = user(it, 'dora@example.test')
    text = letter(BEN, ANNA, 'large', ('xy' * 38 + '\r\n') * 13000)
    for _ in range(6):
        w.send(f'a APPEND INBOX {{{len(text)}}}\r\n')
        assert w.line() == b'+ OK\r\n'
        w.send(text + b'\r\n')
        w.tagged_end()
    answers(w, 'SELECT INBOX', 'OK')
    answers(w, 'SEARCH BODY xyx', 'OK')
    begun = time.monotonic()
    w.send('a SEARCH ' + ' '.join(f'NOT BODY "{"xy" * 20}{i}"' for i in range(490)) + '\r\n')
    serves_imap(it)
    got, _ = w.tagged_end()
    assert got.startswith('NO [LIMIT]'), (got, time.monotonic() - begun)
    answers(w, 'SEARCH BODY xyx', 'OK')


def small():
    with Instance(options=SMALL) as it:
        for test in (preauth_line, preauth_literals, preauth_nonsync, preauth_bad_commands, preauth_state, hostile, held, behind_starttls,
                     starttls_forgets, no_login_in_clear, http, line, endless_command, nonsync, bad_commands, depths, search_keys,
                     mailbox_name, mailbox_depth, mailbox_count, message_size, many_items, control_characters):
            report.run(test.__name__, test, it)
        report.run('others are served', serves, it)


def times():
    accounts = {a: PASSWORD for a in (ANNA, BEN, 'carl@example.test', 'dora@example.test')}
    with Instance(options=TIMES, accounts=accounts) as it:
        parallel(report, [('preauth_time 993', preauth_time, it, 'imaps'), ('preauth_time 143', preauth_time, it, 'imap'),
                          ('idle', idle, it), ('account_sessions', account_sessions, it), ('stalled', stalled, it), ('search_cpu', search_cpu, it)])


if __name__ == '__main__':
    times()
    small()
    sys.exit(report.end())
