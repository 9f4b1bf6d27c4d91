#!/usr/bin/env python3
"""The end of a role, and of all: what is told of a role that was killed while it left, and how long all may take."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import Instance, Report, letter

report = Report()
ANNA = 'anna@example.test'
KILLED = 'killed by signal 9 (Killed)'


def row(it, role):
    return next((r for r in json.loads(it.cli('--json', 'status', check=False).stdout) if r['role'] == role), None)


def in_order():
    """An end without trouble is told by nobody."""
    with Instance() as it:
        it.imap(ANNA)
        status, seconds = it.stop()
        assert status == 0 and seconds < 5, (status, seconds)
        told = [e['event'] for e in it.events() if e['event'].startswith('supervisor.')]
        assert 'supervisor.stopping' in told, told
        assert not {'supervisor.role_cut_short', 'supervisor.role_ended', 'supervisor.grace_over'} & set(told), told


def mailbox_while_it_leaves():
    with Instance() as it:
        it.imap(ANNA)
        it.wait_for(lambda: (row(it, 'mailbox') or {}).get('state') == 'ready', what='the mailbox')
        account, pid = row(it, 'mailbox')['account'], row(it, 'mailbox')['pid']
        os.kill(pid, signal.SIGSTOP)
        it.cli('account', 'disable', ANNA)
        it.wait_for(lambda: row(it, 'mailbox')['state'] == 'leaving', what='the order to leave')
        os.kill(pid, signal.SIGKILL)
        told = it.wait_for(lambda: it.events('supervisor.role_cut_short'), what='the event')
        assert len(told) == 1 and told[0]['level'] == 'warning', told
        assert told[0]['instance'] == 'mailbox' and told[0]['account'] == account and told[0]['how'] == KILLED, told
        assert not it.events('supervisor.role_ended')
        it.cli('account', 'enable', ANNA)
        it.wait_for(lambda: it.imap(ANNA).noop()[0] == 'OK', what='another process')


def role_while_all_leave():
    """The queue, in the middle of the end: told, and what it had accepted is there afterwards."""
    with Instance(options={'stop_grace': '1 m'}) as it:
        with it.smtp() as s:
            s.sendmail('friend@elsewhere.test', [ANNA], letter('friend@elsewhere.test', ANNA, 'before'))
        pid = row(it, 'queue')['pid']
        os.kill(pid, signal.SIGSTOP)
        it.process.send_signal(signal.SIGTERM)
        it.wait_for(lambda: it.events('supervisor.stopping'), what='the end')
        os.kill(pid, signal.SIGKILL)
        assert it.process.wait(10) == 0
        told = it.events('supervisor.role_cut_short')
        assert [(e['instance'], e['how']) for e in told] == [('queue', KILLED)], told
        it.start()
        it.wait_for(lambda: any(b'Subject: before' in m for m in it.messages(ANNA)), what='the letter')


def who_does_not_end():
    """One that hangs is killed after stop_grace; the log lives to tell it."""
    with Instance(options={'stop_grace': '1 s'}) as it:
        pid = row(it, 'auth')['pid']
        os.kill(pid, signal.SIGSTOP)
        status, seconds = it.stop()
        assert status == 0 and 1 <= seconds < 3, (status, seconds)
        assert len(it.events('supervisor.grace_over')) == 1, it.events_text()[-2000:]
        assert [e['instance'] for e in it.events('supervisor.role_cut_short')] == ['auth'], it.events_text()[-2000:]


def the_log_itself():
    """Killed last of all: standard error has the event."""
    with Instance(options={'stop_grace': '1 s'}) as it:
        os.kill(row(it, 'log')['pid'], signal.SIGSTOP)
        status, seconds = it.stop()
        assert status == 0 and seconds < 3, (status, seconds)
        assert 'supervisor.role_cut_short' in it.stderr() and 'instance="log"' in it.stderr(), it.stderr()[-1000:]


if __name__ == '__main__':
    for test in (in_order, mailbox_while_it_leaves, role_while_all_leave, who_does_not_end, the_log_itself):
        report.run(test.__name__, test)
    sys.exit(report.end())
