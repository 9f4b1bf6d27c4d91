"""The kill test: processes are killed at random under load, then every promise is held against what is there.

    outcome = kill_test(seed, kills)
    outcome.wrong, outcome.wrong_again      findings by kind (tests/lib/ledger.py): after the kills, and after one
                                            more orderly restart

tests/crash/test_kill.py judges a server by it; tests/crash/test_planted.py judges the test, by servers with a bug.
"""
import json
import os
import random
import signal
import tempfile
import time

from ledger import Ledger, audit, read_boxes
from load import Load
from posthold import PASSWORD, Instance

ACCOUNTS = {f'user{n}@example.test': PASSWORD for n in range(4)}
OPTIONS = {'conn_client_max': '1000', 'mailbox_idle': '2 s', 'checkpoint_time': '1 s', 'journal_segment': '1 MiB',
           'rcpt_client_hour': '1000000'}


def roles_of(it):
    """pid and name of every process of the instance."""
    found = []
    for pid in it.pids():
        try:
            found.append((pid, os.path.basename(os.readlink(f'/proc/{pid}/exe'))))
        except OSError:
            continue
    return found


def ready(it):
    """Mailboxes start when somebody wants them; all others must be there."""
    try:
        rows = json.loads(it.cli('--json', 'status', check=False).stdout)
    except ValueError:
        return False
    return all(r['state'] == 'ready' for r in rows if r['role'] != 'mailbox')


def kill_once(it, rng, killed, only=None):
    roles = [(pid, name) for pid, name in roles_of(it) if name not in ('posthold', 'posthold-supervisor') and
             only in (None, name.removeprefix('posthold-'))]
    # One role again and again would be started again ever later.
    if rng.random() < (0.7 if only else 0.3) or not roles:
        killed['everything'] = killed.get('everything', 0) + 1
        it.kill()
        begin, name = time.monotonic(), 'everything'
        it.start(timeout=60)
    else:
        pid, name = rng.choice(roles)
        killed[name] = killed.get(name, 0) + 1
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0, name
        begin = time.monotonic()
        it.wait_for(lambda: ready(it), 60, f'the restart after {name}')
    return time.monotonic() - begin, name


def settled(it):
    return not it.json('queue', 'list')


class Outcome:
    """What came of a run."""

    def __init__(self, seed, kills):
        self.seed, self.kills = seed, kills
        self.killed, self.slowest = {}, (0.0, '')
        self.wrong = self.wrong_again = self.boxes = self.again = None
        self.rows, self.promises, self.failed = [], 0, 0

    @property
    def present(self):
        return sum(len(b['messages']) for b in self.boxes.values())

    def keep_ledger(self):
        with tempfile.NamedTemporaryFile('w', prefix='posthold-ledger-', suffix='.jsonl', delete=False) as kept:
            kept.writelines(json.dumps(row) + '\n' for row in self.rows)
        return kept.name


def kill_test(seed, kills, program=None, only=None, pause=2.0, rate=50.0, show_every=0):
    """Kill so often, 0 to `pause` seconds apart, under `rate` messages a second.

    program     the command, when it is not the usual one
    only        the one role to be killed, by turns with everything
    """
    outcome, rng = Outcome(seed, kills), random.Random(seed)
    with tempfile.TemporaryDirectory(dir='/dev/shm') as outside, \
            Instance(accounts=ACCOUNTS, options=OPTIONS, program=program) as it:
        ledger = Ledger(os.path.join(outside, 'ledger.jsonl'))
        load = Load(it, ledger, seed, ACCOUNTS, senders=max(3, int(rate / 25)), rate=rate, readers=2)
        for n in range(kills):
            time.sleep(rng.random() * pause)
            outcome.slowest = max(outcome.slowest, kill_once(it, rng, outcome.killed, only))
            if show_every and n % show_every == show_every - 1:
                print(f'{n + 1} kills, {ledger.promises()} promises', flush=True)
        load.end()
        it.wait_for(lambda: ready(it), 60, 'all roles')
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        outcome.boxes = read_boxes(it, ACCOUNTS)
        # Once more after an orderly restart: what was replayed must be a no-op.
        it.stop()
        it.start()
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        outcome.again = read_boxes(it, ACCOUNTS)
    outcome.rows, outcome.promises, outcome.failed = ledger.rows, ledger.promises(), load.failed
    outcome.wrong, outcome.wrong_again = audit(ledger.rows, outcome.boxes), audit(ledger.rows, outcome.again)
    return outcome
