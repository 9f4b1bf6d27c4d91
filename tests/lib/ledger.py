"""What a mail server promised, and whether it kept it.

    ledger = Ledger('/another/file/system/ledger.jsonl')
    ledger.trying(key, 'smtp', address=..., hash=...)     before a command that changes something
    ledger.done(key, 'smtp')                              after its 250 or OK, synced before the client goes on
    ledger.saw(address, mailbox, box)                     what a client was told of a mailbox
    findings = audit(ledger.rows, boxes)                  {kind: [text, ...]}

A row is a promise, or an attempt: a command without an answer may or may not have been done, never by half.
The actions, each about one message, which its key names (X-Ledger field):

    smtp      taken over for address; belongs into INBOX once
    append    belongs into mailbox (done: under uid of validity)
    copy      from mailbox also into target (done: under uid of validity)
    move      from mailbox into target, in one step (the same)
    expunge   out of mailbox
    flag      \\Flagged is set in mailbox;  unflag: it is removed
    remote    taken over for recipients elsewhere: at least once each

A box is what one mailbox holds: {'validity', 'uidnext', 'modseq', 'messages': [{'uid', 'flags', 'modseq', 'text'}]}.
The kinds of findings:

    lost        promised, but not there
    duplicated  there more often than anything asked for
    corrupted   there with other octets, or with no name that was ever sent
    stayed      expunged or moved away with OK, but still there
    strayed     in an account or mailbox that nobody sent it to
    went back   UIDVALIDITY, UIDNEXT or HIGHESTMODSEQ fell, a UID names another message, a flag is undone

audit() is a function of recorded data; tests/crash/test_auditor.py gives it wrong outcomes.
"""
import hashlib
import json
import os
import re
import threading

KINDS = ('lost', 'duplicated', 'corrupted', 'stayed', 'strayed', 'went back')
MARK = re.compile(rb'^X-Ledger: ([0-9a-f]{16})\r$', re.M)
OURS = re.compile(rb'^From: ', re.M)
SENDER = 'ledger@client.test'
SIZES = (100, 500, 2000, 2000, 9000, 20000, 70000)


