#!/usr/bin/env python3
"""What `make install` puts where, and that it serves from there."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get('POSTHOLD_BUILD')
TREE = tempfile.mkdtemp(prefix='posthold-installed-')
os.chmod(TREE, 0o755)
PREFIX = os.path.join(TREE, 'usr/local')
os.environ['POSTHOLD'] = os.path.join(PREFIX, 'bin', 'posthold')

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from posthold import POSTHOLD, ROOT, Instance, Report, letter

report = Report()
ANNA = 'anna@example.test'


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


def installs():
    result = run('meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', TREE)
    assert result.returncode == 0, result.stdout[-500:] + result.stderr[-500:]
    for path in ('bin/posthold', 'libexec/posthold/posthold-supervisor', 'share/man/man1/posthold.1', 'share/man/man5/posthold.conf.5',
                 'lib/systemd/system/posthold.service', 'share/doc/posthold/examples/posthold.conf'):
        assert os.path.isfile(os.path.join(PREFIX, path)), f'{path} is not installed'
    wide = [os.path.join(folder, n) for folder, _, names in os.walk(TREE) for n in names
            if os.stat(os.path.join(folder, n)).st_mode & 0o022]
    assert not wide, f'others may write: {wide}'


def serves():
    with Instance(accounts={ANNA: 'a password for trying'}) as it:
        with it.smtp() as s:
            s.sendmail('friend@elsewhere.test', [ANNA], letter('friend@elsewhere.test', ANNA, 'installed'))
        it.wait_for(lambda: any(b'Subject: installed' in m for m in it.messages(ANNA)), what='the letter')
        for row in it.json('status'):
            program = os.readlink(f'/proc/{row["pid"]}/exe')
            assert program.startswith(f'{PREFIX}/libexec/posthold/posthold-'), program
        init(it)
        example(it)


def init(it):
    """The unit that init writes is the installed one, but for where things are."""
    folder = os.path.join(it.dir, 'server')
    result = run(POSTHOLD, '--dir', folder, 'init', '--hostname', 'mail.example.org', '--domain', 'example.org',
                 '--cert', f'{it.dir}/cert.pem', '--key', f'{it.dir}/key.pem')
    assert result.returncode == 0, result.stderr
    written = open(f'{folder}/posthold.service').read()
    installed = open(f'{PREFIX}/lib/systemd/system/posthold.service').read()
    assert f'\nExecStart={POSTHOLD} --dir {folder} serve\n' in written, written
    assert '@' not in installed, installed
    assert written.replace(f'{POSTHOLD} --dir {folder} ', 'X ') == \
        re.sub(r'=\S*/bin/posthold --config /etc/posthold/posthold.conf ', '=X ', installed), 'the units differ'
    if shutil.which('systemd-analyze'):
        result = run('systemd-analyze', 'verify', '--man=no', f'{folder}/posthold.service')
        ours = [line for line in result.stderr.splitlines() if 'posthold.service' in line]
        assert not ours, ours


def example(it):
    """Every option that the example names exists, and its value is possible."""
    text = open(f'{PREFIX}/share/doc/posthold/examples/posthold.conf').read()
    text = re.sub(r'(?m)^#(\w+ = )', r'\1', text).replace('/etc/ssl/mail.example.org.pem', f'{it.dir}/cert.pem')
    text = text.replace('/etc/ssl/mail.example.org.key', f'{it.dir}/key.pem')
    path = os.path.join(it.dir, 'example.conf')
    open(path, 'w').write(text)
    result = run(POSTHOLD, '--config', path, 'check')
    assert result.returncode == 0, result.stdout + result.stderr


def defaults_without_an_instance():
    if os.path.exists('/etc/posthold/posthold.conf'):
        report.skip('options', 'this system has an instance of its own')
        return
    result = run(POSTHOLD, 'options')
    assert result.returncode == 0 and 'message_size' in result.stdout, result.stderr


def manual_pages():
    """They format without a complaint."""
    if not shutil.which('man'):
        report.skip('manual pages', 'man is not installed')
        return
    for page in ('man1/posthold.1', 'man5/posthold.conf.5'):
        result = run('man', '--warnings', '-l', f'{PREFIX}/share/man/{page}')
        assert result.returncode == 0 and not result.stderr, f'{page}: {result.stderr}'


if __name__ == '__main__':
    if not BUILD or not shutil.which('meson'):
        report.skip('install', 'POSTHOLD_BUILD is not set, or meson is not installed')
    elif report.run('installs', installs):
        for test in (serves, defaults_without_an_instance, manual_pages):
            report.run(test.__name__, test)
    shutil.rmtree(TREE, ignore_errors=True)
    sys.exit(report.end())
