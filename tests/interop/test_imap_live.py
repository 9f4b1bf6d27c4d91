#!/usr/bin/env python3
"""Sessions of one account side by side: what one does the others hear, and where each of them ends."""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter

report = Report()
ANNA = 'anna@example.test'
SESSIONS = 50
IDLE_SECONDS, STALL_SECONDS = 4, 10


class Client:
    """Lines as they come; nothing is interpreted behind our back."""

    def __init__(self, it, select='INBOX', login=True, receive_buffer=None):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(20)
        raw.connect(('127.0.0.1', it.port('imaps')))
        self.socket = it.ssl().wrap_socket(raw)
        self.file = self.socket.makefile('rb')
        self.count = 0
        self.line()
        if login:
            self.must(f'LOGIN {ANNA} "{PASSWORD}"')
        if login and select:
            self.must(f'SELECT {select}')

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self, timeout=20):
        """One line without its end; '' is the end of the connection."""
        self.socket.settimeout(timeout)
        return self.file.readline().decode('latin-1').rstrip('\r\n')

    def say(self, command):
        """(untagged lines, tagged line without the tag)"""
        self.count += 1
        tag = f't{self.count}'
        self.send(f'{tag} {command}\r\n')
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + ' '):
                return untagged, line[len(tag) + 1:]
            if not line:
                raise RuntimeError(f'{command}: the connection ended behind {untagged}')
            untagged.append(line)

    def must(self, command):
        untagged, tagged = self.say(command)
        assert tagged.startswith('OK'), f'{command}: {tagged}'
        return untagged

    def append(self, text, mailbox='INBOX'):
        self.send(f'ap APPEND {mailbox} {{{len(text)}}}\r\n')
        line = self.line()
        while line.startswith('*'):
            line = self.line()
        assert line.startswith('+'), line
        self.send(text + b'\r\n')
        while not line.startswith('ap '):
            line = self.line()
        assert line.startswith('ap OK'), line

    def idle(self):
        self.send('idle IDLE\r\n')
        assert self.line().startswith('+')

    def done(self):
        self.send('DONE\r\n')
        lines = []
        while not (lines and lines[-1].startswith('idle ')):
            lines.append(self.line())
        assert lines[-1].startswith('idle OK'), lines
        return lines[:-1]

    def close(self):
        self.file.close()
        self.socket.close()


def count_of(client):
    return int(re.search(r'MESSAGES (\d+)', client.must('STATUS INBOX (MESSAGES)')[0])[1])


def text(subject='live'):
    return letter(ANNA, ANNA, subject)


def idle_hears_all(it):
    a, b = Client(it), Client(it)
    n = count_of(b)
    a.idle()
    b.append(text())
    assert a.line() == f'* {n + 1} EXISTS'
    b.must('NOOP')
    b.must(f'STORE {n + 1} +FLAGS.SILENT (\\Flagged)')
    line = a.line()
    while 'RECENT' in line:
        line = a.line()
    assert line.startswith(f'* {n + 1} FETCH (') and '\\Flagged' in line, line
    b.must(f'STORE {n + 1} +FLAGS.SILENT (\\Deleted)')
    b.must('EXPUNGE')
    lines = [a.line()]
    while not lines[-1].endswith('EXPUNGE'):
        lines.append(a.line())
    assert lines[-1] == f'* {n + 1} EXPUNGE', lines
    assert a.done() == []
    a.close()
    b.close()


def idle_in_one_write(it):
    """Many messages at once are one EXISTS or few, and none is told twice."""
    a, b = Client(it), Client(it)
    n = count_of(b)
    a.idle()
    for _ in range(20):
        b.append(text())
    told = []
    while not told or told[-1] < n + 20:
        match = re.match(r'\* (\d+) EXISTS$', a.line())
        if match:
            told.append(int(match[1]))
    assert told == sorted(set(told)) and told[-1] == n + 20, told
    assert all('EXISTS' not in line for line in a.done())
    a.close()
    b.close()


def polling_hears_all(it):
    a, b = Client(it), Client(it)
    n = count_of(b)
    b.append(text())
    b.must('NOOP')
    b.must(f'STORE {n + 1} +FLAGS (\\Answered)')
    lines = a.must('NOOP')
    assert f'* {n + 1} EXISTS' in lines, lines
    # A message that was not known has no change of flags to be told; a known one has.
    b.must(f'STORE {n + 1} +FLAGS (\\Flagged)')
    lines = a.must('NOOP')
    assert any(l.startswith(f'* {n + 1} FETCH') and '\\Flagged' in l for l in lines), lines
    assert a.must('NOOP') == []
    a.close()
    b.close()


