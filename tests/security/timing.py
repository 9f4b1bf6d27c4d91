#!/usr/bin/env python3
"""tests/security/timing.py: does the time of a refused log-in tell whether the account exists? (THREATS 2.16)

    tests/security/timing.py [--tries N] [--mechanism NAME]... [--full-cost] [--seed N] [--json]

Starts an instance of its own and tries to log in with wrong passwords, N times in all (10000), by turns and in random
order, over one connection after another:

    unknown    a name that nobody has, in a domain of the server
    known      an account that nobody has used since the start
    warm       an account whose owner has just logged in, so that its password is cached
    disabled   an account that the administrator has turned off

Each kind is held against unknown: medians must lie within 1 ms, and the rank test of Mann and Whitney must not tell
the two apart.  p is the chance that times which are alike differ so much by accident; below 0.001 they count as told
apart.  "ahead" is the chance that a try of this kind takes longer than one of unknown: 0.5 when they are alike.  The
exit code is 1 when a comparison fails.

It is a measurement, not a test: what else the machine does disturbs it.  Run it twice before you believe a failure,
and with nothing beside it before you believe a success.
"""
import argparse
import base64
import json
import math
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import PASSWORD, Instance
from wire import Wire, plain

DOMAIN = 'example.test'
EACH = 6  # accounts of a kind: no single name may stand for all
CONNECTION_TRIES = 80  # auth_tries allows 100
WRONG = 'not the password of anybody'
MEDIAN_MAX_MS = 1.0
P_MIN = 0.001
# Tries may not be slowed down or refused for their number; nothing else differs from a server's own settings.
OPTIONS = {'auth_tries': '100', 'ban_failures': '1000', 'bad_commands': '1000', 'conn_client_new': '1000000',
           'greeting_delay': '0 s', 'auth_cache': '1 h', 'tls_handshake_rate': '1000'}
FULL_COST = {'argon2_memory': '64 MiB', 'scram_iterations': '600000'}


# ---- one try; each returns {what: seconds} ----

def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def timed(w, line):
    """Octets out, the whole answer in."""
    begin = time.perf_counter_ns()
    w.send(line + '\r\n')
    reply = w.reply()
    return (time.perf_counter_ns() - begin) / 1e9, reply


def refused(reply):
    assert (reply.code, reply.enhanced) == (535, '5.7.8'), reply


def try_plain(w, name):
    seconds, reply = timed(w, 'AUTH PLAIN ' + plain(name, WRONG))
    refused(reply)
    return {'answer': seconds}


def try_scram(w, name):
    """The salt, then a proof that cannot be right; no hash is made by this side, which would only add noise."""
    nonce = b64(os.urandom(18))
    first, reply = timed(w, f'AUTH SCRAM-SHA-256 {b64(f"n,,n={name},r={nonce}")}')
    assert reply.code == 334, reply
    challenge = base64.b64decode(reply.lines[0][4:]).decode()
    server_nonce = challenge.split(',')[0][2:]
    last, reply = timed(w, b64(f'c=biws,r={server_nonce},p={b64(os.urandom(32))}'))
    refused(reply)
    return {'challenge': first, 'answer': last}


def try_imap(w, name):
    begin = time.perf_counter_ns()
    text, _ = w.tagged(f'LOGIN {name} "{WRONG}"')
    seconds = (time.perf_counter_ns() - begin) / 1e9
    assert text.startswith('NO [AUTHENTICATIONFAILED]'), text
    return {'answer': seconds}


def open_smtp(it):
    w = Wire(it, 'submissions')
    w.hello()
    return w


def open_imap(it):
    w = Wire(it, 'imaps')
    w.line()
    return w


MECHANISMS = {'plain': (open_smtp, try_plain), 'scram': (open_smtp, try_scram), 'imap': (open_imap, try_imap)}


# ---- the instance ----

