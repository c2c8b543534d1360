"""Requests of flagd's sync protocol as bytes: what is unknown in them is skipped, as protobuf demands."""

import pytest

from midair.flagserver.sync import field, fields, varint

NUMBER = varint(7 << 3) + varint(300)
FIXED64 = varint(8 << 3 | 1) + b"\xff" * 8
FIXED32 = varint(9 << 3 | 5) + b"\xff" * 4
BYTES = field(10, b"\xff\xfe")


def test_unknown_fields_are_skipped():
    request = NUMBER + field(1, b"provider") + FIXED64 + BYTES + field(2, b"shop") + FIXED32
    assert fields(request) == {1: "provider", 2: "shop"}


@pytest.mark.parametrize(
    "request_", [field(2, b"shop")[:-1], FIXED64[:-1], varint(2 << 3 | 3), b"\x80", field(2, b"\xff")]
)
def test_broken_message_is_refused(request_):
    with pytest.raises((ValueError, LookupError)):
        fields(request_)
