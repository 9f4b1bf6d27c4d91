#!/usr/bin/env python3
"""Real clients against a whole instance: what a newcomer would use must simply work."""
import email
import email.policy
import imaplib
import os
import shutil
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'


def run(words, **more):
    result = subprocess.run(words, capture_output=True, text=True, timeout=60, **more)
    if result.returncode != 0:
        raise RuntimeError(f'{words[0]} ended with {result.returncode}: {result.stdout[-600:]} {result.stderr[-600:]}')
    return result.stdout


def have(program):
    if shutil.which(program):
        return True
    report.skip(program, 'is not installed')
    return False


def count(it, address):
    return len(it.messages(address))


def swaks_in(it):
    before = count(it, ANNA)
    run(['swaks', '--server', f'127.0.0.1:{it.port("smtp")}', '--from', 'friend@elsewhere.test', '--to', ANNA,
         '--header', 'Subject: by swaks', '--body', 'Hello Anna.'])
    it.wait_for(lambda: count(it, ANNA) == before + 1, what='the letter')
    got = it.messages(ANNA)[-1]
    assert b'Subject: by swaks\r\n' in got and b'\r\n\r\nHello Anna.\r\n' in got and got.startswith(b'Return-Path: <friend@elsewhere.test>\r\n'), got


def swaks_starttls(it):
    run(['swaks', '--server', f'127.0.0.1:{it.port("smtp")}', '--tls', '--tls-ca-path', f'{it.dir}/ca.pem',
         '--from', 'friend@elsewhere.test', '--to', ANNA, '--body', 'over TLS'])
    it.wait_for(lambda: any(b'with ESMTPS' in m for m in it.messages(ANNA)), what='the letter over TLS')


def swaks_submission(it):
    before = count(it, BEN)
    for words in (['--server', f'localhost:{it.port("submissions")}', '--tls-on-connect'],
                  ['--server', f'localhost:{it.port("submission")}', '--tls']):
        run(['swaks', *words, '--auth', 'PLAIN', '--auth-user', ANNA, '--auth-password', PASSWORD, '--from', ANNA, '--to', BEN])
    it.wait_for(lambda: count(it, BEN) == before + 2, what='both letters')


def swaks_refused(it):
    """No log-in without TLS; no foreign sender; no relay."""
    base = ['swaks', '--timeout', '15', '--auth-user', ANNA, '--auth-password', PASSWORD]
    clear = subprocess.run([*base, '--server', f'127.0.0.1:{it.port("submission")}', '--auth', 'PLAIN', '--from', ANNA, '--to', BEN],
                           capture_output=True, text=True)
    assert clear.returncode != 0, 'a log-in without TLS was accepted'
    foreign = subprocess.run([*base, '--server', f'127.0.0.1:{it.port("submissions")}', '--tls-on-connect', '--auth', 'PLAIN',
                              '--from', BEN, '--to', ANNA], capture_output=True, text=True)
    assert '550 5.7.1' in foreign.stdout or '553 5.7.1' in foreign.stdout, foreign.stdout
    relay = subprocess.run(['swaks', '--server', f'127.0.0.1:{it.port("smtp")}', '--from', 'a@elsewhere.test', '--to', 'b@other.test'],
                           capture_output=True, text=True)
    assert '550 5.7.1' in relay.stdout, relay.stdout
    unknown = subprocess.run(['swaks', '--server', f'127.0.0.1:{it.port("smtp")}', '--from', 'a@elsewhere.test',
                              '--to', 'nobody@example.test'], capture_output=True, text=True)
    assert '550 5.1.1' in unknown.stdout, unknown.stdout


def curl_smtp(it):
    before = count(it, BEN)
    path = os.path.join(it.dir, 'letter.eml')
    open(path, 'wb').write(letter(ANNA, BEN, 'by curl'))
    run(['curl', '-sS', '--cacert', f'{it.dir}/ca.pem', '--user', f'{ANNA}:{PASSWORD}', '--mail-from', ANNA, '--mail-rcpt', BEN,
         '--upload-file', path, f'smtps://localhost:{it.port("submissions")}'])
    it.wait_for(lambda: count(it, BEN) == before + 1, what='the letter')