class World:
    def __init__(self, rng):
        names = {kind: [f'{kind[0]}{rng.randrange(10**9):09d}@{DOMAIN}' for _ in range(EACH)]
                 for kind in ('unknown', 'known', 'warm', 'disabled')}
        self.names, self.rng = names, rng
        self.accounts = {name: PASSWORD for kind in ('known', 'warm', 'disabled') for name in names[kind]}

    def warm(self, it):
        for name in self.names['warm']:
            with Wire(it, 'submissions') as w:
                w.hello()
                w.command('AUTH PLAIN ' + plain(name, PASSWORD), 235, '2.7.0')

    def measure(self, it, mechanism, tries):
        """{what: {kind: [seconds, ...]}}; kinds take turns, in another order each turn."""
        start, attempt = MECHANISMS[mechanism]
        found, w, left = {}, None, 0
        for _ in range(tries // len(self.names)):
            for kind in self.rng.sample(sorted(self.names), len(self.names)):
                if left == 0:
                    if w:
                        w.close()
                    self.warm(it)
                    w, left = start(it), CONNECTION_TRIES
                    attempt(w, self.names['unknown'][0])  # the first on a connection is not like the others
                left -= 1
                for what, seconds in attempt(w, self.rng.choice(self.names[kind])).items():
                    found.setdefault(what, {}).setdefault(kind, []).append(seconds)
        w.close()
        return found


# ---- figures ----

def ranks(values):
    """Ranks from 1, those of equal values shared; and the sum of t^3 - t over ties."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result, ties, i = [0.0] * len(values), 0, 0
    while i < len(order):
        k = i
        while k + 1 < len(order) and values[order[k + 1]] == values[order[i]]:
            k += 1
        for j in range(i, k + 1):
            result[order[j]] = (i + k) / 2 + 1
        ties += (k - i + 1) ** 3 - (k - i + 1)
        i = k + 1
    return result, ties


def mann_whitney(a, b):
    """(p of both sides, chance that one of a exceeds one of b), by the normal approximation with ties."""
    n, m = len(a), len(b)
    rank, ties = ranks(a + b)
    u = sum(rank[:n]) - n * (n + 1) / 2
    sigma = math.sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
    z = max(0.0, abs(u - n * m / 2) - 0.5) / sigma if sigma else 0.0
    return math.erfc(z / math.sqrt(2)), u / (n * m)


def check_figures():
    """The rank test is tested itself: what it finds alike, what it tells apart."""
    rng = random.Random(1)
    a = [rng.gauss(10, 1) for _ in range(2000)]
    alike = [rng.gauss(10, 1) for _ in range(2000)]
    apart = [rng.gauss(10.2, 1) for _ in range(2000)]
    assert mann_whitney(a, alike)[0] > P_MIN and mann_whitney(a, apart)[0] < P_MIN
    p, ahead = mann_whitney([1, 2, 3], [4, 5, 6])  # U = 0, by hand: z = 4 / sqrt(5.25)
    assert ahead == 0 and abs(p - math.erfc(4 / math.sqrt(5.25) / math.sqrt(2))) < 1e-12


def compare(kinds):
    rows = []
    for kind, times in kinds.items():
        if kind == 'unknown':
            continue
        p, ahead = mann_whitney(times, kinds['unknown'])
        difference = (statistics.median(times) - statistics.median(kinds['unknown'])) * 1000
        rows.append({'kind': kind, 'median_difference_ms': round(difference, 4), 'p': p, 'ahead': round(ahead, 4),
                     'pass': abs(difference) <= MEDIAN_MAX_MS and p >= P_MIN})
    return rows


def figures(times):
    cuts = statistics.quantiles(times, n=10)
    return {'tries': len(times), 'median_ms': round(statistics.median(times) * 1000, 4),
            'p10_ms': round(cuts[0] * 1000, 4), 'p90_ms': round(cuts[-1] * 1000, 4)}


def show(result):
    print(f'{result["tries"]} tries, seed {result["seed"]}, '
          f'{"the cost of a real server" if result["full_cost"] else "the lowest cost of hashes"}')
    for row in result['measured']:
        print(f'\n{row["mechanism"]}, time to the {row["what"]}\n'
              f'  {"kind":9} {"tries":>6} {"median":>10} {"10 %":>10} {"90 %":>10}')
        for kind, f in row['kinds'].items():
            print(f'  {kind:9} {f["tries"]:6} {f["median_ms"]:7.3f} ms {f["p10_ms"]:7.3f} ms {f["p90_ms"]:7.3f} ms')
        for c in row['comparisons']:
            print(f'  {c["kind"]} against unknown: median {c["median_difference_ms"]:+.3f} ms, p {c["p"]:.4f}, '
                  f'ahead {c["ahead"]:.3f}: {"alike" if c["pass"] else "TOLD APART"}')
    print(f'\n{"pass" if result["pass"] else "FAIL"}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tries', type=int, default=10000)
    parser.add_argument('--mechanism', choices=sorted(MECHANISMS), action='append')
    parser.add_argument('--full-cost', action='store_true', help='hashes as dear as on a real server')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()
    mechanisms = args.mechanism or sorted(MECHANISMS)
    check_figures()
    world = World(random.Random(args.seed))
    result = {'tries': args.tries, 'seed': args.seed, 'full_cost': args.full_cost, 'measured': []}
    with Instance(accounts=world.accounts, domain=DOMAIN,
                  options={**OPTIONS, **(FULL_COST if args.full_cost else {})}) as it:
        for name in world.names['disabled']:
            it.cli('account', 'disable', name)
        for mechanism in mechanisms:
            for what, kinds in world.measure(it, mechanism, args.tries // len(mechanisms)).items():
                result['measured'].append({'mechanism': mechanism, 'what': what, 'comparisons': compare(kinds),
                                           'kinds': {kind: figures(kinds[kind]) for kind in sorted(kinds)}})
    result['pass'] = all(c['pass'] for row in result['measured'] for c in row['comparisons'])
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    return 0 if result['pass'] else 1


sys.exit(main())
