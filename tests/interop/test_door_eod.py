#!/usr/bin/env python3
"""Where a message ends, at every door (THREATS 2.1): the vectors of smtp-eod.json over 25, over 587 inside STARTTLS
and over 465, whole and in pieces, and with a second transaction behind them that must never be stored."""
import itertools
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, TESTDATA, Instance, Report
from wire import Closed, Wire, serves

report = Report()
ANNA, BEN = 'anna@example.test', 'ben@example.test'
DOORS = ('smtp', 'submission', 'submissions')
VECTORS = os.path.join(TESTDATA, 'smtp-eod.json')
SMUGGLED = (b'MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<ben@example.test>\r\nDATA\r\n'
            b'From: smuggled@evil.test\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n')
HEAD = b'From: anna@example.test\r\nSubject: eod\r\n\r\n'
BORDERS = (512, 998, 1000, 1024, 2048, 4096, 8192, 16384, 65536)
serial = itertools.count(1)


class Case:
    def __init__(self, row, frame):
        self.name, self.expect, self.bytes = row['name'], row['expect'], bytes.fromhex(row['bytes_hex'])
        start = 'prefix_hex' in row
        # A header of our own in front tells the messages apart; where the first octets matter there is none.
        self.head = b'' if start else HEAD
        self.prefix = bytes.fromhex(row['prefix_hex'] if start else frame['prefix_hex'])
        self.suffix = b'' if self.expect == 'end' else bytes.fromhex(frame['suffix_hex'])
        self.stored = bytes.fromhex(row['stored_hex']) if 'stored_hex' in row else None

    def wire(self):
        return self.head + self.prefix + self.bytes + self.suffix


def load():
    data = json.load(open(VECTORS))
    return [Case(row, data['frame']) for row in data['cases']]


class Door:
    """Connections through one door, made anew when the server ends one; every message has a number of its own."""

    def __init__(self, it, service):
        self.it, self.service, self.wire, self.expected = it, service, None, {}

    def open(self):
        self.wire = Wire(self.it, self.service)
        self.wire.ready(*((ANNA, PASSWORD) if self.service != 'smtp' else ()))

    def begin(self):
        """A transaction up to 354."""
        if not self.wire:
            self.open()
        n = next(serial)
        self.wire.send(f'MAIL FROM:<{ANNA}> BODY=8BITMIME\r\nRCPT TO:<ben+n{n}@example.test>\r\n')
        self.wire.expect(250, '2.1.0')
        self.wire.expect(250, '2.1.5')
        self.wire.command('DATA', 354, '')
        return n

    def taken(self, n, stored):
        self.wire.expect(250, '2.0.0')
        self.expected[n] = stored

    def refused(self):
        """One reply, then the end."""
        self.wire.expect(550, '5.5.2')
        rest = self.wire.ended()
        assert rest == b'', f'said more: {rest!r}'
        self.wire = None

    def judge(self, n, case, stored=None):
        if case.expect == 'reject':
            self.refused()
        else:
            self.taken(n, case.head + case.stored if stored is None else stored)

    def close(self):
        if self.wire:
            self.wire.close()
            self.wire = None


def each(cases, what, action):
    for case in cases:
        try:
            action(case)
        except (AssertionError, Closed, TimeoutError) as e:
            raise AssertionError(f'{case.name} {what}: {type(e).__name__} {e}') from e


def whole(door, cases):
    def one(case):
        n = door.begin()
        door.wire.send(case.wire())
        door.judge(n, case)
    each(cases, 'whole', one)


def smuggling(door, cases):
    """Instead of the suffix a whole second transaction: one reply, and nothing of it is a message."""
    def one(case):
        if case.expect == 'end':
            return
        n = door.begin()
        door.wire.send(case.head + case.prefix + case.bytes + SMUGGLED)
        if case.expect == 'reject':
            door.refused()
        elif not case.head:  # text, and a From field behind a line that is none
            door.wire.expect(550, '5.7.1')
        else:  # it is text of the first message, and the dot is the first message's
            tail = bytes.fromhex('583a207461696c0d0a')
            door.taken(n, case.head + case.stored.removesuffix(tail) + SMUGGLED.removesuffix(b'.\r\n'))
    each(cases, 'with a second transaction', one)


