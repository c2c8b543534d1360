"""Reads files and makes one checked tree of each: the way in for the main files, `extends` and `include`."""

from collections.abc import Callable, Mapping

from midair.spec.check import Checker
from midair.spec.dotenv import BadLine, parse_names, unset_in
from midair.spec.interpolate import interpolate
from midair.spec.merge import merge
from midair.spec.node import Mark, Node
from midair.spec.parse import parse
from midair.spec.paths import from_folder
from midair.spec.problems import Problems, got
from midair.spec.table.project import PROJECT

Reader = Callable[[str], str]
Environment = Mapping[str, str]


class Sources:
    """Every file that is read for one project, and what was wrong with them."""

    def __init__(self, reader: Reader, folder: str, problems: Problems) -> None:
        self.problems = problems
        self.unset: dict[str, None] = {}  # variables without a value or a default
        # Warnings about lines of env files.
        self.notes: list[str] = []
        self._reader = reader
        self._folder = folder
        self._texts: dict[str, str] = {}
        self._parsed: dict[str, list[Node]] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The YAML files that were read: the main ones, and those of `extends` and `include`."""
        return tuple(self._parsed)

    def label(self, file: str) -> str:
        """How a file is called in messages: seen from the project's folder if it is in it."""
        way = from_folder(file, self._folder)
        return file if way.startswith("..") else way

    def text(self, file: str) -> str:
        """The text of a file. Raises OSError, or ValueError when it is no text."""
        if file not in self._texts:
            self._texts[file] = self._reader(file)
        return self._texts[file]

    def documents(self, file: str, at: Node | None = None, path: str = "") -> list[Node]:
        """The raw documents of a YAML file; `at` is where it was named."""
        if file not in self._parsed:
            self._parsed[file] = []
            try:
                text = self.text(file)
            except (OSError, ValueError) as error:
                place = at or Mark(self.label(file), 0, 0)
                self.problems.add(path, f"cannot read {got(self.label(file))}: {reason(error)}", place)
            else:
                self._parsed[file] = parse(text, self.label(file), self.problems)
        return self._parsed[file]

    def model(self, file: str, environment: Environment, at: Node | None = None, path: str = "") -> Node | None:
        """A file with its variables replaced and its short forms written out, as far as it can be read."""
        whole: Node | None = None
        for raw in self.documents(file, at, path):
            if raw.value is None:
                continue
            if not raw.is_mapping:
                self.problems.add("", f"should be a mapping with services, got {got(raw.value)}", raw)
                continue
            filled = interpolate(raw, environment.get, self._note_unset, self.problems)
            read = Checker(self.problems).read(PROJECT, filled, "")
            if read is not None:
                whole = read if whole is None else merge(PROJECT, whole, read)
        return whole

    def variables(self, file: str, known: Callable[[str], str | None]) -> dict[str, str | None]:
        """The variables of an env file. Raises OSError, ValueError or BadLine."""
        label = self.label(file)
        return parse_names(self.text(file), known, lambda name, line: self._note_line(unset_in(label, name, line)))

    def raw_lines(self, file: str) -> dict[str, str | None]:
        """The same for `format: raw`: everything after the first equals sign, as it is."""
        found: dict[str, str | None] = {}
        for number, line in enumerate(self.text(file).splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not name.strip() or " " in name.strip():
                raise BadLine(number, "should be NAME=value")
            found[name.strip()] = value if equals else None
        return found

    def _note_line(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _note_unset(self, name: str) -> None:
        self.unset[name] = None


def reason(error: Exception) -> str:
    """Why a file cannot be read, in the words of the system."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text at byte {error.start}"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said[:1].lower() + said[1:]
