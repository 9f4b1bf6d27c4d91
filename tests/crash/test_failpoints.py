#!/usr/bin/env python3
"""Kill a role at every failpoint of the journal and of the mailbox store, then everything; then audit.

time-limit: 1500

The labels are read from the headers that list them.  For each, an instance is given the load or the damage that
leads there, its role ends itself with SIGKILL at the k-th hit, the whole instance is killed, started again
without the failpoint, and held against its promises (tests/lib/ledger.py).

make test takes k = 1; POSTHOLD_LONG=1 (make crash) k = 1 to 3.  POSTHOLD_SEED repeats a run, POSTHOLD_ONLY is a
part of the labels to be taken.
"""
import concurrent.futures
import glob
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from dns_server import DnsServer
from ledger import KINDS, Ledger, audit, differences, fingerprint, make_message, read_boxes, remote_duplicates
from load import Reader, send_one
from posthold import PASSWORD, ROOT, Instance, Report
from smtp_sink import SmtpSink

LONG = bool(os.environ.get('POSTHOLD_LONG'))
SEED = int(os.environ.get('POSTHOLD_SEED') or random.randrange(1 << 30))
ONLY = os.environ.get('POSTHOLD_ONLY', '')
HITS = 3 if LONG else 1
AT_ONCE = 4
ROUNDS = 5  # of load, before a label counts as not reached
ANNA, BEN, ALL = 'anna@example.test', 'ben@example.test', 'all@example.test'
ACCOUNTS = {ANNA: PASSWORD, BEN: PASSWORD}
SOON, LATER = 'soon@far.test', 'later@far.test'
OPTIONS = {'checkpoint_time': '100 ms', 'flag_sync': '100 ms', 'checkpoint_bytes': '64 KiB', 'mailbox_idle': '1 s',
           'journal_segment': '1 MiB', 'journal_segments': '2', 'send_private': 'yes', 'retry_first': '1 s',
           'conn_client_max': '1000'}
KILLED = 'killed by signal 9'
# Not before something was idle for a while.
SLOW = ('store.close.recorded', 'spool.clean.copying')
# Never reached by a whole server, and why; tests/unit kills there (crash_test.c of store and spool).
ELSEWHERE = {
    'store.abandon.': 'needs an fdatasync that fails',
    'store.pack.published': 'needs an fdatasync that fails',
    'spool.segment.abandoned': 'needs a write that fails',
}


def labels():
    found = []
    for name in ('src/store/failpoints.h', 'src/spool/failpoints.h'):
        found += re.findall(r'"([a-z]+(?:\.[a-z-]+){2})"', open(os.path.join(ROOT, name)).read())
    return [x for x in found if ONLY in x]


def reason_elsewhere(label):
    return next((why for prefix, why in ELSEWHERE.items() if label.startswith(prefix)), None)