def cuts(case):
    """Around the sequence, where a framer keeps state."""
    first = len(case.head + case.prefix)
    return range(max(first - 1, 1), min(first + len(case.bytes) + 2, len(case.wire())))


def in_two(door, cases):
    """Cut at every offset: two segments; inside TLS two records, in two segments and in one."""
    def one(case):
        wire = case.wire()
        for offset in cuts(case):
            for joined in (False, True) if door.service != 'smtp' else (False,):
                n = door.begin()
                door.wire.send(wire[:offset], wire[offset:], joined=joined)
                door.judge(n, case)
    each(cases, 'in two', one)


def record_in_two(door, cases):
    """One TLS record that comes in two segments."""
    def one(case):
        n = door.begin()
        record, = door.wire.records(case.wire())
        for part in (record[:len(record) // 2], record[len(record) // 2:]):
            door.wire.raw(part)
        door.judge(n, case)
    each(cases, 'as one record in two segments', one)


def octet_by_octet(door, cases):
    def one(case):
        n = door.begin()
        door.wire.send(*(bytes([b]) for b in case.wire()), pause=0)
        door.judge(n, case)
    each(cases, 'octet by octet', one)


def at_borders(door, cases):
    """The sequence lies across the borders of buffers."""
    def one(case):
        for border in BORDERS:
            for shift in range(-4, 5):
                fill = fill_of(border + shift - len(case.head))
                n = door.begin()
                door.wire.send(case.head + fill + case.bytes + case.suffix)
                prefix = case.stored.removeprefix(case.prefix) if case.stored is not None else b''
                door.judge(n, case, case.head + fill + prefix)
    each(cases, 'at a border', one)


def fill_of(n):
    """n octets of text in lines of 80, the last without an end."""
    lines = b''.join(b'%078d\r\n' % i for i in range(n // 80))
    return lines + b'x' * (n - len(lines))


def long_lines(door):
    """A dot at the end of a line is not one on a line of its own, however long the line is."""
    for length in (998, 999, 100000):
        n = door.begin()
        text = HEAD + b'A' * length + b'.\r\n'
        door.wire.send(text + b'.\r\n')
        door.taken(n, text)


def chunks(door):
    """BDAT: a dot line is text, and CR and LF in two chunks are one line end, wherever the border is."""
    text = b'one\r\n.\r\ntwo\r\n..\r\n.three\r\n'
    whole_text = HEAD + text
    for border in range(len(HEAD), len(whole_text) + 1):
        n = bdat_begin(door)
        a, b = whole_text[:border], whole_text[border:]
        door.wire.send(b'BDAT %d\r\n' % len(a) + a)
        door.wire.expect(250, '2.0.0')
        door.wire.send(b'BDAT %d LAST\r\n' % len(b) + b)
        door.taken(n, whole_text)


def chunks_pipelined(door):
    """All chunks in one segment, LAST empty."""
    n = bdat_begin(door)
    text = HEAD + b'.\r\n\r\n.\r\n'
    door.wire.send(b''.join(b'BDAT 1\r\n' + bytes([b]) for b in text) + b'BDAT 0 LAST\r\n')
    for _ in text:
        door.wire.expect(250, '2.0.0')
    door.taken(n, text)


def chunks_mended(door):
    """A bare LF becomes CRLF; a bare CR or a NUL refuses the message, and the connection goes on: it is counted."""
    n = bdat_begin(door)
    bare = HEAD + b'a\nb\n.\nc\r\n'
    door.wire.send(b'BDAT %d LAST\r\n' % len(bare) + bare)
    door.taken(n, HEAD + b'a\r\nb\r\n.\r\nc\r\n')
    for octets in (b'a\rb\r\n', b'a\0b\r\n', b'a\r\r\n', b'a\r'):
        bdat_begin(door)
        text = HEAD + octets
        door.wire.send(b'BDAT %d LAST\r\n' % len(text) + text)
        door.wire.expect(550, '5.5.2')
        door.wire.command('NOOP', 250, '2.0.0')


def bdat_begin(door):
    if not door.wire:
        door.open()
    n = next(serial)
    door.wire.envelope(ANNA, f'ben+n{n}@example.test', parameters=' BODY=8BITMIME')
    return n


def others(it):
    """While one client is within its message another is served."""
    door = Door(it, 'smtp')
    door.begin()
    door.wire.send(HEAD + b'half of a line')
    serves(it)
    door.close()


def behind_data(it):
    """Octets that come before 354 was said are nobody's message."""
    for rest in (b'From: a@b.test\r\n\r\n.\r\n', b'.\r\n', b'x'):
        door = Door(it, 'smtp')
        door.open()
        door.wire.envelope(ANNA, BEN)
        door.wire.send(b'DATA\r\n' + rest)
        door.wire.expect(554, '5.5.1')
        assert door.wire.ended() == b''


def stored(it, doors):
    """Exactly what was accepted is there, each once, to the octet; nothing smuggled."""
    want = {n: text for door in doors for n, text in door.expected.items()}
    it.wait_for(lambda: it.json('queue', 'list') == [], what='an empty queue')
    got, smuggled = {}, []
    for message in it.messages(BEN):
        head, _, _ = message.partition(b'\r\n\r\n')
        number = re.search(rb'for <ben\+n(\d+)@', message)
        assert number, f'whose is {head[:300]!r}'
        assert int(number[1]) not in got, f'{number[1]} is there twice'
        got[int(number[1])] = message
        if message.startswith(b'Return-Path: <smuggled@'):
            smuggled.append(message)
    assert not smuggled, smuggled[0][:300]
    assert set(got) == set(want), (len(got), len(want), sorted(set(got) ^ set(want))[:10])
    wrong = [n for n, text in want.items() if not is_whole(got[n], text)]
    assert not wrong, (len(wrong), want[wrong[0]][-120:], got[wrong[0]][-200:])
    assert len(want) > 500, len(want)


def is_whole(message, text):
    """text is what is stored behind the trace fields; submission adds fields of its own behind a header."""
    if message.endswith(b'\r\n' + text):
        return True
    head, _, body = text.partition(b'\r\n\r\n')
    stored_head, _, stored_body = message.partition(b'\r\n\r\n')
    return text.startswith(HEAD) and body == stored_body and b'\r\n' + head + b'\r\nDate: ' in stored_head


def events(it):
    """Each refusal is in the log."""
    rows = [r for r in it.events('smtp.ended') if r.get('status') == '5.5.2']
    assert len(rows) > 200, len(rows)
    assert {r['code'] for r in rows} == {550}, rows[0]


if not os.path.exists(VECTORS):
    report.skip('end-of-data', f'{VECTORS} is absent')
    sys.exit(0)
with Instance(options={'mail_per_session': '1000000', 'log_files': '20', 'submit_rcpt_hour': '1000000', 'rcpt_client_hour': '1000000',
                       'bad_commands_user': '1000'}) as it:
    cases = load()
    by_name = {c.name: c for c in cases}
    sample = [by_name[n] for n in ('matrix/CRLF.CRLF', 'matrix/CRLF.LF', 'matrix/LF.CRLF', 'matrix/LF.LF', 'matrix/CR.CR',
                                   'matrix/CRCRLF.CRLF', 'near/double-dot', 'near/SP-after-dot', 'near/CRLF-dot-CR-NUL-LF',
                                   'start/dot-CRLF', 'start/dot-LF', 'start/dotdot-CRLF')]
    bordering = [by_name[n] for n in ('matrix/CRLF.CRLF', 'matrix/CRLF.LF', 'matrix/LF.CRLF', 'near/double-dot')]
    doors = [Door(it, service) for service in DOORS]
    for door in doors:
        name = door.service
        report.run(f'{name} whole', whole, door, cases)
        report.run(f'{name} smuggling', smuggling, door, cases)
        report.run(f'{name} in two', in_two, door, sample)
        report.run(f'{name} octet by octet', octet_by_octet, door, sample)
        if name != 'smtp':
            report.run(f'{name} record in two', record_in_two, door, sample)
        report.run(f'{name} long lines', long_lines, door)
        report.run(f'{name} chunks', chunks, door)
        report.run(f'{name} chunks pipelined', chunks_pipelined, door)
        report.run(f'{name} chunks mended', chunks_mended, door)
        door.close()
    report.run('at borders', at_borders, doors[0], bordering)
    report.run('octets behind DATA', behind_data, it)
    report.run('others are served', others, it)
    report.run('what is stored', stored, it, doors)
    report.run('events', events, it)
sys.exit(report.end())
