#!/usr/bin/env python3
"""Every command of an administrator against a running instance: what it does, what it refuses, in words."""
import json
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, POSTHOLD, Instance, Report, letter

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
ROLES = {'log', 'keys', 'auth', 'queue', 'resolve', 'send', 'smtp-mx', 'smtp-submit', 'login', 'front-mx', 'front-user',
         'front-out', 'control'}


def refused(it, *words, says):
    result = it.cli(*words, check=False)
    assert result.returncode == 1, f'{words} ended with {result.returncode}'
    assert says in result.stderr, f'{words}: {result.stderr}'


def processes(it):
    """Rows of status; its exit code tells whether all are ready."""
    return json.loads(it.cli('--json', 'status', check=False).stdout)


def send(it, to=ANNA, subject='x', sender='friend@elsewhere.test'):
    with it.smtp() as s:
        return s.sendmail(sender, [to] if isinstance(to, str) else to, letter(sender, ANNA, subject))


def status(it):
    rows = processes(it)
    assert {r['role'] for r in rows} >= ROLES, rows
    for row in rows:
        assert row['state'] == 'ready', row
        assert 'seccomp' in row['sandbox'] and 'landlock' in row['sandbox'], row
        if os.geteuid() == 0:
            assert 'uid' in row['sandbox'].split(), row
            assert row['weaker'] == '', row
    text = it.cli('status').stdout
    assert 'smtp-mx' in text and 'resident' in text, text


def sandbox_of_processes(it):
    """The kernel's own word: every role is confined, none is root, none has a capability."""
    for row in processes(it):
        facts = dict(line.split(':\t', 1) for line in open(f'/proc/{row["pid"]}/status') if ':\t' in line)
        assert facts['Seccomp'].strip() == '2' and facts['NoNewPrivs'].strip() == '1', (row['role'], facts['Seccomp'])
        assert int(facts['CapEff'], 16) == 0, (row['role'], facts['CapEff'])
        if os.geteuid() == 0:
            assert facts['Uid'].split()[0] not in ('0',), row['role']
    uids = [open(f'/proc/{r["pid"]}/status').read().split('Uid:\t')[1].split()[0] for r in processes(it)]
    if os.geteuid() == 0:
        assert len(set(uids)) == len(uids), 'two roles share a user'


def domains(it):
    it.cli('domain', 'add', 'second.test')
    assert 'second.test' in [r['domain'] for r in it.json('domain', 'list')]
    refused(it, 'domain', 'add', 'second.test', says='already')
    refused(it, 'domain', 'add', 'not a domain', says='')
    it.cli('account', 'add', 'carl@second.test')
    refused(it, 'domain', 'remove', 'second.test', says='account')
    it.cli('account', 'remove', 'carl@second.test')
    it.cli('domain', 'remove', 'second.test')
    refused(it, 'domain', 'remove', 'second.test', says='second.test')


def accounts(it):
    made = it.json('account', 'add', 'carl@example.test')[0]['password']
    assert len(made) >= 20, made
    it.imap('carl@example.test', made).logout()
    it.cli('account', 'password', 'carl@example.test', '--password-stdin', input='another good passphrase\n')
    it.imap('carl@example.test', 'another good passphrase').logout()
    refused(it, 'account', 'add', 'carl@example.test', says='')
    result = it.cli('account', 'password', 'carl@example.test', '--password-stdin', input='short\n', check=False)
    assert result.returncode == 1 and '12' in result.stderr, result.stderr
    refused(it, 'account', 'show', 'nobody@example.test', says='no account')
    refused(it, 'account', 'add', 'x@nowhere.test', says='nowhere.test')
    it.cli('account', 'quota', 'carl@example.test', '10 MiB')
    assert it.json('account', 'show', 'carl@example.test')[0]['quota'] == 10 << 20


def disabling_ends_sessions(it):
    m = it.imap('carl@example.test', 'another good passphrase')
    it.cli('account', 'disable', 'carl@example.test')
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < 5:
            m.noop()
            time.sleep(0.05)
        raise AssertionError('the session went on')
    except (m.abort, OSError):
        pass
    assert time.monotonic() - begin < 2, 'the session went on too long'
    try:
        it.imap('carl@example.test', 'another good passphrase')
        raise AssertionError('a disabled account logged in')
    except m.error:
        pass
    it.cli('account', 'enable', 'carl@example.test')
    it.imap('carl@example.test', 'another good passphrase').logout()
    it.cli('account', 'remove', 'carl@example.test')


