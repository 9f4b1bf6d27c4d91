"""Clients of a mail server that write down what they were promised (tests/lib/ledger.py).

    load = Load(it, ledger, seed, senders=3, rate=50, readers=2)
    ...
    load.end()

Senders hand in mail by SMTP; each reader appends, flags, copies, moves and expunges in an account of its own,
also what was just delivered.  Every error is counted and tried again: the server is expected to be killed.
"""
import random
import re
import threading
import time

from ledger import SENDER, fingerprint, make_message

FIELD = '(UID BODY.PEEK[HEADER.FIELDS (X-LEDGER)])'


class Refused(Exception):
    """An answer that is not OK: nothing was promised, and the connection is given up."""


def send_one(it, ledger, rng, session, address, accounts=None):
    """One message by SMTP to address, which stands for the accounts; returns the session."""
    key, text = make_message(rng, address)
    rows = [{'address': a, 'hash': fingerprint(text)} for a in accounts or [address]]
    if session is None:
        session = it.smtp(timeout=5)
        session.ehlo()
    for row in rows:
        ledger.trying(key, 'smtp', **row)
    for code, answer in (session.mail(SENDER), session.rcpt(address), session.data(text)):
        if code != 250:
            raise Refused(f'{code} {answer}')
    for row in rows:
        ledger.done(key, 'smtp', **row)
    return session


class Reader:
    """One IMAP client of one account."""

    def __init__(self, it, ledger, rng, address):
        self.it, self.ledger, self.rng, self.address = it, ledger, rng, address
        self.m = self.selected = None

    def ok(self, answer, what):
        status, data = answer
        if status != 'OK':
            raise Refused(f'{what}: {status} {data}')
        return data

    def select(self, mailbox):
        if self.m is None:
            self.m, self.selected = self.it.imap(self.address, timeout=5), None
            self.m._simple_command('ENABLE', 'CONDSTORE')
        if self.selected == mailbox:
            return
        self.ok(self.m.select(mailbox), 'SELECT')
        self.selected = mailbox
        self.box = {name.lower(): int(self.m.response(name)[1][0]) for name in ('UIDVALIDITY', 'UIDNEXT', 'HIGHESTMODSEQ')}
        self.saw(mailbox, self.box['uidnext'], ())

    def saw(self, mailbox, uidnext, messages):
        self.ledger.saw(self.address, mailbox, {'validity': self.box['uidvalidity'], 'uidnext': uidnext,
                                                'modseq': self.box['highestmodseq'], 'messages': messages})

    def do(self, key, action, command, **row):
        """One command about one message, written down before and behind it."""
        self.ledger.trying(key, action, address=self.address, **row)
        data = self.ok(command(), action)
        number = self.number(action, data)
        self.ledger.done(key, action, address=self.address, **row, **number)
        return number.get('uid')

    def number(self, action, data):
        """What APPENDUID or COPYUID promises."""
        if action == 'append':
            found = re.search(rb'APPENDUID (\d+) (\d+)', data[0])
        elif action in ('copy', 'move'):
            found = re.search(rb'(\d+) \d+ (\d+)', self.m.response('COPYUID')[1][-1])
        else:
            return {}
        return {'validity': int(found.group(1)), 'uid': int(found.group(2))}

    def append(self, size=None):
        key, text = make_message(self.rng, self.address, size)
        self.select('Archive')
        uid = self.do(key, 'append', lambda: self.m.append('Archive', None, None, text), mailbox='Archive',
                      hash=fingerprint(text))
        self.ok(self.m.noop(), 'NOOP')
        return key, uid

    def store(self, key, uid, mailbox, action):
        sign = '+' if action == 'flag' else '-'
        self.do(key, action, lambda: self.m.uid('STORE', str(uid), sign + 'FLAGS.SILENT', r'(\Flagged)'), mailbox=mailbox)

    def expunge(self, key, uid, mailbox):
        self.ok(self.m.uid('STORE', str(uid), '+FLAGS.SILENT', r'(\Deleted)'), 'STORE')
        self.do(key, 'expunge', lambda: self.m.uid('EXPUNGE', str(uid)), mailbox=mailbox)

    def transfer(self, key, uid, mailbox, target, action):
        self.do(key, action, lambda: self.m.uid(action.upper(), str(uid), target), mailbox=mailbox, target=target)

    def step(self):
        """A message of our own: appended, flagged, then one of several fates."""
        key, uid = self.append()
        self.store(key, uid, 'Archive', 'flag')
        fate = self.rng.randrange(6)
        if fate == 0:
            self.store(key, uid, 'Archive', 'unflag')
        elif fate == 1:
            self.expunge(key, uid, 'Archive')
        elif fate == 2:
            self.transfer(key, uid, 'Archive', 'Sent', 'copy')
        elif fate == 3:
            self.transfer(key, uid, 'Archive', 'Sent', 'move')
        elif fate == 4:
            self.newest()

    def newest(self):
        """What was delivered last leaves INBOX before the journal has forgotten it."""
        self.selected = None
        self.select('INBOX')
        rows = self.ok(self.m.uid('FETCH', '*', FIELD), 'FETCH')
        found = [(int(re.search(rb'UID (\d+)', r[0]).group(1)), r[1]) for r in rows if isinstance(r, tuple)]
        if not found or b'X-Ledger' not in found[0][1]:
            return
        uid, field = found[0]
        self.saw('INBOX', uid + 1, [{'uid': uid, 'text': field}])
        key = field.split()[1].decode()
        if self.rng.random() < 0.5:
            self.expunge(key, uid, 'INBOX')
        else:
            self.transfer(key, uid, 'INBOX', 'Archive', 'move')


class Load:
    def __init__(self, it, ledger, seed, accounts, senders=3, rate=50.0, readers=1):
        self.it, self.ledger, self.accounts = it, ledger, list(accounts)
        self.senders, self.rate = senders, rate
        self.stop, self.failed = threading.Event(), 0
        rngs = [random.Random(seed + n) for n in range(senders + readers)]
        self.threads = [threading.Thread(target=self.send, args=(rngs[n],), daemon=True) for n in range(senders)]
        self.threads += [threading.Thread(target=self.read, args=(rngs[senders + n], self.accounts[n]), daemon=True)
                         for n in range(readers)]
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)
        if any(t.is_alive() for t in self.threads):
            raise RuntimeError('a client hangs')

    def send(self, rng):
        session = None
        while not self.stop.is_set():
            begin = time.monotonic()
            if rng.random() < 0.05:
                session = None
            try:
                session = send_one(self.it, self.ledger, rng, session, rng.choice(self.accounts))
            except Exception:  # a killed server; nothing was promised
                self.failed += 1
                session = None
                time.sleep(0.02)
            self.stop.wait(max(0, self.senders / self.rate - (time.monotonic() - begin)))

    def read(self, rng, address):
        reader = Reader(self.it, self.ledger, rng, address)
        while not self.stop.is_set():
            try:
                reader.step()
                self.stop.wait(0.03)
            except Exception:
                self.failed += 1
                reader.m = None
                time.sleep(0.02)