def curl_imap(it):
    base = ['curl', '-sS', '--cacert', f'{it.dir}/ca.pem', '--user', f'{ANNA}:{PASSWORD}']
    url = f'imaps://localhost:{it.port("imaps")}'
    listed = run([*base, url])
    assert 'INBOX' in listed and 'Sent' in listed, listed
    text = run([*base, f'{url}/INBOX;MAILINDEX=1'])
    assert 'Hello Anna.' in text, text
    path = os.path.join(it.dir, 'up.eml')
    open(path, 'wb').write(letter(ANNA, ANNA, 'kept by curl'))
    run([*base, '-T', path, f'{url}/Sent'])
    assert 'kept by curl' in run([*base, f'{url}/Sent;MAILINDEX=1'])


def mbsync(it):
    folder = os.path.join(it.dir, 'sync')
    os.makedirs(folder, exist_ok=True)
    config = os.path.join(it.dir, 'mbsyncrc')
    open(config, 'w').write(f'''IMAPAccount p
Host localhost
Port {it.port("imaps")}
User {ANNA}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {it.dir}/ca.pem

IMAPStore far
Account p

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
''')
    run(['mbsync', '-c', config, 'c'])
    inbox = [n for d in ('new', 'cur') for n in os.listdir(f'{folder}/INBOX/{d}')]
    assert len(inbox) == count(it, ANNA), (len(inbox), count(it, ANNA))
    # A letter made here goes up, one marked seen stays so on both sides.
    open(f'{folder}/INBOX/new/1.local', 'wb').write(letter(ANNA, ANNA, 'from below').replace(b'\r\n', b'\n'))
    run(['mbsync', '-c', config, 'c'])
    assert any(b'from below' in m for m in it.messages(ANNA))
    m = it.imap(ANNA)
    m.select('INBOX')
    m.store('1', '+FLAGS', r'(\Flagged)')
    m.logout()
    run(['mbsync', '-c', config, 'c'])
    assert any('F' in n.rpartition(',')[2] for n in os.listdir(f'{folder}/INBOX/cur')), os.listdir(f'{folder}/INBOX/cur')


def mutt(it):
    rc = os.path.join(it.dir, 'muttrc')
    open(rc, 'w').write(f'''set imap_user="{ANNA}"
set imap_pass="{PASSWORD}"
set folder="imaps://localhost:{it.port("imaps")}/"
set spoolfile="+INBOX"
set ssl_ca_certificates_file="{it.dir}/ca.pem"
set certificate_file="{it.dir}/ca.pem"
set ssl_verify_host=no
set smtp_url="smtps://{ANNA.replace('@', '%40')}@localhost:{it.port("submissions")}/"
set smtp_pass="{PASSWORD}"
# Left alone, mutt 2.2 with GNU SASL takes SCRAM-SHA-256-PLUS, for which it has no channel binding, and gives up.
set smtp_authenticators="scram-sha-256"
set imap_authenticators="scram-sha-256"
set from="{ANNA}"
set use_from=yes
set realname="Anna"
set record="+Sent"
set copy=yes
set header_cache=""
set move=no
''')
    env = {**os.environ, 'HOME': it.dir, 'TERM': 'xterm', 'LANG': 'C.UTF-8'}
    before = count(it, BEN)
    run(['mutt', '-F', rc, '-s', 'by mutt', BEN], input='Hello Ben.\n', env=env)
    it.wait_for(lambda: count(it, BEN) == before + 1, what='the letter')
    assert any(b'by mutt' in m for m in it.messages(ANNA, 'Sent')), 'mutt put no copy into Sent'