class Case:
    """One label, one k, one instance."""

    offsets, lock = set(), threading.Lock()

    def __init__(self, label, k):
        self.label, self.k = label, k
        self.rng = random.Random(f'{SEED} {label} {k}')
        self.dns, self.sink, self.session = DnsServer(), SmtpSink('127.0.0.2', 0, {f'rcpt:{LATER}': self.defer}), None
        self.defers = True
        self.folder = tempfile.mkdtemp(prefix='posthold-ledger-', dir='/dev/shm')
        self.ledger = Ledger(os.path.join(self.folder, 'ledger.jsonl'))
        self.hit, self.duplicates, self.begin, self.aliases = False, 0, None, set()

    def defer(self, session, line):
        return '450 4.2.0 later' if self.defers else None

    # ---- the instance ----

    def make_instance(self, **options):
        """Ports that no other case of this run has."""
        while True:
            it = Instance(accounts=ACCOUNTS, resolver=self.dns.address,
                          options={**OPTIONS, 'send_port': str(self.sink.port), **options})
            with self.lock:
                if it.offset not in self.offsets:
                    self.offsets.add(it.offset)
                    return it
            shutil.rmtree(it.dir)

    def arm(self):
        self.it.env = {'POSTHOLD_FAILPOINT': f'{self.label}:{self.k}'}
        self.begin = len(self.it.events_text())

    def start_armed(self):
        """It may be killed before it is ready, or each time it tries."""
        self.arm()
        failed = []

        def start():
            try:
                self.it.start()
            except RuntimeError as e:
                failed.append(e)
        t = threading.Thread(target=start, daemon=True)
        t.start()
        end = time.monotonic() + 30
        while t.is_alive() and time.monotonic() < end and not self.is_hit():
            t.join(0.1)
        t.join(1)
        return not t.is_alive() and not failed

    def is_hit(self):
        if self.begin is not None:
            self.hit = self.hit or KILLED in self.it.events_text()[self.begin:]
        return self.hit

    # ---- loads ----

    def attempt(self, function, *args):
        """A client that goes on whatever happens to the server."""
        try:
            return function(*args)
        except Exception:
            return None

    def smtp(self, address, accounts=None):
        self.session = self.attempt(send_one, self.it, self.ledger, self.rng, self.session, address, accounts)

    def remote(self):
        key, text = make_message(self.rng, SOON, 500, sender=ANNA)
        recipients = [SOON, LATER]
        self.ledger.trying(key, 'remote', recipients=recipients, hash=fingerprint(text))
        with self.it.submit(ANNA, timeout=5) as client:
            client.sendmail(ANNA, recipients, text)
        self.ledger.done(key, 'remote', recipients=recipients)

    def round(self):
        """Mail in and out, every IMAP action, and enough octets for a new segment of the journal."""
        reader = Reader(self.it, self.ledger, self.rng, ANNA)
        for address in set(ACCOUNTS) - self.aliases:
            if self.attempt(self.it.cli, 'alias', 'add', ALL, address):
                self.aliases.add(address)
        self.attempt(self.remote)
        for n in range(16):
            if n % 4 == 0 and len(self.aliases) == 2:
                self.smtp(ALL, [ANNA, BEN])
            else:
                self.smtp((ANNA, BEN)[n % 2])
            if n % 2 == 0 and self.attempt(reader.step) is None and self.is_hit():
                return
        for _ in range(4):
            key, text = make_message(self.rng, BEN, 260000)
            self.attempt(self.big, key, text)
        time.sleep(0.25)

    def big(self, key, text):
        self.ledger.trying(key, 'smtp', address=BEN, hash=fingerprint(text))
        with self.it.smtp(timeout=5) as s:
            s.sendmail('ledger@client.test', [BEN], text)
        self.ledger.done(key, 'smtp', address=BEN)

    def touch(self):
        """Open every account."""
        for address in ACCOUNTS:
            for _ in range(5):
                if self.attempt(read_boxes, self.it, [address]) or self.is_hit():
                    break
                time.sleep(0.2)

    # ---- how a label is reached ----

    def by_load(self):
        """Rounds of load, each begun by a start and ended by an orderly stop."""
        self.it = self.make_instance()
        for _ in range(ROUNDS):
            if self.start_armed() or not self.is_hit():
                self.round()
                self.wait_hit(0.3)
                if self.label in SLOW:
                    self.wait_hit(3)
            if self.hit:
                return
            self.it.stop()

    def wait_hit(self, seconds):
        end = time.monotonic() + seconds
        while not self.is_hit() and time.monotonic() < end:
            time.sleep(0.03)

    def after(self, damage, load=None, kill=True, **options):
        """A load, an end, damage; then a start that reaches the label."""
        self.it = self.make_instance(**options)
        for _ in range(ROUNDS):
            self.it.env = None
            self.it.start()
            (load or self.round)()
            if kill:
                self.it.kill()
            else:
                self.it.wait_for(lambda: self.is_stored(), 20, 'delivery')
                self.it.stop()
            damage()
            if self.start_armed() or not self.is_hit():
                self.touch()
                self.wait_hit(0.3)
            if self.hit:
                return
            self.it.stop()

    def is_stored(self):
        return all(r.get('to') == LATER or LATER in str(r) for r in self.it.json('queue', 'list'))

    def packs(self):
        """The last pack of each account."""
        for account in sorted(glob.glob(os.path.join(self.it.dir, 'mail', '*'))):
            yield max(glob.glob(os.path.join(account, 'pack-*.mail')))

    def tear(self):
        for path in self.packs():
            with open(path, 'ab') as f:
                f.write(bytes(300))

    def lose(self):
        """What was never synced, as in a power cut: the journal has it."""
        for path in self.packs():
            os.truncate(path, os.path.getsize(path) - 150)

    def drop_index(self):
        for path in glob.glob(os.path.join(self.it.dir, 'mail', '*', 'index.db*')):
            os.unlink(path)

    def deliveries(self):
        for n in range(6):
            self.smtp((ANNA, BEN)[n % 2])
        self.it.wait_for(lambda: all(len(self.it.messages(a)) >= 3 for a in ACCOUNTS), 20, 'delivery')

    def by_compaction(self):
        """More than a pack, nearly all of it expunged; then quiet."""
        self.it = self.make_instance(mailbox_idle='1 d')
        self.start_armed()
        reader = Reader(self.it, self.ledger, self.rng, ANNA)
        uids = [reader.append(size=2500000) for _ in range(70)]
        for key, uid in uids[3:]:
            reader.expunge(key, uid, 'Archive')
        reader.m.logout()
        self.wait_hit(8)

    def reach(self):
        name = self.label.removeprefix('store.')
        if name in ('recover.wal-kept', 'recover.replayed', 'recover.numbers'):
            self.after(lambda: None)
        elif name == 'recover.cut':
            self.after(self.tear)
        elif name == 'recover.wal-dropped':
            self.after(self.lose, self.deliveries, checkpoint_time='10 m', checkpoint_bytes='1 GiB', flag_sync='1 m',
                       mailbox_idle='1 d')
        elif name.startswith('rebuild.'):
            self.after(self.drop_index, kill=False)
        elif name.startswith('compact.'):
            self.by_compaction()
        else:
            self.by_load()

    # ---- and then ----

    def settle(self):
        self.defers = False
        self.it.wait_for(lambda: not self.it.json('queue', 'list'), 30, 'an empty queue')

    def delivered(self):
        there = {SOON: [], LATER: []}
        for m in self.sink.messages:
            for recipient in m.recipients:
                there.setdefault(recipient, []).append(m.data)
        return there

    def audit(self):
        """Findings after the crash, and after one more orderly restart."""
        self.it.kill()
        self.it.env = None
        begin = time.monotonic()
        self.it.start()
        self.seconds = time.monotonic() - begin
        self.settle()
        boxes = read_boxes(self.it, ACCOUNTS)
        self.it.stop()
        self.it.start()
        again = read_boxes(self.it, ACCOUNTS)
        self.duplicates = remote_duplicates(self.delivered())
        wrong = audit(self.ledger.rows, boxes, self.delivered())
        wrong['went back'] += [f'a restart changed {what}' for what in differences(boxes, again)]
        return wrong

    def run(self):
        """None when the label was not reached, else findings."""
        self.dns.zone['far.test'] = {'MX': [(10, 'mx.far.test')]}
        self.dns.zone['mx.far.test'] = {'A': '127.0.0.2'}
        with self.dns, self.sink:
            try:
                self.reach()
                return self.audit() if self.hit else None
            finally:
                self.it.__exit__(*sys.exc_info())
                shutil.rmtree(self.folder)


