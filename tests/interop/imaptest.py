#!/usr/bin/env python3
"""Run IMAP scripts against a server and say which hold.

usage: imaptest.py [--ca FILE | --insecure | --plain] [--user2 USER:PASSWORD] [--mailbox NAME]
                   [--verbose] HOST:PORT USER:PASSWORD FOLDER [SCRIPT...]

FOLDER holds the scripts, the messages that they load, and a README.md that defines their language.
Prints one line a script, "ok NAME", "not ok NAME: why" or "skip NAME: why"; the exit status is 1 when
any is not ok.  Standard library only.
"""

import argparse
import datetime
import itertools
import os
import re
import socket
import ssl
import sys
import time

TIMEOUT = 20  # seconds for one reply


class Failed(Exception):
    """A script's expectation does not hold."""


# ---- arguments ---------------------------------------------------------------------------------------
#
# A reply or a pattern is a list of arguments: Text (atom, string or literal) or a list.


class Text:
    def __init__(self, value, quoted=False):
        self.value = value  # bytes
        self.quoted = quoted

    def __repr__(self):
        return repr(self.value)


def parse_args(parts):
    """parts: bytes, or (bytes,) for a literal.  Gives a list of arguments."""
    tokens = []
    for part in parts:
        if isinstance(part, tuple):
            tokens.append(Text(part[0], True))
            continue
        for match in re.finditer(rb'"((?:[^"\\]|\\.)*)"|([()])|([^ ()"]+)', part):
            quoted, paren, atom = match.groups()
            if paren:
                tokens.append(paren)
            elif atom is not None:
                tokens.append(Text(atom))
            else:
                tokens.append(Text(re.sub(rb"\\(.)", rb"\1", quoted), True))
    return close_sections(build_lists(iter(tokens), False))


def build_lists(tokens, inner):
    out = []
    for token in tokens:
        if token == b"(":
            out.append(build_lists(tokens, True))
        elif token == b")":
            if inner:
                return out
            out.append(Text(b")"))
        else:
            out.append(token)
    return out


def flat(arg):
    if isinstance(arg, list):
        return b"(" + b" ".join(flat(a) for a in arg) + b")"
    return arg.value


def close_sections(args):
    """BODY[HEADER.FIELDS (X)] is one argument."""
    out = []
    args = list(args)
    while args:
        arg = args.pop(0)
        if isinstance(arg, list):
            out.append(close_sections(arg))
            continue
        if not arg.quoted and re.match(rb"(?i)(body|binary)[a-z.]*\[[^]]*$", arg.value):
            text = arg.value
            while args and b"]" not in text:
                text += b" " + flat(args.pop(0))
            arg = Text(text.replace(b") ]", b")]"))
        out.append(arg)
    return out


# ---- matching ----------------------------------------------------------------------------------------

VARIABLE = re.compile(rb"\$\$|\$\{case:([^}]*)\}|\$\{([^}]*)\}|\$([A-Za-z0-9_]+)|\$")


