"""Which processes belong to a server, what they have cost, and how to end them.

A process belongs to a server when it descends from one of its roots.  become_reaper() makes orphans
ours, so that none can escape; call it before anything is started.
"""
import ctypes
import os
import resource
import signal
import threading
import time

TICK = os.sysconf('SC_CLK_TCK')
PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 2
QUIET_TICKS = 2


def become_reaper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name: [0] state, [1] parent, [11:15] times."""
    with open(f'/proc/{pid}/stat', 'rb') as f:
        return f.read().rsplit(b')', 1)[1].split()


def table():
    """{pid: (parent, name, ticks of itself, ticks of children it has waited for)}"""
    found = {}
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat', 'rb') as f:
                text = f.read()
        except OSError:
            continue
        fields = text.rsplit(b')', 1)[1].split()
        command = text[text.index(b'(') + 1:text.rindex(b')')].decode(errors='replace')
        own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
        found[int(name)] = (int(fields[1]), command, own, waited)
    return found


def descendants(rows, roots):
    """Roots and all that descend from them, by the rows of table()."""
    wanted = {pid for pid in roots if pid in rows}
    grown = True
    while grown:
        more = {pid for pid, row in rows.items() if row[0] in wanted and pid not in wanted}
        wanted |= more
        grown = bool(more)
    return wanted


def tree(roots):
    return descendants(table(), roots)


def name_of(pid):
    """The program and, for roles that say which instance they are, the instance."""
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            words = f.read().split(b'\0')
    except OSError:
        return '?'
    return b' '.join(words[:3]).decode(errors='replace').strip()


def cpu_seconds(roots):
    """Of all processes, those that have ended included."""
    rows = table()
    return sum(rows[pid][2] + rows[pid][3] for pid in descendants(rows, roots)) / TICK


def cpu_by_name(roots):
    """{name: seconds}; processes that have ended are not in it."""
    rows, result = table(), {}
    for pid in descendants(rows, roots):
        result[rows[pid][1]] = result.get(rows[pid][1], 0) + rows[pid][2] / TICK
    return result


def pss_bytes(pid):
    with open(f'/proc/{pid}/smaps_rollup', 'rb') as f:
        for line in f:
            if line.startswith(b'Pss:'):
                return int(line.split()[1]) * 1024
    return 0


def memory_bytes(roots):
    """Sum of the proportional set sizes."""
    total = 0
    for pid in tree(roots):
        try:
            total += pss_bytes(pid)
        except OSError:  # it has ended, or never had memory
            continue
    return total


def wait_until_quiet(roots, seconds=30):
    """Until the server has done next to nothing for 0.3 s, three times in a row."""
    deadline, calm, before = time.monotonic() + seconds, 0, cpu_seconds(roots)
    while calm < 3 and time.monotonic() < deadline:
        time.sleep(0.3)
        after = cpu_seconds(roots)
        calm = calm + 1 if (after - before) * TICK <= QUIET_TICKS else 0
        before = after


def machine_seconds():
    """Processor seconds that anybody has used."""
    with open('/proc/stat') as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def own_seconds():
    """Of this program and of the clients that it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Meter:
    """with Meter(roots) as m: ...; then

    cpu      seconds of the server
    by_name  the same by program, of those that still run
    clients  seconds of the load and of this program
    others   the share of the machine that something else took
    peak     octets of memory, the highest of the samples
    """

    def __init__(self, roots):
        self.roots, self.peak, self.ended = roots, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self):
        while not self.ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, memory_bytes(self.roots))

    def __enter__(self):
        self.before, self.names_before = cpu_seconds(self.roots), cpu_by_name(self.roots)
        self.clock_before, self.machine_before, self.own_before = time.monotonic(), machine_seconds(), own_seconds()
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.cpu = cpu_seconds(self.roots) - self.before
        self.by_name = {name: round(value - self.names_before.get(name, 0), 2)
                        for name, value in cpu_by_name(self.roots).items()}
        self.clients = own_seconds() - self.own_before
        used = machine_seconds() - self.machine_before
        whole = (time.monotonic() - self.clock_before) * os.cpu_count()
        self.others = max(0, used - self.cpu - self.clients) / whole
        self.ended.set()
        self.thread.join()
        self.peak = max(self.peak, memory_bytes(self.roots))


def end(pids):
    """SIGKILL to those that are left; returns when they are gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        reap()
        if not any(os.path.exists(f'/proc/{pid}') for pid in pids):
            return
        time.sleep(0.02)


def reap():
    """Forget the orphans that have ended (children of subprocess are its own: those are waited for there)."""
    for pid, row in table().items():
        if row[0] == os.getpid():
            try:
                if stat_fields(pid)[0] == b'Z':
                    os.waitpid(pid, os.WNOHANG)
            except (OSError, ChildProcessError):
                continue
