import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.spec import units
from midair.spec.scalar import resolve, text_of


@given(st.integers(0, 2**62))
def test_a_duration_comes_back_from_its_text(total):
    assert units.nanoseconds(units.duration_text(total)) == total


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("90s", "1m30s"), ("1.5h", "1h30m0s"), ("500ms", "500ms"), ("1500ms", "1.5s"), ("1d", "24h0m0s"), ("0", "0s"),
     ("1us", "1µs"), ("1h0m1s", "1h0m1s"), ("2w", "336h0m0s"), (".5s", "500ms")],
)  # fmt: skip
def test_a_duration_is_written_as_go_writes_it(text, canonical):
    assert units.duration_text(units.nanoseconds(text)) == canonical


@pytest.mark.parametrize("value", ["", "10", "5 s", "-1s", "1s2", "soon", 10, None, True, [], "9" * 30 + "h"])
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="should be a duration"):
        units.nanoseconds(value)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("1k", 1024),
        ("1.5G", 1610612736),
        ("512m", 2**29),
        ("2gb", 2**31),
        ("3KiB", 3072),
        ("7", 7),
        (7, 7),
        ("1 m", 2**20),
    ],
)
def test_sizes_are_powers_of_1024(value, count):
    assert units.byte_count(value) == count


@pytest.mark.parametrize("value", ["", "m", "1x", "1mm", None, True, [], "9" * 30])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValueError, match="should be a size"):
        units.byte_count(value)


@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_refused(text):
    for reader in (units.nanoseconds, units.byte_count, units.number, units.whole_number, units.flag, units.file_mode):
        told = "should be "
        try:
            reader(text)
        except ValueError as error:
            told = str(error)
        assert told.startswith("should be ")


@given(st.integers(-(2**62), 2**62))
def test_a_whole_number_comes_back_from_its_text(number):
    assert resolve(text_of(number)) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (3.1, "3.1"), (0.00001, "1e-05"), (1e21, "1e+21"), (1e20, "100000000000000000000"), (-0.5, "-0.5"),
     (True, "true"), (None, ""), (float("inf"), "+Inf")],
)  # fmt: skip
def test_a_scalar_is_written_as_go_writes_it(value, text):
    assert text_of(value) == text
