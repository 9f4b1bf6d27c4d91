#!/usr/bin/env python3
"""The checkers are sharp: each is fed planted violations and must object, and clean input and must not.

Also tests/run itself: what it counts as passed, failed and skipped.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

CLEAN = "/*\n * A file.\n */\n#include \"base/base.h\"\n\nint one(void)\n{\n\treturn 1;\n}\n"

# cmocka's own words, from a program that we write
CMOCKA = """#!/bin/sh
echo '[==========] Running 3 test(s).'
echo '[ RUN      ] first'
echo '[       OK ] first'
echo '[ RUN      ] second'
echo '[  ERROR   ] --- 0x1 != 0'
echo '[  FAILED  ] second'
echo '[ RUN      ] third'
echo '[  SKIPPED ] third'
echo '[  PASSED  ] 1 test(s).'
echo '[  FAILED  ] tests: 1 test(s), listed below:'
echo '[  FAILED  ] second'
exit 1
"""


class Tree:
    """A project in a temporary folder with the tables of the real one."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        for name in ("tools/layers.tsv", "src/roles/links.tsv", "rfc/index.tsv", ".clang-format"):
            self.write(name, (ROOT / name).read_text())
        self.write("tools/banned-allow.tsv", "# none\n")
        self.write("src/base/one.c", CLEAN)

    def write(self, name, text, executable=False):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if executable:
            path.chmod(0o755)

    def ninja(self, *lines):
        self.write("build/build.ninja", "\n".join(lines) + "\n")

    def compile(self, name, text):
        self.write("build/a.c", text)
        target = self.root / "build" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["cc", "-w", "-c", "-o", str(target), str(self.root / "build/a.c")], check=True
        )

    def check(self, tool, *arguments):
        answer = subprocess.run(
            [sys.executable, str(ROOT / "tools" / tool), "--root", str(self.root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return answer.returncode, answer.stdout

    def run(self, *arguments):
        answer = subprocess.run(
            [sys.executable, str(ROOT / "tests/run"), "--root", str(self.root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return answer.returncode, answer.stdout


def accepts(tree, tool, *arguments):
    code, output = tree.check(tool, *arguments)
    assert code == 0, f"exit {code}: {output}"


def objects(tree, tool, words):
    code, output = tree.check(tool)
    assert code == 1, f"exit {code}: {output}"
    assert words in output, f"no {words!r} in {output!r}"


def include(tree, path, name):
    tree.write(path, f"#include {name}\n")


# check-layers


def layers_clean(tree):
    include(tree, "src/roles/smtp/a.c", '"proto/smtp/smtp.h"')
    include(tree, "src/proto/imap/a.c", '"proto/mime/scan.h"')
    include(tree, "src/store/a.c", '"sys/file.h"')
    accepts(tree, "check-layers")


def layers_proto_includes_sys(tree):
    include(tree, "src/proto/smtp/a.c", '"sys/file.h"')
    objects(tree, "check-layers", "src/proto/smtp/a.c:1: proto may not include sys")


def layers_proto_does_system_calls(tree):
    include(tree, "src/proto/smtp/a.h", "<sys/socket.h>")
    objects(tree, "check-layers", "proto may not include <sys/socket.h>")


def layers_base_includes_proto(tree):
    include(tree, "src/base/a.c", '"proto/mime/scan.h"')
    objects(tree, "check-layers", "base may not include proto")


def layers_store_includes_proto(tree):
    include(tree, "src/store/a.c", '"proto/mime/scan.h"')
    objects(tree, "check-layers", "store may not include proto")


def layers_role_includes_role(tree):
    include(tree, "src/roles/smtp/a.c", '"roles/queue/queue.h"')
    objects(tree, "check-layers", "roles/smtp may not include roles/queue")


def layers_library_includes_role(tree):
    include(tree, "src/store/a.c", '"roles/queue/queue.h"')
    objects(tree, "check-layers", "store may not include roles/queue")


def layers_path_with_dots(tree):
    include(tree, "src/proto/smtp/a.c", '"../../sys/file.h"')
    objects(tree, "check-layers", 'without ".."')


def layers_unknown_folder(tree):
    include(tree, "src/novel/a.c", '"base/base.h"')
    objects(tree, "check-layers", "no row in tools/layers.tsv")


LINK = "build src/roles/{0}/posthold-{0}: c_LINKER src/roles/{0}/main.c.o | {1}"


def links_clean(tree):
    tree.ninja(
        LINK.format("log", "src/base/libbase.a src/sys/libsys.a"),
        "build tests/unit/test-x: c_LINKER x.c.o | src/store/libstore.a",
        "build src/base/libbase.a: STATIC_LINKER x.c.o",
    )
    accepts(tree, "check-layers")


def links_store_into_smtp(tree):
    tree.ninja(LINK.format("smtp", "src/base/libbase.a src/store/libstore.a"))
    objects(tree, "check-layers", "smtp links store")


def links_directory_into_web(tree):
    tree.ninja(LINK.format("web", "src/directory/libdirectory.a"))
    objects(tree, "check-layers", "web links directory")


def links_executable_without_row(tree):
    tree.ninja(LINK.format("novel", "src/base/libbase.a"))
    objects(tree, "check-layers", "has no row")


# check-rfc


def source(tree, text):
    tree.write("src/base/a.c", f"/* {text} */\n")


def rfc_clean(tree):
    source(
        tree,
        "RFC 5321#4.1.1.6, RFC 5322#A.1.1; RFC 3339. (RFC 9051#9) message/rfc822 RFC822.SIZE "
        '"9051#6.4.2" RFC 5321#2\'s',
    )
    accepts(tree, "check-rfc")


def rfc_unknown_number(tree):
    source(tree, "RFC 4242#3")
    objects(tree, "check-rfc", "src/base/a.c:1: RFC 4242 is not in rfc/index.tsv")


def rfc_unknown_number_in_table(tree):
    tree.write("src/base/a.c", 'CMD("X", "4242#6.4.2")\n')
    objects(tree, "check-rfc", "RFC 4242 is not in")


def rfc_glued(tree):
    source(tree, "RFC5321#4.1")
    objects(tree, "check-rfc", "write it as")


def rfc_section_in_words(tree):
    source(tree, "RFC 5321, section 4.1")
    objects(tree, "check-rfc", "write it as")


def rfc_section_sign(tree):
    source(tree, "RFC 5321 § 4.1")
    objects(tree, "check-rfc", "write it as")


def rfc_empty_section(tree):
    source(tree, "RFC 5321# and more")
    objects(tree, "check-rfc", "write it as")


def rfc_misshapen_section(tree):
    source(tree, "RFC 5321#4..1")
    objects(tree, "check-rfc", "write it as")


def rfc_lower_case(tree):
    source(tree, "see rfc 5321")
    objects(tree, "check-rfc", "write it as")


def rfc_page_is_written(tree):
    tree.write("src/base/a.c", "/* RFC 5321#4.10 */\n/* RFC 5321#4.9 */\n/* RFC 5321#A.1 */\n")
    accepts(tree, "check-rfc", "--write")
    page = (tree.root / "docs/internals/rfc.md").read_text()
    assert "## RFC 5321: Simple Mail Transfer Protocol" in page, page
    first, second = page.index("| 4.9 | `src/base/a.c:2` |"), page.index("| 4.10 |")
    assert first < second < page.index("| A.1 |"), page


# check-banned


def banned_clean(tree):
    tree.ninja("# empty")
    tree.compile("src/base/libbase.a.p/a.c.o", "int puts(const char *); int f(void){return puts(\"x\");}")
    accepts(tree, "check-banned")


def banned_system(tree):
    tree.ninja("# empty")
    tree.compile("src/base/libbase.a.p/a.c.o", "int f(void){return system(\"x\");}")
    objects(tree, "check-banned", "src/base/a.c.o: calls system")


def banned_fortified(tree):
    tree.ninja("# empty")
    tree.compile("src/base/libbase.a.p/a.c.o", "int f(char *p, char *q){return __strcpy_chk(p, q, 3);}")
    objects(tree, "check-banned", "calls strcpy")


def banned_renamed_by_the_library(tree):
    tree.ninja("# empty")
    tree.compile("src/base/libbase.a.p/a.c.o", "int f(char *p){return __isoc99_sscanf(p, p);}")
    objects(tree, "check-banned", "calls sscanf")


def banned_with_permission(tree):
    tree.ninja("# empty")
    tree.compile("src/sys/libsys.a.p/process.c.o", "int f(void){return execve(0, 0, 0);}")
    objects(tree, "check-banned", "calls execve")
    tree.write("tools/banned-allow.tsv", "src/sys/process.c.o\texec*\tstarts the roles\n")
    accepts(tree, "check-banned")


def banned_permission_without_reason(tree):
    tree.ninja("# empty")
    tree.compile("src/base/libbase.a.p/a.c.o", "int f(void){return 1;}")
    tree.write("tools/banned-allow.tsv", "src/sys/process.c.o\texec*\n")
    objects(tree, "check-banned", "needs a reason")


def banned_in_an_executable(tree):
    tree.ninja("build src/roles/log/posthold-log: c_LINKER a.c.o")
    tree.compile("src/roles/log/posthold-log", "int f(void){return popen(\"x\", \"r\");}")
    objects(tree, "check-banned", "src/roles/log/posthold-log: calls popen")


def banned_nothing_built(tree):
    tree.ninja("# empty")
    objects(tree, "check-banned", "nothing is built")


# check-format


def function(name, lines):
    return f"int {name}(void)\n{{\n" + "\tone();\n" * (lines - 3) + "\treturn 1;\n}\n"


def format_clean(tree):
    accepts(tree, "check-format")


def format_layout(tree):
    tree.write("src/base/a.c", "int  f( void ){ return 1; }\n")
    objects(tree, "check-format", "src/base/a.c:1: layout differs")


def format_long_function(tree):
    tree.write("src/base/a.c", "int one(void);\n\n" + function("big", 101))
    tree.write("src/base/b.c", "int one(void);\n\n" + function("fits", 100))
    code, output = tree.check("check-format")
    assert code == 1 and "src/base/a.c:4: big has 101 lines, more than 100" in output, output
    assert "src/base/b.c:4: warning: fits has 100 lines" in output, output


def format_long_file(tree):
    tree.write("src/base/a.c", "int f(void);\n" * 701)
    tree.write("src/base/b.c", "int f(void);\n" * 700)
    code, output = tree.check("check-format")
    assert code == 1 and "src/base/a.c: file has 701 lines, more than 700" in output, output
    assert "src/base/b.c: warning: file has 700 lines" in output, output


# tests/run


def script(tree, text, arguments=(), name="tests/talk/run-it"):
    tree.write(name, text, executable=True)
    return tree.run("--kind", "script", *arguments)


def last(output):
    return output.rstrip().splitlines()[-1]


def run_counts_lines(tree):
    code, output = script(tree, "#!/bin/sh\necho ok a\necho chatter: ok\necho ok b\n")
    assert code == 0 and last(output) == "2 passed, 0 failed", output


def run_counts_failures_and_skips(tree):
    text = "#!/bin/sh\necho ok a\necho not ok b: because\necho skip c: no tool\nexit 1\n"
    code, output = script(tree, text)
    assert code == 1 and last(output) == "1 passed, 1 failed, 1 skipped", output
    assert "failed: b: because" in output, output


def run_bad_exit_is_a_failure(tree):
    code, output = script(tree, "#!/bin/sh\necho ok a\nexit 3\n")
    assert code == 1 and last(output) == "1 passed, 1 failed", output


def run_silence_is_a_failure(tree):
    code, output = script(tree, "#!/bin/sh\nexit 0\n")
    assert code == 1 and last(output) == "0 passed, 1 failed", output


def run_nothing_is_a_failure(tree):
    code, output = tree.run("--kind", "script")
    assert code == 1 and last(output) == "0 passed, 0 failed", output


def run_ends_a_slow_script(tree):
    text = "#!/bin/sh\n# time-limit: 1\necho ok a\nsleep 100 &\nsleep 100\n"
    code, output = script(tree, text)
    assert code == 1 and last(output) == "1 passed, 1 failed", output
    assert "still running after 1 s" in output, output


def run_ends_what_is_left_behind(tree):
    text = "#!/bin/sh\nsetsid sleep 100 & echo $! >\"$POSTHOLD_ROOT/pid\"; sleep 0.3; echo ok a\n"
    code, output = script(tree, text)
    assert code == 0, output
    pid = int((tree.root / "pid").read_text())
    assert not os.path.exists(f"/proc/{pid}"), "the process is still there"


def run_selects(tree):
    tree.write("tests/talk/run-other", "#!/bin/sh\nexit 1\n", executable=True)
    code, output = script(tree, "#!/bin/sh\necho ok a\n", ("--only", "*/run-it"))
    assert code == 0 and last(output) == "1 passed, 0 failed", output


def run_reads_cmocka(tree):
    tree.write("fake/meson", "#!/bin/sh\necho \"[{\\\"name\\\": \\\"x\\\", \\\"cmd\\\": "
               "[\\\"$FAKE\\\"], \\\"env\\\": {}, \\\"timeout\\\": 30}]\"\n", executable=True)
    tree.write("fake/test-x", CMOCKA, executable=True)
    os.environ["FAKE"] = str(tree.root / "fake/test-x")
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{tree.root / 'fake'}:{path}"
    try:
        code, output = tree.run("--kind", "unit", "--json", str(tree.root / "out.json"))
    finally:
        os.environ["PATH"] = path
    assert code == 1 and last(output) == "1 passed, 1 failed, 1 skipped", output
    assert '"name": "second",' in (tree.root / "out.json").read_text()


def run_counts_checkers(tree):
    tree.write("tools/check-good", "#!/bin/sh\nexit 0\n", executable=True)
    tree.write("tools/check-bad", "#!/bin/sh\necho a.c:1: wrong\nexit 1\n", executable=True)
    tree.write("tools/check-absent", "#!/bin/sh\necho no tool\nexit 77\n", executable=True)
    code, output = tree.run("--kind", "check")
    assert code == 1 and last(output) == "1 passed, 1 failed, 1 skipped", output
    assert "| a.c:1: wrong" in output, output


NEEDS = {"banned": ("cc", "nm"), "format": ("clang-format",)}


def main():
    failed = False
    areas = ("layers", "links", "rfc", "banned", "format", "run")
    for name, test in list(globals().items()):
        area = name.split("_")[0]
        if area not in areas or not callable(test) or getattr(test, "__module__", "") != __name__:
            continue
        lacking = [tool for tool in NEEDS.get(area, ()) if not shutil.which(tool)]
        if lacking:
            print(f"skip {name}: {lacking[0]} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(Tree(folder))
                print(f"ok {name}")
            except (AssertionError, subprocess.CalledProcessError) as error:
                failed = True
                print(f"not ok {name}: {' / '.join(str(error).splitlines())[:500]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
