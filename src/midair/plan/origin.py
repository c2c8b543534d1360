"""Why the code of a service is another one: new code, a new base image, or a build that was asked for."""

from msgspec.structs import replace

from midair.model.plan import Code, FieldChange
from midair.model.project import Revision, Service
from midair.model.release import content_of, is_again
from midair.plan.render import CODE

BUILD_AGAIN = "build (--build)"
_CAUSE = "new code runs beside the old until it has taken over"
_AGAIN = "it is built again; a service whose image is the same then is left as it is"
_SHOWN = 12  # hex digits of a digest


def code_changes(
    earlier: Service, service: Service, first: Revision, second: Revision, code: Code
) -> tuple[FieldChange, ...]:
    """The changes that stand for another release; empty when it is the same."""
    if first.release == second.release:
        return ()
    own = FieldChange(CODE if earlier.build or service.build else "image (content)", "changed", "replace", _CAUSE)
    if first.release is None or second.release is None or content_of(first.release) != content_of(second.release):
        return (own, *_bases(code))
    if is_again(second.release):
        return (replace(own, path=BUILD_AGAIN, cause=_AGAIN), *_bases(code))
    return _bases(code) or (own,)


def _bases(code: Code) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(f"base image {name}", "changed", "replace", _CAUSE, _short(before), _short(after))
        for name, after in code.will_be_on.items()
        if (before := code.built_on.get(name, after)) != after
    )


def _short(pin: str) -> str:
    """A digest as people compare it."""
    return pin.rpartition("sha256:")[2][:_SHOWN]
