#!/usr/bin/env python3
"""A disk without room (THREATS 3, 4.8): below the reserve mail is refused before DATA with 452 4.3.1, everything else goes
on, and within a minute of room mail is taken again.  The disk is a small tmpfs, mounted when root; else the reserve is
raised above what is free."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report, letter
from wire import Log, Wire

report = Report()
ANNA, BEN, FRIEND = 'anna@example.test', 'ben@example.test', 'friend@elsewhere.test'
SIZE, INODES, RESERVE = 400, 4000, 64  # MiB, number, MiB
MIB = 1024 * 1024


class Disk:
    """A file system of its own below a temporary folder."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='posthold-disk-')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={SIZE}m,nr_inodes={INODES},mode=755', 'none', self.path], check=True)
        self.dir = os.path.join(self.path, 'instance')
        os.mkdir(self.dir)
        return self

    def __exit__(self, *exc):
        subprocess.run(['umount', '-l', self.path], check=False)
        os.rmdir(self.path)

    def free(self):
        v = os.statvfs(self.path)
        return v.f_bavail * v.f_frsize

    def fill(self, leave):
        """Use all but so many octets."""
        with open(os.path.join(self.path, 'filler'), 'ab') as f:
            while self.free() > leave:
                try:
                    f.write(bytes(min(self.free() - leave, 4 * MIB)))
                    f.flush()
                except OSError:
                    break

    def fill_inodes(self, leave):
        os.makedirs(os.path.join(self.path, 'fillers'), exist_ok=True)
        n = 0
        while os.statvfs(self.path).f_favail > leave:
            open(os.path.join(self.path, 'fillers', str(n)), 'w').close()
            n += 1

    def empty(self):
        shutil.rmtree(os.path.join(self.path, 'fillers'), ignore_errors=True)
        try:
            os.unlink(os.path.join(self.path, 'filler'))
        except FileNotFoundError:
            pass


def takes(it):
    """A letter is taken."""
    with Wire(it, 'smtp') as w:
        w.hello()
        w.envelope(FRIEND, ANNA)
        w.send('DATA\r\n')
        if w.reply().code != 354:
            return False
        w.send(letter(FRIEND, ANNA) + b'.\r\n')
        w.expect(250, '2.0.0')
        return True


def refuses(it):
    """No letter is taken; if it would be, none is sent."""
    with Wire(it, 'smtp') as w:
        w.hello()
        w.envelope(FRIEND, ANNA)
        w.send('DATA\r\n')
        r = w.reply()
        assert (r.code, r.enhanced) in ((452, '4.3.1'), (354, '')), r
        return r.code == 452


def refused_everywhere(it):
    """Before 354, before a chunk is kept, and at submission; the connection goes on."""
    for service, login in (('smtp', ()), ('submissions', (ANNA, PASSWORD))):
        w = Wire(it, service).ready(*login)
        w.envelope(ANNA if login else FRIEND, BEN)
        w.command('DATA', 452, '4.3.1')
        w.command('NOOP', 250, '2.0.0')
        w.envelope(ANNA if login else FRIEND, BEN)
        text = letter(ANNA, BEN)
        w.send(f'BDAT {len(text)} LAST\r\n'.encode() + text)
        w.expect(452, '4.3.1')
        w.command('QUIT', 221, '2.0.0')


def goes_on(it, letters):
    """Log-in, reading, flags, deleting and administration do not need the room that is missing."""
    m = it.imap(ANNA)
    assert m.select('INBOX')[1] == [str(letters).encode()], m.select('INBOX')
    status, data = m.fetch('1', '(BODY.PEEK[])')
    assert status == 'OK' and b'Subject:' in data[0][1], data
    assert m.store('1', '+FLAGS', r'(\Flagged)')[0] == 'OK'
    assert m.store('2', '+FLAGS', r'(\Deleted)')[0] == 'OK'
    assert m.expunge()[0] == 'OK'
    assert m.search(None, 'FLAGGED')[1] == [b'1']
    m.logout()
    with Wire(it, 'submissions') as w:
        w.ready(BEN, PASSWORD)
    assert it.json('queue', 'list') == []
    assert len(it.json('account', 'list')) >= 2
    rows = it.json('status')
    assert all(r['state'] == 'ready' for r in rows), rows
    return letters - 1


def cycle(it, disk, fill, letters):
    """Full, used, and with room again."""
    log = Log(it)
    fill()
    it.wait_for(lambda: refuses(it), timeout=10, what='452 4.3.1')
    event = log.saw('queue.full', what='disk')
    assert event['level'] == 'error', event
    log.saw('smtp.refused', code=452, status='4.3.1')
    refused_everywhere(it)
    left = goes_on(it, letters)
    disk.empty()
    begun = time.monotonic()
    it.wait_for(lambda: takes(it), timeout=60, what='mail taken again')
    assert time.monotonic() - begun < 60
    log.saw('queue.room')
    it.wait_for(lambda: len(it.messages(ANNA)) == left + 1, what='the letter')
    return left + 1


