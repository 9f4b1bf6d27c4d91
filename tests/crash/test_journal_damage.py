#!/usr/bin/env python3
"""A journal with a torn tail, flipped octets or missing files: the instance starts, says where, saves the rest.

time-limit: 120

Each case delivers mail to one mailbox and has mail wait for a server that defers, kills everything, damages the
journal, starts again, and holds mailboxes, queue and sink against the ledger (tests/lib/ledger.py).  What mailboxes
already hold must stay as it is; of what waited only messages in the damaged octets may be missing, and the log
must name file and offset.
"""
import glob
import os
import random
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from dns_server import DnsServer
from ledger import Ledger, audit, fingerprint, make_message, read_boxes
from load import send_one
from posthold import PASSWORD, Instance, Report
from smtp_sink import SmtpSink

ANNA, FAR = 'anna@example.test', 'far@far.test'
MESSAGES = 12
SIZE = 6000  # of those that wait; each is found in the journal by its key
SAYS = ('queue.journal-torn', 'queue.journal-damage', 'queue.journal-unreadable', 'queue.lost', 'queue.envelope')


class Case:
    def __init__(self):
        self.rng, self.defers = random.Random(1), True
        self.dns, self.sink = DnsServer(), SmtpSink('127.0.0.2', 0, {'rcpt': self.defer})
        self.dns.zone['far.test'] = {'MX': [(10, 'mx.far.test')]}
        self.dns.zone['mx.far.test'] = {'A': '127.0.0.2'}
        self.folder = tempfile.mkdtemp(prefix='posthold-ledger-')
        self.ledger = Ledger(os.path.join(self.folder, 'ledger.jsonl'))
        self.waiting = []

    def defer(self, session, line):
        return '450 4.2.0 later' if self.defers else None

    def fill(self):
        """Mail that mailboxes hold and mail that waits, by turns."""
        session = self.it.smtp()
        session.ehlo()
        with self.it.submit(ANNA) as client:
            for _ in range(MESSAGES):
                session = send_one(self.it, self.ledger, self.rng, session, ANNA)
                key, text = make_message(self.rng, FAR, SIZE, sender=ANNA)
                self.ledger.trying(key, 'remote', recipients=[FAR], hash=fingerprint(text))
                client.sendmail(ANNA, [FAR], text)
                self.ledger.done(key, 'remote', recipients=[FAR])
                self.waiting.append(key)
        self.it.wait_for(lambda: len(self.it.messages(ANNA)) == MESSAGES, what='delivery')

    def segments(self):
        return sorted(glob.glob(os.path.join(self.it.dir, 'spool', 'journal-*.log')))

    def place_of(self, key):
        """(file, offset) of a message that waits."""
        for path in self.segments():
            at = open(path, 'rb').read().find(f'X-Ledger: {key}'.encode())
            if at >= 0:
                return path, at
        raise RuntimeError(f'{key} is not in the journal')

    def flip(self, path, at, n=1):
        with open(path, 'r+b') as f:
            f.seek(at)
            octets = f.read(n)
            f.seek(at)
            f.write(bytes(x ^ 0x55 for x in octets))

    def last_record(self, path):
        """(offset, size) of the last record (spool/record.h); the last block of the file is none."""
        octets = open(path, 'rb').read()
        at = len(octets)
        while (at := octets.rfind(b'Phr1', 0, at)) >= 0:
            head_n, body_n, offset = struct.unpack('<20xIQ16xQ', octets[at:at + 56])
            if offset == at:
                return at, (64 + head_n + body_n + 7) // 8 * 8
        raise RuntimeError('no record')

    # ---- and then ----

    def look(self, damage):
        """(findings, events) of a start after the damage."""
        with self.dns, self.sink:
            self.it = Instance(accounts={ANNA: PASSWORD}, resolver=self.dns.address,
                               options={'send_private': 'yes', 'send_port': str(self.sink.port), 'retry_first': '1 s',
                                        'journal_segment': '1 MiB', 'checkpoint_time': '10 m'})
            with self.it:
                self.fill()
                before = read_boxes(self.it, [ANNA])
                self.it.kill()
                damage(self)
                begin = len(self.it.events())
                self.defers = False
                self.it.start()
                self.it.wait_for(lambda: not self.it.json('queue', 'list'), 30, 'an empty queue')
                boxes = read_boxes(self.it, [ANNA])
                there = [m.data for m in self.sink.messages]
                events = [e for e in self.it.events()[begin:] if e['event'] in SAYS]
                held = {at: [m['text'] for m in b['messages']] for at, b in before.items()} == \
                    {at: [m['text'] for m in b['messages']] for at, b in boxes.items()}
        shutil.rmtree(self.folder)
        return audit(self.ledger.rows, boxes, {FAR: there}), events, held


