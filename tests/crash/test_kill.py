#!/usr/bin/env python3
"""Kill processes at random under load; then audit: nothing acknowledged may be lost, doubled or changed.

time-limit: 1500

A ledger outside the server's folder records, synced, every 250 and every IMAP OK with what it promised
(tests/lib/ledger.py says what may go wrong).  Each round kills one random role, or everything at once, 0 to 2
seconds apart.  At the end every mailbox is read and held against the ledger.

The test is tests/lib/killer.py; test_planted.py shows that it finds bugs.  make test runs a short version;
POSTHOLD_LONG=1 (make crash) kills 200 times.  POSTHOLD_SEED repeats a run.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from killer import kill_test
from ledger import KINDS, differences
from posthold import Report

LONG = bool(os.environ.get('POSTHOLD_LONG'))
KILLS = int(os.environ.get('POSTHOLD_KILLS') or (200 if LONG else 12))
SEED = int(os.environ.get('POSTHOLD_SEED') or random.randrange(1 << 30))
READY_SECONDS = 3.0  # THREATS.md R1


def main():
    report = Report()
    print(f'seed {SEED}, {KILLS} kills', flush=True)
    found = kill_test(SEED, KILLS, show_every=20 if LONG else 0)
    wrong, wrong_again, slowest = found.wrong, found.wrong_again, found.slowest
    if any(wrong.values()):
        print(f'the ledger is kept: {found.keep_ledger()}')
    print(f'killed: {", ".join(f"{n} {k}" for k, n in sorted(found.killed.items()))}')
    print(f'{found.promises} promises, {found.failed} clients without an answer, {found.present} messages; '
          f'slowest restart {slowest[0]:.2f} s ({slowest[1]})')
    for kind in KINDS:
        report.check(f'{kind}: 0 after {KILLS} kills', not wrong[kind], f'{len(wrong[kind])}: {wrong[kind][:5]}')
        report.check(f'{kind}: 0 after a restart', not wrong_again[kind], f'{len(wrong_again[kind])}: {wrong_again[kind][:5]}')
    report.check('the audit saw messages', found.present > KILLS, f'only {found.present}')
    report.check('a restart changes nothing', found.boxes == found.again, differences(found.boxes, found.again))
    report.check(f'ready again within {READY_SECONDS:g} s', slowest[0] < READY_SECONDS, f'{slowest[0]:.2f} s: {slowest[1]}')
    return report.end()


try:
    sys.exit(main())
except Exception as e:  # the server did not come back: that is the finding
    Report().fail(f'the harness, seed {SEED}', f'{type(e).__name__}: {e}')
    os._exit(1)