def main():
    report, total = Report(), {'runs': 0, 'hits': 0, 'promises': 0, 'duplicates': 0, 'slowest': 0.0}
    never, seldom = [], []
    wanted = [x for x in labels() if not reason_elsewhere(x)]
    cases = [Case(label, k) for label in wanted for k in range(1, HITS + 1)]
    print(f'seed {SEED}, {len(wanted)} labels, {len(cases)} runs', flush=True)

    def one(case):
        try:
            return case, case.run(), None
        except Exception as e:  # the server did not come back: that is the finding
            return case, None, f'{type(e).__name__}: {e}'

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for case, wrong, error in pool.map(one, cases):
            name = f'{case.label}:{case.k}'
            total['runs'] += 1
            if error:
                report.fail(name, error)
            elif wrong is None:
                (never if case.k == 1 else seldom).append(name)
            else:
                total['hits'] += 1
                total['promises'] += case.ledger.promises()
                total['duplicates'] += case.duplicates
                total['slowest'] = max(total['slowest'], case.seconds)
                bad = {kind: wrong[kind][:3] for kind in KINDS if wrong[kind]}
                report.check(name, not bad, bad)
    print(', '.join(f'{n:.2f} s slowest restart' if k == 'slowest' else f'{n} {k}' for k, n in total.items()))
    for name in seldom:
        print(f'not so often in one process: {name}')
    for label in labels():
        if reason_elsewhere(label):
            print(f'not by a whole server: {label}: {reason_elsewhere(label)}')
    report.check('every label is reached', not never, f'not reached: {" ".join(never)}')
    return report.end()


sys.exit(main())
