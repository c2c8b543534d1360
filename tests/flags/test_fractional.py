"""Who gets which share: byte for byte what flagd's generations v2 and v3 say."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.flags import cbor
from midair.flags.engine import Table
from midair.flags.fractional import HASHES, LARGEST_TOTAL, bounds, choose, seed

SHARED = Path(__file__).parents[2] / "../shared/conformance/flagd/fractional-vectors.json"

# flag key, targeting key, v2: hash, 10 %, four quarters; v3: the same
KNOWN = [
    ("new-button", "user-0", (0x9FB0ABA0, "off", "c"), (0xC74FA911, "off", "d")),
    ("new-button", "user-1", (0x30E19B30, "off", "a"), (0x567FE7C7, "off", "b")),
    ("new-button", "user-13", (0x04C0BDDA, "on", "a"), (0x347FD7E1, "off", "a")),
    ("new-button", "user-17", (0x46FE3BFD, "off", "b"), (0x1712AC78, "on", "a")),
    ("new-button", "user-18", (0x09217251, "on", "a"), (0xB40EA0A9, "off", "c")),
    ("new-button", "user-22", (0x13224FF3, "on", "a"), (0x67CB342B, "off", "b")),
    ("new-button", "user-25", (0xF69C8AD3, "off", "d"), (0x09F8960E, "on", "a")),
    ("new-button", "jane@company.com", (0xD59CEEE9, "off", "d"), (0xD7287B87, "off", "d")),
    ("new-button", "ünïcødé-✓", (0x7FBD630D, "off", "b"), (0x5A69CB97, "off", "b")),
    ("checkout-v2", "user-1", (0xDFFBF784, "off", "d"), (0x50711559, "off", "b")),
    ("headerColor", "test@faas.com", (0x8BEFD47F, "off", "c"), (0x866AA7C0, "off", "c")),
    ("new-button", "a" * 24, (0x78E874D9, "off", "b"), (0x4CE3EEBC, "off", "b")),
    ("new-button", "x" * 256, (0x11623585, "on", "a"), (0xEE4A62EB, "off", "d")),
]
TENTH = [["on", 10], ["off", 90]]
QUARTERS = [[name, 25] for name in "abcd"]


def agrees(version, flag_key, targeting_key, expected):
    hashed, tenth, quarter = expected
    assert HASHES[version](seed(version, flag_key), targeting_key) == hashed
    for shares, variant in ((TENTH, tenth), (QUARTERS, quarter)):
        flag = {
            "state": "ENABLED",
            "variants": {name: name for name, _ in shares},
            "targeting": {"fractional": shares},
        }
        table = Table({flag_key: json.dumps(flag).encode()}, version=version, clock=lambda: 0)
        assert table.resolve(flag_key, {"targetingKey": targeting_key}).variant == variant


@pytest.mark.parametrize(("flag_key", "targeting_key", "v2", "v3"), KNOWN)
def test_known_users_fall_where_the_reference_puts_them(flag_key, targeting_key, v2, v3):
    agrees("v2", flag_key, targeting_key, v2)
    agrees("v3", flag_key, targeting_key, v3)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared vectors are not here")
def test_all_shared_vectors_agree():
    vectors = json.loads(SHARED.read_text())
    for vector in vectors:
        for version in ("v2", "v3"):
            said = vector[version]
            expected = (said["hash"], said["on10off90"], said["abcd25"])
            agrees(version, vector["flagKey"], vector["targetingKey"], expected)
    assert len(vectors) >= 700


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_growing_share_only_ever_adds_users(version):
    users = [f"user-{number}" for number in range(2000)]
    before: set[str] = set()
    for percent in (1, 5, 10, 25, 50, 100):
        limits = bounds([["on", percent], ["off", 100 - percent]])
        now = {user for user in users if choose(limits, HASHES[version](seed(version, "f"), user)) == "on"}
        assert before <= now
        assert abs(len(now) / len(users) * 100 - percent) < 4
        before = now


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-2, LARGEST_TOTAL // 8), min_size=1, max_size=6))
def test_bounds_choose_as_the_formula_does(hashed, weights):
    shares = [[f"v{index}", weight] for index, weight in enumerate(weights)]
    total = sum(max(0, weight) for weight in weights)
    limits = bounds(shares)
    if not 1 <= total <= LARGEST_TOTAL:
        assert limits is None
        return
    bucket, running = hashed * total >> 32, 0
    for name, weight in shares:
        running += max(0, weight)
        if bucket < running:
            assert choose(limits, hashed) == name
            return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


def whole(value):
    """Floats without a fraction count as whole numbers, as far as 64 bits go."""
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value <= 2**64 - 1:
        return int(value)
    return value


@given(JSON)
def test_canonical_bytes_equal_those_of_another_encoder(value):
    other = pytest.importorskip("cbor2")
    assert cbor.encode(value) == other.dumps(whole(value), canonical=True)


def test_what_is_no_json_has_no_bytes():
    with pytest.raises(ValueError):
        cbor.encode(object())
