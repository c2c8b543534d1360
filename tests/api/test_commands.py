"""Commands over the API: one stream that goes both ways, and a line in the history without what was run."""

import time

import pytest
from tests.engine.conftest import shop

from midair import errors
from midair.client.command import CommandStream
from midair.model.command import Command
from midair.view.ask import AskCommand
from midair.view.frames import WINDOW, BadFrame, Frames, Kind, frame

from .test_client_and_api import up


@pytest.fixture
def begin(client, service):
    """Begins a command in a project that is up."""
    up(client, shop())

    def begin(how, *words, service="web", **more):
        return CommandStream(client.home, "shop", service, how, AskCommand(Command(words), by="ann", **more))

    return begin


def read(stream, wanted):
    """Read until so much has come."""
    text = b""
    while len(text) < len(wanted):
        text += b"".join(data for _, data in stream.read())
    assert text == wanted


def follow(stream):
    """Read until it has ended."""
    while stream.code is None:
        stream.read()


def commands(client):
    return [event for event in client.events("shop") if event.kind.startswith("command")]


def ended(client):
    deadline = time.monotonic() + 10
    while len(found := commands(client)) % 2 or not found:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_input_and_output_flow_together(begin):
    with begin("exec", "hello") as stream:
        read(stream, b"hello")
        for word in (b"one", b"two"):
            stream.write(word)
            read(stream, word)
        stream.resize(30, 100)
        read(stream, b"30x100")
        stream.close_input()
        follow(stream)
        assert stream.code == 0


def test_history_names_who_and_where_but_no_words(begin, client):
    with begin("run", "s3cret") as stream:
        stream.signal("SIGINT")
        follow(stream)
        assert stream.code == 130
    began, end = ended(client)
    assert began.text == "run in web by ann began"
    assert end.text.startswith("run in web by ann ended with code 130 after ")
    assert began.fields["session"] == end.fields["session"]
    assert "s3cret" not in repr((began, end))


def test_command_ends_with_its_client(begin, client):
    with begin("exec", "hello"):
        pass
    assert ended(client)[0].replica.startswith("web/")


def test_command_without_place_is_refused(begin):
    with pytest.raises(errors.NotFound, match="has no such service"):
        begin("exec", "ls", service="api")
    with pytest.raises(errors.Conflict, match="no replica 7 of it runs"):
        begin("exec", "ls", index=7)
    with pytest.raises(errors.UsageRefused, match="no command was named"):
        begin("exec")


def test_more_input_than_acknowledged_is_refused(begin):
    with begin("run", "x") as stream:
        stream._send(Kind.INPUT, bytes(WINDOW + 1))
        with pytest.raises(errors.UsageRefused, match="more than was acknowledged"):
            follow(stream)


def test_restarted_daemon_ends_commands_with_a_reason(begin, service):
    with begin("run", "x") as stream:
        read(stream, b"x")
        service.end(comes_again=True)
        with pytest.raises(errors.DaemonTrouble, match="the daemon was restarted, which ended it"):
            follow(stream)


def test_frames_are_whole_however_bytes_arrive():
    data = frame(Kind.INPUT, b"abc") + frame(Kind.INPUT_END) + frame(Kind.OUTPUT, b"x" * 300)
    parser, found = Frames(), []
    for at in range(0, len(data), 7):
        found += parser.feed(data[at : at + 7])
    assert found == [(Kind.INPUT, b"abc"), (Kind.INPUT_END, b""), (Kind.OUTPUT, b"x" * 300)]


@pytest.mark.parametrize("data", [b"\xff\0\0\0\0", b"\x01\xff\xff\xff\xff"])
def test_bytes_that_are_no_frame_are_refused(data):
    with pytest.raises(BadFrame):
        Frames().feed(data)