def aliases(it):
    it.cli('alias', 'add', 'info@example.test', ANNA)
    it.cli('alias', 'add', 'info@example.test', BEN)
    it.cli('alias', 'add', '@example.test', BEN)
    before = len(it.messages(ANNA)), len(it.messages(BEN))
    send(it, ['info@example.test'], 'to the alias')
    send(it, ['who-knows@example.test'], 'to the catch-all')
    send(it, ['anna+list@example.test'], 'to the sub-address')
    it.wait_for(lambda: (len(it.messages(ANNA)), len(it.messages(BEN))) == (before[0] + 2, before[1] + 2), what='all copies')
    it.cli('alias', 'remove', '@example.test')
    it.cli('alias', 'remove', 'info@example.test')
    assert it.json('alias', 'list') == []
    refused(it, 'alias', 'remove', 'info@example.test', says='no such alias')


def trace_and_log(it):
    with it.smtp() as s:
        s.ehlo()
        s.mail('friend@elsewhere.test')
        s.rcpt(ANNA)
        code, answer = s.data(letter('friend@elsewhere.test', ANNA, 'traced'))
    trace = answer.decode().split()[-1]
    it.wait_for(lambda: len(it.json('trace', trace)) >= 2, what='the events')
    events = [e['event'] for e in it.json('trace', trace)]
    assert any(e.startswith('smtp.') for e in events) and any(e.startswith('mailbox.') for e in events), events
    assert trace in it.cli('log', '--last', '100').stdout
    assert 'No event' in it.cli('trace', '0000000000000').stdout
    # A name that tries to make a second line, or a second field, stays one value.
    with it.smtp() as s:
        s.ehlo()
        s.docmd('RCPT TO:<x"},{"event":"forged@example.test>')
    assert not [e for e in it.events() if e['event'].startswith('forged')]


def queue_commands(it):
    assert it.json('queue', 'list') == []
    assert 'Nothing waits' in it.cli('queue', 'list').stdout
    refused(it, 'queue', 'show', '0000000000001', says='')
    it.cli('queue', 'stop')
    it.cli('queue', 'start')


def fsck(it):
    send(it, ANNA, 'to be checked')
    it.wait_for(lambda: any(b'to be checked' in m for m in it.messages(ANNA)), what='the letter')
    it.cli('fsck', ANNA)
    rows = it.json('fsck', ANNA)[0]['rows']
    assert rows[-1]['damaged'] == 0 and rows[-1]['messages'] > 0, rows
    before = it.messages(ANNA)
    assert 'rebuilt' in it.cli('fsck', ANNA, '--rebuild').stdout
    assert it.messages(ANNA) == before, 'a rebuild changed the mail'
    refused(it, 'fsck', 'nobody@example.test', says='no account')


