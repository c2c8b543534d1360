"""The name of a release: the content that it was made of, and a suffix where the same content was made once more.

On Docker a release is a tag such as midair/shop-web:CONTENT-SUFFIX, on the process runtime CONTENT-SUFFIX alone.
"""

_AGAIN = "again"  # a suffix that no release has once it is made


def content_of(release: str) -> str:
    """The name without its suffix: equal for releases of the same content."""
    head, colon, last = release.rpartition(":")
    return f"{head}{colon}{last.partition('-')[0]}"


def suffixed(release: str, suffix: str) -> str:
    """The name for the same content with another suffix."""
    return f"{content_of(release)}-{suffix}"


def again(release: str) -> str:
    """The name that stands for the same content in a plan that builds it once more; what that makes is not known."""
    return suffixed(release, _AGAIN)


def is_again(release: str | None) -> bool:
    """Whether the name only stands for what another build will make."""
    return release is not None and release.endswith(f"-{_AGAIN}")
