"""What is measured: each job drives one server with bench-load and gives the values of one or more rows.

A job raises Failed when an operation failed or a count is wrong: a figure of work not done is no figure.
"""
import json
import subprocess

import processes

ACCOUNTS = 100
# Its mailbox is filled once and then read, marked and searched.
BIG = 'user99@example.test'
NEEDLE_EVERY = 100
REPEAT = 3


class Failed(Exception):
    pass


class Row:
    """ratio: how many times the pair's figure is wanted; most: an absolute limit; neither: just shown.
    lower: less is better."""

    def __init__(self, key, name, unit='/s', ratio=None, most=None, lower=False):
        self.key, self.name, self.unit = key, name, unit
        self.ratio, self.most, self.lower = ratio, most, lower

    def target(self):
        if self.most is not None:
            return f'<= {self.most:g} {self.unit}'
        if self.ratio is None:
            return '-'
        return '<= pair' if self.lower else f'x {self.ratio:g}'


class Job:
    """rows: what it gives; run(bench, side) returns ({key: value}, number of operations)."""

    def __init__(self, rows, run, alone=False):
        self.rows, self.run, self.alone = rows, run, alone


def load(bench, *words, fine=True):
    """bench-load's result; refused when it says that something failed."""
    result = subprocess.run([bench.load, *map(str, words)], capture_output=True, text=True, timeout=900)
    try:
        found = json.loads(result.stdout)
    except ValueError:
        raise Failed(f'bench-load {words[0]}: exit code {result.returncode}: {result.stderr[-300:]}') from None
    if isinstance(found, dict):
        if found['failed']:
            raise Failed(f'{found["failed"]} of {found["done"] + found["failed"]}: {found["error"]}')
        if found['done'] == 0:
            raise Failed('nothing was done')
    elif result.returncode or not found or not all(step['ok'] for step in found):
        raise Failed(f'bench-load {words[0]}: {found[-1:]} {result.stderr[-300:]}')
    return found


def imap(bench, side, user, *commands):
    return load(bench, 'imap', '--port', side.imaps, '--auth', bench.password, '--user', user, *commands)


def user(number):
    return f'user{number}@example.test'


def count(bench, side, accounts):
    return sum(imap(bench, side, user(i), 'STATUS INBOX (MESSAGES)')[0]['messages'] for i in range(accounts))


# ---- receiving ----

def receive(clients, size, prefix, *more):
    """Messages of size octets to all accounts in turn, until each can be seen by IMAP."""

    def run(bench, side):
        found = load(bench, 'smtp', '--port', side.smtp, '--clients', clients, '--accounts', ACCOUNTS, '--size', size,
                     '--seconds', bench.seconds, '--imap-port', side.imaps, '--imap-auth', bench.password, *more)
        if found['delivered'] != found['done']:
            raise Failed(f'accepted {found["done"]}, in the mailboxes {found["delivered"]}')
        return {f'{prefix}_accepted': found['per_second'], f'{prefix}_delivered': found['delivered_per_second'],
                f'{prefix}_p99': found['p99_ms']}, found['done']

    return run


def submit(bench, side):
    before = count(bench, side, ACCOUNTS)
    found = load(bench, 'smtp', '--port', side.submissions, '--tls', '--auth', bench.password, '--clients', 10,
                 '--accounts', ACCOUNTS, '--per-connection', 1, '--seconds', bench.seconds)
    bench.wait_for(lambda: count(bench, side, ACCOUNTS) - before, found['done'], 'submitted messages in mailboxes')
    return {'submission': found['per_second']}, found['done']


# ---- IMAP ----

def login(bench, side):
    """The fastest of the modes that a server has."""
    best = None
    for mode, port in side.login_ports().items():
        words = ['login', '--port', port, '--auth', bench.password, '--clients', 10, '--accounts', ACCOUNTS]
        load(bench, *words, '--messages', ACCOUNTS)
        with processes.Meter(side.roots()) as meter:
            found = load(bench, *words, '--seconds', bench.seconds)
        if best is None or found['per_second'] > best[0]:
            best = (found['per_second'], found['done'], mode, meter)
    bench.note(side, f'log-in mode {best[2]}')
    return {'login': best[0]}, best[1], best[3]


def idle(bench, side):
    messages = int(20 * bench.seconds)
    found = load(bench, 'idle', '--port', side.imaps, '--smtp-port', side.smtp, '--auth', bench.password, '--user',
                 user(7), '--rate', 20, '--messages', messages)
    if found['done'] != messages:
        raise Failed(f'{found["done"]} of {messages} messages were told of')
    return {'idle': found['p50_ms']}, messages


def append(clients):
    def run(bench, side):
        before = count(bench, side, clients)
        found = load(bench, 'append', '--port', side.imaps, '--auth', bench.password, '--clients', clients,
                     '--accounts', clients, '--seconds', bench.seconds)
        after = count(bench, side, clients)
        if after - before != found['done']:
            raise Failed(f'appended {found["done"]}, in the mailboxes {after - before}')
        return {f'append_{clients}': found['per_second']}, found['done']

    return run