class Matcher:
    """Compares patterns with replies; fills variables."""

    def __init__(self, variables, numbers):
        self.variables = variables
        self.numbers = numbers  # message number at the start of the command -> now, or None
        self.bound = {}

    def value(self, name):
        if name.isdigit():
            now = self.numbers(int(name))
            return b"0" if now is None else str(now).encode()
        return self.bound.get(name, self.variables.get(name))

    def text(self, pattern, text):
        """pattern with variables against text, all of it."""
        at = 0
        pos = 0
        while pos < len(pattern):
            match = VARIABLE.match(pattern, pos)
            if not match:
                if text[at : at + 1].lower() != pattern[pos : pos + 1].lower():
                    return False
                at += 1
                pos += 1
                continue
            pos = match.end()
            cased, braced, plain = match.groups()
            if match.group(0) == b"$$":
                want = b"$"
            elif cased is not None:
                if text[at : at + len(cased)] != cased:
                    return False
                at += len(cased)
                continue
            else:
                name = (braced or plain or b"").decode()
                want = self.value(name) if name else None
                if want is None:
                    end = text.find(pattern[pos : pos + 1], at) if pos < len(pattern) else len(text)
                    if end < 0:
                        return False
                    self.bound[name] = text[at:end]
                    at = end
                    continue
            if text[at : at + len(want)].lower() != want.lower():
                return False
            at += len(want)
        return at == len(text)

    def arg(self, pattern, reply, context=None):
        if isinstance(pattern, Text) and pattern.value == b"$" and not pattern.quoted:
            return True
        if isinstance(pattern, list) != isinstance(reply, list):
            return False
        if isinstance(pattern, list):
            return self.list(pattern, reply, context)
        if pattern.quoted and not reply.quoted and reply.value.upper() == b"NIL":
            return False
        return self.text(pattern.value, reply.value)

    def try_args(self, pattern, reply, context=None):
        saved = dict(self.bound)
        if self.sequence(pattern, reply, context):
            return True
        self.bound = saved
        return False

    def sequence(self, pattern, reply, context=None):
        if len(pattern) != len(reply):
            return False
        last = None
        for want, got in zip(pattern, reply):
            inner = last.value.upper() if isinstance(last, Text) else None
            if context == b"FETCH" and inner != b"FLAGS":
                inner = None
            if not self.arg(want, got, inner if context else None):
                return False
            last = want
        return True

    def list(self, pattern, reply, context):
        order, group, extra, ignore, ban = True, 1, False, [], []
        rest = list(pattern)
        directive = False
        while rest and isinstance(rest[0], Text) and rest[0].value.startswith(b"$!"):
            word = rest.pop(0).value[2:]
            directive = True
            if word.startswith(b"unordered"):
                order, extra = False, True
                group = int(word.split(b"=")[1]) if b"=" in word else 1
            elif word == b"noextra":
                extra = False
            elif word == b"extra":
                extra = True
            elif word.startswith(b"ignore="):
                ignore.append(word[7:].lower())
            elif word.startswith(b"ban="):
                ban.append(word[4:].lower())
        if not directive:
            order, group, extra, ignore = self.defaults(context)
        inner = b"FETCH" if context == b"FETCH" else None
        if order:
            return self.sequence(rest, reply, inner)
        return self.unordered(rest, reply, group, extra, ignore, ban, inner)

    @staticmethod
    def defaults(context):
        if context in (b"FETCH", b"STATUS"):
            return False, 2, True, []
        if context in (b"LIST", b"LSUB"):
            return False, 1, True, []
        if context == b"FLAGS":
            return False, 1, False, [b"\\recent", b"$hasattachment", b"$hasnoattachment"]
        return True, 1, False, []

    def unordered(self, pattern, reply, group, extra, ignore, ban, context):
        left = [reply[i : i + group] for i in range(0, len(reply), group)]
        for i in range(0, len(pattern), group):
            want = pattern[i : i + group]
            for got in left:
                if self.try_args(want, got, context):
                    left.remove(got)
                    break
            else:
                return False
        if any(flat(got[0]).lower() in ban for got in left):
            return False
        return extra or all(flat(got[0]).lower() in ignore for got in left)

    def reply(self, pattern, reply, prefix=False):
        """A whole reply; the word that names it decides how lists compare."""
        if prefix:
            reply = reply[: len(pattern)]
        if len(pattern) != len(reply):
            return False
        words = [a.value.upper() if isinstance(a, Text) else None for a in pattern]
        context = None
        if len(words) > 1 and words[1] == b"FETCH":
            context = b"FETCH"
        elif words and words[0] in (b"STATUS", b"LIST", b"LSUB"):
            context = words[0]
        for want, got in zip(pattern, reply):
            if not self.arg(want, got, context):
                return False
        self.variables.update({k: v for k, v in self.bound.items() if k and not k.isdigit()})
        return True


# ---- scripts -----------------------------------------------------------------------------------------


class Expected:
    def __init__(self, kind, parts, line):
        self.kind = kind  # "*", "!", "?"
        self.parts = parts
        self.line = line
        self.found = False


class Command:
    def __init__(self, parts, line):
        self.parts = parts
        self.line = line
        self.tag = None  # of pipelined commands: "tag1"
        self.want = None  # "ok", "no", "bad", ""
        self.want_parts = None


class Group:
    def __init__(self, session):
        self.session = session
        self.commands = []
        self.expected = []
        self.sleep = 0
        self.output = []


def duration(text):
    match = re.match(r"([0-9.]+)\s*(ms|msecs?|s|secs?)?", text)
    return float(match.group(1)) / (1000 if (match.group(2) or "s").startswith("m") else 1)


