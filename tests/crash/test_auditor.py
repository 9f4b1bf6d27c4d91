#!/usr/bin/env python3
"""The auditor is tested itself: planted wrong outcomes, each must be found, and nothing in what is right.

Works on recorded data; no server is run.
"""
import copy
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ledger import KINDS, MAILBOXES, Ledger, audit, fingerprint, make_message, remote_duplicates
from posthold import Report

ANNA, BEN, FAR = 'anna@example.test', 'ben@example.test', 'far@elsewhere.test'
TRACE = b'Return-Path: <ledger@client.test>\r\nReceived: from client.test by mx.example.test; now\r\n'


class World:
    """A server without faults: what it promised, and what it holds."""

    def __init__(self, ledger):
        self.rng, self.ledger, self.texts = random.Random(1), ledger, {}
        self.boxes = {(a, m): {'validity': 1000, 'uidnext': 1, 'modseq': 1, 'messages': []}
                      for a in (ANNA, BEN) for m in MAILBOXES}
        self.delivered = {FAR: []}

    def put(self, address, mailbox, text, flags=''):
        box = self.boxes[address, mailbox]
        box['modseq'] += 1
        box['messages'].append({'uid': box['uidnext'], 'flags': flags, 'modseq': box['modseq'], 'text': text})
        box['uidnext'] += 1
        return {'validity': box['validity'], 'uid': box['uidnext'] - 1}

    def find(self, address, mailbox, key):
        return next(m for m in self.boxes[address, mailbox]['messages'] if key.encode() in m['text'])

    def new(self, address, action, **row):
        key, self.text = make_message(self.rng, address, 500)
        self.texts[key] = self.text
        self.ledger.trying(key, action, address=address, hash=fingerprint(self.text), **row)
        return key

    def smtp(self, address, answered=True, done=True):
        key = self.new(address, 'smtp')
        if done:
            self.put(address, 'INBOX', TRACE + self.text)
        if answered:
            self.ledger.done(key, 'smtp', address=address)
        return key

    def append(self, address, mailbox='Archive'):
        key = self.new(address, 'append', mailbox=mailbox)
        self.ledger.done(key, 'append', address=address, mailbox=mailbox, **self.put(address, mailbox, self.text))
        return key

    def act(self, action, key, answered=True, done=True, address=ANNA, mailbox='Archive', target='Sent'):
        row, number = {'address': address, 'mailbox': mailbox}, {}
        if action in ('copy', 'move'):
            row['target'] = target
        self.ledger.trying(key, action, **row)
        m = self.find(address, mailbox, key)
        if done and action in ('copy', 'move'):
            number = self.put(address, target, m['text'], m['flags'])
        if done and action in ('move', 'expunge'):
            self.boxes[address, mailbox]['messages'].remove(m)
        if done and action in ('flag', 'unflag'):
            m['flags'] = '\\Flagged' if action == 'flag' else ''
        if done:
            self.boxes[address, mailbox]['modseq'] += 1
        if answered:
            self.ledger.done(key, action, **row, **number)

    def remote(self, answered=True, times=1):
        key = self.new(ANNA, 'remote', recipients=[FAR])
        self.delivered[FAR] += [TRACE + self.text] * times
        if answered:
            self.ledger.done(key, 'remote', recipients=[FAR])
        return key

    def look(self):
        for (address, mailbox), box in self.boxes.items():
            self.ledger.saw(address, mailbox, box)


def make_world(ledger):
    """Every action: answered; done without an answer; neither."""
    w = World(ledger)
    for n in range(6):
        w.smtp((ANNA, BEN)[n % 2])
    w.keys = {name: w.append(ANNA) for name in ('kept', 'flag', 'unflag', 'copy', 'move', 'expunge', 'half flag',
                                                'half copy', 'half move', 'half expunge', 'no flag', 'no copy', 'no move',
                                                'no expunge')}
    w.keys['seen'] = w.smtp(ANNA)
    w.look()
    w.act('flag', w.keys['unflag'])
    for action in ('flag', 'unflag', 'copy', 'move', 'expunge'):
        w.act(action, w.keys[action])
    for action in ('flag', 'copy', 'move', 'expunge'):
        w.act(action, w.keys[f'half {action}'], answered=False)
        w.act(action, w.keys[f'no {action}'], answered=False, done=False)
    w.keys['delivered'] = w.smtp(ANNA)
    w.keys['other'] = w.smtp(ANNA)
    w.keys['gone'] = w.smtp(BEN)
    w.act('expunge', w.keys['gone'], address=BEN, mailbox='INBOX')
    # A reader may be quicker than the 250 to the sender.
    early = w.smtp(BEN, answered=False)
    w.act('expunge', early, address=BEN, mailbox='INBOX')
    ledger.done(early, 'smtp', address=BEN)
    w.keys['half smtp'] = w.smtp(BEN, answered=False)
    w.keys['no smtp'] = w.smtp(BEN, answered=False, done=False)
    w.keys['remote'] = w.remote()
    w.remote(answered=False)
    w.remote(answered=False, times=0)
    w.remote(times=2)
    return w


