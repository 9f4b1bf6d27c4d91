#!/usr/bin/env python3
"""Every role's sandbox, attacked: what comes out must be the committed matrix, action for action.

usage: test_attack.py [--write]     --write makes matrix.tsv anew, to be read before it is committed
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import ROOT, Report

BUILD = os.environ.get('POSTHOLD_BUILD') or os.path.join(ROOT, 'build')
MATRIX = os.path.join(ROOT, 'tests', 'sandbox', 'matrix.tsv')
ROLES = ['auth', 'control', 'front', 'keys', 'log', 'login', 'mailbox', 'queue', 'resolve', 'send', 'smtp']
UID = 1900000777


def attack(role, uid, base):
    """The outcomes of one role: {action: outcome}."""
    program = os.path.join(BUILD, 'src', 'roles', f'posthold-{role}')
    _, kind, threads, etc = subprocess.check_output([program, '--describe'], text=True).rstrip('\n').split('\t')
    own, empty, other = (os.path.join(base, f'{role}-{n}') for n in ('own', 'empty', 'other'))
    for path in (own, empty, other):
        os.makedirs(path, exist_ok=True)
    open(os.path.join(other, 'secret'), 'w').write('secret')
    if uid:
        os.chown(own, uid, uid)
    os.chmod(empty, 0o555)
    out = subprocess.run([os.path.join(BUILD, 'tests', 'sandbox', 'sandbox-attack'), kind, threads, etc, str(uid), own,
                          empty, other], capture_output=True, text=True, timeout=120)
    return dict(line.split('\t') for line in out.stdout.splitlines())


def read_matrix():
    rows = [line.rstrip('\n').split('\t') for line in open(MATRIX) if not line.startswith('#')]
    return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}


def outcomes(uid):
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        return {role: attack(role, uid, base) for role in ROLES}


def write_matrix(found):
    actions = list(next(iter(found.values())))
    with open(MATRIX, 'w') as f:
        f.write('# What each role may do: outcomes of tests/sandbox/attack.c, as root and as an ordinary user.\n')
        f.write('\t'.join(['action'] + ROLES) + '\n')
        for action in actions:
            f.write('\t'.join([action] + [found[r][action] for r in ROLES]) + '\n')


def compare(report, found, want, who):
    for role in ROLES:
        wrong = [f'{a}: {o} instead of {want[a][role]}' for a, o in found[role].items() if want.get(a, {}).get(role) != o]
        missing = set(want) - set(found[role])
        report.check(f'sandbox of {role}, {who}', not wrong and not missing, '; '.join(wrong) or f'missing {missing}')


def main():
    report = Report()
    uid = UID if os.geteuid() == 0 else 0
    found = outcomes(uid)
    if sys.argv[1:] == ['--write']:
        write_matrix(found)
        return 0
    want = read_matrix()
    compare(report, found, want, 'started as root' if uid else 'ordinary user')
    # A matrix that allowed everything would be no test.
    for action in ('open_shadow', 'do_execve', 'do_ptrace', 'read_other', 'do_fork', 'map_executable', 'kill_other'):
        allowed = [r for r in ROLES if want[action][r] == 'allowed']
        report.check(f'no role may {action}', not allowed, ', '.join(allowed))
    return report.end()


sys.exit(main())
