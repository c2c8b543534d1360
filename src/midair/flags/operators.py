"""What each JsonLogic operator does to values, with the corner cases of flagd's reference in Python.

Knows values only: no flags, variants or scopes. Clients import it, so it imports next to nothing.
"""

from __future__ import annotations

import operator

from midair.flags import semver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

NAN = float("nan")
INFINITIES = frozenset({"inf", "+inf", "-inf"})  # Python would read them, JavaScript does not


def truthy(value: Any) -> bool:
    """An empty list or string, zero and NaN are false; "0" and an empty object are true."""
    if value is None or value != value:  # only NaN differs from itself
        return False
    return bool(value) if isinstance(value, (str, int, float, list, tuple)) else True


def number(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return 0
    if isinstance(value, (list, tuple)):
        return NAN if len(value) > 1 else number(value[0]) if value else 0
    if isinstance(value, str):
        return number_in(value)
    moment = getattr(value, "timestamp", None)  # a datetime: milliseconds, as in JavaScript
    return moment() * 1000.0 if moment is not None else NAN


def number_in(value: str) -> float:
    if value.strip().lower() in INFINITIES:
        return NAN
    try:
        return float(value)
    except ValueError:
        return NAN


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.15g}"
    if value is None:
        return "null"
    if isinstance(value, (list, tuple)):
        return ",".join([text(item) for item in value])
    return "[object Object]" if isinstance(value, dict) else str(value)


def equal(left: Any = None, right: Any = None, *_: Any) -> bool:
    """`==`: "5" equals 5 and null equals 0; lists and objects equal only themselves."""
    if type(left) is type(right):
        return left is right if isinstance(left, (list, dict)) else bool(left == right)
    if isinstance(left, (int, float)) or isinstance(right, (int, float)):
        return bool(number(left) == number(right))
    if isinstance(left, str) or isinstance(right, str):
        return left is not None and right is not None and text(left) == text(right)
    return False


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    """`<` and its kin: as numbers if one side is a number, else as text if one side is text."""

    def pair(left: Any, right: Any) -> bool:
        if isinstance(left, (int, float)) or isinstance(right, (int, float)):
            return compare(number(left), number(right))
        if isinstance(left, str) or isinstance(right, str):
            return compare(text(left), text(right))
        return compare(number(left), number(right))

    def between(left: Any = None, right: Any = None, third: Any = None, *_: Any) -> bool:
        return pair(left, right) and (third is None or pair(right, third))

    return between


less = comparison(operator.lt)
at_most = comparison(operator.le)
greater = comparison(operator.gt)
at_least = comparison(operator.ge)


def differs(left: Any = None, right: Any = None, *_: Any) -> bool:
    return not equal(left, right)


def same(left: Any = None, right: Any = None, *_: Any) -> bool:
    return bool(left == right)


def not_same(left: Any = None, right: Any = None, *_: Any) -> bool:
    return bool(left != right)


def negate(value: Any = None, *_: Any) -> bool:
    return not truthy(value)


def affirm(value: Any = None, *_: Any) -> bool:
    return truthy(value)


def add(*values: Any) -> Any:
    return sum([number(value) for value in values])


def multiply(*values: Any) -> Any:
    product: Any = 1
    for value in values:
        product *= number(value)
    return product


def subtract(left: Any = None, right: Any = None, *_: Any) -> Any:
    return -number(left) if right is None else number(left) - number(right)


def divide(left: Any = None, right: Any = None, *_: Any) -> Any:
    return number(left) / number(right)


def remainder(left: Any = None, right: Any = None, *_: Any) -> Any:
    return number(left) % number(right)


def smallest(*values: Any) -> Any:
    return min([number(value) for value in values], default=NAN)


def largest(*values: Any) -> Any:
    return max([number(value) for value in values], default=NAN)


def concatenate(*values: Any) -> str:
    return "".join([text(value) for value in values])


def contains(needle: Any = None, haystack: Any = None, *_: Any) -> bool:
    """`in`: a member of a list, or a part of a text."""
    if isinstance(haystack, (list, tuple)):
        return needle in haystack
    return isinstance(haystack, str) and text(needle) in haystack


def substring(value: Any = None, start: Any = None, length: Any = None, *_: Any) -> str:
    """`substr`: a negative start counts from the end, a negative length leaves that many out."""
    whole, begin = text(value), number(start)
    size = len(whole)
    if begin != begin or begin <= -size:
        begin = 0
    begin = min(int(begin), size) if begin >= 0 else size - int(-begin)
    if length is None:
        return whole[begin:]
    span = number(length)
    if span != span:
        return ""
    end = begin + int(span) if span >= 0 else max(size + int(span), begin)
    return whole[begin:end]


