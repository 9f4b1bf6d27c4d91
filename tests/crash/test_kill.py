#!/usr/bin/env python3
"""Kill processes at random under load; then audit: nothing acknowledged may be lost, doubled or changed.

time-limit: 1500

A ledger outside the server's folder records, synced, every 250 and every IMAP OK with what it promised
(tests/lib/ledger.py says what may go wrong).  Each round kills one random role, or everything at once, 0 to 2
seconds apart.  At the end every mailbox is read and held against the ledger.

make test runs a short version; POSTHOLD_LONG=1 (make crash) kills 200 times.  POSTHOLD_SEED repeats a run.
"""
import json
import os
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ledger import KINDS, Ledger, audit, differences, read_boxes
from load import Load
from posthold import PASSWORD, Instance, Report

LONG = bool(os.environ.get('POSTHOLD_LONG'))
KILLS = int(os.environ.get('POSTHOLD_KILLS') or (200 if LONG else 12))
SEED = int(os.environ.get('POSTHOLD_SEED') or random.randrange(1 << 30))
ACCOUNTS = {f'user{n}@example.test': PASSWORD for n in range(4)}
READY_SECONDS = 3.0  # THREATS.md R1


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


def kill_once(it, rng, killed):
    roles = [(pid, name) for pid, name in roles_of(it) if name not in ('posthold', 'posthold-supervisor')]
    if rng.random() < 0.3 or not roles:
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


def main():
    report, rng, killed, slowest = Report(), random.Random(SEED), {}, (0.0, '')
    print(f'seed {SEED}, {KILLS} kills', flush=True)
    with tempfile.TemporaryDirectory(dir='/dev/shm') as outside, \
            Instance(accounts=ACCOUNTS, options={'conn_client_max': '1000', 'mailbox_idle': '2 s', 'checkpoint_time': '1 s',
                                                 'journal_segment': '1 MiB', 'rcpt_client_hour': '1000000'}) as it:
        ledger = Ledger(os.path.join(outside, 'ledger.jsonl'))
        load = Load(it, ledger, SEED, ACCOUNTS, readers=2)
        for n in range(KILLS):
            time.sleep(rng.random() * 2)
            slowest = max(slowest, kill_once(it, rng, killed))
            if LONG and n % 20 == 19:
                print(f'{n + 1} kills, {ledger.promises()} promises', flush=True)
        load.end()
        it.wait_for(lambda: ready(it), 60, 'all roles')
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        boxes = read_boxes(it, ACCOUNTS)
        # Once more after an orderly restart: what was replayed must be a no-op.
        it.stop()
        it.start()
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        again = read_boxes(it, ACCOUNTS)
    wrong, wrong_again = audit(ledger.rows, boxes), audit(ledger.rows, again)
    if any(wrong.values()):
        with tempfile.NamedTemporaryFile('w', prefix='posthold-ledger-', suffix='.jsonl', delete=False) as kept:
            kept.writelines(json.dumps(row) + '\n' for row in ledger.rows)
        print(f'the ledger is kept: {kept.name}')
    present = sum(len(b['messages']) for b in boxes.values())
    print(f'killed: {", ".join(f"{n} {k}" for k, n in sorted(killed.items()))}')
    print(f'{ledger.promises()} promises, {load.failed} clients without an answer, {present} messages; '
          f'slowest restart {slowest[0]:.2f} s ({slowest[1]})')
    for kind in KINDS:
        report.check(f'{kind}: 0 after {KILLS} kills', not wrong[kind], f'{len(wrong[kind])}: {wrong[kind][:5]}')
        report.check(f'{kind}: 0 after a restart', not wrong_again[kind], f'{len(wrong_again[kind])}: {wrong_again[kind][:5]}')
    report.check('the audit saw messages', present > KILLS, f'only {present}')
    report.check('a restart changes nothing', boxes == again, differences(boxes, again))
    report.check(f'ready again within {READY_SECONDS:g} s', slowest[0] < READY_SECONDS, f'{slowest[0]:.2f} s: {slowest[1]}')
    return report.end()


try:
    sys.exit(main())
except Exception as e:  # the server did not come back: that is the finding
    Report().fail(f'the harness, seed {SEED}', f'{type(e).__name__}: {e}')
    os._exit(1)
