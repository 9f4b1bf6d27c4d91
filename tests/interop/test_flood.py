#!/usr/bin/env python3
"""A flood of mail is stored when nobody else wants the processors; a client that comes back is served as before."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import Instance, Report, letter

report = Report()
ANNA = 'anna@example.test'
LARGE = 'a line of a large letter\r\n' * 20000  # one of these takes a mailbox as long as many small ones


def may_change_classes():
    """CAP_SYS_NICE in the effective set: root in a container may lack it."""
    with open('/proc/self/status') as f:
        effective = next(int(line.split()[1], 16) for line in f if line.startswith('CapEff:'))
    return os.geteuid() == 0 and bool(effective >> 23 & 1)


def mailbox(it):
    rows = json.loads(it.cli('--json', 'status').stdout)
    return next((r['pid'] for r in rows if r['role'] == 'mailbox' and r['pid']), None)


def policy(it):
    return os.sched_getscheduler(mailbox(it))


def send(it):
    with it.smtp() as s:
        s.sendmail('friend@elsewhere.test', [ANNA], letter('friend@elsewhere.test', ANNA, 'large') + LARGE.encode())


def back_and_forth(it):
    """Behind the others while large mail comes, and as before a while after it."""
    send(it)
    it.wait_for(lambda: mailbox(it), what='the mailbox process')
    it.wait_for(lambda: (send(it), policy(it) == os.SCHED_IDLE)[1], what='the idle class')
    it.wait_for(lambda: policy(it) == os.SCHED_OTHER, what='the usual class, after the flood')


def client_ends_it(it):
    """An active client's mailbox is not put back, whatever comes."""
    it.wait_for(lambda: (send(it), policy(it) == os.SCHED_IDLE)[1], what='the idle class')
    client = it.imap(ANNA)
    seen = []
    for _ in range(5):
        assert client.select('INBOX')[0] == 'OK'
        send(it)
        time.sleep(0.2)  # shorter than a flood needs to be over by itself
        seen.append(policy(it))
    assert os.SCHED_OTHER in seen, seen
    client.logout()


def all_is_there(it):
    before = len(it.events('smtp.accepted'))
    it.wait_for(lambda: len(it.messages(ANNA)) == before, what='every letter')


if __name__ == '__main__':
    if not may_change_classes():
        report.skip('flood', 'only root may give a process its class back')
        sys.exit(report.end())
    with Instance() as it:
        for test in (back_and_forth, client_ends_it, all_is_there):
            report.run(test.__name__, test, it)
    sys.exit(report.end())
