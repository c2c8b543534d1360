"""OFREP 0.3.0 over real sockets: single, bulk, ETag, events, CORS, who may ask; and the manifest."""

import json
import socket
import threading
import urllib.error
import urllib.request

import pytest

FLAGS = "/ofrep/v1/evaluate/flags"


def ask(server, path, body=None, method=None, **headers):
    """Status, headers, text."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read().decode()


def evaluate(server, key, context=None, **headers):
    status, _, text = ask(server, f"{FLAGS}/{key}", {"context": context} if context is not None else {}, **headers)
    return status, json.loads(text) if text else None


@pytest.fixture
def shop(server, button):
    def static(**variants):
        return {"state": "ENABLED", "variants": variants, "defaultVariant": next(iter(variants))}

    others = {
        "rate": static(a=1, b=0.5),
        "gone": {**static(a="x"), "state": "DISABLED"},
        "open": {**static(a="x"), "defaultVariant": None},
        "broken": {**static(a="x"), "targeting": {"/": [1, 0]}},
        "team/page": static(a="x"),
        "german": {**static(off=False, on=True), "targeting": {"if": [{"==": [{"var": "country"}, "DE"]}, "on"]}},
    }
    server.publish(button(100, **others))
    return server


def test_one_flag(shop):
    version = shop.hub.find().version
    metadata = {"flagSetId": "shop", "version": version}
    assert evaluate(shop, "new-button", {"targetingKey": "user-1"}) == (
        200,
        {"key": "new-button", "value": True, "reason": "TARGETING_MATCH", "variant": "on", "metadata": metadata},
    )
    assert evaluate(shop, "german", {"country": "DE"})[1]["value"] is True
    assert evaluate(shop, "german", {})[1]["reason"] == "DEFAULT"
    assert evaluate(shop, "team/page")[1]["value"] == "x"
    assert ask(shop, f"{FLAGS}/team%2Fpage", {})[0] == 200


def test_an_absent_context_counts_as_an_empty_one(shop):
    for body in ({"context": {}}, {}, {"context": None}, b""):
        status, _, text = ask(shop, f"{FLAGS}/new-button", body)
        assert (status, json.loads(text)["reason"], json.loads(text)["variant"]) == (200, "DEFAULT", "off")


def test_no_value_means_the_callers_default_and_there_is_always_a_variant(shop):
    for key, reason in (("gone", "DISABLED"), ("open", "DEFAULT")):
        status, answer = evaluate(shop, key)
        assert (status, answer["reason"], answer["variant"]) == (200, reason, "")
        assert "value" not in answer


def test_a_whole_number_of_a_flag_of_fractions_is_written_as_one(shop):
    assert '"value":1.0' in ask(shop, f"{FLAGS}/rate", {})[2]


@pytest.mark.parametrize(
    ("key", "body", "status", "code"),
    [
        ("nope", {}, 404, "FLAG_NOT_FOUND"),
        ("broken", {}, 400, "GENERAL"),
        ("rate", b"{", 400, "PARSE_ERROR"),
        ("rate", b"[" * 100_000, 400, "PARSE_ERROR"),
        ("rate", {"context": ["x"]}, 400, "INVALID_CONTEXT"),
        ("rate", b"[]", 400, "INVALID_CONTEXT"),
        ("rate", b" " * 1_100_000, 413, "INVALID_CONTEXT"),
    ],
)
def test_errors_have_codes_and_details(shop, key, body, status, code):
    found, _, text = ask(shop, f"{FLAGS}/{key}", body)
    answer = json.loads(text)
    assert (found, answer["key"], answer["errorCode"]) == (status, key, code)
    assert answer["errorDetails"]


@pytest.mark.parametrize("path", [FLAGS, FLAGS + "/"])
def test_all_flags_at_once(shop, path):
    status, headers, text = ask(shop, path, {"context": {"targetingKey": "user-1"}})
    answer = json.loads(text)
    found = {flag["key"]: flag for flag in answer["flags"]}
    assert status == 200
    assert headers["ETag"]
    assert found["new-button"]["value"] is True
    assert found["broken"]["errorCode"] == "GENERAL"
    assert len(found) == 7
    assert answer["metadata"]["flagSetId"] == "shop"
    (stream,) = answer["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["inactivityDelaySec"] == 120
    assert stream["endpoint"]["requestUri"].startswith("/ofrep/v1/events?")


def test_an_etag_stands_for_version_context_and_set(shop, button):
    def fetch(context, etag=None, query="", **headers):
        if etag:
            headers["If_None_Match"] = etag
        status, answered, _ = ask(shop, FLAGS + query, {"context": context}, **headers)
        return status, answered["ETag"]

    german = {"targetingKey": "user-1", "country": "DE"}
    _, etag = fetch(german)
    assert fetch(german, etag) == (304, etag)
    assert fetch(dict(reversed(german.items())), etag)[0] == 304
    assert fetch({**german, "country": "AT"}, etag)[0] == 200, "another context is another answer"
    version = shop.hub.find().version
    assert fetch(german, etag, f"?flagConfigEtag={version}")[0] == 304
    assert fetch(german, etag, "?flagConfigEtag=newer")[0] == 200, "the client knows of a newer set than we do"
    shop.publish(button(100), "other")
    assert fetch(german, etag, Flagd_Selector="flagSetId=shop")[0] == 304
    assert fetch(german, etag, Flagd_Selector="flagSetId=other")[0] == 200
    shop.publish(button(99))
    assert fetch(german, etag, Flagd_Selector="flagSetId=shop")[0] == 200


def test_an_unknown_set_is_not_found(shop, button):
    shop.publish(button(100), "other")
    assert evaluate(shop, "rate", {}, Flagd_Selector="flagSetId=nope")[0] == 404
    assert evaluate(shop, "rate", {})[0] == 404, "two sets and no selector"


def test_unknown_set_is_answered_with_known_names(shop, button):
    shop.publish(button(100), "other")
    hint = "; name one with ?selector=NAME or the header flagd-selector"
    assert evaluate(shop, "rate", {})[1]["errorDetails"] == "name a flag set (known: other, shop)" + hint
    _, answer = evaluate(shop, "rate", {}, Flagd_Selector="flagSetId=nope")
    assert answer["errorDetails"] == 'there is no flag set "nope" (known: other, shop)' + hint


def test_known_names_are_those_that_the_token_opens(serve, button):
    server = serve(tokens={"all": "*", "shops": "shop"})
    for name in ("shop", "other"):
        server.publish(button(100), name)
    path = "/flags/v1/stream?set=nope"
    assert ask(server, path)[2] == 'there is no flag set "nope"\n'
    assert ask(server, path, X_API_Key="shops")[2] == 'there is no flag set "nope" (known: shop)\n'
    assert ask(server, path, X_API_Key="all")[2] == 'there is no flag set "nope" (known: other, shop)\n'


def test_set_without_flags_needs_no_selector_for_others(shop):
    shop.publish({"flags": {}}, "flagless")
    assert evaluate(shop, "rate", {})[0] == 200


def test_exposures_are_counted_with_two_projects(shop, button):
    shop.publish(button(100), "other")
    batch = {"set": "shop", "exposures": [["new-button", "on", 3]], "misses": []}
    assert ask(shop, "/flags/v1/exposures", batch)[0] == 204
    assert json.loads(ask(shop, "/flags/v1/exposures?set=shop")[2])["new-button"]["variants"] == {"on": 3}


def test_body_of_exposures_is_limited(shop):
    assert ask(shop, "/flags/v1/exposures", b" " * (4 * 1024 * 1024 + 1))[0] == 413


def test_body_of_exposures_is_not_read_without_token(serve, button):
    server = serve(tokens={"shops": "shop"})
    server.publish(button(100))
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /flags/v1/exposures HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_tokens_and_keys_open_sets(serve, button):
    server = serve(tokens={"all": "*", "shops": "shop"})
    server.publish(button(100))
    server.publish(button(100), "other")
    shop, other = {"Flagd_Selector": "flagSetId=shop"}, {"Flagd_Selector": "flagSetId=other"}
    assert ask(server, FLAGS, {}, **shop)[::2] == (401, "")
    assert ask(server, FLAGS, {}, **shop, Authorization="Bearer wrong")[0] == 401
    assert ask(server, FLAGS, {}, **shop, Authorization="Bearer shops")[0] == 200
    assert ask(server, FLAGS, {}, **shop, X_API_Key="shops")[0] == 200
    assert ask(server, FLAGS, {}, **other, X_API_Key="shops")[::2] == (403, "")
    assert ask(server, FLAGS, {}, **other, X_API_Key="all")[0] == 200
    assert ask(server, "/flags/v1/stream?set=shop")[0] == 401
    assert ask(server, "/openfeature/v0/manifest?selector=shop")[0] == 401
    stream = json.loads(ask(server, FLAGS, {}, **shop, X_API_Key="shops")[2])["eventStreams"][0]
    uri = stream["endpoint"]["requestUri"]
    assert ask(server, uri.replace("ticket=", "ticket=0"))[0] == 401
    with urllib.request.urlopen(server.url + uri, timeout=10) as events:
        assert events.status == 200, "a browser needs no header: the address holds a ticket"


def test_browsers_may_ask_from_anywhere(shop):
    status, headers, _ = ask(
        shop, FLAGS, method="OPTIONS", Origin="https://example.com", Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type, if-none-match, x-api-key, authorization",
    )  # fmt: skip
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    status, headers, _ = ask(shop, FLAGS, {}, Origin="https://example.com")
    assert headers["Access-Control-Expose-Headers"] == "ETag"


class Events:
    """An event stream, read in a thread."""

    def __init__(self, url, **headers):
        request = urllib.request.Request(url, headers={name.replace("_", "-"): v for name, v in headers.items()})
        self.answer = urllib.request.urlopen(request, timeout=10)
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for line in self.answer:
                self.lines.append(line.decode().rstrip("\n"))
        except (OSError, ValueError):
            pass

    @property
    def events(self):
        return [json.loads(line[6:]) for line in self.lines if line.startswith("data: ")]


def test_each_change_is_an_event(serve, button, eventually):
    server = serve(beat=0.05)
    server.publish(button(1))
    uri = json.loads(ask(server, FLAGS, {})[2])["eventStreams"][0]["endpoint"]["requestUri"]
    events = Events(server.url + uri)
    eventually(lambda: ": alive" in events.lines, "the heartbeat")
    assert not events.events
    server.publish(button(2))
    eventually(lambda: len(events.events) == 1, "the event")
    served = server.hub.find()
    assert events.events == [{"type": "refetchEvaluation", "etag": served.version, "lastModified": int(served.since)}]
    assert f"id: {served.version}" in events.lines
    assert "event: message" in events.lines
    server.publish(button(3))
    missed = Events(server.url + uri, Last_Event_ID=served.version)
    eventually(lambda: len(missed.events) == 1, "what was missed")
    late = Events(server.url + uri)
    eventually(lambda: len(late.events) == 1, "what happened since the flags were fetched")


def test_the_manifest_names_each_flag_with_its_type(server, button):
    data = button(1, limit={"state": "ENABLED", "variants": {"a": 1, "b": 2}, "defaultVariant": "b"})
    data["flags"]["theme"] = {"state": "ENABLED", "variants": {"a": {"x": 1}}, "metadata": {"description": "looks"}}
    server.publish(data)
    status, _, text = ask(server, "/openfeature/v0/manifest")
    assert status == 200
    assert json.loads(text) == {
        "flags": [
            {"key": "new-button", "type": "boolean", "defaultValue": False},
            {"key": "limit", "type": "integer", "defaultValue": 2},
            {"key": "theme", "type": "object", "defaultValue": {"x": 1}, "description": "looks"},
        ]
    }


def test_counts_that_make_no_sense_are_refused(shop):
    for body in (b"{", b"[]", {"set": "shop", "exposures": [["a"]]}, {"exposures": [["a", "b", "c"]], "set": "shop"}):
        assert ask(shop, "/flags/v1/exposures", body)[0] == 400
    invented = {"set": "shop", "exposures": [["invented", "on", 5], ["new-button", "on", 3]], "misses": []}
    assert ask(shop, "/flags/v1/exposures", invented)[0] == 204
    report = json.loads(ask(shop, "/flags/v1/exposures?set=shop")[2])
    assert list(report) == ["new-button"]
    assert report["new-button"]["variants"] == {"on": 3}