def numbers_stay_in_fetch(it):
    """No EXPUNGE in the answer to FETCH, STORE and SEARCH; RFC 9051#7.5.1."""
    a, b = Client(it), Client(it)
    n = count_of(b)
    assert n >= 2
    b.must('STORE 1 +FLAGS.SILENT (\\Deleted)')
    b.must('EXPUNGE')
    for command in (f'FETCH {n} FLAGS', 'SEARCH ALL', f'STORE {n} +FLAGS (x)'):
        lines, tagged = a.say(command)
        assert not any(l.endswith('EXPUNGE') for l in lines), (command, lines)
        assert tagged.startswith('OK'), tagged
    lines, tagged = a.say('FETCH 1 (UID BODY.PEEK[])')
    assert tagged.startswith('NO [EXPUNGEISSUED]'), tagged
    assert '* 1 EXPUNGE' in a.must('NOOP')
    a.close()
    b.close()


def own_changes_are_told_once(it):
    a = Client(it)
    n = count_of(a)
    lines = a.must(f'STORE {n} +FLAGS (own)')
    assert sum('FETCH' in l for l in lines) == 1, lines
    assert a.must(f'STORE {n} -FLAGS.SILENT (own)') == []
    assert a.must('NOOP') == []
    a.close()


def deleted_below_a_session(it):
    a = Client(it)
    a.must('CREATE Gone')
    b = Client(it, select='Gone')
    a.must('DELETE Gone')
    b.send('x NOOP\r\n')
    assert b.line().startswith('* BYE')
    assert b.line() == ''
    a.close()
    b.close()


def sessions_at_the_limit_and_past(it):
    clients = [Client(it, select=None) for _ in range(SESSIONS)]
    for c in clients:
        c.must('NOOP')
    over = Client(it, login=False)
    _, tagged = over.say(f'LOGIN {ANNA} "{PASSWORD}"')
    assert tagged.startswith('NO [LIMIT]'), tagged
    assert over.line().startswith('* BYE')
    assert over.line() == ''
    over.close()
    clients.pop().close()

    def again():
        try:
            Client(it, select=None).close()
        except AssertionError:
            return False
        return True

    it.wait_for(again, what='room for another session')
    for c in clients:
        c.close()


def silent_client(it):
    a = Client(it)
    begin = time.monotonic()
    assert a.line().startswith('* BYE')
    assert a.line() == ''
    assert IDLE_SECONDS - 1 < time.monotonic() - begin < IDLE_SECONDS + 15
    b = Client(it)
    b.idle()
    assert b.line().startswith('* BYE')
    a.close()
    b.close()


def slow_client(it):
    """It needs longer than the stall, and than the idle time, for one answer: both look at progress.

    What the kernel holds for it must be little, or its progress would show more seldom than the stall."""
    a = Client(it, receive_buffer=65536)
    a.send('x FETCH 1:* BODY.PEEK[]\r\n')
    begin = time.monotonic()
    while time.monotonic() - begin < 2 * STALL_SECONDS:
        assert len(a.file.read(15000)) == 15000, 'the connection ended'
        time.sleep(0.5)
    last = next((line for line in a.file if line.startswith(b'x ')), b'the end')
    assert last.startswith(b'x OK'), last
    assert not it.events('mailbox.stalled')
    a.close()


def client_that_does_not_read(it):
    """Its session ends; meanwhile others are served, and it made us remember no more than a window."""
    a = Client(it, receive_buffer=65536)
    a.send('x FETCH 1:* BODY.PEEK[]\r\n' * 200)
    b = Client(it)
    begin = time.monotonic()

    while time.monotonic() - begin < STALL_SECONDS + 30:
        at = time.monotonic()
        b.must('NOOP')
        assert time.monotonic() - at < 5
        if it.events('mailbox.stalled'):
            break
        time.sleep(0.5)
    assert it.events('mailbox.stalled'), 'the session goes on'
    assert time.monotonic() - begin > STALL_SECONDS - 2
    a.close()
    b.close()


def main():
    with Instance() as it:
        for test in (idle_hears_all, idle_in_one_write, polling_hears_all, numbers_stay_in_fetch, own_changes_are_told_once,
                     deleted_below_a_session, sessions_at_the_limit_and_past):
            report.run(test.__name__, test, it)
        report.check('no role ended early', not it.events('supervisor.role_ended'))
    options = {'imap_idle': f'{IDLE_SECONDS} s', 'imap_output_stall': f'{STALL_SECONDS} s'}
    with Instance(options=options) as it:
        report.run('silent_client', silent_client, it)
        c = Client(it)
        for _ in range(8):
            c.append(letter(ANNA, ANNA, 'big', 'x' * 70 + '\r\n' + ('y' * 70 + '\r\n') * 30000))
        c.close()
        report.run('slow_client', slow_client, it)
        report.run('client_that_does_not_read', client_that_does_not_read, it)
        report.check('limits: no role ended early', not it.events('supervisor.role_ended'))
    return report.end()


sys.exit(main())
