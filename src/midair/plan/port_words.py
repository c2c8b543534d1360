"""Where a command or a check names the service's own port: the text alone decides, one number at a time.

In a container the target port is the replica's own. A process has a port of its own in `$PORT`, and the number in the
file is the one that midair's router listens on, so whatever stands for the replica itself becomes `$PORT`.
"""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

Verdict = Literal["own", "other", "unclear"]

_LOCAL = {"", "localhost", "127.0.0.1", "0.0.0.0", "[::]", "[::1]", "::", "::1", "*", "+"}
_SCHEMES = {"tcp", "tcp4", "tcp6", "http"}  # `tcp:8000`, as some servers write an address without a host
_HOST = re.compile(r"(\$\{?\w+\}?|\[[\da-fA-F:]*\]|[\w.*+-]*):$")
_KEY = re.compile(r"([\w.-]+)[\"']\s*:\s*[\"']?$")
_ASSIGNED = re.compile(r"([\w.-]+)\s*=\s*[\"']?$")
_DEFAULT = re.compile(r"\$\{(\w+):?[-=]$")
_PAIR = re.compile(r"[\"']([^\"']*)[\"']\s*,\s*[\"']?$")
_DEVICE = re.compile(r"/dev/tcp/([^/\s]+)/$")
_OPTION_WITH_VALUE = re.compile(r"(?:^|[\s\"'])(-[\w.-]*)=\S*$")
_PORT_OPTION = re.compile(r"-[pPbl]|.*(port|bind|listen|addr).*", re.IGNORECASE)
_OTHERS_OPTION = re.compile(
    r"upstream|remote|target|backend|proxy|\bdb|database|redis|postgres|mysql|broker|peer|join|connect|smtp", re.I
)
_PUBLIC_OPTION = re.compile(r"public|external|base|origin|callback|redirect|advertise|cors|allow", re.IGNORECASE)
_HOST_OPTION = re.compile(r"-h|-H|--?[\w-]*host(name)?", re.ASCII)
_WORD = re.compile(r"[^\s;&|]+|[;&|\n]+")
_SERVERS = {"http.server", "SimpleHTTPServer", "runserver"}  # take the port as a plain word
_CALLERS = {"nc", "ncat", "telnet"}  # host, then port
_WAITERS = {"sleep", "timeout"}
_FETCHERS = {"curl", "wget"}
_IMPLIED = {80: "http", 443: "https"}


class Mapped(msgspec.Struct, frozen=True):
    """A command with `$PORT` in it, and what could not be decided."""

    words: tuple[str, ...]
    own: frozenset[int] = frozenset()  # the numbers that were replaced
    unclear: frozenset[int] = frozenset()
    proposed: tuple[str, ...] = ()  # `words` with the unclear ones replaced as well


class _Place(msgspec.Struct, frozen=True):
    """One number in its surroundings."""

    left: str
    right: str
    token: str  # the word it is in, without quotes
    before: tuple[str, ...]  # the words before that one, of the same simple command


class _Edit(msgspec.Struct, frozen=True):
    start: int
    end: int
    number: int
    verdict: Verdict
    host: bool = False  # the service's own name is before it, which leads nowhere outside of containers
    implied: bool = False  # the port that a URL without a number means