# ---- planted faults: (kind, what, function of a copy of the world) ----

FAULTS = []


def fault(kind, what):
    def add(function):
        FAULTS.append((kind, what, function))
        return function
    return add


def remove(w, address, mailbox, name):
    w.boxes[address, mailbox]['messages'].remove(w.find(address, mailbox, w.keys[name]))


@fault('lost', 'a delivered message is gone')
def _(w):
    remove(w, ANNA, 'INBOX', 'delivered')


@fault('lost', 'an appended message is gone')
def _(w):
    remove(w, ANNA, 'Archive', 'kept')


@fault('lost', 'a copy is gone')
def _(w):
    remove(w, ANNA, 'Sent', 'copy')


@fault('lost', 'the original went with a copy')
def _(w):
    remove(w, ANNA, 'Archive', 'copy')


@fault('lost', 'a moved message is at neither place')
def _(w):
    remove(w, ANNA, 'Sent', 'move')


@fault('lost', 'a move without an answer lost the message')
def _(w):
    remove(w, ANNA, 'Sent', 'half move')


@fault('lost', 'a mailbox is empty')
def _(w):
    w.boxes[BEN, 'INBOX']['messages'].clear()


@fault('lost', 'a mailbox is gone')
def _(w):
    del w.boxes[ANNA, 'Sent']


@fault('lost', 'a message for another server never came')
def _(w):
    w.delivered[FAR] = [t for t in w.delivered[FAR] if w.keys['remote'].encode() not in t]


@fault('duplicated', 'a delivered message is there twice')
def _(w):
    w.put(ANNA, 'INBOX', w.find(ANNA, 'INBOX', w.keys['delivered'])['text'])


@fault('duplicated', 'a message without an answer is there twice')
def _(w):
    w.put(BEN, 'INBOX', w.find(BEN, 'INBOX', w.keys['half smtp'])['text'])


@fault('duplicated', 'an append was done twice')
def _(w):
    w.put(ANNA, 'Archive', w.texts[w.keys['kept']])


@fault('duplicated', 'a copy was done twice')
def _(w):
    w.put(ANNA, 'Sent', w.texts[w.keys['copy']])


@fault('duplicated', 'a move without an answer left the message at both places')
def _(w):
    w.put(ANNA, 'Archive', w.texts[w.keys['half move']])


@fault('corrupted', 'one octet of a body is another')
def _(w):
    m = w.find(ANNA, 'Archive', w.keys['kept'])
    m['text'] = m['text'][:-10] + bytes([m['text'][-10] ^ 1]) + m['text'][-9:]


@fault('corrupted', 'the last line is cut off')
def _(w):
    m = w.find(ANNA, 'INBOX', w.keys['delivered'])
    m['text'] = m['text'][:-54]


@fault('corrupted', 'an octet is added')
def _(w):
    w.find(ANNA, 'INBOX', w.keys['delivered'])['text'] += b'\n'


@fault('corrupted', 'a message is empty')
def _(w):
    w.find(ANNA, 'INBOX', w.keys['delivered'])['text'] = b''


@fault('corrupted', 'line ends changed')
def _(w):
    m = w.find(ANNA, 'INBOX', w.keys['delivered'])
    m['text'] = m['text'][:400] + m['text'][400:].replace(b'\r\n', b'\n')


@fault('corrupted', 'a message without an answer has half its octets')
def _(w):
    m = w.find(BEN, 'INBOX', w.keys['half smtp'])
    m['text'] = m['text'][:-200]


@fault('corrupted', 'a message that nobody sent')
def _(w):
    w.put(ANNA, 'INBOX', make_message(random.Random(99), ANNA, 500)[1])


@fault('corrupted', 'a message for another server was changed')
def _(w):
    w.delivered[FAR][0] = w.delivered[FAR][0].replace(b'Subject: ', b'Subject: x')


@fault('stayed', 'an expunged message is back')
def _(w):
    w.put(ANNA, 'Archive', w.texts[w.keys['expunge']])