class Script:
    def __init__(self, path):
        self.header = {
            "capabilities": "",
            "connections": "1",
            "messages": "0",
            "state": "selected",
            "ignore_extra_untagged": "yes",
        }
        self.users = {}
        self.groups = []
        self.greeting = []
        with open(path, "rb") as file:
            lines = file.read().decode("utf-8", "surrogateescape").split("\n")
        body = self.read_header(lines)
        self.many = int(self.header["connections"]) > 1
        for parts in self.logical(self.conditions(body)):
            self.take(parts)

    def read_header(self, lines):
        for number, line in enumerate(lines):
            if line.startswith("#"):
                continue
            if not line.strip():
                return lines[number + 1 :]
            key, _, value = line.partition(":")
            match = re.match(r"user (\d+)$", key.strip())
            if match:
                self.users[int(match.group(1))] = value.strip()
            else:
                self.header[key.strip()] = value.strip()
        return []

    @staticmethod
    def conditions(lines):
        """Drop the lines that !ifenv leaves out."""
        use = [True]
        for line in lines:
            word, _, name = line.partition(" ")
            if word == "!ifenv":
                use.append(use[-1] and name.strip() in os.environ)
            elif word == "!ifnenv":
                use.append(use[-1] and name.strip() not in os.environ)
            elif word == "!else":
                use[-1] = use[-2] and not use[-1]
            elif word == "!endif":
                use.pop()
            elif use[-1]:
                yield line

    @staticmethod
    def logical(lines):
        """Join lines with their {{{ literals: lists of bytes and (bytes,)."""
        parts = []
        lines = iter(lines)
        for line in lines:
            if not parts and (not line.strip() or line.startswith("#")):
                continue
            while True:
                if not line.endswith("{{{"):
                    parts.append(line.encode("utf-8", "surrogateescape"))
                    break
                binary = line.endswith("~{{{")
                parts.append(line[: -4 if binary else -3].encode("utf-8", "surrogateescape"))
                content = list(itertools.takewhile(lambda t: not t.startswith("}}}"), Script.peek(lines)))
                end = Script.last
                glue = "\n" if binary else "\r\n"
                parts.append((glue.join(content).encode("utf-8", "surrogateescape"), binary))
                line = end[3:]
            yield parts
            parts = []

    last = ""

    @staticmethod
    def peek(lines):
        for line in lines:
            Script.last = line
            yield line

    def take(self, parts):
        head = parts[0].decode("utf-8", "surrogateescape")
        if head[:2] in ("* ", "! ", "? "):
            item = Expected(head[0], [parts[0][2:]] + parts[1:], head)
            (self.groups[-1].expected if self.groups else self.greeting).append(item)
            return
        if head.startswith("!"):
            word, _, rest = head.partition(" ")
            if self.groups and word == "!sleep":
                self.groups[-1].sleep = duration(rest)
            elif self.groups and word == "!output":
                self.groups[-1].output.append(rest)
            return
        session = 1
        if self.many:
            number, _, head = head.partition(" ")
            session = int(number)
        self.take_command(session, head, parts)

    def take_command(self, session, head, parts):
        word, _, rest = head.partition(" ")
        result = word.lower() if word.lower() in ("ok", "no", "bad", '""') else None
        group = self.groups[-1] if self.groups else None
        encoded = [rest.encode("utf-8", "surrogateescape")] + parts[1:]
        waiting = group and any(c.want is None for c in group.commands)
        if re.match(r"tag\d+$", word):
            verdict, _, text = rest.partition(" ")
            known = [c for c in group.commands if c.tag == word and c.want is None] if group else []
            if known and verdict.lower() in ("ok", "no", "bad", '""'):
                self.answer(known[0], verdict, [text.encode("utf-8", "surrogateescape")])
                return
            if not waiting or group.expected:
                self.groups.append(Group(session))
            self.groups[-1].commands.append(Command(encoded, head))
            self.groups[-1].commands[-1].tag = word
            return
        if result is not None and waiting:
            self.answer(group.commands[-1], word, encoded)
            return
        command = Command(encoded, head)
        if result is None:
            command.parts = [head.encode("utf-8", "surrogateescape")] + parts[1:]
        else:
            self.answer(command, word, None)
        self.groups.append(Group(session))
        self.groups[-1].commands.append(command)

    @staticmethod
    def answer(command, word, parts):
        command.want = "" if word == '""' else word.lower()
        command.want_parts = parts if parts and any(parts) else None


# ---- messages ----------------------------------------------------------------------------------------


