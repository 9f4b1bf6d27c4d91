#!/usr/bin/env python3
"""The IMAP scripts of the test data against a whole instance, by imaptest.py beside this file."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
from posthold import PASSWORD, TESTDATA, Instance, Report

SCRIPTS = os.path.join(TESTDATA, 'imap')
ANNA, BEN = 'anna@example.test', 'ben@example.test'

report = Report()
if not os.path.isdir(SCRIPTS):
    report.skip('imap scripts', f'no folder {SCRIPTS}')
    sys.exit(report.end())
with Instance() as it:
    # Its lines are ours: it speaks the protocol of tests/run.
    result = subprocess.run(
        [sys.executable, os.path.join(HERE, 'imaptest.py'), '--ca', f'{it.dir}/ca.pem', '--user2', f'{BEN}:{PASSWORD}',
         f'localhost:{it.port("imaps")}', f'{ANNA}:{PASSWORD}', SCRIPTS])
    ended = it.events('supervisor.role_ended')
    report.check('imap scripts: no role ended early', not ended, ended)
sys.exit(result.returncode or report.end())