def fill(bench, side):
    """Not measured: the big mailbox, the same on every server."""
    load(bench, 'append', '--port', side.imaps, '--auth', bench.password, '--clients', 4, '--user', BIG, '--size', 0,
         '--messages', bench.big)
    exists = imap(bench, side, BIG, 'SELECT INBOX')[0]['exists']
    if exists < bench.big:
        raise Failed(f'{bench.big} appended, {exists} there')


def big_count(bench, side):
    return imap(bench, side, BIG, 'SELECT INBOX')[0]['exists']


def repeat(bench, side, command, check):
    """The command some times in one session, each answer checked: (seconds of one, the last answer)."""
    steps = imap(bench, side, BIG, 'SELECT INBOX', *[command] * REPEAT)[1:]
    for step in steps:
        check(step)
    return sum(step['seconds'] for step in steps) / REPEAT, steps[-1]


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f'{what}: {found} instead of {wanted}')


def envelope(bench, side):
    seconds, _ = repeat(bench, side, f'FETCH 1:{bench.big} ENVELOPE',
                        lambda step: expect('FETCH responses', step['lines'], bench.big))
    return {'envelope': bench.big / seconds}, bench.big * REPEAT


def bodies(bench, side):
    seconds, step = repeat(bench, side, f'FETCH 1:{bench.big} BODY.PEEK[]',
                           lambda step: expect('FETCH responses', step['lines'], bench.big))
    return {'bodies': step['octets'] / seconds / 1e6}, bench.big * REPEAT


def store(bench, side):
    """One command and one answer a message."""
    messages = min(bench.big, 2000)
    imap(bench, side, BIG, 'SELECT INBOX', 'STORE 1:* -FLAGS.SILENT (\\Flagged)')
    found = load(bench, 'store', '--port', side.imaps, '--auth', bench.password, '--user', BIG, '--messages', messages)
    flagged = imap(bench, side, BIG, 'SELECT INBOX', 'SEARCH FLAGGED')[1]['numbers']
    expect('flagged messages', flagged, messages)
    return {'store': found['per_second']}, messages


def search(bench, side):
    wanted = -(-bench.big // NEEDLE_EVERY)
    seconds, _ = repeat(bench, side, 'SEARCH SUBJECT needle', lambda step: expect('found', step['numbers'], wanted))
    return {'search': 1 / seconds}, REPEAT


# ---- the server at rest ----

def rest(bench, side):
    """Started again with the accounts it has, alone on the machine."""
    seconds = side.start()
    try:
        bench.pause(3)
        return {'memory': processes.memory_bytes(side.roots()) / 1e6, 'start': seconds * 1000}, 1
    finally:
        side.stop()


def all_jobs(big):
    return [
        Job([Row('2k10_accepted', 'accepted, 2 KiB, 10 connections', ratio=5),
             Row('2k10_delivered', 'delivered, 2 KiB, 10 connections', ratio=9),
             Row('2k10_p99', 'end of DATA to 250, p99, 10 connections', 'ms', ratio=1, lower=True)],
            receive(10, 2048, '2k10')),
        Job([Row('2k50_accepted', 'accepted, 2 KiB, 50 connections', ratio=10),
             Row('2k50_delivered', 'delivered, 2 KiB, 50 connections', ratio=9)], receive(50, 2048, '2k50')),
        Job([Row('pipe_accepted', 'accepted, the same, 10 connections, pipelining'),
             Row('pipe_delivered', 'delivered, the same')], receive(10, 2048, 'pipe', '--pipelining')),
        Job([Row('30k_accepted', 'accepted, 30 KiB, 10 connections', ratio=5),
             Row('30k_delivered', 'delivered, 30 KiB, 10 connections', ratio=5)], receive(10, 30 << 10, '30k')),
        Job([Row('1m_accepted', 'accepted, 1 MiB, 10 connections', ratio=1),
             Row('1m_delivered', 'delivered, 1 MiB, 10 connections', ratio=2)], receive(10, 1 << 20, '1m')),
        Job([Row('submission', 'submitted, TLS and log-in each, 10 clients', ratio=3)], submit),
        Job([Row('login', 'IMAP log-ins, TLS each, 10 clients', ratio=2)], login),
        Job([Row('idle', 'EXISTS in IDLE, p50, 20 messages/s', 'ms', most=20, lower=True)], idle),
        Job([Row('append_1', 'APPEND 2 KiB, 1 client', ratio=1)], append(1)),
        Job([Row('append_10', 'APPEND 2 KiB, 10 clients', ratio=1)], append(10)),
        Job([Row('envelope', f'FETCH 1:{big} ENVELOPE', 'msg/s', ratio=1)], envelope),
        Job([Row('bodies', f'FETCH 1:{big} BODY.PEEK[]', 'MB/s', ratio=1)], bodies),
        Job([Row('store', 'STORE +FLAGS, one message each', ratio=1)], store),
        Job([Row('search', f'SEARCH SUBJECT in {big}', ratio=1)], search),
        Job([Row('memory', 'memory at rest (PSS)', 'MB', most=24, lower=True),
             Row('start', 'start until ready', 'ms', most=500, lower=True)], rest, alone=True),
    ]