class Reader(msgspec.Struct, frozen=True):
    """What to look for: the port numbers, and, in a check, the names that mean the replica itself."""

    numbers: frozenset[int]
    names: frozenset[str] = frozenset()
    check: bool = False

    def argv(self, words: Sequence[str]) -> Mapped:
        """A command as a list of words. A word with spaces in it is read as a script."""
        done: list[tuple[str, str]] = []
        edits: list[_Edit] = []
        for index, word in enumerate(words):
            found = self._edits(word, () if " " in word else tuple(words[:index]))
            done.append((_edited(word, found), _edited(word, found, everything=True)))
            edits += found
        return _mapped(edits, [first for first, _ in done], [second for _, second in done])

    def script(self, text: str) -> Mapped:
        """A shell's script, which finds `$PORT` in its environment, though not between single quotes."""
        found = self._edits(text, ())
        plain, everything = (_edited(text, found, everything=whole, in_shell=True) for whole in (False, True))
        return _mapped(found, [plain], [everything])

    def _edits(self, text: str, before: tuple[str, ...]) -> list[_Edit]:
        found = []
        for match in re.finditer(r"(?<![\d.])\d+(?![\d\w]|\.\d)", text):
            if int(match[0]) in self.numbers:
                place = _place(text, match.start(), match.end(), before)
                verdict, named = self._judge(place, int(match[0]))
                found.append(_Edit(match.start(), match.end(), int(match[0]), verdict, named))
        return sorted([*found, *(self._implied(text, before) if self.check else ())], key=lambda edit: edit.start)

    def _judge(self, place: _Place, number: int) -> tuple[Verdict, bool]:
        """What a number is, and whether the service's own name stands before it."""
        left = place.left
        if default := _DEFAULT.search(left):
            name = default[1].upper()
            return ("other" if name == "PORT" else "own" if "PORT" in name else "unclear"), False
        if key := _KEY.search(left):
            return ("own" if "port" in key[1].lower() else "other"), False
        if host := _HOST.search(left):
            return self._of_host(host[1], place)
        for pattern in (_DEVICE, _PAIR):
            if host := pattern.search(left):
                return self._by_host(host[1]), False
        if assigned := _ASSIGNED.search(left):
            return self._of_option(assigned[1], place), False
        if re.search(r"listen\(\s*$", left):
            return "own", False
        if left.endswith("("):
            return "unclear", False
        if place.token == str(number):
            return self._of_word(place), False
        return ("own" if re.fullmatch(rf"-[pPbl]{number}", place.token) else "other"), False

    def _by_host(self, host: str) -> Verdict:
        return "own" if host in _LOCAL else "other"

    def _of_host(self, host: str, place: _Place) -> tuple[Verdict, bool]:
        option = _option_of(place)
        if place.right.startswith(":"):
            return "unclear", False
        if host in _LOCAL or host in _SCHEMES or host.lower().endswith("port"):
            is_url = re.search(r"ur[il]", option, re.IGNORECASE) and host in ("localhost", "127.0.0.1")
            if self.check or not option:
                return "own", False
            if _PUBLIC_OPTION.search(option):
                return "other", False
            return ("unclear" if is_url or _OTHERS_OPTION.search(option) else "own"), False
        if self.check and host in self.names:
            return "own", True
        if not self.check and option and _PORT_OPTION.fullmatch(option) and not _OTHERS_OPTION.search(option):
            return "own", False
        return ("unclear" if host.startswith("$") else "other"), False

    def _of_option(self, name: str, place: _Place) -> Verdict:
        if not _PORT_OPTION.fullmatch(name):
            return "other"
        if _OTHERS_OPTION.search(name):
            return "unclear"
        hosts = [after for word, after in zip(place.before, place.before[1:], strict=False)
                 if _HOST_OPTION.fullmatch(word)]  # fmt: skip
        hosts += [word.partition("=")[2] for word in place.before if _HOST_OPTION.fullmatch(word.partition("=")[0])]
        strangers = [host for host in hosts if host and host not in _LOCAL and not host.replace(".", "").isdigit()]
        if not strangers:
            return "own"
        return "other" if self.check else "unclear"

    def _of_word(self, place: _Place) -> Verdict:
        before = [_bare(word) for word in place.before]
        if not before:
            return "unclear"
        tool = before[0].rpartition("/")[2]
        if before[-1].startswith("-") and len(before[-1]) > 1:
            return self._of_option(before[-1], place)
        if before[-1] in _LOCAL or _SERVERS & set(before):
            return "own"
        return "other" if tool in _CALLERS | _WAITERS else "unclear"

    def _implied(self, text: str, before: tuple[str, ...]) -> list[_Edit]:
        """URLs of the replica itself that mean a port without saying it."""
        hosts = "|".join(re.escape(host) for host in sorted((_LOCAL - {"", "*", "+"}) | self.names))
        found = []
        for number in self.numbers & _IMPLIED.keys():
            for match in re.finditer(rf"{_IMPLIED[number]}://({hosts})(?=[/?#\"'\s)]|$)", text):
                found.append(_Edit(match.end(), match.end(), number, "own", match[1] in self.names, implied=True))
        if 80 in self.numbers:
            for match in re.finditer(rf"(?:(?<=\s)|^)({hosts})(?=[/?\s]|$)", text):
                place = _place(text, match.start(), match.end(), before)
                last = _bare(place.before[-1]) if place.before else ""
                is_url = place.before and _bare(place.before[0]).rpartition("/")[2] in _FETCHERS
                if is_url and not _HOST_OPTION.fullmatch(last):
                    found.append(_Edit(match.end(), match.end(), 80, "own", match[1] in self.names, implied=True))
        return found


def _mapped(edits: list[_Edit], words: list[str], proposed: list[str]) -> Mapped:
    return Mapped(
        tuple(words),
        frozenset(edit.number for edit in edits if edit.verdict == "own"),
        frozenset(edit.number for edit in edits if edit.verdict == "unclear"),
        tuple(proposed),
    )


def _place(text: str, start: int, end: int, before: tuple[str, ...]) -> _Place:
    """The surroundings of a part of a word or a script."""
    words = list(before)
    for match in _WORD.finditer(text):
        if match.end() > start:
            return _Place(text[:start], text[end:], _bare(match[0]), tuple(words))
        words = [] if match[0][0] in ";&|\n" else [*words, match[0]]
    return _Place(text[:start], text[end:], "", tuple(words))


def _option_of(place: _Place) -> str:
    """The option whose value a word is: before it, or before its equals sign."""
    if match := _OPTION_WITH_VALUE.search(place.left):
        return match[1]
    last = _bare(place.before[-1]) if place.before else ""
    return last if last.startswith("-") else ""


def _bare(word: str) -> str:
    return word.strip("\"'()")


def _edited(text: str, edits: list[_Edit], *, everything: bool = False, in_shell: bool = False) -> str:
    """The text with `$PORT` for each number that is the replica's own; `everything`: also for what is unclear."""
    for edit in reversed(edits):
        if edit.verdict == "own" or (everything and edit.verdict == "unclear"):
            quoted = in_shell and _in_single_quotes(text[: edit.start])
            variable = "'\"$PORT\"'" if quoted else "$PORT"
            head = text[: edit.start] + (":" if edit.implied else "")
            if edit.host:
                head = re.sub(r"[\w.-]+:$", "localhost:", head)
            text = head + variable + text[edit.end :]
    return text


def _in_single_quotes(text: str) -> bool:
    quote = ""
    skip = False
    for letter in text:
        if skip:
            skip = False
        elif letter == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
    return quote == "'"
