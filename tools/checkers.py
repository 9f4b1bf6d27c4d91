"""tools/checkers.py: what the programs tools/check-* share.

A checker prints one line "path:line: what is wrong" for each finding and exits with 1 if there was
any.  Warnings are printed and do not count.  --root is the source tree, --build a build folder;
a checker that needs no build folder ignores it.
"""

import argparse
import pathlib
import re
import sys

SKIPPED = 77


class Report:
    """Findings of one checker."""

    def __init__(self, root):
        self.root = root
        self.errors = 0

    def place(self, path, line):
        path = pathlib.Path(path)
        if path.is_absolute() and self.root in path.parents:
            path = path.relative_to(self.root)
        return f"{path}:{line}" if line else str(path)

    def error(self, path, line, text):
        self.errors += 1
        print(f"{self.place(path, line)}: {text}")

    def warning(self, path, line, text):
        print(f"{self.place(path, line)}: warning: {text}")

    def exit(self):
        sys.stdout.flush()
        sys.exit(1 if self.errors else 0)


def arguments(doc, add=None):
    """--root and --build, and what add(parser) adds."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=pathlib.Path, default=here, help="source tree")
    parser.add_argument("--build", type=pathlib.Path, help="build folder (ROOT/build)")
    if add:
        add(parser)
    args = parser.parse_args()
    args.root = args.root.resolve()
    args.build = (args.build or args.root / "build").resolve()
    return args


def skip(why):
    """Say why nothing was checked; tests/run counts it as skipped."""
    print(why)
    sys.exit(SKIPPED)


def source_files(root, folders, suffixes):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def table(path, columns):
    """Rows of a tab-separated file with their line numbers; # starts a comment line."""
    for number, line in enumerate(read(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        cells += [""] * (columns - len(cells))
        yield number, cells[:columns]


LINK_STEP = re.compile(r"^build ([^:]+): (\S*_LINKER\S*) (.*)$")


def executables(build):
    """Executables of a meson build folder: {path: [static libraries and objects that it links]}."""
    found = {}
    for line in read(build / "build.ninja").splitlines():
        match = LINK_STEP.match(line)
        if not match or "STATIC" in match[2] or match[1].endswith((".a", ".so")):
            continue
        inputs = match[3].replace("|", " ").split()
        found[match[1]] = inputs
    return found
