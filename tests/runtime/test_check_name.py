"""A reason names the program of a check, never the shell around it or its arguments."""

import pytest

from midair.runtime.check_name import check_name, name_of_test


@pytest.mark.parametrize(
    ("test", "name"),
    [
        (("CMD", "curl", "-u", "admin:hunter2", "localhost"), '"curl"'),
        (("CMD-SHELL", "curl -f http://localhost:8000/ || exit 1"), '"curl"'),
        (("CMD-SHELL", "PGPASSWORD=hunter2 exec pg_isready -U app"), '"pg_isready"'),
        (("CMD", "sh", "-c", "redis-cli ping || false"), '"redis-cli"'),
        (("CMD", "/bin/bash", "-ec", "nc -z localhost 8000"), '"nc"'),
        (("CMD-SHELL", "cd /app && ./check"), "its check"),
        (("CMD-SHELL", "test $(pgrep -c worker) -gt 2"), "its check"),
        (("CMD-SHELL", ""), "its check"),
        (("CMD", "sh", "/app/check.sh"), '"sh"'),
        ((), "its check"),
    ],
)
def test_reason_names_the_program_of_a_check(test, name):
    assert name_of_test(test) == name


def test_command_of_a_check_is_named_alike():
    assert check_name(("sh", "-c", "wget -q localhost")) == '"wget"'
    assert check_name(("/app/check", "--quick")) == '"/app/check"'
