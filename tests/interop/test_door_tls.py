#!/usr/bin/env python3
"""The door below the protocols: how many connections and handshakes a client may have and how long a handshake may
take, which TLS is spoken, and what happens when a connection ends in the middle (THREATS 2.4, 2.5, 3)."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter
from wire import Closed, Log, Wire, parallel, serves

warnings.simplefilter('ignore', DeprecationWarning)  # that old TLS is tried is the point
report = Report()
ANNA, BEN, FRIEND = 'anna@example.test', 'ben@example.test', 'friend@elsewhere.test'
COUNTS = {'loopback_limits': 'yes', 'conn_client_max': 3, 'conn_client_max_user': 4, 'conn_client_new': 12, 'conn_service_max': 10,
          'tls_handshake_rate': 1000, 'greeting_delay': '0 s', 'imap_clear': 'yes'}
HANDSHAKES = {'loopback_limits': 'yes', 'tls_handshake_rate': 2, 'tls_handshake_time': '1 s', 'greeting_delay': '0 s'}
IMPLICIT = ('submissions', 'imaps')


def greeted(it, service, source):
    w = Wire(it, service, source=source, tls=False)
    line = w.line()
    assert line.startswith(b'* OK' if service == 'imap' else b'220 '), line
    return w


def refused(it, service, source, code, enhanced):
    """One line in clear where the service speaks first in clear; no handshake elsewhere."""
    w = Wire(it, service, source=source, tls=False)
    said = w.ended()
    if service in IMPLICIT:
        assert said == b'', said
    elif service == 'imap':
        assert re.fullmatch(rb'\* BYE [a-zA-Z ]+\r\n', said), said
    else:
        assert re.fullmatch(rb'%d %s [ -~]+\r\n' % (code, enhanced.encode()), said), said


def serves_both(it, source):
    """Another client is served on 25 and on 993."""
    serves(it, source)
    with Wire(it, 'imaps', source=source) as w:
        w.ready(ANNA, PASSWORD)


# ---- counts ----

def conn_client_max(it, service, source, limit):
    log = Log(it)
    held = [greeted(it, service, source) if service not in IMPLICIT else Wire(it, service, source=source, tls=False)
            for _ in range(limit)]
    time.sleep(0.1)
    refused(it, service, source, 421, '4.7.0')
    log.saw('front.refused', limit='conn_client_max', address=source, service=service)
    serves_both(it, source[:-1] + '9')
    held.pop().close()
    it.wait_for(lambda: room(it, service, source), what='room for another connection')


def room(it, service, source):
    try:
        w = Wire(it, service, source=source, tls=False)
        if service in IMPLICIT:
            w.sock.settimeout(0.2)
            try:
                return w.receive()
            except TimeoutError:
                return True
        return not w.line().startswith((b'421', b'* BYE'))
    except Closed:
        return False


def conn_client_new(it, source):
    log = Log(it)
    for _ in range(12):
        with greeted(it, 'smtp', source) as w:
            w.command('QUIT', 221, '2.0.0')
            w.ended()
    refused(it, 'smtp', source, 421, '4.7.0')
    log.saw('front.refused', limit='conn_client_new', address=source)
    serves(it, '127.3.1.1')


def tls_handshake_rate(it, source):
    """The third handshake within a second is not begun; a second later it is."""
    log = Log(it)
    for _ in range(2):  # the clock's second may turn between two of them
        begun = time.monotonic()
        Wire(it, 'submissions', source=source).close()
        Wire(it, 'submissions', source=source).close()
        try:
            Wire(it, 'submissions', source=source).close()
        except Closed:
            break
        assert time.monotonic() - begun > 0.5, 'three handshakes in half a second'
        time.sleep(1.1)
    else:
        raise AssertionError('three handshakes in a second, twice')
    log.saw('front.refused', limit='tls_handshake_rate', address=source, service='submissions')
    time.sleep(1.1)
    Wire(it, 'submissions', source=source).ready()


def tls_handshake_rate_starttls(it, source):
    log = Log(it)
    for _ in range(3):  # on a slow machine three handshakes may take more than a second
        held = [Wire(it, 'smtp', source=source) for _ in range(3)]
        for w in held:
            w.hello()
        failed = 0
        begun = time.monotonic()
        for w in held:
            try:
                w.starttls()
            except (Closed, OSError):
                failed += 1
        for w in held:
            w.close()
        assert failed < 2, f'{failed} of 3 were refused'
        if failed:
            break
        assert time.monotonic() - begun > 0.9, 'three handshakes in a second'
        time.sleep(1.1)
    else:
        raise AssertionError('never three handshakes within a second')
    log.saw('front.refused', limit='tls_handshake_rate', address=source, service='smtp')


def tls_handshake_time(it, service, source, begun=b''):
    """A handshake that does not go on is given up."""
    log = Log(it)
    w = Wire(it, service, source=source, tls=False)
    if service not in IMPLICIT:
        w.hello()
        w.command('STARTTLS', 220, '2.0.0')
    start = time.monotonic()
    w.raw(begun)
    w.ended()
    seconds = time.monotonic() - start
    assert 0.9 < seconds < 3, f'{seconds:.2f} s'
    log.saw('front.tls_failed', address=source, why='the TLS handshake took too long')


def conn_service_max(it):
    """Ten: nine for strangers, the last for somebody who has delivered a message before."""
    log = Log(it)
    known = '127.4.0.100'
    with greeted(it, 'smtp', known) as w:
        w.send(b'EHLO client.test\r\n')
        w.reply()
        w.envelope(FRIEND, BEN)
        w.command('DATA', 354, '')
        w.send(letter(FRIEND, BEN) + b'.\r\n')
        w.expect(250, '2.0.0')
        w.command('QUIT', 221, '2.0.0')
        w.ended()
    time.sleep(0.5)
    held = [greeted(it, 'smtp', f'127.4.0.{i + 1}') for i in range(9)]
    refused(it, 'smtp', '127.4.0.50', 421, '4.3.2')
    log.saw('front.refused', limit='conn_service_max', address='127.4.0.50', service='smtp')
    held.append(greeted(it, 'smtp', known))
    refused(it, 'smtp', known, 421, '4.3.2')
    with Wire(it, 'submissions', source='127.4.0.51') as w:  # another service is not full
        w.ready(ANNA, PASSWORD)
    for w in held:
        w.close()
    it.wait_for(lambda: room(it, 'smtp', '127.4.0.50'), what='room again')


def counts():
    with Instance(options=COUNTS) as it:
        parallel(report, [(f'conn_client_max {s}', conn_client_max, it, s, f'127.2.{i}.1', 3 if s == 'smtp' else 4)
                          for i, s in enumerate(('smtp', 'submission', 'submissions', 'imap', 'imaps'))])
        report.run('conn_client_new', conn_client_new, it, '127.3.0.1')
        report.run('conn_service_max', conn_service_max, it)


def handshakes():
    with Instance(options=HANDSHAKES) as it:
        report.run('tls_handshake_rate', tls_handshake_rate, it, '127.3.0.2')
        report.run('tls_handshake_rate behind STARTTLS', tls_handshake_rate_starttls, it, '127.3.0.3')
        parallel(report, [('tls_handshake_time 465', tls_handshake_time, it, 'submissions', '127.3.0.4'),
                          ('tls_handshake_time 993', tls_handshake_time, it, 'imaps', '127.3.0.5', b'\x16\x03\x01\x02\x00\x01'),
                          ('tls_handshake_time STARTTLS', tls_handshake_time, it, 'smtp', '127.3.0.6', b'\x16')])


# ---- which TLS ----

def alpn(it):
    """Other protocols than ours get the fatal alert no_application_protocol (120)."""
    for service, ours in (('submissions', 'smtp'), ('imaps', 'imap'), ('smtp', 'smtp'), ('submission', 'smtp')):
        for names in (['h2', 'http/1.1'], ['http/1.1'], ['imap' if ours == 'smtp' else 'smtp'], ['ftp', 'xmpp-client']):
            w = Wire(it, service, tls=False)
            if service not in IMPLICIT:
                w.hello()
                w.command('STARTTLS', 220, '2.0.0')
            try:
                w.handshake(names)
            except ssl.SSLError as e:
                assert 'alert no application protocol' in str(e), e
            else:
                raise AssertionError(f'{service} spoke {names}')
        w = Wire(it, service, alpn=['h2', ours])
        if service in IMPLICIT:
            assert w.tls.selected_alpn_protocol() == ours, w.tls.selected_alpn_protocol()


def plain_to_tls(it):
    """Clear text where TLS is expected: an alert at most, never a protocol's words, and no echo."""
    log = Log(it)
    for service in IMPLICIT:
        for text in (b'POST / HTTP/1.1\r\nHost: injected.test\r\n\r\nEHLO injected.test\r\n', b'EHLO injected.test\r\n' * 20,
                     b'a LOGIN x y\r\n' * 20, b'\x80\x2e\x01\x00\x02' + b'x' * 100, b'\x16\x03\x01\xff\xff' + b'x' * 65535):
            w = Wire(it, service, tls=False)
            w.raw(text)
            said = w.ended()
            assert len(said) <= 7 and said[:1] in (b'', b'\x15'), said
    log.saw('front.tls_failed', service='imaps')
    serves(it)


