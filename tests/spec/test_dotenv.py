import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.spec.dotenv import BadLine, parse_dotenv, parse_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\n# comment\n\n  A = 1  \n", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("A: yaml style", {"A": "yaml style"}),
        ("A=", {"A": ""}),
        ("A=a b c", {"A": "a b c"}),
        ("A=a # comment", {"A": "a"}),
        ("A=a#no comment", {"A": "a#no comment"}),
        ("A=#ff0000", {"A": "#ff0000"}),
        ("A= #c", {"A": "#c"}),
        ("A=a\t#b", {"A": "a\t#b"}),
        ('A="a" # c', {"A": "a"}),
        ('A="a"b', {"A": "a"}),
        ("á[1]=c\nTŰRŐ=d", {"á[1]": "c", "TŰRŐ": "d"}),
        ("A=$2a$10$", {"A": "$2a$10$"}),
        ("A='$2a$10$Nq'", {"A": "$2a$10$Nq"}),
        ('A="\\v\\a"', {"A": "\v\a"}),
        ("A='$B # \\n'", {"A": "$B # \\n"}),
        ('A="a\\nb\\t\\"c\\""', {"A": 'a\nb\t"c"'}),
        ('A="two\nlines" # comment\nB=1', {"A": "two\nlines", "B": "1"}),
        ('A="\\$B"', {"A": "$B"}),
        ("A=1\nB=${A}2\nC=$B", {"A": "1", "B": "12", "C": "12"}),
        ("A=${UNSET:-d}", {"A": "d"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A.B-C=1", {"A.B-C": "1"}),
        ("\ufeffA=1", {"A": "1"}),
    ],
)
def test_a_file_says_these_variables(text, expected):
    assert parse_dotenv(text) == expected


def test_the_shell_wins_over_the_file_in_values_but_not_in_names():
    assert parse_dotenv("A=1\nB=$A", {"A": "shell"}.get) == {"A": "1", "B": "shell"}


def test_a_name_alone_takes_the_value_of_the_shell():
    assert parse_names("A\nB\n", {"A": "shell"}.get) == {"A": "shell", "B": None}


def test_variable_without_value_is_named_by_its_line():
    missing = []
    parse_dotenv("A=1\nHASH=$2a$10$Nq\nB=$A", missing=lambda name, line: missing.append((name, line)))
    assert missing == [("HASH", 2)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\n=2", 2),
        ("\n\nA B=1", 3),
        ('A="open', 1),
        ("A='x'\nB='y' {", 2),
        ("A=1\nB=${", 2),
        ("{}", 1),
    ],
)
def test_a_line_that_says_nothing_is_refused_with_its_number(text, line):
    with pytest.raises(BadLine) as caught:
        parse_dotenv(text)
    assert caught.value.line == line


@given(st.text())
def test_any_text_is_read_or_refused(text):
    line = 1
    try:
        parse_dotenv(text)
    except BadLine as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + 1


@given(
    st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True), st.text().filter(lambda t: "\r" not in t))
)
def test_what_is_written_in_double_quotes_comes_back(variables):
    def quoted(value):
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")

    text = "".join(f'{name}="{quoted(value)}"\n' for name, value in variables.items())
    assert parse_dotenv(text) == variables