def damaged_pack(it):
    """One flipped bit in a stored message: found, told, and everything else is still there."""
    send(it, BEN, 'before')
    it.wait_for(lambda: any(b'Subject: before' in m for m in it.messages(BEN)))
    account = it.json('account', 'show', BEN)[0]['id']
    count = len(it.messages(BEN))
    it.stop()
    folder = os.path.join(it.dir, 'mail', str(account))
    packs = sorted(n for n in os.listdir(folder) if n.startswith('pack-'))
    path = os.path.join(folder, packs[0])
    data = bytearray(open(path, 'rb').read())
    data[len(data) // 2] ^= 1
    open(path, 'r+b').write(data)
    it.start()
    result = it.cli('fsck', BEN, check=False)
    assert result.returncode == 1 and 'damaged' in result.stdout, result.stdout + result.stderr
    m = it.imap(BEN)
    m.select('INBOX', readonly=True)
    left = 0
    for n in m.uid('SEARCH', 'ALL')[1][0].split():
        status, data = m.uid('FETCH', n.decode(), '(BODY.PEEK[])')
        # What a refused FETCH said before its NO is still in imaplib's list.
        left += status == 'OK' and any(isinstance(d, tuple) for d in data)
    m.logout()
    assert left >= count - 1, f'{left} of {count} are left'


def killed_role_comes_back(it):
    for role in ('smtp-mx', 'queue', 'auth', 'front-mx', 'keys', 'log'):
        row = [r for r in processes(it) if r['role'] == role][0]
        os.kill(row['pid'], 9)
        it.wait_for(lambda: [r for r in processes(it) if r['role'] == role and r['state'] == 'ready' and
                             r['pid'] != row['pid']], what=f'the restart of {role}')
        send(it, ANNA, f'after {role}')
    now = [r for r in processes(it) if r['role'] == 'smtp-mx'][0]
    assert now['restarts'] == 1 and 'signal 9' in now['last_end'], now
    assert 'was started again' in it.cli('status').stdout
    it.wait_for(lambda: sum(b'Subject: after ' in m for m in it.messages(ANNA)) == 6, what='all six letters')


def reload_keeps_connections(it):
    m = it.imap(ANNA)
    with it.smtp() as s:
        s.ehlo()
        config = os.path.join(it.dir, 'posthold.conf')
        with open(config, 'a') as f:
            f.write('message_size = "70000"\n')
        it.cli('reload')
        assert s.noop()[0] == 250
    assert m.noop()[0] == 'OK'
    m.logout()
    def size():
        with it.smtp() as t:
            t.ehlo()
            return t.esmtp_features.get('size')
    it.wait_for(lambda: size() == '70000', what='the new limit')
    with open(config, 'a') as f:
        f.write('message_size = "tiny"\n')
    result = it.cli('reload', check=False)
    lines = open(config).read().count('\n')
    assert result.returncode == 1 and f'posthold.conf:{lines}:' in result.stderr and 'a size such as' in result.stderr, result.stderr
    assert size() == '70000'


def wrong_command_lines(it):
    for words, says in ((['nonsense'], 'no command'), (['account'], 'account what?'), (['account', 'add'], 'address is missing'),
                        (['domain', 'add', 'a.test', 'b.test'], 'too many arguments'), (['status', '--wrong'], 'unknown option')):
        result = it.cli(*words, check=False)
        assert result.returncode == 2 and says in result.stderr, (words, result.stderr)
    assert 'usage' in it.cli('help').stdout and 'usage' in it.cli('help', 'account', 'add').stdout


def port_in_use(it):
    other = Instance(accounts={})
    taken = socket.socket()
    taken.bind(('127.0.0.1', other.port('smtp')))
    taken.listen()
    result = subprocess.run(other.command(), capture_output=True, text=True, timeout=30)
    taken.close()
    assert result.returncode == 1 and f'port {other.port("smtp")}' in result.stderr and 'Another program' in result.stderr, result.stderr


def not_running(it):
    result = subprocess.run([POSTHOLD, '--dir', '/nonexistent', 'status'], capture_output=True, text=True)
    assert result.returncode == 1 and 'no instance runs' in result.stderr, result.stderr


def init_and_check(it):
    folder = os.path.join(it.dir, 'server')
    words = [POSTHOLD, '--dir', folder, 'init', '--hostname', 'mail.example.org', '--domain', 'example.org',
             '--cert', f'{it.dir}/cert.pem', '--key', f'{it.dir}/key.pem']
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0 and 'domain add example.org' in result.stdout, result.stdout + result.stderr
    unit = open(f'{folder}/posthold.service').read()
    assert 'ExecStart=/' in unit and 'Type=notify' in unit, unit
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.returncode == 1 and 'already there' in again.stderr, again.stderr
    check = subprocess.run([POSTHOLD, '--dir', folder, 'check'], capture_output=True, text=True)
    assert check.returncode == 0 and 'can be served' in check.stdout, check.stdout + check.stderr
    wrong = subprocess.run(words[:4] + ['--force'] + words[4:-1] + [f'{it.dir}/ca.pem'], capture_output=True, text=True)
    assert wrong.returncode == 1 and 'certificate' in wrong.stderr, wrong.stderr
    with open(f'{folder}/posthold.conf', 'a') as f:
        f.write('hostnam = "x"\n')
    check = subprocess.run([POSTHOLD, '--dir', folder, 'check'], capture_output=True, text=True)
    assert check.returncode == 1 and 'did you mean "hostname"' in check.stderr and 'posthold.conf:' in check.stderr, check.stderr


TESTS = [status, sandbox_of_processes, domains, accounts, disabling_ends_sessions, aliases, trace_and_log, queue_commands, fsck,
         wrong_command_lines, port_in_use, not_running, init_and_check, killed_role_comes_back, damaged_pack,
         reload_keeps_connections]
if __name__ == '__main__':
    with Instance() as it:
        for test in TESTS:
            if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
                report.run(test.__name__, test, it)
    sys.exit(report.end())
