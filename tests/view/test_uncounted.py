"""Nothing is said to be lost or not where nothing could be counted."""

import pytest

from midair.model.project import Port, Service
from midair.model.seen import Tally
from midair.view.uncounted import counted_text, uncounted

HTTP, UDP = Port(80, 8000), Port(53, 53, protocol="udp")


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (Service("web", ports=(HTTP,)), ()),
        (Service("worker"), ()),
        (Service("dns", ports=(UDP,)), ("dns is reached past the router",)),
        (Service("web", ports=(HTTP, UDP)), ("web is reached past the router at its UDP ports",)),
        (Service("web", "docker", fields={"network_mode": "host"}), ("web is reached past the router",)),
        (
            Service("web", "docker", ports=(HTTP,), extension={"front": "none"}),
            ("web is reached past the router by its name",),
        ),
        (Service("web", extension={"front": "none"}), ()),
        (Service("web", fields={"network_mode": "host"}, ports=(HTTP,)), ()),
    ],
)
def test_services_past_the_router_are_named(service, said):
    assert uncounted([service]) == said


@pytest.mark.parametrize(
    ("tally", "past", "cut", "text"),
    [
        (Tally(), (), 0, "0 requests accepted, 0 lost"),
        (Tally(accepted=1), (), 0, "1 request accepted, 0 lost"),
        (Tally(), ("dns is reached past the router",), 0, "not counted: dns is reached past the router"),
        (Tally(accepted=1200, lost=3), ("dns is …",), 0, "1,200 requests accepted, 3 lost; not counted: dns is …"),
        (Tally(accepted=1), (), 9, "1 request accepted, 0 lost, 9 cut at the drain deadline"),
    ],
)
def test_count_says_what_it_says_nothing_about(tally, past, cut, text):
    assert counted_text(tally, past, cut) == text
