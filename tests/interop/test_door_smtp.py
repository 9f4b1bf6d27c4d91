#!/usr/bin/env python3
"""The door of SMTP and submission: every budget at its limit and one past it, and hostile commands (THREATS 2.3 to 2.9,
3).  Options are set small so that limits are reached quickly."""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter
from wire import Log, Wire, parallel, plain, serves

report = Report()
ANNA, BEN, FRIEND = 'anna@example.test', 'ben@example.test', 'friend@elsewhere.test'
LIMITS = {'bad_commands': 3, 'bad_commands_user': 4, 'mail_per_session': 5, 'unknown_rcpt_delay': 2, 'unknown_rcpt_close': 4,
          'message_size': '64 KiB', 'message_line': 1000, 'header_block': '16 KiB', 'header_fields': 50, 'received_hops': 10,
          'own_hops': 2, 'smtp_line': 512, 'smtp_auth_line': 1024, 'rcpt_per_message': 100}
TIMES = {'smtp_command_wait': '2 s', 'data_time': '6 s', 'data_rate_min': 1000, 'data_rate_window': '2 s', 'smtp_session_time': '9 s',
         'preauth_time': '3 s', 'greeting_delay': '1 s', 'loopback_limits': 'yes', 'rcpt_client_hour': 3, 'submit_rcpt_hour': 3}
HOSTILE = {'mail_per_session': 1000, 'bad_commands': 1000, 'bad_commands_user': 1000, 'unknown_rcpt_delay': 100,
           'unknown_rcpt_close': 1000, 'ban_failures': 1000, 'auth_tries': 100, 'memory_in_flight': '64 MiB', 'rcpt_client_hour': 1000000}


def mx(it, source=None):
    w = Wire(it, 'smtp', source=source)
    w.hello()
    return w


def user(it, service='submissions', address=ANNA):
    return Wire(it, service).ready(address, PASSWORD)


def begin(w, sender=FRIEND, to=ANNA, parameters=''):
    w.envelope(sender, to, parameters=parameters)
    w.command('DATA', 354, '')


def send_message(w, text, code, enhanced, to=ANNA, sender=FRIEND):
    begin(w, sender, to)
    w.send(text + b'.\r\n')
    return w.expect(code, enhanced)


def last_words(w, code, enhanced):
    """This reply, and then the server closes without another word."""
    w.expect(code, enhanced)
    rest = w.ended()
    assert rest == b'', rest


def count(it, address=ANNA):
    it.wait_for(lambda: it.json('queue', 'list') == [], what='an empty queue')
    return len(it.messages(address))


# ---- budgets of commands and messages ----

def bad_commands(it):
    log = Log(it)
    w = mx(it)
    for _ in range(3):
        w.command('NONSENSE', 500, '5.5.2')
    serves(it)
    w.send('NONSENSE\r\n')
    last_words(w, 421, '4.7.0')
    log.saw('smtp.ended', code=421, status='4.7.0', why='Too many errors')


def bad_commands_user(it):
    w = user(it)
    for _ in range(4):
        w.command('NONSENSE', 500, '5.5.2')
    w.send('NONSENSE\r\n')
    last_words(w, 421, '4.7.0')


def mail_per_session(it):
    log = Log(it)
    w = mx(it)
    for _ in range(5):
        w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
        w.command('RSET', 250, '2.0.0')
    w.send(f'MAIL FROM:<{FRIEND}>\r\n')
    last_words(w, 421, '4.7.0')
    log.saw('smtp.ended', code=421, why='Too many messages on one connection')


def budget_outlives_starttls(it):
    """What was used up in clear is used up under TLS: errors and messages."""
    w = mx(it)
    for _ in range(2):
        w.command('NONSENSE', 500, '5.5.2')
    w.starttls()
    w.command('NONSENSE', 500, '5.5.2')
    w.send('NONSENSE\r\n')
    last_words(w, 421, '4.7.0')
    w = mx(it)
    for _ in range(3):
        w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
        w.command('RSET', 250, '2.0.0')
    w.starttls()
    w.command('EHLO client.test', 250)
    for _ in range(2):
        w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
        w.command('RSET', 250, '2.0.0')
    w.send(f'MAIL FROM:<{FRIEND}>\r\n')
    last_words(w, 421, '4.7.0')


def unknown_recipients(it):
    """Two at once, two after 5 s each, the fifth ends it; a foreign recipient counts likewise."""
    log = Log(it)
    w = mx(it)
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w.command('RCPT TO:<nobody1@example.test>', 550, '5.1.1')
    w.command('RCPT TO:<nobody@other.test>', 550, '5.7.1')
    for n in (3, 4):
        begun = time.monotonic()
        w.command(f'RCPT TO:<nobody{n}@example.test>', 550, '5.1.1')
        assert 4.9 < time.monotonic() - begun < 8, time.monotonic() - begun
        serves(it)
    w.send('RCPT TO:<nobody5@example.test>\r\n')
    last_words(w, 421, '4.7.0')
    log.saw('smtp.rcpt_refused', to='nobody5@example.test', status='5.1.1')
    log.saw('smtp.ended', code=421, why='Too many unknown recipients')


