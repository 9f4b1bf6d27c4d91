"""A whole instance for a test: started by `posthold quickstart`, ended and looked at.

    from posthold import Instance, Report
    report = Report()
    with Instance(accounts={'anna@example.test': 'a long password'}) as it:
        with it.smtp() as s: ...
        with it.imap('anna@example.test') as m: ...
    sys.exit(report.end())

Ports are the standard ones plus a free offset.  Everything lives below a temporary folder.
"""
import imaplib
import json
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.environ.get('POSTHOLD_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POSTHOLD = os.environ.get('POSTHOLD') or os.path.join(ROOT, 'build', 'posthold')
TESTDATA = os.environ.get('POSTHOLD_TESTDATA') or os.path.join(ROOT, '..', 'shared', 'testdata')
SERVICES = {'smtp': 25, 'submission': 587, 'submissions': 465, 'imaps': 993, 'imap': 143}
PASSWORD = 'correct horse battery staple'


class Report:
    """Lines of the script protocol of tests/run: ok, not ok, skip."""

    def __init__(self):
        self.failed = 0

    def ok(self, name):
        print(f'ok {name}', flush=True)

    def fail(self, name, why):
        self.failed += 1
        why = ' '.join(str(why).split())
        print(f'not ok {name}: {why[:900]}', flush=True)

    def skip(self, name, why):
        print(f'skip {name}: {why}', flush=True)

    def check(self, name, condition, why=''):
        if condition:
            self.ok(name)
        else:
            self.fail(name, why or 'the condition does not hold')
        return bool(condition)

    def run(self, name, function, *args):
        """function(*args) raises or returns: both are a result."""
        try:
            function(*args)
        except Exception as e:  # a test must report every way to fail
            place = traceback.extract_tb(e.__traceback__)[-1]
            self.fail(name, f'{type(e).__name__}: {e} (line {place.lineno} of {os.path.basename(place.filename)})')
            return False
        self.ok(name)
        return True

    def end(self):
        return 1 if self.failed else 0


def free_offset():
    """An offset at which every service's port is free on loopback."""
    import random
    for _ in range(200):
        # Below the ports that the kernel gives to clients.
        offset = random.randrange(10000, 31700, 7)
        sockets = []
        try:
            for port in SERVICES.values():
                for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
                    s = socket.socket(family)
                    s.bind((host, port + offset))
                    sockets.append(s)
            return offset
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError('no free ports')


def as_user(name):
    """Arguments of subprocess that make a program run as this user, with no group of ours."""
    if name is None:
        return {}
    return {'user': name, 'group': pwd.getpwnam(name).pw_gid, 'extra_groups': []}


class Instance:
    def __init__(self, accounts=None, options=None, domain='example.test', resolver=None, dir=None, args=(),
                 env=None, user=None, program=None):
        self.accounts = accounts if accounts is not None else {f'anna@{domain}': PASSWORD, f'ben@{domain}': PASSWORD}
        # Quick password hashes: their cost is tested elsewhere.
        self.options = {'argon2_memory': '19 MiB', 'scram_iterations': '4096'}
        self.options.update(options or {})
        self.domain, self.resolver = domain, resolver
        self.own_dir = dir is None
        self.dir = dir or tempfile.mkdtemp(prefix='posthold-')
        os.chmod(self.dir, 0o755)
        self.offset = free_offset()
        self.args, self.env, self.user = list(args), env, user
        self.program = program or POSTHOLD
        self.process = None
        self.output = []

    def port(self, service):
        return SERVICES[service] + self.offset

    def command(self):
        words = [self.program, 'quickstart', '--dir', self.dir, '--port-offset', str(self.offset), '--domain', self.domain]
        for address, password in self.accounts.items():
            words += ['--account', f'{address}:{password}']
        for name, value in self.options.items():
            words += ['--set', f'{name}={value}']
        if self.resolver:
            words += ['--resolver', self.resolver]
        return words + self.args

    def start(self, timeout=30):
        self.stderr_path = os.path.join(self.dir, 'stderr.txt')
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=open(self.stderr_path, 'a'),
                                        text=True, env={**os.environ, **(self.env or {})}, start_new_session=True,
                                        **as_user(self.user))
        deadline = time.monotonic() + timeout
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f'quickstart ended: {self.stderr()[-1500:]}')
            self.output.append(line.rstrip('\n'))
            if line.strip() == 'ready':
                return self
            if time.monotonic() > deadline:
                raise RuntimeError('quickstart was not ready in time')

    def stderr(self):
        try:
            return open(self.stderr_path, errors='replace').read()
        except OSError:
            return ''

    def stop(self, timeout=10):
        """SIGTERM; returns (exit status, seconds)."""
        if not self.process or self.process.poll() is not None:
            return (self.process.returncode if self.process else None, 0)
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f'did not end within {timeout} s of SIGTERM')
        return self.process.returncode, time.monotonic() - begin

    def pids(self):
        """Every process of the instance."""
        found = []
        for name in os.listdir('/proc'):
            if not name.isdigit():
                continue
            try:
                fields = open(f'/proc/{name}/stat').read().rsplit(')', 1)[1].split()
                # A zombie whose parent is gone may take its reaper a second.
                if int(fields[3]) == self.process.pid and not (fields[0] == 'Z' and int(fields[17]) <= 1):
                    found.append(int(name))
            except (OSError, ValueError, IndexError):
                continue
        return found

    def resident(self, role):
        """Octets of memory that a process of this role holds."""
        pid = [r['pid'] for r in self.json('status') if r['role'] == role][0]
        for line in open(f'/proc/{pid}/status'):
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) * 1024
        raise RuntimeError('no VmRSS')

    def kill(self):
        """SIGKILL to every process at once: a crash of the whole instance."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait(10)
        self.wait_for(lambda: not self.pids(), what='the end of every process')

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            if exc[0] is not None:
                sys.stderr.write(f'--- standard error of the instance\n{self.stderr()[-3000:]}\n')
                sys.stderr.write(f'--- last events\n{self.events_text()[-4000:]}\n')
            if self.own_dir:
                shutil.rmtree(self.dir, ignore_errors=True)

    # ---- looking at it ----

    def cli(self, *words, input=None, check=True):
        result = subprocess.run([self.program, '--dir', self.dir, *words], capture_output=True, text=True, input=input,
                                timeout=60)
        if check and result.returncode != 0:
            raise RuntimeError(f'posthold {" ".join(words)}: {result.stdout} {result.stderr}')
        return result

    def json(self, *words):
        return json.loads(self.cli('--json', *words).stdout)

    def events_text(self):
        try:
            return open(os.path.join(self.dir, 'log', 'events.jsonl'), errors='replace').read()
        except OSError:
            return ''

    def events(self, name=None):
        rows = [json.loads(line) for line in self.events_text().rpartition('\n')[0].splitlines() if line.strip()]
        return [r for r in rows if name is None or r['event'] == name]

    # ---- clients ----

    def ssl(self):
        context = ssl.create_default_context(cafile=os.path.join(self.dir, 'ca.pem'))
        context.check_hostname = False
        return context

    def connect(self, service, host='127.0.0.1', timeout=20):
        s = socket.create_connection((host, self.port(service)), timeout=timeout)
        if service in ('submissions', 'imaps'):
            s = self.ssl().wrap_socket(s)
        return s

    def smtp(self, service='smtp', timeout=30):
        return smtplib.SMTP('127.0.0.1', self.port(service), timeout=timeout, local_hostname='client.test')

    def submit(self, address, password=None, timeout=30):
        s = smtplib.SMTP_SSL('127.0.0.1', self.port('submissions'), timeout=timeout, context=self.ssl(),
                             local_hostname='client.test')
        s.login(address, password or self.accounts[address])
        return s

    def imap(self, address, password=None, timeout=30):
        m = imaplib.IMAP4_SSL('127.0.0.1', self.port('imaps'), ssl_context=self.ssl(), timeout=timeout)
        m.login(address, password or self.accounts[address])
        return m

    def messages(self, address, mailbox='INBOX'):
        """Every message of a mailbox as bytes."""
        m = self.imap(address)
        try:
            status, count = m.select(f'"{mailbox}"', readonly=True)
            if status != 'OK' or count[0] == b'0':
                return []
            _, data = m.uid('FETCH', '1:*', '(BODY.PEEK[])')
            return [item[1] for item in data if isinstance(item, tuple)]
        finally:
            m.logout()

    def wait_for(self, condition, timeout=15, what='the condition'):
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise RuntimeError(f'{what} did not come true within {timeout} s')
            time.sleep(0.05)


def letter(sender, to, subject='A letter', body='Hello.\r\n', extra=''):
    """A small well-formed message with CRLF line ends."""
    return (f'From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n'
            f'Message-ID: <{time.time_ns()}@client.test>\r\n{extra}\r\n{body}').encode()