def to_the_last_block(it, disk, letters):
    """Something else has taken all: what was acknowledged is there, reading goes on, and the log says that it has a gap."""
    log = Log(it)
    disk.fill(0)
    it.wait_for(lambda: refuses(it), timeout=10, what='452 4.3.1')
    for _ in range(20):  # these are lines of the log, more than its last block has room for
        m = it.imap(ANNA)
        assert m.select('INBOX')[1] == [str(letters).encode()]
        assert m.fetch('1:*', '(BODY.PEEK[])')[0] == 'OK'
        m.logout()
    rows = it.json('status')
    assert all(r['state'] == 'ready' for r in rows), rows
    disk.empty()
    it.wait_for(lambda: takes(it), timeout=60, what='mail taken again')
    it.wait_for(lambda: len(it.messages(ANNA)) == letters + 1, what='the letter')
    log.saw('log.lost')
    return letters + 1


def within_a_message(it, disk, letters):
    """The room goes while a message comes: 452 or 250, and what was said is true."""
    with Wire(it, 'smtp') as w:
        w.hello()
        w.envelope(FRIEND, ANNA)
        w.command('DATA', 354, '')
        w.send(letter(FRIEND, ANNA, 'in the middle'))
        disk.fill(RESERVE * MIB // 2)
        time.sleep(2.5)
        w.send(b'.\r\n')
        reply = w.reply()
    assert (reply.code, reply.enhanced) in ((452, '4.3.1'), (250, '2.0.0')), reply
    stored = letters + (reply.code == 250)
    it.wait_for(lambda: len(it.messages(ANNA)) == stored, what='what was said')
    disk.empty()
    it.wait_for(lambda: takes(it), timeout=60, what='mail taken again')
    it.wait_for(lambda: len(it.messages(ANNA)) == stored + 1, what='the letter')
    return stored + 1


def restart_full(it, disk, letters):
    """It starts on a full disk, serves what it has, and takes mail once there is room."""
    disk.fill(RESERVE * MIB // 2)
    it.wait_for(lambda: refuses(it), timeout=10, what='452 4.3.1')
    it.stop()
    it.start()
    assert refuses(it), 'a fresh start takes mail that it has no room for'
    assert len(it.messages(ANNA)) == letters
    disk.empty()
    it.wait_for(lambda: takes(it), timeout=60, what='mail taken again')


def real_disk():
    with Disk() as disk:
        options = {'disk_reserve': f'{RESERVE} MiB', 'disk_reserve_percent': 0, 'journal_segment': '4 MiB', 'mail_per_session': 1000}
        with Instance(dir=disk.dir, options=options) as it:
            for i in range(6):
                assert takes(it)
            it.wait_for(lambda: len(it.messages(ANNA)) == 6, what='six letters')
            state = {'n': 6}

            def step(function, *args):
                state['n'] = function(*args, state['n']) or state['n']

            used = SIZE * MIB - disk.free()
            print(f'the instance uses {used // MIB} MiB')
            report.run('above the reserve', lambda: above(it, disk, state))
            report.run('below the reserve', step, cycle, it, disk, lambda: disk.fill(RESERVE * MIB - MIB))
            report.run('without inodes', step, cycle, it, disk, lambda: disk.fill_inodes(INODES // 100 - 5))
            report.run('to the last block', step, to_the_last_block, it, disk)
            report.run('within a message', step, within_a_message, it, disk)
            report.run('restart on a full disk', step, restart_full, it, disk)


def above(it, disk, state):
    """One MiB above the reserve mail is taken."""
    disk.fill((RESERVE + 2) * MIB)
    time.sleep(2.5)
    assert takes(it), 'refused above the reserve'
    it.wait_for(lambda: len(it.messages(ANNA)) == state['n'] + 1, what='the letter')
    state['n'] += 1
    disk.empty()


def raised_reserve():
    """Without root: more is to stay free than is free."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free > 900 << 30:
        report.skip('raised reserve', 'more is free than the option can ask for')
        return
    with Instance(options={'disk_reserve': f'{(free >> 30) + 100} GiB'}) as it:
        report.run('raised reserve', raised, it)


def raised(it):
    log = Log(it)
    assert refuses(it), 'mail is taken'
    refused_everywhere(it)
    assert it.events('queue.full'), 'not in the log'
    log.saw('smtp.refused', code=452, status='4.3.1')
    m = it.imap(ANNA)
    assert m.create('Made')[0] == 'OK' and m.delete('Made')[0] == 'OK'
    m.logout()


if __name__ == '__main__':
    raised_reserve()
    if os.geteuid() == 0 and subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'], capture_output=True).returncode == 0:
        subprocess.run(['umount', '/mnt'], check=False)
        real_disk()
    else:
        report.skip('small disk', 'mounting a file system needs root')
    sys.exit(report.end())
