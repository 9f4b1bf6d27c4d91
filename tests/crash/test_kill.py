#!/usr/bin/env python3
"""Kill processes at random under load; then audit: nothing acknowledged may be lost, doubled or changed.

time-limit: 1500

A ledger outside the server's folder records, synced, every 250 and every IMAP OK with what it promised.
Each round kills one random role, or everything at once, 0 to 2 seconds apart.  At the end every mailbox
is read and held against the ledger:

    lost        acknowledged, but not there
    duplicated  there more than once
    corrupted   there with other octets
    went back   a UID that the ledger knows for another message, or a flag that was answered OK and is gone

make test runs a short version; POSTHOLD_LONG=1 (make crash) kills 200 times.  POSTHOLD_SEED repeats a run.
"""
import hashlib
import imaplib
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance, Report

LONG = bool(os.environ.get('POSTHOLD_LONG'))
KILLS = int(os.environ.get('POSTHOLD_KILLS') or (200 if LONG else 12))
SEED = int(os.environ.get('POSTHOLD_SEED') or random.randrange(1 << 30))
ACCOUNTS = {f'user{n}@example.test': PASSWORD for n in range(4)}
SENDERS, RATE = 3, 50.0
MARK = re.compile(rb'X-Ledger: ([0-9a-f]+)\r\n')


class Ledger:
    """Every promise of the server, one line of JSON each, synced before the client goes on."""

    def __init__(self, path):
        self.file = open(path, 'a+')
        self.lock = threading.Lock()
        self.rows = []

    def add(self, **row):
        with self.lock:
            self.rows.append(row)
            self.file.write(json.dumps(row) + '\n')
            self.file.flush()
            os.fsync(self.file.fileno())


