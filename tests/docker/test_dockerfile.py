"""The base images of a Dockerfile: those that its target needs, by their whole names."""

import pytest

from midair.source.dockerfile import bases

STAGES = """# syntax=docker/dockerfile:1
ARG V=3.11 OTHER="x"
ARG BASE=python:${V:-3}
FROM --platform=$BUILDPLATFORM node:20 AS assets
RUN <<EOF
FROM inside-a-here-document
EOF
FROM ${BASE} as Build
COPY --from=assets /a /b
COPY --from=nginx:1 /c /d
RUN --mount=type=bind,from=busybox,target=/x \\
    # a comment
    ls
FROM unused
"""


@pytest.mark.parametrize(
    ("target", "args", "expected"),
    [
        ("build", {}, ["node:20", "python:3.11", "nginx:1", "busybox"]),
        ("build", {"V": "3.12"}, ["node:20", "python:3.12", "nginx:1", "busybox"]),
        ("assets", {}, ["node:20"]),
        ("0", {}, ["node:20"]),
        (None, {}, ["unused"]),
        ("absent", {}, ["unused"]),
    ],
)
def test_bases_are_those_of_the_target(target, args, expected):
    assert bases(STAGES, args, target=target) == expected


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch",
        "FROM python@sha256:1",
        "FROM $UNKNOWN",
        "FROM lib",
        "",
        "FROM",
        "ARG A\nFROM ${A:-scratch}",
        "\\",
    ],
)
def test_pinned_and_unknown_bases_are_left_out(text):
    assert bases(text, {}, contexts=["lib"]) == []


def test_escape_directive_is_respected():
    assert bases("# escape=`\nFROM a\nRUN x `\n  y\nCOPY --from=b / /\n", {}) == ["a", "b"]
