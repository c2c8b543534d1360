"""What a plain YAML scalar means, as the Go library that Compose uses sees it: YAML 1.2 with octal and merge of 1.1.

"yes", "on" and dates are text; 0755 and 0o755 are octal; 1_000 is a thousand; 22:22 is text.
"""

import re
from typing import Any

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER = re.compile(r"[-+.]?[0-9]")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_LONGEST = 64  # digits; what is longer is text


def resolve(text: str) -> Any:
    """The value of a scalar that was written without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.match(text) or len(text) > _LONGEST:
        return text
    digits = text.replace("_", "")
    if whole := _WHOLE.fullmatch(digits):
        value = _whole(whole[2])
        return -value if whole[1] == "-" else value
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def _whole(digits: str) -> int:
    head = digits[:2].lower()
    if head in ("0x", "0o", "0b"):
        return int(digits, 0)
    return int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits)


def text_of(value: Any) -> str:
    """A scalar as text, written as Go writes it: true, 3.5, 1e+06."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    shortest = repr(value)
    if "e" in shortest or abs(value) >= 1e-4:
        return shortest
    mantissa, exponent = f"{value:.17e}".split("e")
    digits = repr(float(mantissa))
    return f"{digits}e{exponent}"