def versions(it):
    for version, good in ((ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                          (ssl.TLSVersion.TLSv1_3, True)):
        context = it.ssl()
        context.set_ciphers('ALL:@SECLEVEL=0')
        context.minimum_version = context.maximum_version = version
        for service in IMPLICIT:
            try:
                Wire(it, service, context=context).ready(ANNA, PASSWORD)
                got = True
            except (ssl.SSLError, Closed):
                got = False
            assert got == good, f'{version.name} at {service}: {got}'
    context = it.ssl()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for weak in ('AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'AES256-GCM-SHA384', 'NULL', 'aNULL'):
        context.set_ciphers(f'{weak}:@SECLEVEL=0')
        try:
            Wire(it, 'submissions', context=context)
        except (ssl.SSLError, Closed):
            continue
        raise AssertionError(f'{weak} was spoken')


def s_client(it, *words, say=(b'QUIT\r\n',)):
    """What `openssl s_client` prints when it says these after the greeting."""
    with subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{it.port("submissions")}', *words],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said = b''
        while b'220 ' not in said:
            more = os.read(process.stdout.fileno(), 65536)
            if not more:
                break
            said += more
        try:
            for text in say:
                process.stdin.write(text)
                process.stdin.flush()
                time.sleep(0.2)
            process.stdin.close()
        except BrokenPipeError:
            pass
        return said + process.stdout.read()


def renegotiation(it):
    said = s_client(it, '-tls1_2', say=(b'R\n',))
    assert b'RENEGOTIATING' in said and b'no renegotiation' in said, said[-600:]
    assert b'Compression: NONE' in said and b'Secure Renegotiation IS supported' in said, said[-600:]


def early_data(it):
    """0-RTT is never offered and, when a client sends it all the same, not taken."""
    ticket, data = os.path.join(it.dir, 'ticket'), os.path.join(it.dir, 'early')
    open(data, 'wb').write(b'EHLO early.test\r\n')
    said = s_client(it, '-tls1_3', '-ign_eof', '-sess_out', ticket)
    assert b'Max Early Data: 0' in said, said[-800:]
    said = s_client(it, '-tls1_3', '-ign_eof', '-sess_in', ticket, '-early_data', data)
    assert b'Early data was not sent' in said or b'Early data was rejected' in said, said[-800:]
    assert b'early.test' not in said.replace(data.encode(), b''), said[-800:]


# ---- the end in the middle ----

def in_data(it, service='submissions'):
    w = Wire(it, service).ready(*((ANNA, PASSWORD) if service != 'smtp' else ()))
    w.envelope(ANNA if service != 'smtp' else FRIEND, BEN)
    w.command('DATA', 354, '')
    return w, letter(ANNA, BEN, 'cut short', 'x' * 70 + '\r\n') + b'.\r\n'


def in_bdat(it, service='submissions'):
    w = Wire(it, service).ready(ANNA, PASSWORD)
    w.envelope(ANNA, BEN)
    text = letter(ANNA, BEN, 'cut short')
    w.send(f'BDAT {len(text)} LAST\r\n')
    return w, text


def in_append(it):
    w = Wire(it, 'imaps').ready(BEN, PASSWORD)
    text = letter(ANNA, BEN, 'cut short')
    w.send(f'a APPEND INBOX {{{len(text)}}}\r\n')
    assert w.line().startswith(b'+')
    return w, text + b'\r\n'


def half(it, start, at, end):
    """The first part of a body, then the end: not another word, and nothing is stored."""
    w, text = start(it)
    w.send(text[:at if at >= 0 else len(text) // 2])
    end(w)
    try:
        said = w.ended(5)
    except OSError:
        said = b''
    assert said == b'', said


def clear_behind(n):
    def end(w):
        w.raw(w.notify())
        try:
            w.raw((b'\r\n.\r\nNOOP\r\n' * 8)[:n])
        except OSError:
            pass
    return end


def notify_twice(w):
    last = w.notify()
    w.raw(last)
    try:
        w.raw(last)
    except OSError:
        pass


def fin(w):
    w.sock.shutdown(socket.SHUT_WR)


def ends(it):
    """Every way to end, in every body, at the first octet and in its middle."""
    for start in (in_data, in_bdat, in_append):
        for at in (0, -1):
            for name, end in [(f'notify and {n}', clear_behind(n)) for n in (0, 1, 5, 17, 64)] + \
                    [('notify twice', notify_twice), ('FIN', fin)]:
                try:
                    half(it, start, at, end)
                except AssertionError as e:
                    raise AssertionError(f'{start.__name__} at {at} by {name}: {e}') from None
            w, text = start(it)
            w.send(text[:at])
            w.reset()
    for at in (0, 20):
        w, text = in_data(it, 'smtp')
        w.send(text[:at])
        fin(w)
        assert w.ended() == b''
        w, text = in_data(it, 'smtp')
        w.send(text[:at])
        w.reset()
    serves(it)


def ends_before(it):
    """close_notify or clear octets where nothing was said yet; junk in place of a record."""
    for service in IMPLICIT:
        w = Wire(it, service)
        w.raw(w.notify())
        w.ended(5)
        w = Wire(it, service)
        w.line()
        w.raw(b'NOOP\r\n' * 20)
        assert b'NOOP' not in w.ended(5)
        w = Wire(it, service)
        w.line()
        record, = w.records(b'NOOP\r\n')
        w.raw(record[:-1] + bytes([record[-1] ^ 1]))  # one bit changed
        said = w.ended(5)
        assert said == b'', said
    serves(it)


def final_dot_then_fin(it):
    """A whole message whose sender half-closes at once is taken and answered."""
    for service in ('smtp', 'submissions'):
        w, text = in_data(it, service)
        w.send(text.replace(b'cut short', b'whole'))
        w.raw(w.notify()) if w.tls else fin(w)
        assert w.ended().startswith(b'250 2.0.0 '), service


def nothing_half(it):
    it.wait_for(lambda: sum(b'Subject: whole' in m for m in it.messages(BEN)) == 2, what='the two whole letters')
    assert not any(b'cut short' in m for m in it.messages(BEN)), 'a part of a message was stored'
    it.wait_for(lambda: len(it.events('smtp.accepted')) >= 2, what='the events of the two')
    assert len(it.events('smtp.accepted')) == 2, it.events('smtp.accepted')


def alive(it):
    rows = it.json('status')
    assert all(r['state'] == 'ready' for r in rows), rows
    assert not it.events('supervisor.role_ended') and not it.events('supervisor.restart'), 'a role died'


def plain_tls():
    with Instance() as it:
        for test in (alpn, plain_to_tls, versions, ends, ends_before, final_dot_then_fin, nothing_half):
            report.run(test.__name__, test, it)
        for test in (renegotiation, early_data):
            if shutil.which('openssl'):
                report.run(test.__name__, test, it)
            else:
                report.skip(test.__name__, 'openssl is not installed')
        report.run('every role lives', alive, it)


if __name__ == '__main__':
    counts()
    handshakes()
    plain_tls()
    sys.exit(report.end())