def make_message(rng, address, size=None, sender=SENDER):
    """(key, octets) of a new message."""
    key = f'{rng.getrandbits(64):016x}'
    size = size or rng.choice(SIZES)
    lines = '\r\n'.join(f'{rng.getrandbits(200):050x}' for _ in range(max(1, size // 52)))
    text = (f'From: {sender}\r\nTo: {address}\r\nSubject: {key}\r\nX-Ledger: {key}\r\n'
            f'Message-ID: <{key}@client.test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n{lines}\r\n').encode()
    return key, text


def key_of(text):
    found = MARK.search(text)
    return found.group(1).decode() if found else None


def fingerprint(text):
    """Of what the client sent, without the trace fields that servers put in front."""
    begin = OURS.search(text)
    return hashlib.sha256(text[begin.start():]).hexdigest() if begin else 'not from a client'


class Ledger:
    """Every attempt and every promise, one line of JSON each."""

    def __init__(self, path):
        self.file = open(path, 'a+')
        self.lock = threading.Lock()
        self.rows = []

    def add(self, sync, **row):
        with self.lock:
            self.rows.append(row)
            self.file.write(json.dumps(row) + '\n')
            if sync:
                self.file.flush()
                os.fsync(self.file.fileno())

    def trying(self, key, action, **more):
        self.add(False, key=key, action=action, done=False, **more)

    def done(self, key, action, **more):
        self.add(True, key=key, action=action, done=True, **more)

    def saw(self, address, mailbox, box):
        """Numbers that a client was told; with messages also which UID names which message."""
        names = {m['uid']: key_of(m['text']) for m in box.get('messages', ())}
        self.add(True, action='saw', address=address, mailbox=mailbox, validity=box['validity'],
                 uidnext=box['uidnext'], modseq=box['modseq'], names=names)

    def promises(self):
        return sum(1 for r in self.rows if r.get('done'))


class Place:
    """How often a message may and must be in one mailbox, and its flag there."""

    def __init__(self):
        self.least = self.most = 0
        self.left = False  # somebody tried to take it away
        self.flag = None  # True, False, or None: either


class Expected:
    """What the rows amount to, in their order."""

    def __init__(self, rows):
        self.hashes, self.places, self.uids, self.moving = {}, {}, {}, []
        self.seen_numbers, self.remote, self.history = {}, {}, {}
        for row in rows:
            if 'key' in row:
                self.history.setdefault(row['key'], []).append(row['action'] + ('' if row['done'] else '?'))
            if row['action'] == 'saw':
                self.saw(row)
            elif row['done']:
                getattr(self, row['action'] + '_done')(row)
            else:
                if 'hash' in row:
                    self.hashes[row['key']] = row['hash']
                getattr(self, row['action'] + '_trying')(row)

    def place(self, row, name='mailbox'):
        return self.places.setdefault((row['address'], row.get(name, 'INBOX'), row['key']), Place())

    def tie(self, row, mailbox):
        self.uids.setdefault((row['address'], mailbox, row['validity'], row['uid']), row['key'])

    def saw(self, row):
        at = (row['address'], row['mailbox'])
        old = self.seen_numbers.get(at, (0, 0, 0))
        # uidnext and modseq count within one validity.
        if row['validity'] > old[0]:
            old = (row['validity'], 0, 0)
        if row['validity'] == old[0]:
            self.seen_numbers[at] = (old[0], max(old[1], row['uidnext']), max(old[2], row['modseq']))
        for uid, key in row['names'].items():
            self.uids.setdefault((*at, row['validity'], int(uid)), key)

    def smtp_trying(self, row):
        self.add_maybe(self.place(row))

    def smtp_done(self, row):
        # A reader may have been quicker than the 250 that promises what it took away.
        self.place(row).least += not self.place(row).left

    append_trying = smtp_trying

    def append_done(self, row):
        self.place(row).least += 1
        self.tie(row, row['mailbox'])

    @staticmethod
    def add_maybe(place):
        place.most += 1

    def copy_trying(self, row):
        self.add_maybe(self.place(row, 'target'))

    def copy_done(self, row):
        self.place(row, 'target').least += 1
        self.tie(row, row['target'])

    def move_trying(self, row):
        self.add_maybe(self.place(row, 'target'))
        self.place(row).least, self.place(row).left = 0, True
        self.moving.append((self.place(row), row['address'], row['mailbox'], row['target'], row['key']))

    def move_done(self, row):
        self.place(row).most = 0
        self.place(row, 'target').least += 1
        self.tie(row, row['target'])

    def expunge_trying(self, row):
        self.place(row).least, self.place(row).left = 0, True

    def expunge_done(self, row):
        self.place(row).most = 0
        self.moving = [m for m in self.moving if m[0] is not self.place(row)]

    def flag_trying(self, row):
        self.place(row).flag = None

    unflag_trying = flag_trying

    def flag_done(self, row):
        self.place(row).flag = True

    def unflag_done(self, row):
        self.place(row).flag = False

    def remote_trying(self, row):
        for recipient in row['recipients']:
            self.remote[recipient, row['key']] = False

    def remote_done(self, row):
        for recipient in row['recipients']:
            self.remote[recipient, row['key']] = True


class Audit:
    def __init__(self, rows):
        self.expected = Expected(rows)
        self.wrong = {kind: [] for kind in KINDS}
        self.counts = {}

    def box(self, at, box):
        where = ' '.join(at)
        validity, uidnext, modseq = self.expected.seen_numbers.get(at, (0, 0, 0))
        if box['validity'] != validity and validity:
            self.wrong['went back'].append(f'{where}: UIDVALIDITY {box["validity"]}, was {validity}')
        if box['uidnext'] < uidnext:
            self.wrong['went back'].append(f'{where}: UIDNEXT {box["uidnext"]}, was {uidnext}')
        if box['modseq'] < modseq:
            self.wrong['went back'].append(f'{where}: HIGHESTMODSEQ {box["modseq"]}, was {modseq}')
        last = 0
        for m in box['messages']:
            if m['uid'] <= last or m['uid'] >= box['uidnext'] or m['modseq'] > box['modseq']:
                self.wrong['went back'].append(f'{where}: UID {m["uid"]} behind {last}, UIDNEXT {box["uidnext"]}, '
                                               f'MODSEQ {m["modseq"]} of {box["modseq"]}')
            last = m['uid']
            self.message(at, where, box['validity'], m)

    def message(self, at, where, validity, m):
        key, name = key_of(m['text']), f'{where} UID {m["uid"]}'
        if key is None or key not in self.expected.hashes:
            self.wrong['corrupted'].append(f'{name}: no message of that name ({key}) was ever sent')
            return
        if fingerprint(m['text']) != self.expected.hashes[key]:
            self.wrong['corrupted'].append(f'{name}: {key} has other octets')
        promised = self.expected.uids.get((*at, validity, m['uid']), key)
        if promised != key:
            self.wrong['went back'].append(f'{name}: names {key}, was {promised}')
        self.counts[*at, key] = self.counts.get((*at, key), 0) + 1
        place = self.expected.places.get((*at, key))
        if place and place.flag is not None and place.flag != ('\\Flagged' in m['flags']):
            self.wrong['went back'].append(f'{name}: \\Flagged is {"gone" if place.flag else "back"}')

    def promised_uids(self, boxes):
        """A message that is there, but not under the number that was promised."""
        there = {(*at, box['validity'], m['uid']) for at, box in boxes.items() for m in box['messages']}
        for (address, mailbox, validity, uid), key in self.expected.uids.items():
            place = self.expected.places.get((address, mailbox, key))
            if place and place.least == place.most == 1 and (address, mailbox, validity, uid) not in there \
                    and self.counts.get((address, mailbox, key)):
                self.wrong['went back'].append(f'{address} {mailbox}: {key} is not under UID {uid} of {validity} any more')

    def numbers(self):
        for at, place in self.expected.places.items():
            n, name = self.counts.get(at, 0), ' '.join(at)
            if n < place.least:
                self.wrong['lost'].append(f'{name} ({" ".join(self.expected.history[at[2]])})')
            elif n > place.most:
                self.wrong['duplicated' if place.most else 'stayed'].append(f'{name}: {n}')
        for at in self.counts:
            if at not in self.expected.places:
                self.wrong['strayed'].append(' '.join(at))
        # A move without an answer: at one of the two places, not at both or neither.
        for place, address, mailbox, target, key in self.expected.moving:
            n = self.counts.get((address, mailbox, key), 0) + self.counts.get((address, target, key), 0)
            if n != 1:
                self.wrong['lost' if n == 0 else 'duplicated'].append(f'{address} {key}: {n} after a move')


def audit(rows, boxes, delivered=None):
    """Findings by kind, all empty when every promise was kept.

    boxes        {(address, mailbox): box} of every mailbox
    delivered    {recipient: [octets, ...]} at other servers; None: not looked at
    """
    a = Audit(rows)
    for at, box in sorted(boxes.items()):
        a.box(at, box)
    for at in a.expected.seen_numbers:
        if at not in boxes:
            a.wrong['lost'].append(f'{" ".join(at)}: the mailbox')
    a.promised_uids(boxes)
    a.numbers()
    if delivered is not None:
        audit_remote(a, delivered)
    return a.wrong


def audit_remote(a, delivered):
    there = set()
    for recipient, texts in delivered.items():
        for text in texts:
            key = key_of(text)
            there.add((recipient, key))
            if fingerprint(text) != a.expected.hashes.get(key):
                a.wrong['corrupted'].append(f'{recipient}: {key} has other octets')
            if (recipient, key) not in a.expected.remote:
                a.wrong['strayed'].append(f'{recipient}: {key}')
    for (recipient, key), promised in a.expected.remote.items():
        if promised and (recipient, key) not in there:
            a.wrong['lost'].append(f'{recipient}: {key}')


def remote_duplicates(delivered):
    """Transactions beyond the first for a recipient (THREATS.md 4, clause 4: shown, not forbidden)."""
    return sum(len(texts) - len({key_of(t) for t in texts}) for texts in delivered.values())


def differences(before, after):
    """What is not the same in two readings of the same boxes, in words."""
    found = []
    for at in sorted(before.keys() | after.keys()):
        a, b = before.get(at, {}), after.get(at, {})
        found += [f'{" ".join(at)}: {name} {a.get(name)}, then {b.get(name)}' for name in ('validity', 'uidnext', 'modseq')
                  if a.get(name) != b.get(name)]
        if a.get('messages') != b.get('messages'):
            found.append(f'{" ".join(at)}: other messages, flags, UIDs or MODSEQs')
    return found


# ---- reading an instance ----

MAILBOXES = ('INBOX', 'Archive', 'Sent')
FETCHED = re.compile(rb'UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)')


def fetch(m, mailbox, address):
    """(items without the body, body) of every message; b'' for one that the server cannot read any more."""
    status, rows = m.uid('FETCH', '1:*', '(UID FLAGS MODSEQ BODY.PEEK[])')
    if status == 'OK':
        return [row for row in rows if isinstance(row, tuple)]
    m.untagged_responses.clear()  # of what it could read before that one
    status, heads = m.uid('FETCH', '1:*', '(UID FLAGS MODSEQ)')
    if status != 'OK':
        raise RuntimeError(f'FETCH of {mailbox} of {address}: {heads}')
    heads, found = [head for head in heads if isinstance(head, bytes)], []
    for head in heads:
        m.untagged_responses.clear()
        status, rows = m.uid('FETCH', FETCHED.search(head)[1].decode(), '(BODY.PEEK[])')
        found.append((head, next((r[1] for r in rows if isinstance(r, tuple)), b'') if status == 'OK' else b''))
    return found


def read_box(it, address, mailbox):
    m = it.imap(address)
    try:
        m._simple_command('ENABLE', 'CONDSTORE')
        status, answer = m.select(mailbox, readonly=True)
        if status != 'OK':
            raise RuntimeError(f'SELECT {mailbox} of {address}: {answer}')
        box = {'validity': int(m.response('UIDVALIDITY')[1][0]), 'uidnext': int(m.response('UIDNEXT')[1][0]),
               'modseq': int(m.response('HIGHESTMODSEQ')[1][0]), 'messages': []}
        if answer[0] == b'0':
            return box
        for head, text in fetch(m, mailbox, address):
            uid, flags, modseq = FETCHED.search(head).groups()
            box['messages'].append({'uid': int(uid), 'flags': flags.decode(), 'modseq': int(modseq), 'text': text})
        if len(box['messages']) != int(answer[0]):
            raise RuntimeError(f'{mailbox} of {address}: {answer[0]} messages, {len(box["messages"])} fetched')
        return box
    finally:
        m.logout()


def read_boxes(it, addresses):
    return {(a, mailbox): read_box(it, a, mailbox) for a in addresses for mailbox in MAILBOXES}