def python_libraries(it):
    with smtplib.SMTP('127.0.0.1', it.port('submission'), timeout=20) as s:
        s.starttls(context=it.ssl())
        s.login(BEN, PASSWORD)
        assert s.sendmail(BEN, [ANNA], letter(BEN, ANNA, 'by smtplib', 'Grüße\r\n'.encode().decode('latin-1'))) == {}
    it.wait_for(lambda: any(b'by smtplib' in m for m in it.messages(ANNA)), what='the letter')
    m = it.imap(ANNA)
    assert 'IMAP4REV1' in m.capabilities and 'IDLE' in m.capabilities, m.capabilities
    assert m.create('Projects/2026')[0] == 'OK'
    assert m.append('Projects/2026', r'(\Seen)', imaplib.Time2Internaldate(1700000000), letter(BEN, ANNA, 'kept'))[0] == 'OK'
    assert m.select('Projects/2026')[1] == [b'1']
    status, data = m.fetch('1', '(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    flat = b' '.join(x if isinstance(x, bytes) else b' '.join(x) for x in data)
    assert b'\\Seen' in flat and b'14-Nov-2023' in flat and b'Subject: kept' in flat, flat
    assert m.search(None, 'SUBJECT', 'kept')[1] == [b'1']
    assert m.search(None, 'UNSEEN')[1] == [b'']
    assert m.copy('1', 'Trash')[0] == 'OK'
    assert m.store('1', '+FLAGS', r'(\Deleted)')[0] == 'OK'
    assert m.expunge()[1] == [b'1']
    assert m.close()[0] == 'OK'
    assert m.rename('Projects/2026', 'Projects/old')[0] == 'OK'
    assert m.delete('Projects/old')[0] == 'OK'
    m.logout()


def every_byte(it):
    """What was sent is what is read, to the octet, behind the trace fields."""
    body = bytes(range(1, 10)) + b'\x0b\x0c' + bytes(range(14, 127)) + b'\r\n..dots\r\n.\x20\r\n' + 'ÄÖÜ €'.encode() + b'\r\n' + b'x' * 990 + b'\r\n'
    text = letter('friend@elsewhere.test', ANNA, 'every byte') + body
    with it.smtp() as s:
        s.ehlo()
        code, answer = s.docmd('MAIL FROM:<friend@elsewhere.test> BODY=8BITMIME')
        assert code == 250, answer
        assert s.rcpt(ANNA)[0] == 250
        code, answer = s.data(text)
        assert code == 250, answer
    it.wait_for(lambda: any(b'every byte' in m for m in it.messages(ANNA)), what='the letter')
    got = [m for m in it.messages(ANNA) if b'every byte' in m][0]
    assert got.endswith(text), 'the octets differ'


def idle_at_once(it):
    watcher = it.imap(ANNA)
    watcher.select('INBOX')
    watcher.send(b'x IDLE\r\n')
    assert watcher.readline().startswith(b'+')
    begin = time.monotonic()
    with it.smtp() as s:
        s.sendmail('friend@elsewhere.test', [ANNA], letter('friend@elsewhere.test', ANNA, 'idle'))
    line = watcher.readline()
    assert b'EXISTS' in line, line
    assert time.monotonic() - begin < 5
    watcher.send(b'DONE\r\n')
    watcher.shutdown()


def restart_keeps(it):
    before = it.messages(ANNA)
    status, seconds = it.stop()
    assert status == 0, f'ended with {status}'
    assert seconds <= 5, f'took {seconds:.1f} s to end'
    it.start()
    assert it.messages(ANNA) == before


with Instance() as it:
    for program, tests in (('swaks', [swaks_in, swaks_starttls, swaks_submission, swaks_refused]), ('curl', [curl_smtp, curl_imap]),
                           ('mbsync', [mbsync]), ('mutt', [mutt]), ('python3', [python_libraries, every_byte, idle_at_once, restart_keeps])):
        if have(program):
            for test in tests:
                report.run(test.__name__, test, it)
sys.exit(report.end())