def smtp_line(it):
    w = mx(it)
    w.command('NOOP ' + 'x' * (512 - 7), 250, '2.0.0')
    w.command('NOOP ' + 'x' * (513 - 7), 500, '5.5.2')
    w.command('x' * 50000, 500, '5.5.2')
    w.command('NOOP', 250, '2.0.0')
    w.send('x' * 100000 + '\r\n')  # too much to read on for the end of the line
    last_words(w, 500, '5.5.2')


def smtp_auth_line(it):
    w = Wire(it, 'submissions')
    w.hello()
    w.send('AUTH PLAIN ' + 'A' * (1024 - 13) + '\r\n')  # not base64 of anything, but read
    assert w.reply().code in (501, 535)
    w.command('AUTH PLAIN ' + 'A' * (1025 - 13), 500, '5.5.6')
    w.command('AUTH PLAIN', 334)
    w.command('A' * 1023, 500, '5.5.6')
    w.command('NOOP', 250, '2.0.0')


def endless_line(it):
    """A line without an end: 500 once it is hopeless, then the end; nobody else waits."""
    w = mx(it)
    try:
        for _ in range(64):
            w.raw(b'x' * 65536)
    except OSError:
        pass
    serves(it)
    if not w.plain:
        try:
            w.receive()
        except OSError:
            pass
    assert w.plain in (b'', b'500 5.5.2 The line is too long\r\n'), w.plain
    w.ended()


