import pytest

from midair.spec.node import plain
from midair.spec.parse import parse
from midair.spec.problems import Problems


def read(text):
    problems = Problems()
    documents = parse(text, "f", problems)
    return [plain(document) for document in documents], [str(problem) for problem in problems.found]


def test_values_know_where_they_and_their_keys_were_written():
    (document,) = parse("a:\n  b: [x, y]\n", "f", Problems())
    node = document.find("a", "b")
    assert (node.mark, node.key_mark) == (("f", 2, 6), ("f", 2, 3))
    assert [item.mark.column for item in node.items()] == [7, 10]


def test_merge_keys_take_the_first_that_says_it():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}"
    assert read(text)[0][0]["c"] == {"x": 1, "y": 1, "z": 3}


def test_a_merge_key_in_quotes_is_an_ordinary_key():
    assert read('a: {"<<": 1}')[0] == [{"a": {"<<": 1}}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", 'f:2:1 a: "a" is here twice, first in line 1'),
        ("a: {b: 1, b: 1}", 'f:1:11 a.b: "b" is here twice, first in line 1'),
        ("a: {<<: 1}", "f:1:9 a.<<: << should name a mapping or a list of mappings, got 1"),
        ("a: *b", "f:1:4 cannot read YAML: found undefined alias"),
        ("a: &a {b: *a}", "f:1:4 cannot read YAML: an alias contains itself"),
        ("a: !!binary x", None),
        ("a: !custom x", 'f:1:4 a: unknown YAML tag "!custom"'),
        ("? [a]\n: b", "f:1:3 a key should be text, got a list or a mapping"),
        ("a: \x07", 'f:1:1 cannot read YAML: character "\\x07" is not allowed'),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, problem):
    assert read(text)[1] == ([problem] if problem else [])


def test_one_anchor_may_be_used_often():
    assert len(read("a: &a {x: 1}\n" + "".join(f"b{n}: *a\n" for n in range(1000)))[0][0]) == 1001