def make_message(rng, address):
    key = f'{rng.getrandbits(64):016x}'
    size = rng.choice([100, 500, 2000, 2000, 9000, 20000, 70000])
    lines = '\r\n'.join(f'{rng.getrandbits(200):050x}' for _ in range(max(1, size // 52)))
    text = (f'From: ledger@client.test\r\nTo: {address}\r\nSubject: {key}\r\nX-Ledger: {key}\r\n'
            f'Message-ID: <{key}@client.test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n{lines}\r\n').encode()
    return key, text


def fingerprint(message):
    """Of what the client sent, without the trace fields that the server put in front."""
    return hashlib.sha256(message[message.index(b'From: ledger@client.test'):]).hexdigest()


class Load:
    def __init__(self, it, ledger, seed):
        self.it, self.ledger, self.stop = it, ledger, threading.Event()
        self.rngs = [random.Random(seed + n) for n in range(SENDERS + 1)]
        self.threads = [threading.Thread(target=self.send, args=(n,), daemon=True) for n in range(SENDERS)]
        self.threads.append(threading.Thread(target=self.use_imap, args=(SENDERS,), daemon=True))
        self.failed = 0
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)

    def send(self, number):
        rng, s = self.rngs[number], None
        while not self.stop.is_set():
            begin = time.monotonic()
            address = rng.choice(list(ACCOUNTS))
            key, text = make_message(rng, address)
            try:
                if s is None or rng.random() < 0.05:
                    s = self.it.smtp(timeout=5)
                    s.ehlo()
                code, answer = s.mail('ledger@client.test')
                if code == 250:
                    code, answer = s.rcpt(address)
                if code == 250:
                    code, answer = s.data(text)
                if code == 250:
                    self.ledger.add(kind='smtp', key=key, address=address, hash=fingerprint(text))
                else:
                    s = None
            except Exception:  # a killed server; nothing was promised
                self.failed += 1
                s = None
                time.sleep(0.02)
            time.sleep(max(0, SENDERS / RATE - (time.monotonic() - begin)))

    def use_imap(self, number):
        """APPEND and flags, on one account; APPENDUID tells the number that was promised."""
        rng, m, address = self.rngs[number], None, 'user0@example.test'
        while not self.stop.is_set():
            try:
                if m is None:
                    m = self.it.imap(address, timeout=5)
                    m.select('Archive')
                key, text = make_message(rng, address)
                status, answer = m.append('Archive', None, None, text)
                if status != 'OK':
                    m = None
                    continue
                validity, uid = re.search(rb'APPENDUID (\d+) (\d+)', answer[0]).groups()
                self.ledger.add(kind='append', key=key, address=address, hash=fingerprint(text), uid=int(uid),
                                validity=int(validity))
                m.noop()
                status, answer = m.uid('STORE', uid.decode(), '+FLAGS.SILENT', r'(\Flagged)')
                if status == 'OK':
                    self.ledger.add(kind='flag', key=key)
                time.sleep(0.05)
            except Exception:
                self.failed += 1
                m = None
                time.sleep(0.02)


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
    try:
        return all(r['state'] == 'ready' for r in it.json('status') if r['role'] != 'mailbox')
    except (RuntimeError, ValueError):
        return False


def kill_once(it, rng, killed):
    roles = [(pid, name) for pid, name in roles_of(it) if name not in ('posthold', 'posthold-supervisor')]
    begin = time.monotonic()
    if rng.random() < 0.3 or not roles:
        killed['everything'] = killed.get('everything', 0) + 1
        it.kill()
        it.start(timeout=60)
    else:
        pid, name = rng.choice(roles)
        killed[name] = killed.get(name, 0) + 1
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        it.wait_for(lambda: ready(it), 60, f'the restart after {name}')
    return time.monotonic() - begin


def read_mailbox(it, address, mailbox):
    """[(uid, flags, message)]"""
    m = it.imap(address)
    status, count = m.select(mailbox, readonly=True)
    rows = []
    if count[0] != b'0':
        for head, text in (x for x in m.uid('FETCH', '1:*', '(UID FLAGS BODY.PEEK[])')[1] if isinstance(x, tuple)):
            uid = int(re.search(rb'UID (\d+)', head).group(1))
            rows.append((uid, head, text))
    m.logout()
    return rows


def audit(it, ledger):
    promised = {r['key']: r for r in ledger.rows if r['kind'] != 'flag'}
    flagged = {r['key'] for r in ledger.rows if r['kind'] == 'flag'}
    seen, wrong = {}, {'lost': [], 'duplicated': [], 'corrupted': [], 'went back': []}
    for address in ACCOUNTS:
        for mailbox in ('INBOX', 'Archive'):
            for uid, head, text in read_mailbox(it, address, mailbox):
                found = MARK.search(text)
                key = found.group(1).decode() if found else None
                if key is None:
                    wrong['corrupted'].append(f'{address} {mailbox} {uid}')
                    continue
                seen[key] = seen.get(key, 0) + 1
                row = promised.get(key)
                if row and (fingerprint(text) != row['hash'] or row['address'] != address):
                    wrong['corrupted'].append(key)
                if row and row['kind'] == 'append' and row['uid'] != uid:
                    wrong['went back'].append(f'{key}: UID {uid}, promised was {row["uid"]}')
                if key in flagged and b'\\Flagged' not in head:
                    wrong['went back'].append(f'{key}: the flag is gone')
    wrong['lost'] = [k for k in promised if k not in seen]
    wrong['duplicated'] = [k for k, n in seen.items() if n > 1]
    return wrong, len(promised), len(seen)


def settled(it):
    return not it.json('queue', 'list')


def main():
    report, rng, killed, slowest = Report(), random.Random(SEED), {}, 0.0
    print(f'seed {SEED}, {KILLS} kills', flush=True)
    with tempfile.TemporaryDirectory(dir='/dev/shm') as outside, \
            Instance(accounts=ACCOUNTS, options={'conn_client_max': '1000', 'mailbox_idle': '2 s', 'checkpoint_time': '1 s',
                                                 'journal_segment': '1 MiB', 'rcpt_client_hour': '1000000'}) as it:
        ledger = Ledger(os.path.join(outside, 'ledger.jsonl'))
        load = Load(it, ledger, SEED)
        for n in range(KILLS):
            time.sleep(rng.random() * 2)
            slowest = max(slowest, kill_once(it, rng, killed))
            if LONG and n % 20 == 19:
                print(f'{n + 1} kills, {len(ledger.rows)} promises', flush=True)
        load.end()
        it.wait_for(lambda: ready(it), 60, 'all roles')
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        wrong, promised, present = audit(it, ledger)
        # Once more after an orderly restart: what was replayed must be a no-op.
        it.stop()
        it.start()
        it.wait_for(lambda: settled(it), 60, 'an empty queue')
        again, _, present_again = audit(it, ledger)
    print(f'killed: {", ".join(f"{n} {k}" for k, n in sorted(killed.items()))}')
    print(f'{promised} messages were acknowledged, {present} are there; slowest restart {slowest:.1f} s')
    for kind in wrong:
        report.check(f'{kind}: 0 after {KILLS} kills', not wrong[kind], f'{len(wrong[kind])}: {wrong[kind][:5]}')
        report.check(f'{kind}: 0 after a restart', not again[kind], f'{len(again[kind])}: {again[kind][:5]}')
    report.check('the audit saw messages', promised > KILLS, f'only {promised}')
    report.check('a restart adds and removes nothing', present == present_again, f'{present} and {present_again}')
    return report.end()


try:
    sys.exit(main())
except Exception as e:  # the server did not come back: that is the finding
    Report().fail(f'the harness, seed {SEED}', f'{type(e).__name__}: {e}')
    os._exit(1)
