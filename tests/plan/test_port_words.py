"""Which numbers of a command or a check are the replica's own port."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.plan.port_words import Reader

COMMAND = Reader(frozenset({8000}))
CHECK = Reader(frozenset({8000, 18000, 80}), frozenset({"web"}), check=True)


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("gunicorn -b 0.0.0.0:8000 app:app", "gunicorn -b 0.0.0.0:$PORT app:app"),
        ("gunicorn --bind=:8000 app:app", "gunicorn --bind=:$PORT app:app"),
        ("gunicorn --bind 10.1.2.3:8000 app:app", "gunicorn --bind 10.1.2.3:$PORT app:app"),
        ("uvicorn app:app --host 0.0.0.0 --port 8000", "uvicorn app:app --host 0.0.0.0 --port $PORT"),
        ("flask run -p 8000", "flask run -p $PORT"),
        ("serve -p8000", "serve -p$PORT"),
        ("hypercorn --bind '[::]:8000' app", "hypercorn --bind [::]:$PORT app"),
        ("puma -b tcp://0.0.0.0:8000", "puma -b tcp://0.0.0.0:$PORT"),
        ("twist web --listen tcp:8000", "twist web --listen tcp:$PORT"),
        ("python manage.py runserver 0.0.0.0:8000", "python manage.py runserver 0.0.0.0:$PORT"),
        ("python manage.py runserver 8000", "python manage.py runserver $PORT"),
        ("python -m http.server 8000", "python -m http.server $PORT"),
        ("python -m http.server --directory public 8000", "python -m http.server --directory public $PORT"),
        ("java -Dserver.port=8000 -jar app.jar", "java -Dserver.port=$PORT -jar app.jar"),
        ("env PORT=8000 node app.js", "env PORT=$PORT node app.js"),
        ("php -S 127.0.0.1:8000", "php -S 127.0.0.1:$PORT"),
        ("sh -c 'exec gunicorn -b :8000 app:app'", "sh -c 'exec gunicorn -b :$PORT app:app'"),
        ("sh -c 'app --port ${APP_PORT:-8000}'", "sh -c 'app --port ${APP_PORT:-$PORT}'"),
        ("node -e 'app.listen(8000)'", "node -e 'app.listen($PORT)'"),
        ("""python -c 'HTTPServer(("", 8000), H)'""", """python -c 'HTTPServer(("", $PORT), H)'"""),
    ],
)
def test_command_with_own_port_is_mapped(text, mapped):
    found = COMMAND.argv(shlex.split(text))
    assert list(found.words) == shlex.split(mapped)
    assert (found.own, found.unclear) == ({8000}, set())


@pytest.mark.parametrize(
    "text",
    [
        "app --api http://api:8000",
        "app --timeout 8000",
        "app --max-requests=8000",
        "app --origin http://localhost:8000",
        "app --id 18000 --rate 80001 v8000 1.8000",
        "sh -c 'app --port ${PORT:-8000}'",
        "sleep 8000",
        "wait-for db:8000",
    ],
)
def test_number_of_another_kind_stays(text):
    found = COMMAND.argv(shlex.split(text))
    assert list(found.words) == shlex.split(text)
    assert (found.own, found.unclear) == (set(), set())


@pytest.mark.parametrize(
    "text", ["node server.js 8000", "app --urls http://localhost:8000", "app $HOST:8000", "app --upstream-port 8000"]
)
def test_ambiguous_number_is_unclear(text):
    found = COMMAND.argv(shlex.split(text))
    assert list(found.words) == shlex.split(text)
    assert (found.own, found.unclear) == (set(), {8000})
    assert "$PORT" in " ".join(found.proposed)


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("curl -f http://localhost:8000/health", "curl -f http://localhost:$PORT/health"),
        ("curl -f http://127.0.0.1:18000/health || exit 1", "curl -f http://127.0.0.1:$PORT/health || exit 1"),
        ("curl -f http://web:8000/", "curl -f http://localhost:$PORT/"),
        ("wget -qO- 'http://localhost:8000/'", "wget -qO- 'http://localhost:'\"$PORT\"'/'"),
        ('wget -qO- "http://localhost:8000/"', 'wget -qO- "http://localhost:$PORT/"'),
        ("curl -f http://localhost/", "curl -f http://localhost:$PORT/"),
        ("curl -f localhost/up", "curl -f localhost:$PORT/up"),
        ("curl -f localhost:8000", "curl -f localhost:$PORT"),
        ("nc -z localhost 8000", "nc -z localhost $PORT"),
        ("bash -c '</dev/tcp/localhost/8000'", "bash -c '</dev/tcp/localhost/'\"$PORT\"''"),
        ("redis-cli -p 8000 ping", "redis-cli -p $PORT ping"),
        (
            "python -c \"import socket; socket.create_connection(('localhost', 8000))\"",
            "python -c \"import socket; socket.create_connection(('localhost', $PORT))\"",
        ),
    ],
)
def test_check_of_own_port_is_mapped(text, mapped):
    found = CHECK.script(text)
    assert found.words == (mapped,)
    assert not found.unclear


@pytest.mark.parametrize(
    "text", ["curl -f http://api:8000/", "nc -z db 8000", "redis-cli -h cache -p 8000 ping", "curl --max-time 8000 x"]
)
def test_check_of_another_service_stays(text):
    found = CHECK.script(text)
    assert found.words == (text,)
    assert not found.unclear


def test_service_name_in_a_command_is_an_address():
    reader = Reader(frozenset({8000}), frozenset({"web"}))
    assert not reader.argv(("app", "--peer", "http://web:8000")).own


_TEXT = st.text(st.sampled_from("ab01:8/='\"$ -([{.,;&|\\\n") | st.characters(codec="utf-8"), max_size=30)
_PIECES = st.lists(_TEXT | st.sampled_from(["8000", ":8000", "--port", "localhost:8000"]), max_size=8)


@given(_PIECES)
def test_mapping_changes_nothing_but_numbers(words):
    for mapped in (COMMAND.argv(words), CHECK.argv(words)):
        assert len(mapped.words) == len(mapped.proposed) == len(words)
        if not mapped.own:
            assert mapped.words == tuple(words)


@given(_PIECES)
def test_mapped_command_is_mapped_once(words):
    mapped = COMMAND.argv(words)
    assert COMMAND.argv(mapped.words).words == mapped.words


@given(st.integers(1, 65535), st.sampled_from(["", "localhost", "127.0.0.1", "0.0.0.0", "[::]"]))
def test_every_local_address_is_mapped(number, host):
    mapped = Reader(frozenset({number})).argv(("app", f"{host}:{number}"))
    assert mapped.words == ("app", f"{host}:$PORT")


@given(st.from_regex(r"[a-z]{2,9}", fullmatch=True), st.integers(1, 65535))
def test_other_hosts_are_never_mapped(host, number):
    text = f"http://{host}:{number}"
    if host != "localhost" and not host.endswith("port"):
        assert Reader(frozenset({number})).argv(("app", text)).words == ("app", text)
