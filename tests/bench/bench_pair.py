#!/usr/bin/env python3
"""Posthold against Postfix and Dovecot, in the same run on the same machine.

    tests/bench/bench_pair.py [--quick] [--runs N] [--seconds S] [--only ROW]... [--side SIDE]... [--json FILE]
                              [--markdown] [--profile DIR] [--keep]

Every job is done by each server in turn, so that what disturbs the machine disturbs all; a row shows the
medians of its runs.  Dovecot stands there twice, with Maildir and with sdbox: the better of the two counts.
A row in which any operation failed says so instead of a figure.  docs/internals/benchmarks.md explains how
to read the table.
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import jobs
import pair
import posthold
import processes
import profiles

DOMAIN = 'example.test'
SIDES = ('posthold', 'maildir', 'sdbox')
# Posthold's mailbox processes sync what they have taken up to 10 s later: the next one must not feel it.
SETTLE = {'posthold': 11, 'maildir': 1, 'sdbox': 1}


class Posthold:
    """posthold quickstart with 100 accounts; all options at their defaults but these."""

    options = {'scram_iterations': '4096', 'rcpt_client_hour': '1000000'}

    def __init__(self, dir, accounts, password):
        self.name, self.accounts = 'posthold', os.path.join(dir, 'accounts')
        with open(self.accounts, 'w') as f:
            f.write(''.join(f'{a}:{password}\n' for a in accounts))
        self.instance = posthold.Instance(accounts={}, dir=dir, domain=DOMAIN)
        self.instance.options = dict(self.options)
        port = self.instance.port
        self.smtp, self.submissions, self.imaps = port('smtp'), port('submissions'), port('imaps')

    def login_ports(self):
        return {'default': self.imaps}

    def create(self):
        self.instance.args = ['--accounts-file', self.accounts]

    def start(self):
        begin = time.monotonic()
        self.instance.start(timeout=120)
        seconds = time.monotonic() - begin
        # From now on the accounts are there: to make them is not part of a start.
        self.instance.args = ['--accounts-file', '/dev/null']
        return seconds

    def roots(self):
        return [self.instance.process.pid]

    def stop(self):
        everyone = processes.tree(self.roots()) if self.instance.process else set()
        try:
            self.instance.stop(30)
        finally:
            processes.end(everyone)

    def messages(self):
        return self.instance.stderr()[-1500:] + self.instance.events_text()[-1500:]


class Bench:
    """What the jobs need to know, and what they have found."""

    def __init__(self, args):
        self.password = posthold.PASSWORD
        self.seconds, self.big, self.runs, self.quick = args.seconds, args.big, args.runs, args.quick
        self.load, self.profiles = load_program(), args.profile
        self.results = {}  # (row key, side): [value, ...]
        self.costs = {}    # (row key, side): [(operations, processes.Meter)]
        self.failures = {}  # (row key, side): why
        self.notes = {}

    def note(self, side, text):
        self.notes.setdefault(side.name, set()).add(text)

    def pause(self, seconds):
        time.sleep(seconds)

    def wait_for(self, function, wanted, what, patience=120):
        deadline = time.monotonic() + patience
        found = function()
        while found != wanted:
            if time.monotonic() > deadline or found > wanted:
                raise jobs.Failed(f'{what}: {found} instead of {wanted}')
            time.sleep(0.2)
            found = function()

    def settle(self, side):
        time.sleep(0.2 if self.quick else SETTLE[side.name])
        processes.wait_until_quiet(side.roots())

    def fail(self, job, side, why):
        why = ' '.join(str(why).split())
        say(f'  {side.name}: failed: {why[:600]}')
        for row in job.rows:
            self.failures.setdefault((row.key, side.name), why)

    def measure(self, job, side):
        if job.alone:
            values, operations = job.run(self, side)
            meter = None
        else:
            with self.profile(job, side), processes.Meter(side.roots()) as meter:
                values, operations, *own = job.run(self, side)
            meter = own[0] if own else meter
        for row in job.rows:
            self.results.setdefault((row.key, side.name), []).append(values[row.key])
            if meter:
                self.costs.setdefault((row.key, side.name), []).append((operations, meter))
        say(f'  {side.name}: ' + ', '.join(f'{row.key} {values[row.key]:.6g}' for row in job.rows))

    def profile(self, job, side):
        if not self.profiles:
            return contextlib.nullcontext()
        return profiles.Profile(self.profiles, job.rows[0].key, side)

    def do(self, job, sides):
        say(f'{job.rows[0].name}')
        for run in range(self.runs):
            for side in sides[run % len(sides):] + sides[:run % len(sides)]:
                if (job.rows[0].key, side.name) in self.failures:
                    continue
                try:
                    self.measure(job, side)
                    if not job.alone:
                        self.settle(side)
                except Exception as e:  # the row says it; the others are still wanted
                    self.fail(job, side, e if isinstance(e, jobs.Failed) else f'{type(e).__name__}: {e}')
                    self.revive(side, job)

    def revive(self, side, job):
        """After a failure: start again what is not there any more."""
        if job.alone:
            return
        try:
            time.sleep(1)
            if len(processes.tree(side.roots())) < 2:
                side.stop()
                side.start()
            self.settle(side)
        except Exception as e:  # its next jobs will say that it is not there
            say(f'  {side.name} could not be started again: {e}')


def say(text):
    print(text, file=sys.stderr, flush=True)


def load_program():
    build = os.environ.get('POSTHOLD_BUILD') or os.path.join(posthold.ROOT, 'build')
    program = os.path.join(build, 'tests', 'bench', 'bench-load')
    if not os.path.exists(program):
        subprocess.run(['ninja', '-C', build, 'tests/bench/bench-load'], check=True, stdout=sys.stderr)
    return program


# ---- the table ----

def figure(value):
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


class Line:
    """One row of the table and of the JSON."""

    def __init__(self, bench, row, names):
        self.row, self.names = row, names
        self.sides = {name: self.side(bench, name) for name in names}
        pairs = [(s['median'], name) for name, s in self.sides.items() if name != 'posthold' and 'median' in s]
        self.best = (min(pairs) if row.lower else max(pairs))[1] if pairs else None
        own, other = self.sides.get('posthold', {}).get('median'), self.pair().get('median')
        self.ratio = own / other if own and other else None
        self.met = self.is_met(own)

    def side(self, bench, name):
        key = (self.row.key, name)
        if key in bench.failures:
            return {'failed': bench.failures[key], 'runs': bench.results.get(key, [])}
        if key not in bench.results:
            return {'failed': 'not measured'}
        found = {'median': statistics.median(bench.results[key]), 'runs': bench.results[key]}
        if key in bench.costs:
            costs = bench.costs[key]
            found |= {'cpu_per_operation': statistics.median(m.cpu / n for n, m in costs),
                      'cpu_seconds': [m.cpu for _, m in costs], 'client_seconds': [m.clients for _, m in costs],
                      'peak_octets': max(m.peak for _, m in costs),
                      'others': statistics.median(m.others for _, m in costs),
                      'cpu_by_name': costs[-1][1].by_name}
        return found

    def pair(self):
        return self.sides.get(self.best, {})

    def is_met(self, own):
        if own is None:
            return False if 'posthold' in self.sides else None
        if self.row.most is not None:
            return own <= self.row.most
        if self.row.ratio is None or self.ratio is None:
            return None
        return self.ratio <= self.row.ratio if self.row.lower else self.ratio >= self.row.ratio

    def cell(self, side):
        if not side:
            return '-'
        return figure(side['median']) if 'median' in side else 'failed'

    def cells(self):
        own, other = self.sides.get('posthold', {}), self.pair()
        # Without a best pair: the reason may be that both failed.
        shown = other or next((s for n, s in self.sides.items() if n != 'posthold'), {})
        costs = [figure(s['cpu_per_operation'] * 1e6) if 'cpu_per_operation' in s else '-' for s in (own, other)]
        peaks = [figure(s['peak_octets'] / 1e6) if 'peak_octets' in s else '-' for s in (own, other)]
        others = [s['others'] for s in (own, other) if 'others' in s]
        return [self.row.name, self.row.unit, self.cell(own), self.cell(shown), self.best or '-',
                f'{self.ratio:.2f}' if self.ratio else '-', self.row.target(),
                {True: 'yes', False: 'NO', None: '-'}[self.met], *costs, *peaks,
                f'{max(others):.0%}' if others else '-']

    def json(self):
        return {'key': self.row.key, 'name': self.row.name, 'unit': self.row.unit, 'target': self.row.target(),
                'best_pair': self.best, 'ratio': self.ratio, 'met': self.met, 'sides': self.sides}


HEAD = ['row', 'unit', 'posthold', 'pair', 'best', 'ratio', 'target', 'met', 'cpu us', 'pair', 'peak MB', 'pair',
        'others']


def print_markdown(lines):
    for number, row in enumerate([HEAD] + [line.cells() for line in lines]):
        print('| ' + ' | '.join(row) + ' |')
        if number == 0:
            print('|---|---' + '|---:' * (len(HEAD) - 2) + '|')


def print_table(lines):
    rows = [HEAD] + [line.cells() for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for number, row in enumerate(rows):
        print('  '.join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())
        if number == 0:
            print('  '.join('-' * w for w in widths))


def print_failures(lines):
    for line in lines:
        for name, side in line.sides.items():
            if 'failed' in side:
                print(f'failed: {line.row.name}: {name}: {side["failed"][:300]}')


def machine():
    with open('/proc/cpuinfo') as f:
        models = [line.split(':', 1)[1].strip() for line in f if line.startswith('model name')]
    return {'processor': models[0] if models else platform.machine(), 'processors': os.cpu_count(),
            'memory_octets': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'), 'kernel': platform.release(),
            'load_average': os.getloadavg()}


# ---- the run ----

def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, help='of each job on each side (default 3)')
    parser.add_argument('--seconds', type=float, help='length of a load (default 6)')
    parser.add_argument('--quick', action='store_true', help='one short run each: does it work?')
    parser.add_argument('--only', action='append', metavar='ROW', help='jobs with this in the key or name of a row')
    parser.add_argument('--side', action='append', choices=SIDES, help='only these')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--markdown', action='store_true', help='the table as it stands in the documentation')
    parser.add_argument('--profile', metavar='DIR', help='write there where processors spent their time (slower)')
    parser.add_argument('--keep', action='store_true', help='leave the folder for a look at its logs')
    args = parser.parse_args()
    args.runs = args.runs or (1 if args.quick else 3)
    args.seconds = args.seconds or (1.5 if args.quick else 6)
    args.big = 2000 if args.quick else 10000
    return args


def make_sides(names, dir, accounts):
    sides = []
    for name in names:
        below = os.path.join(dir, name)
        os.mkdir(below)
        if name == 'posthold':
            sides.append(Posthold(below, accounts, posthold.PASSWORD))
        else:
            sides.append(pair.Pair(below, name, accounts, posthold.PASSWORD, DOMAIN))
    return sides


def run_jobs(bench, wanted, sides, started):
    for side in sides:
        side.create()
        started.append(side)
        say(f'{side.name}: started in {side.start():.2f} s')
        # No process is new and no password unknown when the measuring begins.
        try:
            jobs.load(bench, 'login', '--port', side.imaps, '--auth', bench.password, '--accounts', jobs.ACCOUNTS,
                      '--messages', jobs.ACCOUNTS)
        except jobs.Failed as e:
            say(f'{side.name}: warming up failed: {e}')
    filled = False
    for job in wanted:
        if job.rows[0].key in ('envelope', 'bodies', 'store', 'search') and not filled:
            filled = True
            fill(bench, sides, [j for j in wanted if j.rows[0].key in ('envelope', 'bodies', 'store', 'search')])
        if job.alone:
            for side in list(started):
                started.remove(side)
                side.stop()
        bench.do(job, sides)


def fill(bench, sides, concerned):
    for side in sides:
        say(f'{side.name}: filling a mailbox with {bench.big} messages')
        try:
            jobs.fill(bench, side)
            bench.settle(side)
        except Exception as e:  # shown in the rows that needed it
            for job in concerned:
                bench.fail(job, side, f'filling: {e}')


def stop_on_signal(number, _frame):
    raise SystemExit(f'bench_pair: ended by signal {number}')


def main():
    args = arguments()
    why = pair.missing()
    names = args.side or SIDES
    if why and any(name != 'posthold' for name in names):
        print(f'skip bench_pair: {why}')
        return 0
    if args.profile:
        why = profiles.missing()
        os.makedirs(args.profile, exist_ok=True)
        if why:
            print(f'bench_pair: {why}', file=sys.stderr)
            return 2
    if not os.path.exists(posthold.POSTHOLD):
        print(f'skip bench_pair: {posthold.POSTHOLD} is not built')
        return 0
    processes.become_reaper()
    # Whatever ends it, the servers are ended too.  A shell starts background programs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    wanted = [job for job in jobs.all_jobs(args.big)
              if not args.only or any(o in row.key or o in row.name for o in args.only for row in job.rows)]
    bench = Bench(args)
    before = machine()
    # A short path: the names of unix sockets are at most 107 octets long.
    dir = tempfile.mkdtemp(prefix='bench-', dir='/tmp')
    os.chmod(dir, 0o755)
    started = []
    try:
        run_jobs(bench, wanted, make_sides(names, dir, [jobs.user(i) for i in range(jobs.ACCOUNTS)]), started)
    finally:
        for side in started:
            try:
                if args.keep or sys.exc_info()[0]:
                    say(f'--- {side.name}\n{side.messages()}')
                side.stop()
            except Exception as e:  # the others must be ended too
                say(f'{side.name}: {e}')
        if not args.keep:
            shutil.rmtree(dir, ignore_errors=True)
    lines = [Line(bench, row, names) for job in wanted for row in job.rows]
    print(f'{datetime.date.today()}, {before["processor"]}, {before["processors"]} processors, {pair.versions()}; '
          f'{args.runs} run(s) of {args.seconds:g} s; load average before {before["load_average"][0]:.1f}')
    (print_markdown if args.markdown else print_table)(lines)
    print_failures(lines)
    if args.json:
        with open(args.json, 'w') as f:
            json.dump({'date': str(datetime.date.today()), 'machine': before, 'pair': pair.versions(),
                       'runs': args.runs, 'seconds': args.seconds, 'posthold_options': Posthold.options,
                       'notes': {k: sorted(v) for k, v in bench.notes.items()},
                       'rows': [line.json() for line in lines]}, f, indent=1)
    return 1 if any('failed' in side for line in lines for side in line.sides.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
