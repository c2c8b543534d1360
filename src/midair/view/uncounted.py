"""Services whose requests no router counts: of them nothing is known, and so nothing is said to be lost or not."""

from collections.abc import Iterable

from midair.model.change import Change
from midair.model.event import Failures
from midair.model.fronts import opts_out
from midair.model.project import Service
from midair.model.seen import Tally
from midair.view.failures import failures_text


def uncounted(services: Iterable[Service]) -> tuple[str, ...]:
    """One phrase for each service that clients reach past the router."""
    return tuple(text for service in services if (text := _why(service)))


def _why(service: Service) -> str:
    if service.can.isolated and service.fields.get("network_mode") == "host":
        return f"{service.name} is reached past the router"
    if service.can.fronts and opts_out(service):
        return f"{service.name} is reached past the router by its name"
    protocols = {port.protocol for port in service.ports}
    if "udp" not in protocols:
        return ""
    at = " at its UDP ports" if len(protocols) > 1 or service.names else ""
    return f"{service.name} is reached past the router{at}"


def uncounted_of(change: Change) -> tuple[str, ...]:
    """What the count of a change says nothing about: services that it touches and clients reach past the router."""
    touched = change.plan.touched if change.plan else ()
    return uncounted(service for name, service in change.after.project.services.items() if name in touched)


def counted_text(tally: Tally, past: tuple[str, ...], cut: int = 0, failures: tuple[Failures, ...] = ()) -> str:
    """The count as people read it. Without anything that could be counted there is no "0 lost".

    `cut`: what was still inside replicas at their drain deadline; the servers end it, so not all of it is lost.
    """
    missing = f"not counted: {', '.join(past)}"
    if past and not tally.accepted and not cut:
        return missing
    plural = "" if tally.accepted == 1 else "s"
    text = f"{tally.accepted:,} request{plural} accepted, {tally.lost:,} lost"
    if cut:
        text += f", {cut:,} cut at the drain deadline"
    if failures:
        text += f", {failures_text(failures)}"
    return f"{text}; {missing}" if past else text