class Mbox:
    """Messages of an mbox file, again from the first after the last."""

    def __init__(self, path):
        self.messages = []
        self.at = 0
        with open(path, "rb") as file:
            for line in file.read().split(b"\n"):
                if line.startswith(b"From "):
                    self.messages.append((self.date(line), []))
                elif self.messages:
                    self.messages[-1][1].append(line)
        self.messages = [(date, b"\r\n".join(lines)) for date, lines in self.messages]
        # Between messages the line end before "From " belongs to the message.
        self.messages = [
            (date, text if i == len(self.messages) - 1 else text + b"\r\n")
            for i, (date, text) in enumerate(self.messages)
        ]

    @staticmethod
    def date(line):
        match = re.search(rb"(\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})", line)
        month, day, clock, year = (g.decode() for g in match.groups())
        when = datetime.datetime.strptime(f"{day} {month} {year} {clock}", "%d %b %Y %H:%M:%S")
        return when.strftime("%d-%b-%Y %H:%M:%S +0000").encode()

    def next(self):
        message = self.messages[self.at % len(self.messages)]
        self.at += 1
        return message


# ---- sessions ----------------------------------------------------------------------------------------


class Session:
    def __init__(self, runner):
        host, _, port = runner.options.server.rpartition(":")
        self.verbose = runner.options.verbose
        self.socket = socket.create_connection((host, int(port)), TIMEOUT)
        if runner.context:
            self.socket = runner.context.wrap_socket(self.socket, server_hostname=host)
        self.file = self.socket.makefile("rb")
        self.tags = itertools.count(1)
        self.numbers = {}
        self.expunged = []
        self.exists = 0
        self.greeting = self.read()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def read(self):
        """One reply as parts; the socket's end is a failure."""
        parts = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise Failed("connection closed by the server")
            if self.verbose:
                print("S:", line)
            line = line[:-2]
            match = re.search(rb"~?\{(\d+)\}$", line)
            if not match:
                parts.append(line)
                return parts
            parts.append(line[: match.start()])
            parts.append((self.file.read(int(match.group(1))),))

    def write(self, data):
        if self.verbose:
            print("C:", data[:200])
        self.socket.sendall(data)

    def send(self, parts, handle):
        """Send a command with its literals; replies that come meanwhile go to handle.  Gives the tag."""
        tag = b"A%d" % next(self.tags)
        line = tag + b" "
        for part in parts:
            if not isinstance(part, tuple):
                line += part
                continue
            literal8 = b"~" if len(part) > 1 and part[1] else b""
            self.write(line + literal8 + b"{%d}\r\n" % len(part[0]))
            while True:
                reply = self.read()
                if reply[0].startswith(b"+"):
                    break
                if handle(reply):
                    return tag
                if reply[0].startswith(tag + b" "):
                    raise Failed("literal refused: " + reply[0].decode("latin-1"))
            line = part[0]
        self.write(line + b"\r\n")
        return tag

    def simple(self, *parts):
        """A command of the preparation; gives its untagged replies."""
        untagged = []

        def handle(reply):
            untagged.append(reply)
            return False

        tag = self.send(list(parts), handle)
        while True:
            reply = self.read()
            if reply[0].startswith(tag + b" "):
                break
            untagged.append(reply)
        ok = reply[0][len(tag) + 1 :].upper().startswith(b"OK")
        return ok, untagged, reply

    def must(self, *parts):
        ok, untagged, reply = self.simple(*parts)
        if not ok:
            raise Failed("preparation: " + repr(parts[0]) + " gave " + repr(reply[0]))
        return untagged

    def note(self, args):
        """Keep sequence numbers in step."""
        if len(args) == 2 and isinstance(args[1], Text) and args[1].value.upper() == b"EXPUNGE":
            self.expunged.append(int(args[0].value))

    def number_now(self, number):
        for gone in self.expunged:
            if gone < number:
                number -= 1
            elif gone == number:
                return None
        return number


# ---- runner ------------------------------------------------------------------------------------------


