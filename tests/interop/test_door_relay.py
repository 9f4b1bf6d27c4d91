#!/usr/bin/env python3
"""Nobody's mail leaves by this server but its users', and nothing that a stranger sends makes it write to others
(THREATS 2.20).  A recording server stands where all outbound mail would go."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter
from smtp_sink import SmtpSink
from wire import Log, Wire, serves

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
FORMS = (  # RCPT TO, answer
    (b'u@out.test', 550, '5.7.1'), (b'u%out.test@example.test', 550, '5.1.1'), (b'"u@out.test"@example.test', 550, '5.1.1'),
    (b'"u%out.test"@example.test', 550, '5.1.1'), (b'out.test!u@example.test', 550, '5.1.1'), (b'u@out.test@example.test', 501, '5.1.3'),
    (b'@example.test:u@out.test', 550, '5.7.1'), (b'@example.test,@other.test:u@out.test', 550, '5.7.1'),
    (b'@out.test:anna@example.test', 250, '2.1.5'),  # a route is dropped, the address behind it counts   RFC 5321#C
    (b'u@[127.0.0.1]', 550, '5.7.1'), (b'u@[IPv6:::1]', 550, '5.7.1'), (b'anna@[127.0.0.1]', 550, '5.7.1'), (b'u@localhost', 550, '5.7.1'),
    (b'u@mail.example.test', 550, '5.7.1'), (b'u@sub.example.test', 550, '5.7.1'), (b'u@example.test.out.test', 550, '5.7.1'),
    (b'u@xample.test', 550, '5.7.1'), (b'u@example.tes', 550, '5.7.1'), (b'u@example.test\xef\xbc\x8eout.test', 501, '5.1.3'),
    (b'"anna@example.test"@out.test', 550, '5.7.1'), (b'anna@example.test ', 501, '5.1.3'), (b'anna@EXAMPLE.test', 250, '2.1.5'),
    (b'"anna"@example.test', 250, '2.1.5'), (b'"an\\na"@example.test', 250, '2.1.5'))


def mx(it, **more):
    w = Wire(it, 'smtp', **more)
    w.hello()
    return w


def user(it, address=ANNA):
    return Wire(it, 'submissions').ready(address, PASSWORD)


def send(w, sender, recipient, subject='x', author=None):
    w.envelope(sender, recipient)
    w.command('DATA', 354, '')
    w.send(letter(author or sender, recipient, subject) + b'.\r\n')
    return w.expect(250, '2.0.0')


def nothing_left(sink, before):
    assert len(sink.sessions) == before, f'{len(sink.sessions) - before} connections went out'


def forms(it, sink):
    """Whoever the sender is said to be, one of us or nobody."""
    before = len(sink.sessions)
    for sender in ('friend@elsewhere.test', ANNA, ''):
        w = mx(it)
        for address, code, enhanced in FORMS:
            w.command(f'MAIL FROM:<{sender}>', 250, '2.1.0')
            w.command(b'RCPT TO:<' + address + b'>', code, enhanced)
            w.command('RSET', 250, '2.0.0')
    nothing_left(sink, before)


def ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


def from_here(it, sink):
    """To be near is no permission: loopback, IPv6, inside TLS."""
    before = len(sink.sessions)
    places = [{'source': '127.0.0.1'}, {'source': '127.0.0.77'}] + ([{'host': '::1'}] if ipv6() else [])
    for place in places:
        with Wire(it, 'smtp', **place) as w:
            w.hello()
            w.command(f'MAIL FROM:<{ANNA}>', 250, '2.1.0')
            w.command('RCPT TO:<u@out.test>', 550, '5.7.1')
    w = mx(it)
    w.starttls()
    w.command('EHLO client.test', 250)
    w.command(f'MAIL FROM:<{ANNA}>', 250, '2.1.0')
    w.command('RCPT TO:<u@out.test>', 550, '5.7.1')
    nothing_left(sink, before)


def other_protocols(it):
    w = mx(it)
    w.command('LHLO client.test', 502, '5.5.1')
    for verb in ('SEND', 'SOML', 'SAML'):
        w.command(f'{verb} FROM:<{ANNA}>', 500, '5.5.2')


def refused_event(it):
    log = Log(it)
    w = mx(it)
    w.command(f'MAIL FROM:<{ANNA}>', 250, '2.1.0')
    w.command('RCPT TO:<u@out.test>', 550, '5.7.1')
    log.saw('smtp.rcpt_refused', to='u@out.test', status='5.7.1')


def refused_with_body(it, sink):
    """All recipients refused: the body that comes all the same goes nowhere."""
    before = len(sink.sessions)
    w = mx(it)
    w.send('MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<u@out.test>\r\nDATA\r\n')
    w.expect(250, '2.1.0')
    w.expect(550, '5.7.1')
    w.expect(554, '5.5.1')
    nothing_left(sink, before)


def users_mail_leaves(it, sink):
    """That the recording server would see it: what a user sends arrives there."""
    before = len(sink.messages)
    send(user(it), ANNA, 'u@out.test', 'leaves')
    it.wait_for(lambda: len(sink.messages) == before + 1, what='the letter outside')
    message = sink.messages[-1]
    assert message.sender == ANNA and message.recipients == ['u@out.test'] and b'Subject: leaves' in message.data, message.sender


def backscatter(it, sink):
    """Ninety forged letters to nobody: not one goes to whom they were said to be from."""
    before = len(sink.sessions)
    w = mx(it)
    for i in range(90):
        w.command(f'MAIL FROM:<victim{i}@out.test>', 250, '2.1.0')
        w.command(f'RCPT TO:<nobody{i}@example.test>', 550, '5.1.1')
        w.command('DATA', 554, '5.5.1')
        w.command('RSET', 250, '2.0.0')
    w = mx(it)
    for i in range(20):  # known and unknown together: the known one gets it, nobody is written to
        w.command(f'MAIL FROM:<victim{i}@out.test>', 250, '2.1.0')
        w.command(f'RCPT TO:<nobody{i}@example.test>', 550, '5.1.1')
        w.command(f'RCPT TO:<{BEN}>', 250, '2.1.5')
        w.command('DATA', 354, '')
        w.send(letter('victim@out.test', BEN) + b'.\r\n')
        w.expect(250, '2.0.0')
    it.wait_for(lambda: it.json('queue', 'list') == [] and len(it.messages(BEN)) >= 20, what='delivery')
    nothing_left(sink, before)


def null_sender(it, sink):
    """A bounce is taken, and never answered by another one."""
    before, had = len(sink.sessions), len(it.messages(ANNA))
    send(mx(it), '', ANNA, 'a bounce', author='mailer-daemon@out.test')
    it.wait_for(lambda: len(it.messages(ANNA)) == had + 1, what='the bounce')
    nothing_left(sink, before)


def one_report(it, sink):
    """What cannot be delivered is told once to its sender, and what came from nobody to nobody."""
    sink.script['rcpt:gone@out.test'] = '550 5.1.1 gone'
    had = len(it.messages(BEN))
    send(user(it, BEN), BEN, 'gone@out.test', 'to be told')
    it.wait_for(lambda: len(it.messages(BEN)) == had + 1, what='the report')
    report_text = it.messages(BEN)[-1]
    assert report_text.startswith(b'Return-Path: <>\r\n') and b'multipart/report' in report_text, report_text[:300]
    send(user(it, BEN), '', 'gone@out.test', 'not to be told', author=BEN)
    it.wait_for(lambda: it.json('queue', 'list') == [], what='an empty queue')
    time.sleep(0.5)
    assert len(it.messages(BEN)) == had + 1, 'a report about a report'
    assert not any(m.sender == '' and 'gone@out.test' not in m.recipients for m in sink.messages)


def alias_loop(it):
    """Aliases that would lead to each other cannot be made; what leads to an account arrives there once."""
    it.cli('alias', 'add', 'one@example.test', ANNA)
    it.cli('alias', 'add', 'two@example.test', 'one@example.test')
    loop = it.cli('alias', 'add', 'one@example.test', 'two@example.test', check=False)
    assert loop.returncode == 1 and 'lead back to itself' in loop.stderr, loop
    had = len(it.messages(ANNA))
    send(mx(it), 'a@elsewhere.test', 'two@example.test')
    it.wait_for(lambda: it.json('queue', 'list') == [] and len(it.messages(ANNA)) == had + 1, what='one letter')


def postmaster(it):
    w = mx(it)
    w.command('MAIL FROM:<a@elsewhere.test>', 250, '2.1.0')
    w.command('RCPT TO:<Postmaster>', 250, '2.1.5')
    w.command('RCPT TO:<postmaster@example.test>', 250, '2.1.5')


with SmtpSink(host='127.0.0.2', port=0) as sink:
    options = {'smart_host': f'127.0.0.2:{sink.port}', 'send_private': 'yes', 'mail_per_session': 1000, 'bad_commands': 1000,
               'unknown_rcpt_delay': 100, 'unknown_rcpt_close': 1000, 'retry_first': '1 s'}
    with Instance(options=options) as it:
        for test in (forms, from_here, users_mail_leaves, backscatter, null_sender, one_report, refused_with_body):
            report.run(test.__name__, test, it, sink)
        for test in (other_protocols, refused_event, alias_loop, postmaster):
            report.run(test.__name__, test, it)
        report.run('others are served', serves, it)
sys.exit(report.end())
