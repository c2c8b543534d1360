"""Whatever is wrong is said clearly, once; what runs goes on, and nothing is lost."""

import os
import shutil
import socket
import time

import pytest
from tests.e2e.place import Place, free_port
from tests.e2e.shop import compose, service

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """One service with users, for all tests of this file; in the end none of them has noticed anything."""
    place = Place(tmp_path_factory.mktemp("shop"))
    place.app("asgi", "web")
    place.port, place.asked = free_port(), 0
    place.good = compose(web=service("web", place.port, replicas=2))
    place.write(place.good)
    try:
        place.midair("up", expect=0)
        place.revision = place.service("web").revision
        with place.load(place.port, get=1, idle=1, new=1, post=1, ws=1, options={"pause": 0.02}):
            yield place
        total = place.client.counts("shop").total
        [report] = [load.report for load in place.loads]
        assert report["failed"] == 0, report["failures"]
        assert total.lost == 0
        assert total.answered == report["requests"] + place.asked
    finally:
        left = place.close()
    assert left == []


@pytest.fixture(autouse=True)
def untouched(shop, request):
    """After each test, what runs is what ran."""
    request.node.place = shop
    shop.write(shop.good)
    yield
    assert shop.service("web").revision == shop.revision
    assert shop.service("web").serving == 2
    assert len(shop.client.history("shop")) == 1


def with_web(shop, **changes):
    return compose(web={**service("web", shop.port, replicas=2), **changes})


def cyclic(shop):
    both = {name: service(name, free_port()) for name in ("web", "api")}
    both["web"]["depends_on"], both["api"]["depends_on"] = ["api"], ["web"]
    return compose(**both)


FILES = {
    "malformed YAML": (lambda shop: "services:\n  web: [1,\n", ["compose.yaml:3:1"]),
    "not a mapping": (lambda shop: "- web\n", ["compose.yaml:1:1"]),
    "empty": (lambda shop: "", ["compose.yaml"]),
    "no services": (lambda shop: "name: shop\n", ["compose.yaml", "services"]),
    "unknown key": (lambda shop: with_web(shop, comand="x"), ["services.web.comand", "did you mean", "command"]),
    "wrong type": (
        lambda shop: with_web(shop, deploy={"replicas": "lots"}),
        ["services.web.deploy.replicas", '"lots"'],
    ),
    "unset variable": (lambda shop: with_web(shop, working_dir="${NOWHERE?say where}"), ["NOWHERE", "say where"]),
    "cycle": (cyclic, ["depends_on", "web", "api"]),
    "unknown dependency": (lambda shop: with_web(shop, depends_on=["databse"]), ["databse"]),
    "missing command": (lambda shop: with_web(shop, command="no-such-program --now"), ["no-such-program"]),
    "no code": (lambda shop: with_web(shop, build="./nowhere"), ["nowhere"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_with_one_clear_error(shop, name):
    make, wanted = FILES[name]
    shop.write(make(shop))
    done = shop.midair("up", "-p", "shop")
    assert done.code in (1, 2), done
    assert all(line.startswith(("error: ", "hint: ")) for line in done.err.splitlines()), done
    assert done.err.count("error: ") == 1, done
    assert all(text in done.err for text in wanted), done
    assert "Traceback" not in done.err


def test_all_problems_of_a_file_are_told_at_once(shop):
    shop.write(with_web(shop, comand="x", deploy={"replicas": "lots"}, stop_grace_period="soon"))
    done = shop.midair("up", expect=2)
    assert done.err.count("error: compose.yaml:") == 3, done


def test_a_missing_file_is_named(shop):
    done = shop.midair("up", "-f", "nowhere.yaml", expect=2)
    assert done.err.startswith("error: ")
    assert "nowhere.yaml" in done.err


def test_a_folder_without_a_file_says_which_names_are_looked_for(shop, tmp_path):
    done = shop.midair("up", folder=tmp_path, expect=2)
    assert "compose.yaml" in done.err


def test_a_taken_port_is_refused_and_named(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = [f"127.0.0.1:{shop.port}:8000", f"127.0.0.1:{port}:8000"]
        shop.write(with_web(shop, ports=ports))
        done = shop.midair("up")
    assert done.code in (1, 2), done
    assert str(port) in done.err
    assert done.err.count("error: ") == 1, done


def test_code_that_cannot_be_read_is_refused_and_named(shop):
    (shop.folder / "odd").mkdir()
    os.mkfifo(shop.folder / "odd" / "pipe")
    shop.write(with_web(shop, build="./odd"))
    done = shop.midair("up")
    shutil.rmtree(shop.folder / "odd")
    assert done.code in (1, 2), done
    assert "pipe" in done.err


@pytest.mark.parametrize("number", ["99", "0", "-1", "x"])
def test_an_undo_of_a_change_that_is_not_there_is_refused(shop, number):
    done = shop.midair("undo", "--", number)
    assert done.code == 2, done
    assert number in done.err


@pytest.mark.parametrize("what", ["web", "web=", "web=-1", "web=many", "shoes=3"])
def test_a_bad_count_is_refused(shop, what):
    done = shop.midair("scale", what)
    assert done.code == 2, done
    assert done.err.startswith("error: ")


def test_a_wish_about_no_service_is_refused(shop):
    done = shop.midair("pause", "shoes", expect=2)
    assert "shoes" in done.err


def send(port, data, wait=5.0):
    """What comes back for these bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as client:
        got = b""
        try:
            client.sendall(data)
            while part := client.recv(65536):
                got += part
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        return got


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"x" * (1 << 20) + b"\r\n\r\n", b"431"),
        (bytes(range(256)) * 20 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
    ],
    ids=["1 MB head", "garbage", "two lengths", "length and chunks", "TLS"],
)
def test_a_hostile_request_is_refused(shop, data, status):
    before = shop.client.counts("shop").total
    answer = send(shop.port, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 " + (status or b"400")), answer[:200]
    after = shop.client.counts("shop").total
    assert after.lost == before.lost == 0


def test_slow_clients_do_not_keep_others_waiting(shop):
    slow = [socket.create_connection(("127.0.0.1", shop.port)) for _ in range(50)]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHos")
    began = time.monotonic()
    assert send(shop.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
    shop.asked += 1
    assert time.monotonic() - began < 2
    for client in slow:
        client.close()


def test_the_good_file_is_accepted_and_there_is_nothing_to_do(shop):
    shop.midair("plan", "--exit-code", expect=0)
