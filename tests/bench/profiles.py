"""Where a server's processors spend their time during a job, by perf(1).

Writes DIR/KEY-SIDE.txt: for each program of the server its share, then what it did: the system calls under which
kernel time was spent, and functions of its own and of libraries.  Build without sanitizers, and with debugging
information for names.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import time

import processes

SHOWN = 25
START_SECONDS = 0.5  # until perf records
SYSCALL = re.compile(r'__x64_sys_(\w+)')


def missing():
    return '' if shutil.which('perf') else 'perf is not installed (package linux-perf)'


def place_of(frames):
    """What a sample counts for: its system call, or its innermost function."""
    for frame in frames:
        found = SYSCALL.search(frame)
        if found:
            return 'system call ' + found.group(1)
        if 'page_fault' in frame:
            return 'page fault'
    words = frames[0].split(maxsplit=1)
    return words[1] if len(words) > 1 else '?'


class Profile:
    """with Profile(dir, key, side): the job."""

    def __init__(self, dir, key, side):
        self.side, self.data = side, os.path.join(dir, f'{key}-{side.name}.perf')
        self.text = self.data[:-len('.perf')] + '.txt'

    def __enter__(self):
        self.process = subprocess.Popen(['perf', 'record', '-q', '-a', '-g', '-F', '999', '-o', self.data],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(START_SECONDS)
        return self

    def __exit__(self, *exc):
        pids = ','.join(map(str, processes.tree(self.side.roots())))
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        script = subprocess.run(['perf', 'script', '-i', self.data, '--pid', pids, '-F', 'comm,ip,sym,dso'],
                                capture_output=True, text=True, errors='replace').stdout
        os.unlink(self.data)
        with open(self.text, 'w') as f:
            f.write(self.summary(script))

    def summary(self, script):
        places = collections.defaultdict(collections.Counter)
        for sample in script.split('\n\n'):
            lines = sample.strip('\n').split('\n')
            if len(lines) > 1:
                places[lines[0].strip()][place_of(lines[1:])] += 1
        samples = sum(sum(c.values()) for c in places.values())
        text = f'{samples} samples\n'
        for name, counter in sorted(places.items(), key=lambda item: -sum(item[1].values())):
            count = sum(counter.values())
            text += f'\n{name}: {count / samples:.1%} of all\n'
            for place, n in counter.most_common(SHOWN):
                text += f'  {n / count:6.1%} {place}\n'
        return text