@fault('stayed', 'the journal delivered an expunged message again')
def _(w):
    w.put(BEN, 'INBOX', TRACE + w.texts[w.keys['gone']])


@fault('stayed', 'a moved message stayed')
def _(w):
    w.put(ANNA, 'Archive', w.texts[w.keys['move']])


@fault('strayed', 'a message is in the wrong account')
def _(w):
    m = w.find(ANNA, 'INBOX', w.keys['delivered'])
    w.boxes[ANNA, 'INBOX']['messages'].remove(m)
    w.put(BEN, 'INBOX', m['text'])


@fault('strayed', 'a message is in the wrong mailbox')
def _(w):
    m = w.find(ANNA, 'INBOX', w.keys['delivered'])
    w.boxes[ANNA, 'INBOX']['messages'].remove(m)
    w.put(ANNA, 'Archive', m['text'])


@fault('strayed', 'a message went to a stranger')
def _(w):
    w.delivered['stranger@elsewhere.test'] = [w.delivered[FAR][0]]


@fault('went back', 'a flag is undone')
def _(w):
    w.find(ANNA, 'Archive', w.keys['flag'])['flags'] = '\\Seen'


@fault('went back', 'a flag that was removed is back')
def _(w):
    w.find(ANNA, 'Archive', w.keys['unflag'])['flags'] = '\\Flagged'


@fault('went back', 'a UID names another message')
def _(w):
    a, b = w.find(ANNA, 'INBOX', w.keys['seen']), w.find(ANNA, 'INBOX', w.keys['other'])
    a['text'], b['text'] = b['text'], a['text']


@fault('went back', 'the UID of an expunged message is used again')
def _(w):
    box = w.boxes[ANNA, 'Archive']
    uid = next(r['uid'] for r in w.ledger.rows if r.get('key') == w.keys['expunge'] and 'uid' in r)
    m = w.find(ANNA, 'Archive', w.keys['kept'])
    box['messages'].remove(m)
    box['messages'].append({**m, 'uid': uid})
    box['messages'].sort(key=lambda m: m['uid'])


@fault('went back', 'an appended message has another UID than was promised')
def _(w):
    m = w.find(ANNA, 'Archive', w.keys['kept'])
    w.boxes[ANNA, 'Archive']['messages'].remove(m)
    w.put(ANNA, 'Archive', m['text'])


@fault('went back', 'UIDVALIDITY fell')
def _(w):
    w.boxes[ANNA, 'INBOX']['validity'] -= 1


@fault('went back', 'UIDVALIDITY rose without need')
def _(w):
    w.boxes[ANNA, 'INBOX']['validity'] += 1


@fault('went back', 'UIDNEXT fell')
def _(w):
    w.boxes[ANNA, 'Archive']['messages'].clear()
    w.boxes[ANNA, 'Archive']['uidnext'] = 5


@fault('went back', 'UIDNEXT is not above every UID')
def _(w):
    box = w.boxes[ANNA, 'INBOX']
    box['messages'][-1]['uid'] = box['uidnext']


@fault('went back', 'HIGHESTMODSEQ fell')
def _(w):
    box = w.boxes[BEN, 'Archive']
    box['modseq'] = 0


@fault('went back', 'a message has a higher MODSEQ than its mailbox')
def _(w):
    w.boxes[ANNA, 'INBOX']['messages'][0]['modseq'] = w.boxes[ANNA, 'INBOX']['modseq'] + 1


@fault('went back', 'two messages have one UID')
def _(w):
    box = w.boxes[ANNA, 'INBOX']
    box['messages'][1]['uid'] = box['messages'][0]['uid']


def main():
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(os.path.join(folder, 'ledger.jsonl'))
        right = make_world(ledger)
    found = audit(ledger.rows, right.boxes, right.delivered)
    report.check('what is right is found right', not any(found.values()), found)
    report.check('a duplicate at another server is counted', remote_duplicates(right.delivered) == 1)
    for kind, what, plant in FAULTS:
        w = copy.copy(right)
        w.boxes, w.delivered = copy.deepcopy(right.boxes), copy.deepcopy(right.delivered)
        plant(w)
        report.check(f'{kind}: {what}', audit(ledger.rows, w.boxes, w.delivered)[kind], 'was not found')
    report.check('every kind of finding has a fault', {k for k, _, _ in FAULTS} == set(KINDS))
    print(f'{len(FAULTS)} planted faults')
    return report.end()


sys.exit(main())
