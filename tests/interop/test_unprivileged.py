#!/usr/bin/env python3
"""An instance that an ordinary user serves: the same mail, the same sandbox but for what only root can give."""
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import POSTHOLD, Instance, Report, as_user, letter

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
USER, STRANGER = 'nobody', 'daemon'


def letters(it):
    with it.smtp() as s:
        s.sendmail('friend@elsewhere.test', [ANNA], letter('friend@elsewhere.test', ANNA, 'from outside'))
    with it.submit(ANNA) as s:
        s.sendmail(ANNA, [BEN], letter(ANNA, BEN, 'from Anna'))
    it.wait_for(lambda: any(b'Subject: from outside' in m for m in it.messages(ANNA)), what='the letter from outside')
    it.wait_for(lambda: any(b'Subject: from Anna' in m for m in it.messages(BEN)), what='the letter from Anna')


def owner(it):
    """Nothing runs as anybody else, and nobody else may look at the mail."""
    uid = os.stat(it.dir).st_uid
    gid = os.stat(it.dir).st_gid
    for row in it.json('status'):
        facts = dict(line.split(':\t', 1) for line in open(f'/proc/{row["pid"]}/status') if ':\t' in line)
        assert set(facts['Uid'].split()) == {str(uid)}, (row['role'], facts['Uid'])
        assert set(facts['Gid'].split()) == {str(gid)}, (row['role'], facts['Gid'])
    for name in ('keys', 'directory', 'spool', 'log'):
        assert os.stat(os.path.join(it.dir, name)).st_mode & 0o077 == 0, f'{name} is open to others'


def confined(it):
    """The kernel's own word: seccomp, no new privileges, no capability, no core, for every role; Landlock as reported."""
    rows = it.json('status')
    assert any(r['role'] == 'mailbox' for r in rows), 'no mailbox process runs'
    for row in rows:
        facts = dict(line.split(':\t', 1) for line in open(f'/proc/{row["pid"]}/status') if ':\t' in line)
        assert facts['Seccomp'].strip() == '2' and facts['NoNewPrivs'].strip() == '1', (row['role'], facts['Seccomp'])
        assert int(facts['CapEff'], 16) == 0, (row['role'], facts['CapEff'])
        words = row['sandbox'].split()
        assert 'seccomp' in words and any(w.startswith('landlock-') for w in words), row
        assert 'uid' not in words and 'chroot' not in words, row


def says_what_is_weaker(it):
    for row in it.json('status'):
        assert 'not started as root' in row['weaker'] and 'user of its own' in row['weaker'], row
    text = it.cli('status').stdout
    assert text.count('not started as root') == 1, text
    assert 'Weaker than possible' in text and not text.rstrip().endswith(';.'), text


def strangers_do_not_administer(it):
    if os.geteuid() != 0:
        report.skip('strangers', 'only root can try what another user may do')
        return
    words = [POSTHOLD, '--dir', it.dir, 'status']
    assert subprocess.run(words, capture_output=True, **as_user(USER)).returncode == 0, 'its own user may not ask it'
    stranger = subprocess.run(words, capture_output=True, text=True, **as_user(STRANGER))
    assert stranger.returncode == 1 and 'smtp-mx' not in stranger.stdout, stranger.stdout
    assert stranger.stderr.startswith('posthold: '), stranger.stderr


def ends_and_comes_back(it):
    before = it.messages(ANNA)
    status, _ = it.stop()
    assert status == 0, f'ended with {status}'
    it.start()
    assert it.messages(ANNA) == before


def readable(path):
    """Whether others may reach the program."""
    path = os.path.realpath(path)
    if not os.stat(path).st_mode & 0o005 == 0o005:
        return False
    while path != '/':
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


def main():
    user = None
    folder = tempfile.mkdtemp(prefix='posthold-unprivileged-', dir='/tmp')
    if os.geteuid() == 0:
        if not readable(POSTHOLD):
            report.skip('unprivileged', f'{USER} may not read {POSTHOLD}')
            return report.end()
        user = USER
        os.chown(folder, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
    try:
        with Instance(dir=folder, user=user) as it:
            for test in (letters, owner, confined, says_what_is_weaker, strangers_do_not_administer, ends_and_comes_back):
                report.run(test.__name__, test, it)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report.end()


if __name__ == '__main__':
    sys.exit(main())