def quote(text):
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Runner:
    def __init__(self, options):
        self.options = options
        self.context = None
        if not options.plain:
            self.context = ssl.create_default_context(cafile=options.ca)
            if options.insecure:
                self.context.check_hostname = False
                self.context.verify_mode = ssl.CERT_NONE
        self.accounts = [options.account] + ([options.user2] if options.user2 else [])

    def credentials(self, script, number):
        user = script.users.get(number, "$user")
        match = re.match(r"\$\{?user(\d*)\}?$", user)
        index = int(match.group(1) or 1) if match else 1
        if index > len(self.accounts):
            return None
        return self.accounts[index - 1].partition(":")[::2]

    def variables(self):
        out = {}
        for i, account in enumerate(self.accounts):
            user, _, password = account.partition(":")
            suffix = "" if i == 0 else str(i + 1)
            name, _, domain = user.partition("@")
            out.update(
                {
                    "user" + suffix: user.encode(),
                    "username" + suffix: name.encode(),
                    "domain" + suffix: domain.encode(),
                    "password" + suffix: password.encode(),
                }
            )
        out["mailbox"] = out["mailbox_url"] = self.options.mailbox.encode()
        return out

    def run(self, name):
        """Gives None when it holds, or a string with the reason to skip."""
        path = os.path.join(self.options.folder, name)
        script = Script(path)
        mbox_path = path + ".mbox"
        if not os.path.exists(mbox_path):
            mbox_path = os.path.join(self.options.folder, "default.mbox")
        run = Run(self, script, Mbox(mbox_path))
        try:
            return run.all()
        finally:
            for session in run.sessions:
                session.close()