def merge(*values: Any) -> list[Any]:
    merged: list[Any] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            merged.extend(value)
        else:
            merged.append(value)
    return merged


def echo(value: Any = None, *_: Any) -> Any:
    """`log`: hands its argument on. Printing is left to those who want it."""
    return value


def lookup(data: Any, key: Any = None, default: Any = None, *_: Any) -> Any:
    """`var`: the value at a dotted path, or the default when there is none or it is null."""
    if key is None or key == "":
        return data
    if isinstance(key, (int, float)) and isinstance(data, (list, tuple, str)):
        return data[int(key)] if key == key // 1 and 0 <= key < len(data) else default
    return follow(data, text(key).split("."), default)


def follow(data: Any, path: Iterable[str], default: Any = None) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, (list, tuple, str)):
            if part == "length":
                return len(data)
            if not (part.isdecimal() and part == str(int(part)) and int(part) < len(data)):
                return default
            data = data[int(part)]
        else:
            return default
    return default if data is None else data


def missing(data: Any, *keys: Any) -> list[Any]:
    wanted = keys[0] if keys and isinstance(keys[0], (list, tuple)) else keys
    return [key for key in wanted if lookup(data, key) in (None, "")]


def missing_some(data: Any, needed: Any = 0, keys: Any = None, *_: Any) -> list[Any]:
    if not isinstance(keys, (list, tuple)):
        return []
    absent = missing(data, keys)
    return [] if len(keys) - len(absent) >= number(needed) else absent


def starts_with(*values: Any) -> bool | None:
    return str.startswith(*values) if _two_texts(values) else None


def ends_with(*values: Any) -> bool | None:
    return str.endswith(*values) if _two_texts(values) else None


def _two_texts(values: tuple[Any, ...]) -> bool:
    return len(values) == 2 and isinstance(values[0], str) and isinstance(values[1], str)


def sem_ver(*values: Any) -> bool | None:
    """Null when a version or the comparison cannot be understood."""
    if len(values) != 3 or not isinstance(values[1], str):
        return None
    left, right = semver.version(str(values[0])), semver.version(str(values[2]))
    compare = semver.COMPARISONS.get(values[1])
    return None if left is None or right is None or compare is None else compare(left, right)


def keep(items: Any, test: Callable[[Any], bool]) -> list[Any]:
    return [item for item in items if test(item)] if isinstance(items, (list, tuple)) else []


def each(items: Any, change: Callable[[Any], Any]) -> list[Any]:
    return [change(item) for item in items] if isinstance(items, (list, tuple)) else []


def fold(items: Any, step: Callable[[Any], Any], start: Any) -> Any:
    if isinstance(items, (list, tuple)):
        for item in items:
            start = step({"accumulator": start, "current": item})
    return start


def every(items: Any, test: Callable[[Any], bool]) -> bool:
    """True of no empty list: JsonLogic says so."""
    return isinstance(items, (list, tuple)) and bool(items) and all(map(test, items))


def some(items: Any, test: Callable[[Any], bool]) -> bool:
    return isinstance(items, (list, tuple)) and any(map(test, items))


def none(items: Any, test: Callable[[Any], bool]) -> bool:
    return not some(items, test)


# Operators that need nothing but the values of their arguments.
PLAIN: dict[str, Callable[..., Any]] = {
    "==": equal,
    "!=": differs,
    "===": same,
    "!==": not_same,
    "<": less,
    "<=": at_most,
    ">": greater,
    ">=": at_least,
    "!": negate,
    "!!": affirm,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "min": smallest,
    "max": largest,
    "cat": concatenate,
    "in": contains,
    "substr": substring,
    "merge": merge,
    "log": echo,
    "starts_with": starts_with,
    "ends_with": ends_with,
    "sem_ver": sem_ver,
}

# Operators that read the data around them.
READING: dict[str, Callable[..., Any]] = {
    "var": lookup,
    "missing": missing,
    "missing_some": missing_some,
}

# Operators that hand each item of a list to their second argument: function, and whether that answers yes or no.
LISTING: dict[str, tuple[Callable[..., Any], bool]] = {
    "filter": (keep, True),
    "map": (each, False),
    "all": (every, True),
    "some": (some, True),
    "none": (none, True),
}

BRANCHING = frozenset({"if", "?:", "and", "or", "reduce", "fractional"})

# Whatever they are given, they answer true, false or null, so that Python's own test of truth will do.
COMPARING = frozenset(["==", "!=", "===", "!==", "<", "<=", ">", ">=", "!", "!!"])
YES_OR_NO = COMPARING | {"in", "all", "some", "none", "starts_with", "ends_with", "sem_ver"}

KNOWN = frozenset(PLAIN) | frozenset(READING) | frozenset(LISTING) | BRANCHING
