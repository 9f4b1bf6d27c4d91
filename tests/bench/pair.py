"""Postfix and Dovecot as one mail server: their own folders, unprivileged ports, nothing of the system's touched.

Both run with their defaults, fsync on, and differ from them only where the comments below say so, each time
in their favour: no limit on clients from loopback, a cheap password scheme, nothing logged by Postfix.
Needs root, because both insist on changing users.
"""
import os
import shutil
import socket
import ssl
import subprocess
import time

import processes

POSTFIX_DAEMONS = '/usr/lib/postfix/sbin'
MAIL_ID = 5000

MAIN_CF = '''compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/postfix-data
command_directory = /usr/sbin
daemon_directory = {daemons}
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = hash:{dir}/postfix/users
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
# The default exempts mynetworks; said here so that nobody has to know.
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
'''

MASTER_CF = '''127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submissions} inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''

# Two log-in services stand side by side: Dovecot's default (one process a connection) and the
# high-performance mode of its manual (processes serve many).  The faster of them counts.
DOVECOT_CONF = '''base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
mail_location = {storage}:~/mail
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = {uid}
postmaster_address = postmaster@{domain}
hostname = mail.{domain}
mail_max_userip_connections = 1000
passdb {{
  driver = passwd-file
  args = scheme=SSHA256 {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={dir}/mail/%n
}}
service auth {{
  unix_listener {dir}/queue/private/auth {{
    mode = 0600
    user = postfix
  }}
}}
service lmtp {{
  unix_listener {dir}/queue/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap-login-fast {{
  executable = imap-login
  type = login
  protocol = imap
  user = $default_login_user
  chroot = login
  service_count = 0
  process_min_avail = {cpus}
  vsz_limit = 1G
  inet_listener imaps-fast {{
    port = {imaps_fast}
    ssl = yes
  }}
}}
'''


def missing():
    """What keeps the pair from being started here; '' for nothing."""
    if os.geteuid() != 0:
        return 'Postfix and Dovecot can only be started by root'
    for path, package in (('/usr/sbin/postfix', 'postfix'), ('/usr/sbin/dovecot', 'dovecot-core'),
                          ('/usr/lib/dovecot/imap', 'dovecot-imapd'), ('/usr/lib/dovecot/lmtp', 'dovecot-lmtpd')):
        if not os.path.exists(path):
            return f'{package} is not installed'
    return ''


def versions():
    postfix = subprocess.run(['postconf', '-h', 'mail_version'], capture_output=True, text=True).stdout
    dovecot = subprocess.run(['dovecot', '--version'], capture_output=True, text=True).stdout
    return f'Postfix {postfix.strip()}, Dovecot {dovecot.split()[0]}'


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(('127.0.0.1', 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class Pair:
    """storage: maildir or sdbox."""

    def __init__(self, dir, storage, accounts, password, domain):
        self.dir, self.storage, self.domain = dir, storage, domain
        self.name = storage
        self.accounts, self.password = accounts, password
        self.smtp, self.submissions, self.imaps, self.imaps_fast = free_ports(4)
        self.children = []

    def login_ports(self):
        return {'default': self.imaps, 'high-performance': self.imaps_fast}

    def write(self, path, text):
        with open(os.path.join(self.dir, path), 'w') as f:
            f.write(text)

    def create(self):
        values = {'dir': self.dir, 'daemons': POSTFIX_DAEMONS, 'domain': self.domain, 'storage': self.storage,
                  'uid': MAIL_ID, 'cpus': os.cpu_count(), 'smtp': self.smtp, 'submissions': self.submissions,
                  'imaps': self.imaps, 'imaps_fast': self.imaps_fast}
        for name in ('postfix', 'postfix-data', 'queue', 'run', 'state', 'mail'):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        os.chmod(self.dir, 0o755)
        shutil.chown(os.path.join(self.dir, 'postfix-data'), 'postfix')
        os.chown(os.path.join(self.dir, 'mail'), MAIL_ID, MAIL_ID)
        # The kind of key that quickstart makes for Posthold.
        self.run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                 '-subj', f'/CN=mail.{self.domain}', '-days', '30', '-keyout', f'{self.dir}/key.pem', '-out',
                 f'{self.dir}/cert.pem')
        self.write('postfix/main.cf', MAIN_CF.format(**values))
        self.write('postfix/master.cf', MASTER_CF.format(**values))
        self.write('postfix/users', ''.join(f'{a} 1\n' for a in self.accounts))
        self.run('postmap', '-c', f'{self.dir}/postfix', f'hash:{self.dir}/postfix/users')
        self.write('dovecot.conf', DOVECOT_CONF.format(**values))
        hashed = self.run('doveadm', '-c', f'{self.dir}/dovecot.conf', 'pw', '-s', 'SSHA256', '-p', self.password)
        self.write('users', ''.join(f'{a}:{hashed}::::::\n' for a in self.accounts))
        shutil.chown(os.path.join(self.dir, 'users'), 'dovecot')
        os.chmod(os.path.join(self.dir, 'users'), 0o400)

    def run(self, *words):
        result = subprocess.run(words, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f'{words[0]}: {result.stdout} {result.stderr}'[:900])
        return result.stdout.strip()

    def start(self):
        """Start both; returns the seconds until every port accepts."""
        begin = time.monotonic()
        with open(os.path.join(self.dir, 'output.txt'), 'a') as output:
            # start-fg first makes the folders of the queue, into which Dovecot puts two sockets.
            self.children = [subprocess.Popen(['postfix', '-c', f'{self.dir}/postfix', 'start-fg'],
                                              stdin=subprocess.DEVNULL, stdout=output, stderr=output)]
            self.wait(lambda: os.path.isdir(f'{self.dir}/queue/private') and self.answers(self.smtp))
            self.children.append(subprocess.Popen(['dovecot', '-F', '-c', f'{self.dir}/dovecot.conf'],
                                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output))
        for port in (self.submissions, self.imaps, self.imaps_fast):
            self.wait(lambda: self.answers(port))
        self.wait(lambda: os.path.exists(f'{self.dir}/queue/private/dovecot-lmtp'))
        return time.monotonic() - begin

    def answers(self, port):
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return True
        except OSError:
            return False

    def wait(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or any(c.poll() is not None for c in self.children):
                raise RuntimeError(f'{self.name} did not start: {self.messages()}')
            time.sleep(0.005)

    def messages(self):
        """The end of what it said, for a failure."""
        text = ''
        for name in ('output.txt', 'dovecot.log'):
            try:
                with open(os.path.join(self.dir, name), errors='replace') as f:
                    text += f.read()[-1500:]
            except OSError:
                pass
        return text

    def roots(self):
        return [c.pid for c in self.children]

    def stop(self):
        everyone = processes.tree(self.roots())
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        processes.end(everyone)
        self.children = []

    def tls(self):
        return ssl.create_default_context(cafile=os.path.join(self.dir, 'cert.pem'))