class Run:
    def __init__(self, runner, script, mbox):
        self.runner = runner
        self.script = script
        self.mbox = mbox
        self.sessions = []
        self.variables = runner.variables()
        self.mailbox = runner.options.mailbox.encode()
        self.logged_out = False

    def all(self):
        reason = self.prepare()
        if reason:
            return reason
        for item in self.script.greeting:
            matcher = Matcher(self.variables, lambda n: n)
            if not matcher.reply(parse_args(item.parts), parse_args([self.sessions[0].greeting[0][2:]]), True):
                raise Failed("greeting: " + item.line)
        for group in self.script.groups:
            self.group(group)
        if not self.logged_out:
            self.sessions[0].simple(b"LOGOUT")
        return None

    # -- preparation

    def prepare(self):
        header = self.script.header
        level = ["nonauth", "auth", "created", "appended", "selected"].index(header["state"])
        for number in range(1, int(header["connections"]) + 1):
            if self.runner.credentials(self.script, number) is None:
                return "needs another account"
            self.sessions.append(Session(self.runner))
        if level >= 1:
            for number, session in enumerate(self.sessions, 1):
                user, password = self.runner.credentials(self.script, number)
                session.must(b"LOGIN " + quote(user.encode()) + b" " + quote(password.encode()))
        missing = self.missing(header["capabilities"]) if level >= 1 else ""
        if missing:
            return missing
        if level >= 1:
            self.clean()
        if level >= 2:
            self.sessions[0].must(b"CREATE " + self.mailbox)
        if level >= 3:
            self.fill(header["messages"])
        if level >= 4:
            for session in self.sessions:
                session.must(b"SELECT " + self.mailbox)
        return None

    def missing(self, wanted):
        untagged = self.sessions[0].must(b"CAPABILITY")
        offered = set()
        for reply in untagged:
            words = reply[0].upper().split()
            if words[1:2] == [b"CAPABILITY"]:
                offered.update(words[2:])
        absent = [w for w in wanted.upper().split() if w.encode() not in offered]
        return "no " + " ".join(absent) if absent else ""

    def clean(self):
        untagged = self.sessions[0].must(b'LIST "" ' + self.mailbox + b"*")
        names = []
        for reply in untagged:
            args = parse_args([reply[0][2:]] + reply[1:])
            if len(args) == 4 and args[0].value.upper() == b"LIST":
                names.append(args[3].value)
        for name in sorted(names, reverse=True):
            self.sessions[0].simple(b"DELETE " + quote(name))

    def fill(self, count):
        total = len(self.mbox.messages) if count == "all" else int(count)
        for _ in range(total):
            date, text = self.mbox.next()
            self.sessions[0].must(b"APPEND " + self.mailbox + b' "' + date + b'" ', (text,))

    # -- commands

    def expand(self, parts):
        out = []
        for part in parts:
            if isinstance(part, tuple):
                out.append(part)
                continue

            def value(match):
                if match.group(0) == b"$$":
                    return b"$"
                name = (match.group(1) or match.group(2) or match.group(3) or b"").decode()
                if name not in self.variables:
                    raise Failed("variable without a value: " + match.group(0).decode())
                return self.variables[name]

            # A lone "$" is the saved search result.
            out.append(re.sub(rb"\$\$|\$\{case:([^}]*)\}|\$\{([^}]*)\}|\$([A-Za-z0-9_]+)", value, part))
        return out

    def complete(self, parts):
        """Give APPEND its message when the script leaves it out."""
        words = parts[0].split()
        upper = [w.upper() for w in words]
        at = 1 if upper[:1] == [b"UID"] else 0
        if upper[at : at + 1] not in ([b"APPEND"], [b"REPLACE"]) or len(parts) > 1 or b"{" in parts[0]:
            return parts
        date, text = self.mbox.next()
        if upper == [b"APPEND"]:
            return [b"APPEND " + self.mailbox + b' "' + date + b'" ', (text,), b""]
        return [parts[0].rstrip() + b" ", (text,), b""]

    def group(self, group):
        session = self.sessions[group.session - 1]
        session.expunged = []
        extra = []
        pending = {}
        done = set()

        def handle(reply):
            return self.reply(session, group, reply, pending, done, extra)

        for command in group.commands:
            parts = self.complete(self.expand(command.parts))
            if parts[0].strip().upper() == b"LOGOUT" and group.session == 1:
                self.logged_out = True
            # The tag is known before the command is sent, for literals that are refused.
            tag = b"A%d" % self.peek_tag(session)
            pending[tag] = command
            self.variables["tag"] = tag
            session.send(parts, handle)
        while len(done) < len(pending):
            handle(session.read())
        for item in group.expected:
            if item.kind == "*" and not item.found:
                raise Failed(f"{group.commands[0].line!r}: missing {item.line!r}")
        if self.script.header["ignore_extra_untagged"] == "no" and extra:
            raise Failed(f"{group.commands[0].line!r}: unexpected {extra[0]!r}")
        for text in group.output:
            print(text)
        time.sleep(group.sleep)

    @staticmethod
    def peek_tag(session):
        number = next(session.tags)
        session.tags = itertools.chain([number], session.tags)
        return number

    def reply(self, session, group, reply, pending, done, extra):
        """True when a tagged reply came."""
        tag, _, rest = reply[0].partition(b" ")
        args = parse_args([rest] + reply[1:])
        if tag in pending:
            self.tagged(session, group, pending[tag], args)
            done.add(tag)
            return True
        if tag == b"*":
            if not self.untagged(session, group, args):
                extra.append(reply)
            session.note(args)
        return False

    def tagged(self, session, group, command, args):
        got = args[0].value.decode().lower()
        if command.want and got != command.want:
            raise Failed(f"{command.line!r}: {got} {flat(args[1:])!r} instead of {command.want}")
        if not command.want_parts:
            return
        matcher = Matcher(self.variables, session.number_now)
        if not matcher.reply(parse_args(command.want_parts), args[1:], True):
            raise Failed(f"{command.line!r}: reply {flat(args)!r}")

    def untagged(self, session, group, args):
        found = False
        seen = set()
        for item in group.expected:
            if item.found or item.line in seen:
                continue
            matcher = Matcher(self.variables, session.number_now)
            prefix = args[0].value.upper() in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
            if not matcher.reply(parse_args(item.parts), args, prefix):
                continue
            if item.kind == "!":
                raise Failed(f"{group.commands[0].line!r}: came {item.line!r}")
            seen.add(item.line)
            item.found = True
            found = True
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ca", help="certificates to trust")
    parser.add_argument("--insecure", action="store_true", help="do not check the certificate")
    parser.add_argument("--plain", action="store_true", help="no TLS")
    parser.add_argument("--user2", help="second account, USER:PASSWORD")
    parser.add_argument("--mailbox", default="imaptest")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("account", metavar="USER:PASSWORD")
    parser.add_argument("folder")
    parser.add_argument("script", nargs="*")
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        print(f"skip all: no folder {options.folder}")
        return 0
    names = options.script or sorted(
        n for n in os.listdir(options.folder) if not n.endswith((".mbox", ".md"))
    )
    runner = Runner(options)
    failed = 0
    for name in names:
        try:
            reason = runner.run(name)
        except (Failed, OSError, ValueError, AttributeError, IndexError) as problem:
            failed += 1
            print(f"not ok {name}: {problem}", flush=True)
            continue
        print(f"skip {name}: {reason}" if reason else f"ok {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
