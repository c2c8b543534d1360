"""The files of counts in a router's folder: those of dead routers go on in the file of the one that begins."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from midair.model.counters import Record, added
from midair.router.base import RevisionCount
from midair.router.embedded.counts import Book


def open_book(folder: Path) -> Book:
    """The book of a router that begins in `folder`: it goes on with what dead ones left."""
    books = [Book(path) for path in sorted(folder.glob("router-*.counts"), key=_number)]
    dead = [book for book in books if book.layout and book.lock()]  # a newer midair's is left alone
    for book in books:
        if book not in dead:
            book.close()
    # A living router's number is taken, and a file that is laid out as before is left for one of today.
    if not dead or dead[-1] is not books[-1] or not dead[-1].is_current:
        number = _number(books[-1].path) + 1 if books else 1
        book = Book(folder / f"router-{number}.counts")
        book.lock()
        dead.append(book)
    *others, book = dead
    book.settle()
    for other in others:
        book.absorb(other)
    return book


def books_of(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[Book]:
    """Those in the folder whose names are wanted. One that is empty may be somebody's in a moment."""
    for path in sorted(folder.glob("router-*.counts"), key=_number):
        with contextlib.suppress(FileNotFoundError):  # it was just moved into another one
            if is_wanted(path.name) and path.stat().st_size:
                book = Book(path)
                if book.layout is not None:
                    yield book
                else:
                    book.close()


def read_folder(folder: Path) -> tuple[Record, ...]:
    """What all routers of the folder have counted, living and dead. Asks none of them."""
    records: list[Record] = []
    for book in books_of(folder, lambda name: True):
        records += book.records()
        book.close()
    return added(tuple(records))


def merged(*parts: tuple[RevisionCount, ...]) -> tuple[RevisionCount, ...]:
    """Counts of several processes, added up."""
    total: dict[tuple[str, str], RevisionCount] = {}
    for count in (count for part in parts for count in part):
        key = (count.service, count.revision)
        total[key] = _plus(total[key], count) if key in total else count
    return tuple(total.values())


def _plus(one: RevisionCount, other: RevisionCount) -> RevisionCount:
    by_status = {status: number + other.by_status.get(status, 0) for status, number in one.by_status.items()}
    last = max(one.long_lived_at, other.long_lived_at)
    return RevisionCount(one.service, one.revision, one.tally.plus(other.tally), by_status, last)


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
