#!/usr/bin/env python3
"""The kill test is tested itself: servers with a bug, each must be found.

time-limit: 300

The bugs are not in the product: a library (planted.c) is loaded into one role of the instance, by a script in the
place of the role's program, and lies to that role about what the kernel does.  Then the kill test runs as it does
against a server without bugs (tests/lib/killer.py), and must report what the bug does to mail.

A kill finds a bug of timing only when it comes in the right moment: a bug that one run does not find has two more.
POSTHOLD_SEED repeats a run, POSTHOLD_ONLY names one bug.
"""
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from killer import kill_test
from posthold import POSTHOLD, ROOT, Report

BUILD = os.environ.get('POSTHOLD_BUILD') or os.path.join(ROOT, 'build')
LIBRARY = os.path.join(BUILD, 'tests', 'crash', 'libplanted.so')
SEED = int(os.environ.get('POSTHOLD_SEED') or random.randrange(1 << 30))
ONLY = os.environ.get('POSTHOLD_ONLY')
RUNS = 3
# bug: (role that has it, kinds of finding of which one must come up, kills)
BUGS = {
    'early': ('queue', ('lost',), 20),
    'twice': ('queue', ('duplicated',), 3),
    'unwritten': ('mailbox', ('lost', 'corrupted', 'unreadable'), 5),
}


def folder_with(bug, role, folder):
    """The programs as installed, but for one; the command of it."""
    roles = os.path.join(os.path.dirname(os.path.realpath(POSTHOLD)), '..', 'roles')
    os.makedirs(os.path.join(folder, 'bin'))
    os.makedirs(os.path.join(folder, 'libexec', 'posthold'))
    command = shutil.copy(os.path.realpath(POSTHOLD), os.path.join(folder, 'bin', 'posthold'))
    library = shutil.copy(LIBRARY, folder)
    for name in os.listdir(roles):
        source, there = os.path.realpath(os.path.join(roles, name)), os.path.join(folder, 'libexec', 'posthold', name)
        if not name.startswith('posthold-') or not os.path.isfile(source):
            continue
        if name == f'posthold-{role}':
            with open(there, 'w') as f:
                f.write(f'#!/bin/sh\nLD_PRELOAD={library} PLANTED={bug} exec {source} "$@"\n')
            os.chmod(there, 0o755)
        elif name == 'posthold-supervisor':  # finds the others beside itself
            shutil.copy(source, there)
        else:
            os.symlink(source, there)
    return command


def run(bug, role, kills, seed):
    """{kind: number of findings}, without those of 0; 'unreadable' when the kill test could not come to its end."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            found = kill_test(seed, kills, folder_with(bug, role, folder), only=role, pause=0.4, rate=200)
        except RuntimeError as e:
            print(f'{bug}: {e}', flush=True)
            return {'unreadable': 1}
    counts = {kind: len(texts) for kind, texts in found.wrong.items() if texts}
    print(f'{bug}: {kills} kills, {found.promises} promises, found {counts}', flush=True)
    return counts


def main():
    report = Report()
    print(f'seed {SEED}', flush=True)
    for bug, (role, kinds, kills) in BUGS.items():
        if ONLY and ONLY != bug:
            continue
        name, runs = f'{bug}: {" or ".join(kinds)}', 0
        if not os.path.exists(LIBRARY):
            report.skip(name, f'{LIBRARY} was not built')
            continue
        while runs < RUNS and not (counts := run(bug, role, kills, SEED + runs)).keys() & set(kinds):
            runs += 1
        report.check(name, runs < RUNS, f'not in {RUNS} times {kills} kills; {counts}')
    return report.end()


sys.exit(main())