def expect(report, name, damage, lost=0, says=None):
    """lost: how many waiting messages the damage may cost; says: the event that must tell of it."""
    wrong, events, held = Case().look(damage)
    report.check(f'{name}: mailboxes hold what they held', held, 'other messages')
    report.check(f'{name}: loses at most {lost} of {MESSAGES} that waited', len(wrong['lost']) <= lost, wrong['lost'])
    others = {kind: texts for kind, texts in wrong.items() if texts and kind != 'lost'}
    report.check(f'{name}: nothing is doubled, changed or gone back', not others, others)
    said = [e for e in events if e['event'] == says]
    if says:
        report.check(f'{name}: the log says where', any(e.get('file', '').startswith('journal-') and
                                                        'offset' in e for e in said), events)
    if wrong['lost']:
        report.check(f'{name}: what is lost is said', events, 'silence')
    print(f'{name}: {len(wrong["lost"])} lost; ' + ', '.join(f'{e["event"]} {e.get("file", "")} {e.get("offset", "")} '
                                                           f'{e.get("octets", "")}' for e in events))


def no_damage(case):
    pass


def torn_at(case):
    """(file, where the last message is torn, end of the last record): nothing behind it reached the disk."""
    path, at = case.place_of(case.waiting[-1])
    return path, at + 1000, sum(case.last_record(path))


def cut_tail(case):
    path, at, end = torn_at(case)
    with open(path, 'r+b') as f:
        f.seek(at)
        f.write(bytes(end - at))


def shorten(case):
    path, at, _ = torn_at(case)
    os.truncate(path, at)


def flip_tail(case):
    path = case.place_of(case.waiting[-1])[0]
    case.flip(path, sum(case.last_record(path)) - 9, 2)


def flip_middle(case):
    path, at = case.place_of(case.waiting[MESSAGES // 2])
    case.flip(path, at + 1000)


def flip_two(case):
    for n in (2, 8):
        path, at = case.place_of(case.waiting[n])
        case.flip(path, at + 500, 3)


def zero_page(case):
    path, at = case.place_of(case.waiting[MESSAGES // 2])
    with open(path, 'r+b') as f:
        f.seek(at // 4096 * 4096)
        f.write(bytes(4096))


def flip_header(case):
    case.flip(case.place_of(case.waiting[0])[0], 20, 4)


def garbage_tail(case):
    """Octets behind the end that were never written by us."""
    path = case.place_of(case.waiting[-1])[0]
    with open(path, 'r+b') as f:
        f.seek((sum(case.last_record(path)) + 4095) // 4096 * 4096)
        f.write(random.Random(2).randbytes(5000))


def main():
    report = Report()
    for name, damage, lost, says in (
            ('no damage', no_damage, 0, None),
            ('the last octets are zero', cut_tail, 1, 'queue.journal-torn'),
            ('the file is short', shorten, 1, 'queue.journal-damage'),
            ('flipped octets at the end', flip_tail, 1, 'queue.journal-torn'),
            ('garbage behind the end', garbage_tail, 0, None),
            ('one flipped octet in the middle', flip_middle, 1, 'queue.journal-damage'),
            ('flipped octets at two places', flip_two, 2, 'queue.journal-damage'),
            ('a page of zeros in the middle', zero_page, 2, 'queue.journal-damage'),
            ('a flipped header', flip_header, 0, None)):
        report.run(f'{name}: it starts', expect, report, name, damage, lost, says)
    return report.end()


sys.exit(main())