def exactly(n, head=b'From: friend@elsewhere.test\r\n\r\n'):
    """A message of n octets."""
    left = n - len(head)
    lines = b''.join(b'%076d\r\n' % i for i in range(left // 78))
    last = left - len(lines)
    if last == 1:
        lines, last = lines[:-78] + b'y' * 75 + b'\r\n', 2
    return head + lines + (b'x' * (last - 2) + b'\r\n' if last else b'')


def message_size(it):
    log = Log(it)
    before = count(it)
    w = mx(it)
    size = 64 * 1024
    assert f'SIZE {size}' in b''.join(w.command('EHLO client.test', 250).lines).decode()
    w.command(f'MAIL FROM:<{FRIEND}> SIZE={size + 1}', 552, '5.3.4')
    w.command(f'MAIL FROM:<{FRIEND}> SIZE={size}', 250, '2.1.0')
    w.command('RSET', 250, '2.0.0')
    at, past = exactly(size), exactly(size + 1)
    assert (len(at), len(past)) == (size, size + 1)
    send_message(w, at, 250, '2.0.0')
    send_message(w, past, 552, '5.3.4')
    log.saw('smtp.refused', code=552, status='5.3.4')
    serves(it)
    w.command('NOOP', 250, '2.0.0')
    assert count(it) == before + 1, 'one of two is stored'
    assert it.messages(ANNA)[-1].endswith(b'\r\n' + at)


def message_size_chunks(it):
    w = mx(it)
    at = exactly(64 * 1024)
    w.envelope(FRIEND, ANNA)
    w.send(b'BDAT 65535\r\n' + at[:65535])
    w.expect(250, '2.0.0')
    w.send(b'BDAT 1 LAST\r\n' + at[65535:])
    w.expect(250, '2.0.0')
    w.envelope(FRIEND, ANNA)
    w.send(b'BDAT 65535\r\n' + at[:65535])
    w.expect(250, '2.0.0')
    w.send(b'BDAT 2 LAST\r\n')  # its octets need not be read
    last_words(w, 552, '5.3.4')


def message_far_too_big(it):
    """Who goes on sending is not read for ever."""
    w = mx(it)
    begin(w)
    text = letter(FRIEND, ANNA)
    try:
        w.raw(text)
        for _ in range(300):
            w.raw(b'x' * 998 + b'\r\n')
    except OSError:
        pass
    rest = w.ended()
    assert rest in (b'', b'552 5.3.4 The message is too big\r\n'), rest


def message_line(it):
    log = Log(it)
    w = mx(it)
    head = letter(FRIEND, ANNA, body='')
    send_message(w, head + b'x' * 1000 + b'\r\n', 250, '2.0.0')
    send_message(w, head + b'x' * 1001 + b'\r\n', 554, '5.6.0')
    log.saw('smtp.refused', code=554, status='5.6.0', why='A line of the message is too long')
    w.command('NOOP', 250, '2.0.0')


def header_block(it):
    log = Log(it)
    w = mx(it)
    begun = b'From: friend@elsewhere.test\r\n'
    line = b'X: ' + b'x' * 995 + b'\r\n'
    for past, code, enhanced in ((0, 250, '2.0.0'), (1, 554, '5.6.0')):
        left = 16 * 1024 + past - len(begun) - 2
        header = begun + line * (left // 1000) + b'X: ' + b'x' * (left % 1000 - 5) + b'\r\n'
        assert len(header) + 2 == 16 * 1024 + past
        send_message(w, header + b'\r\ntext\r\n', code, enhanced)
    log.saw('smtp.refused', code=554, status='5.6.0', why='The header of the message is too big')


def header_fields(it):
    log = Log(it)
    w = mx(it)
    begun = b'From: friend@elsewhere.test\r\n'
    send_message(w, begun + b'X: y\r\n' * 49 + b'\r\n', 250, '2.0.0')
    send_message(w, begun + b'X: y\r\n' * 50 + b'\r\n', 554, '5.6.0')
    log.saw('smtp.refused', code=554, status='5.6.0', why='The header of the message has too many fields')


def hops(it):
    log = Log(it)
    w = mx(it)
    begun = b'From: friend@elsewhere.test\r\n\r\n'
    send_message(w, b'Received: from a by b; x\r\n' * 10 + begun, 250, '2.0.0')
    send_message(w, b'Received: from a by b; x\r\n' * 11 + begun, 554, '5.4.6')
    log.saw('smtp.refused', code=554, status='5.4.6', why='Mail loop: too many Received fields')
    send_message(mx(it), own_hop(it) * 2 + begun, 250, '2.0.0')
    send_message(mx(it), own_hop(it) * 3 + begun, 554, '5.4.6')
    log.saw('smtp.refused', code=554, status='5.4.6', why='Mail loop: the message was here too often')


def own_hop(it):
    """A Received field of the server itself, as it writes it."""
    before = count(it, BEN)
    with mx(it) as w:
        send_message(w, letter(FRIEND, BEN), 250, '2.0.0', to=BEN)
    it.wait_for(lambda: count(it, BEN) > before, what='the letter')
    return re.search(rb'Received: .*?\r\n(?=[^ \t])', it.messages(BEN)[-1], re.S)[0]


def rcpt_per_message(it):
    log = Log(it)
    w = mx(it)
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w.send(''.join(f'RCPT TO:<anna+{i}@example.test>\r\n' for i in range(101)))
    for _ in range(100):
        w.expect(250, '2.1.5')
    w.expect(452, '4.5.3')
    log.saw('smtp.refused', code=452, status='4.5.3')
    w.command('DATA', 354, '')
    w.send(letter(FRIEND, ANNA, 'to a hundred') + b'.\r\n')
    w.expect(250, '2.0.0')
    it.wait_for(lambda: any(b'to a hundred' in m for m in it.messages(ANNA)), what='the letter')


def limits():
    with Instance(options=LIMITS) as it:
        parallel(report, [(f.__name__, f, it) for f in (unknown_recipients,)] +
                 [('limits one by one', one_by_one, it)])


def one_by_one(it):
    for test in (bad_commands, bad_commands_user, mail_per_session, budget_outlives_starttls, smtp_line, smtp_auth_line, endless_line,
                 message_size, message_size_chunks, message_far_too_big, message_line, header_block, header_fields, hops, rcpt_per_message):
        report.run(test.__name__, test, it)


# ---- budgets of time and of recipients in it ----

def took(begun, least, most):
    seconds = time.monotonic() - begun
    assert least <= seconds <= most, f'after {seconds:.2f} s, not within {least} to {most} s'


def greeting_delay(it, source):
    log = Log(it)
    begun = time.monotonic()
    w = Wire(it, 'smtp', source=source)
    w.expect(220)
    took(begun, 0.95, 4)
    w.close()
    for early in (b'EHLO client.test\r\n', b'\n', b'GET / HTTP/1.1\r\n\r\n'):
        w = Wire(it, 'smtp', source=source)
        w.send(early)
        last_words(w, 554, '5.5.1')
    log.saw('smtp.ended', code=554, status='5.5.1', why='Wait for the greeting before you send')


def greeting_known(it, source):
    """A client of which a message was accepted need not wait again; having talked in order is not enough."""
    for deliver in (False, True):
        with mx(it, source) as w:
            w.command('NOOP ' + 'x' * 500, 250, '2.0.0')
            if deliver:
                send_message(w, letter(FRIEND, BEN), 250, '2.0.0', to=BEN)
            w.command('QUIT', 221, '2.0.0')
            w.ended()
        time.sleep(0.1)
        begun = time.monotonic()
        with Wire(it, 'smtp', source=source) as w:
            w.expect(220)
            took(begun, *(0, 0.8) if deliver else (0.95, 4))


def counter(it, role, name):
    return next(r['counters'][name] for r in it.json('status') if r['role'] == role)


def crowd(it, service, first, count):
    """Strangers with open connections, from addresses of their own, once everybody else is gone."""
    front = 'front-mx' if service == 'smtp' else 'front-user'
    it.wait_for(lambda: counter(it, front, f'open_{service}') == 0, what='free places')
    return [Wire(it, service, source=f'127.{first}.0.{i + 1}', tls=False) for i in range(count)]


def crowded_out(it):
    """Strangers fill port 25: who has delivered mail lately gets in, nobody else does."""
    log = Log(it)
    friend = '127.11.0.1'
    with mx(it, friend) as w:
        send_message(w, letter(FRIEND, ANNA), 250, '2.0.0')
    with mx(it, '127.11.0.2') as w:
        w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
        w.command('RCPT TO:<nobody@example.test>', 550, '5.1.1')
    strangers = crowd(it, 'smtp', 12, 9)
    for w in strangers:
        w.expect(220)
    for source in ('127.11.0.2', '127.13.0.1'):
        last_words(Wire(it, 'smtp', source=source), 421, '4.3.2')
    log.saw('front.refused', limit='conn_service_max', service='smtp')
    with mx(it, friend) as w:
        send_message(w, letter(FRIEND, ANNA), 250, '2.0.0')
    for w in strangers:
        w.close()


def crowded_out_user(it):
    """The same with a log-in, by IMAP and by submission."""
    for service, other in (('imaps', '127.14.0.1'), ('submissions', '127.14.0.2')):
        Wire(it, service, source=other).ready(BEN, PASSWORD).close()
        strangers = crowd(it, service, 15, 9)
        it.wait_for(lambda: counter(it, 'front-user', f'open_{service}') == 9, what='nine strangers')
        with Wire(it, service, source='127.16.0.1', tls=False) as w:
            assert w.ended() == b''
        Wire(it, service, source=other).ready(BEN, PASSWORD).close()
        for w in strangers:
            w.close()


def command_wait(it, source):
    log = Log(it)
    w = mx(it, source)
    for _ in range(2):
        time.sleep(1.5)
        w.command('NOOP', 250, '2.0.0')
    begun = time.monotonic()
    last_words(w, 421, '4.4.2')
    took(begun, 1.8, 4)
    log.saw('smtp.ended', code=421, status='4.4.2', ip=source)


def session_time(it, source):
    begun = time.monotonic()
    w = mx(it, source)
    while time.monotonic() - begun < 8:
        w.command('NOOP', 250, '2.0.0')
        time.sleep(1.2)
    last_words(w, 421, '4.4.2')
    took(begun, 8.8, 12)


def preauth_time(it, service):
    begun = time.monotonic()
    w = Wire(it, service)
    w.hello()
    while time.monotonic() - begun < 2:
        w.command('NOOP', 250, '2.0.0')
        time.sleep(0.7)
    last_words(w, 421, '4.4.2')
    took(begun, 2.8, 5)


def preauth_done(it):
    """After log-in the time to log in is no bound."""
    begun = time.monotonic()
    w = user(it)
    while time.monotonic() - begun < 4:
        w.command('NOOP', 250, '2.0.0')
        time.sleep(0.8)


def data_rate(it, source):
    log = Log(it)
    w = mx(it, source)
    begin(w)
    w.send(letter(FRIEND, ANNA, 'too slow'))
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        w.send(b'x\r\n')
        time.sleep(0.2)
    last_words(w, 421, '4.4.2')
    took(begun, 1.8, 4)
    log.saw('smtp.ended', code=421, status='4.4.2', ip=source)


def data_rate_kept(it, source):
    w = mx(it, source)
    begin(w)
    w.send(letter(FRIEND, ANNA, 'just quick enough'))
    for _ in range(8):
        w.send(b'x' * 698 + b'\r\n')
        time.sleep(0.5)
    w.send(b'.\r\n')
    w.expect(250, '2.0.0')


def chunk_silence(it, source):
    """A chunk that never becomes whole."""
    w = mx(it, source)
    w.envelope(FRIEND, ANNA)
    w.send(b'BDAT 1000 LAST\r\nFrom: friend@elsewhere.test\r\n\r\n')
    begun = time.monotonic()
    last_words(w, 421, '4.4.2')
    took(begun, 1.8, 4)


def data_time(it, source):
    w = mx(it, source)
    begin(w)
    begun = time.monotonic()
    w.send(letter(FRIEND, ANNA, 'too long'))
    try:
        while time.monotonic() - begun < 7:
            w.send(b'x' * 798 + b'\r\n')
            time.sleep(0.3)
    except OSError:
        pass
    rest = w.ended()
    assert rest in (b'421 4.4.2 Too slow, closing the connection\r\n', b''), rest
    took(begun, 5.5, 9)


def rcpt_client_hour(it, source):
    """Three an hour from one address; another address is another client."""
    log = Log(it)
    w = mx(it, source)
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    for _ in range(3):
        w.command(f'RCPT TO:<{ANNA}>', 250, '2.1.5')
    w.command(f'RCPT TO:<{ANNA}>', 450, '4.7.1')
    log.saw('smtp.rcpt_refused', status='4.7.1', ip=source)
    other = mx(it, '127.7.7.7')
    other.envelope(FRIEND, ANNA)


def notices(it):
    return [m for m in it.messages(BEN) if b'Subject: Your account has reached its limit for sending' in m]


def submit_rcpt_hour(it):
    log = Log(it)
    w = user(it, address=BEN)
    w.command(f'MAIL FROM:<{BEN}>', 250, '2.1.0')
    for _ in range(3):
        w.command(f'RCPT TO:<{ANNA}>', 250, '2.1.5')
    w.command(f'RCPT TO:<{ANNA}>', 450, '4.7.1')
    log.saw('smtp.rcpt_refused', to=ANNA, status='4.7.1')
    log.saw('smtp.owner_told', account=BEN)
    w.command(f'RCPT TO:<{ANNA}>', 450, '4.7.1')
    user(it).envelope(ANNA, BEN)
    it.wait_for(lambda: notices(it), what='the notice to the owner')
    time.sleep(0.5)
    notice, = notices(it)  # one a day
    assert b'more than 3 recipients' in notice and b'127.0.0.1' in notice and b'Auto-Submitted: auto-generated' in notice, notice


def meanwhile(it):
    for i in range(8):
        serves(it, f'127.8.0.{i + 1}')
        time.sleep(0.3)


def slow_stored_nothing(it):
    subjects = [re.search(rb'Subject: ([^\r]*)', m)[1] for m in it.messages(ANNA)]
    assert subjects == [b'just quick enough'], subjects


def times():
    with Instance(options=TIMES) as it:
        by_source = (greeting_delay, greeting_known, command_wait, session_time, data_rate, data_rate_kept, chunk_silence,
                     data_time, rcpt_client_hour)
        parallel(report, [(f.__name__, f, it, f'127.1.0.{i + 1}') for i, f in enumerate(by_source)] +
                 [('preauth_time 465', preauth_time, it, 'submissions'), ('preauth_time 587', preauth_time, it, 'submission'),
                  ('preauth_done', preauth_done, it), ('submit_rcpt_hour', submit_rcpt_hour, it), ('others meanwhile', meanwhile, it)])
        report.run('slow_stored_nothing', slow_stored_nothing, it)


def crowds():
    options = {'conn_service_max': 10, 'conn_client_new': 1000, 'loopback_limits': 'yes', 'greeting_delay': '0 s',
               'tls_handshake_time': '60 s', 'smtp_command_wait': '60 s', 'tls_handshake_rate': 1000}
    with Instance(options=options) as it:
        for test in (crowded_out, crowded_out_user):
            report.run(test.__name__, test, it)


# ---- hostile commands ----

def behind_starttls(it):
    """Octets in clear behind STARTTLS: no answer to them, no handshake (THREATS 2.3)."""
    log = Log(it)
    for service in ('smtp', 'submission'):
        for behind in (b'EHLO x\r\nNOOP\r\n', b'NOOP\r\n', b'\r\n', b'\n', b'\x16\x03\x01'):
            w = Wire(it, service)
            w.hello()
            w.send(b'STARTTLS\r\n' + behind)
            last_words(w, 554, '5.5.1')
        w = Wire(it, service)
        w.hello()
        w.send(b'STARTTLS\nRSET\r\n')
        last_words(w, 500, '5.5.2')
    log.saw('smtp.ended', code=554, status='5.5.1', why='Wait for reply 220 before you start TLS')


def starttls_forgets(it):
    """Behind the switch nothing of what was said in clear is left."""
    w = mx(it)
    w.starttls()
    w.silent(0.3)  # no second greeting
    w.command(f'MAIL FROM:<{FRIEND}>', 503, '5.5.1')
    assert b'STARTTLS' not in b''.join(w.command('EHLO client.test', 250).lines)
    w.command('STARTTLS', 503, '5.5.1')
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w = mx(it)
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w.command('STARTTLS', 503, '5.5.1')  # between MAIL and RCPT
    w.command('RSET', 250, '2.0.0')
    w.starttls()
    w = Wire(it, 'submissions')
    assert b'STARTTLS' not in b''.join(w.hello().lines)
    w.command('STARTTLS', 503, '5.5.1')


def no_auth_in_clear(it):
    for service, code, enhanced in (('submission', 538, '5.7.11'), ('smtp', 502, '5.5.1')):
        w = Wire(it, service)
        assert b'AUTH' not in b''.join(w.hello().lines)
        w.command('AUTH PLAIN ' + plain(ANNA, PASSWORD), code, enhanced)
    w = Wire(it, 'submission')
    w.hello()
    w.command(f'MAIL FROM:<{ANNA}>', 530, '5.7.0')


def http(it):
    log = Log(it)
    for service in ('smtp', 'submission'):
        w = Wire(it, service)
        w.expect(220)
        w.send(b'POST / HTTP/1.1\r\nHost: injected.test\r\n\r\nEHLO injected.test\r\n')
        last_words(w, 554, '5.5.1')
    log.saw('smtp.ended', code=554, why='This is a mail server')


def no_echo(it):
    """No error repeats what it was given."""
    w = Wire(it, 'smtp')
    w.expect(220)
    for text in ('ECHOED', 'EHLO ECHOED ECHOED', 'MAIL FROM:<ECHOED', 'MAIL FROM:<a@b.test> ECHOED=1', 'VRFY ECHOED', 'EXPN ECHOED',
                 'HELP ECHOED', 'NOOP ECHOED', 'AUTH ECHOED', 'BDAT ECHOED'):
        w.send(text + '\r\n')
        assert 'ECHOED' not in repr(w.reply()), text
        if text.startswith('EHLO'):
            w.command('EHLO client.test', 250)


def vrfy(it):
    w = mx(it)
    known, unknown = w.command(f'VRFY {ANNA}', 252, '2.5.0'), w.command('VRFY nobody@example.test', 252, '2.5.0')
    assert known.lines == unknown.lines, (known, unknown)
    known, unknown = w.command(f'EXPN {ANNA}', 502, '5.5.1'), w.command('EXPN list', 502, '5.5.1')
    assert known.lines == unknown.lines, (known, unknown)


def bdat_counting(it):
    w = mx(it)
    w.envelope(FRIEND, ANNA)
    w.command('BDAT 0', 250, '2.0.0')
    w.command('DATA', 503, '5.5.1')
    w.command(f'RCPT TO:<{BEN}>', 503, '5.5.1')
    w.command('RSET', 250, '2.0.0')
    w.envelope(FRIEND, ANNA)
    w.command('BDAT 0 LAST', 250, '2.0.0')
    w.command('BDAT 0 LAST', 503, '5.5.1')  # the transaction is over
    w.envelope(FRIEND, ANNA)
    w.send(b'BDAT 5\r\nhelloRSET\r\nBDAT 2 LAST\r\nNO' + f'MAIL FROM:<{FRIEND}>\r\n'.encode())
    w.expect(250, '2.0.0')
    w.expect(250, '2.0.0')
    w.expect(503, '5.5.1')
    w.expect(250, '2.1.0')
    w.command('RSET', 250, '2.0.0')
    w.envelope(FRIEND, ANNA)
    w.send(b'BDAT 5\r\nhelloQUIT\r\n')
    w.expect(250, '2.0.0')
    last_words(w, 221, '2.0.0')
    for size in ('-1', '18446744073709551616', '5 LAST LAST', '+5', '0x5', '5 FIRST', ' 5', '', '99999999999999999999999999'):
        w = mx(it)
        w.envelope(FRIEND, ANNA)
        w.send(f'BDAT {size}\r\nhello\r\n')
        last_words(w, 501, '5.5.4')
    w = mx(it)
    w.send(b'BDAT 4\r\nQUITNOOP\r\n')  # before MAIL: read, refused, forgotten
    w.expect(503, '5.5.1')
    w.expect(250, '2.0.0')
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w.command('RCPT TO:<nobody@example.test>', 550, '5.1.1')
    w.send(b'BDAT 4 LAST\r\nQUIT')
    w.expect(554, '5.5.1')
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    w.command('RCPT TO:<nobody@example.test>', 550, '5.1.1')
    w.send(b'BDAT 1000000000 LAST\r\n')
    last_words(w, 552, '5.3.4')


def author(it):
    """Which From cannot be read in two ways (THREATS 2.6)."""
    before = count(it)
    refused = (
        b'From: a@victim.test\r\nFrom: b@evil.test', b'From: a@victim.test\r\nFrom: a@victim.test',
        b'From: a@victim.test\r\nFrom:\r\n b@evil.test', b' From: a@victim.test', b'From : a@victim.test', b'From\r\n : a@victim.test',
        b'FROM\t: a@victim.test', b'Sender: a@victim.test', b'Resent-From: a@victim.test', b'From: undisclosed:;',
        b'From: <@evil.test:a@victim.test>', b'From: "a@victim.test" b@evil.test', b'From: <a@victim.test>x@evil.test',
        b'From: =?utf-8?q?a=40victim.test?=', b'From: a@victim.test(b@evil.test', b'From: a\x7f@victim.test',
        b'From: \xe4@victim.test', 'From: ü@victim.test'.encode(), b'From: ', b'From: a', b'From: <>', b'From: a@victim.test b@evil.test',
        b'From: <a@victim.test', b'From: a@victim..test', b'From: a@-victim.test')
    w = mx(it)
    for header in refused:
        begin(w)
        w.send(header + b'\r\nSubject: x\r\n\r\ntext\r\n.\r\n')
        try:
            w.expect(550, '5.7.1')
        except AssertionError as e:
            raise AssertionError(f'{header!r}: {e}') from None
    for header in (b'From: Anna <a@victim.test>', b'From: "a@victim.test" <b@evil.test>', b'From: a@victim.test (b@evil.test)',
                   b'From: =?utf-8?q?a=40victim.test?= <b@evil.test>', b'fRoM:a@victim.test', b'From: "ben\\"@x"@victim.test'):
        send_message(w, header + b'\r\nSubject: fine\r\n\r\ntext\r\n', 250, '2.0.0')
    begin(w)
    w.send(b'From: a\0@victim.test\r\n\r\ntext\r\n.\r\n')
    last_words(w, 550, '5.5.2')
    assert count(it) == before + 6


SENDERS = (  # MAIL FROM:<...> on 25
    (b'(a)b@victim.test', 501, '5.1.7'), (b'@evil.test:a@victim.test', 501, '5.1.7'), (b'a\x7f@victim.test', 501, '5.1.7'),
    (b'\xe4@victim.test', 501, '5.1.7'), ('ü@victim.test'.encode(), 501, '5.1.7'), (b';id;@x', 501, '5.1.7'), (b'a', 501, '5.1.7'),
    (b'a@', 501, '5.1.7'), (b'@victim.test', 501, '5.1.7'), (b'a@b@victim.test', 501, '5.1.7'), (b'a b@victim.test', 501, '5.1.7'),
    (b'a@vic tim.test', 501, '5.1.7'), (b'a@victim..test', 501, '5.1.7'), (b'a@-victim.test', 501, '5.1.7'),
    (b'a@' + b'x' * 64 + b'.test', 501, '5.1.7'), (b'a' * 65 + b'@victim.test', 501, '5.1.7'),
    (b'a@[300.0.0.1]', 501, '5.1.7'), ('a＠victim.test'.encode(), 501, '5.1.7'), (b'', 250, '2.1.0'),
    (b'a@xn--a', 250, '2.1.0'), (b'a@xn--0.test', 250, '2.1.0'),  # as written, never decoded
    (b'a@xn--evil-.test', 501, '5.1.7'),
    (b'"a b"@victim.test', 250, '2.1.0'), (b'a@[192.0.2.1]', 250, '2.1.0'), (b'a' * 64 + b'@victim.test', 250, '2.1.0'))
RECIPIENTS = (  # RCPT TO:<...>: not well formed, or exactly this and nobody's
    (b'=?utf-8?q?v=40evil.test=3e=00?=w@example.test', 550, '5.1.1'), (b'"v@evil.test> X=1;y"@example.test', 550, '5.1.1'),
    (b'v%evil.test@example.test', 550, '5.1.1'), (b'v!evil.test@example.test', 550, '5.1.1'),
    (b'"v\\" @evil.test"@example.test', 550, '5.1.1'), (b'v@xn--a', 550, '5.7.1'), (b'v@xn--0.test', 550, '5.7.1'),
    ('v＠example.test'.encode(), 501, '5.1.3'), ('v﹫example.test'.encode(), 501, '5.1.3'),
    ('v@exampleľtest'.encode(), 553, '5.6.7'), ('annaľ@example.test'.encode(), 553, '5.6.7'), (b'v@[127.0.0.1]', 550, '5.7.1'),
    (b'v@example.test;RCPT TO:<w@evil.test>', 501, '5.1.3'), (b'|/bin/sh@example.test', 550, '5.1.1'),
    (b'"|/bin/sh"@example.test', 550, '5.1.1'), (b'"$(touch p)"@example.test', 550, '5.1.1'), (b'../../x@example.test', 501, '5.1.3'),
    (b'`id`@example.test', 550, '5.1.1'), (b'" OR 1=1--"@example.test', 550, '5.1.1'), (b'%n%s@example.test', 550, '5.1.1'),
    (b'anna', 501, '5.1.3'), (b'', 501, '5.1.3'), (b'anna@example.test.', 501, '5.1.3'), (b'(c)anna@example.test', 501, '5.1.3'))


def answers(it, verb, rows, before=None):
    w = mx(it)
    for address, code, enhanced in rows:
        if before:
            w.command(before, 250, '2.1.0')
        w.command(verb + b':<' + address + b'>', code, enhanced)
        w.command('RSET', 250, '2.0.0')


def bare_in_address(it):
    """CR, LF and NUL in a command end the connection."""
    for octets in (b'\0', b'\r', b'\n', b'\r\r\n'):
        for command in (b'EHLO x%sy', b'MAIL FROM:<v@victim.test%s.evil.test>', b'NOOP x%sRCPT TO:<w@evil.test>'):
            w = Wire(it, 'smtp')
            w.expect(220)
            w.send(command % octets + b'\r\nRCPT TO:<w@evil.test>\r\n')
            last_words(w, 500, '5.5.2')


def line_injection(it):
    """Values that would become two lines elsewhere are refused, or stay one line (THREATS 2.8)."""
    w = Wire(it, 'smtp')
    w.expect(220)
    for name in ('x%0d%0aRCPT', 'x\u2028y', 'x y', 'x\ty', 'x<y>', 'x(', 'x;', '"x"', 'x' * 256, ''):
        w.command(f'EHLO {name}'.encode(), 501, '5.5.4')
    w.command('EHLO client.test', 250)
    for value in ('x+0D+0ARCPT', 'x+0A', 'x+0d', 'x+00', 'x+', 'x+1', 'x+gg', 'x\u2028', ''):
        w.send(f'MAIL FROM:<{FRIEND}> ENVID={value}\r\n')
        w.expect(501, '5.5.4')
        w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
        w.send(f'RCPT TO:<{ANNA}> ORCPT=rfc822;{value}\r\n')
        w.expect(501, '5.5.4')
        w.command('RSET', 250, '2.0.0')
    w.command(f'MAIL FROM:<{FRIEND}> ENVID=x+2By', 250, '2.1.0')
    w.command(f'RCPT TO:<{ANNA}> ORCPT=rfc822;a+2Bb@c.test', 250, '2.1.5')


def trace_is_whole(it):
    """A strange but legal EHLO name stays one field of trace and one line of the log."""
    w = Wire(it, 'smtp')
    w.expect(220)
    w.command('EHLO [IPv6:2001:db8::1]', 250)
    send_message(w, letter(FRIEND, BEN, 'trace'), 250, '2.0.0', to=BEN)
    it.wait_for(lambda: any(b'Subject: trace' in m for m in it.messages(BEN)), what='the letter')
    got = [m for m in it.messages(BEN) if b'Subject: trace' in m][0]
    assert got.count(b'Received: ') == 1 and b'[IPv6:2001:db8::1]' in got, got[:400]
    it.events()  # every line of the log is JSON


def not_owned(it):
    """At submission nobody writes in another's name."""
    log = Log(it)
    w = user(it)
    for sender in (BEN, 'anna@elsewhere.test', 'nobody@example.test', 'anna@example.test.evil.test'):
        w.command(f'MAIL FROM:<{sender}>', 550, '5.7.1')
    for header in (b'From: ben@example.test', b'From: a@elsewhere.test', b'From: anna@example.test\r\nSender: ben@example.test',
                   b'From: anna@example.test, ben@example.test', b'From: "anna@example.test" <ben@example.test>'):
        begin(w, ANNA, BEN)
        w.send(header + b'\r\nSubject: x\r\n\r\ntext\r\n.\r\n')
        w.expect(550, '5.7.1')
    log.saw('smtp.sender_refused', address=BEN)
    send_message(w, letter('anna+x@example.test', BEN), 250, '2.0.0', to=BEN, sender='anna+x@example.test')


def log_in_names(it):
    """Names that mean something elsewhere are names of nobody (THREATS 2.9)."""
    w = Wire(it, 'submissions')
    w.hello()
    for name in ("' OR 1=1--", '*)(uid=*', '%u%n', '../anna@example.test', 'anna@example.test\r\n', '$(id)', 'anna@example.test\u2028'):
        w.command('AUTH PLAIN ' + plain(name, PASSWORD), 535, '5.7.8')
    w.command('AUTH PLAIN ' + plain('a\0b', PASSWORD), 535, '5.7.8')
    it.events()


def held(it):
    """Many clients that stop in the middle of a line, or of the header of a message: each costs no more than its budget."""
    for _ in range(20):
        mx(it).close()
    before = it.resident('smtp-mx')
    clients = [mx(it) for _ in range(200)]
    for w in clients[:100]:
        w.send(b'NOOP ' + b'x' * 4000)
    for w in clients[100:]:
        begin(w)
        w.send(b'From: friend@elsewhere.test\r\nX: ' + b'x' * 900)
    serves(it)
    each = (it.resident('smtp-mx') - before) / len(clients)
    assert each < 64 * 1024, f'{each:.0f} octets each'
    for w in clients:
        w.close()


def memory_in_flight(it):
    """All bodies together have a bound: who comes past it is told so, what was begun is finished."""
    log = Log(it)
    lines = b'x' * 998 + b'\r\n'
    first, second = mx(it), mx(it)
    begin(first, to=BEN)
    first.send(letter(FRIEND, BEN, 'large') + lines * 40000)
    begin(second, to=BEN)
    second.send(letter(FRIEND, BEN, 'too much') + lines * 30000 + b'.\r\n')
    second.expect(452, '4.3.1')
    log.saw('smtp.refused', code=452, status='4.3.1')
    first.send(b'.\r\n')
    first.expect(250, '2.0.0')
    second.command('NOOP', 250, '2.0.0')
    send_message(second, letter(FRIEND, BEN, 'afterwards'), 250, '2.0.0', to=BEN)


def rcpt_flood(it):
    """Recipients without end: each is answered, none costs memory, and the log has one line about it."""
    log = Log(it)
    before = it.resident('smtp-mx')
    w = mx(it)
    w.command(f'MAIL FROM:<{FRIEND}>', 250, '2.1.0')
    sender = threading.Thread(target=w.raw, args=(f'RCPT TO:<{ANNA}>\r\n'.encode() * 20000,))
    sender.start()
    for i in range(20000):
        w.expect(250 if i < 100 else 452, '2.1.5' if i < 100 else '4.5.3')
    sender.join()
    log.saw('smtp.refused', code=452, status='4.5.3')
    assert sum(r.get('code') == 452 for r in it.events('smtp.refused')[-10:]) <= 2
    assert it.resident('smtp-mx') - before < 8 * 1024 * 1024
    serves(it)


def hostile():
    with Instance(options=HOSTILE) as it:
        for test in (held, rcpt_flood, memory_in_flight):
            report.run(test.__name__, test, it)
        for test in (behind_starttls, starttls_forgets, no_auth_in_clear, http, no_echo, vrfy, bdat_counting, author, bare_in_address,
                     line_injection, trace_is_whole, not_owned, log_in_names):
            report.run(test.__name__, test, it)
        report.run('senders', answers, it, b'MAIL FROM', SENDERS)
        report.run('recipients', answers, it, b'RCPT TO', RECIPIENTS, f'MAIL FROM:<{FRIEND}>')
        report.run('others are served', serves, it)


if __name__ == '__main__':
    times()
    limits()
    crowds()
    hostile()
    sys.exit(report.end())
