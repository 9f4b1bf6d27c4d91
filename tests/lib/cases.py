"""The cases of a script test: functions that check, counted as tests/run wants them.

    cases = Cases()

    @cases.add
    def mail_arrives(server):
        cases.equal(1 + 1, 2)

    sys.exit(cases.run(server))

Every case is one result; raising Skip says why it cannot run here.  Names on the command line run
only these cases.
"""

import sys

from posthold import Report


class Skip(Exception):
    """This case cannot run here; the text says why."""


class Cases:
    def __init__(self):
        self.functions = []
        self.report = Report()

    def add(self, function):
        self.functions.append(function)
        return function

    @staticmethod
    def equal(got, want, what=""):
        if got != want:
            raise AssertionError(f"{what + ': ' if what else ''}{got!r} is not {want!r}")

    @staticmethod
    def true(got, what):
        if not got:
            raise AssertionError(what)

    def run(self, *arguments):
        """Run the cases with these arguments; the exit code."""
        wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
        for function in self.functions:
            name = function.__name__
            if not wanted or name in wanted:
                self._run_one(name, function, arguments)
        return self.report.end()

    def _run_one(self, name, function, arguments):
        try:
            function(*arguments)
        except Skip as why:
            self.report.skip(name, why)
        except Exception:  # any other way to end is the report's to tell
            error = sys.exception()
            self.report.run(name, self._raise, error)
        else:
            self.report.ok(name)

    @staticmethod
    def _raise(error):
        raise error
