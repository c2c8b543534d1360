"""Shapes that several parts of the file share."""

import re
from dataclasses import replace

from midair.spec import short
from midair.spec.shape import (
    MODE,
    Shape,
    choice,
    dictionary,
    duration,
    either,
    flag,
    kept,
    mapping,
    scalar,
    sequence,
    size,
    text,
    whole,
)
from midair.spec.short_mounts import source_key

NAME = r"[a-zA-Z0-9._-]+"
SIGNALS = (
    "ABRT", "ALRM", "BUS", "CHLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "KILL", "PIPE", "PROF", "PWR", "QUIT",
    "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM",
    "WINCH", "XCPU", "XFSZ",
)  # fmt: skip


def signal_name(value: str) -> str | None:
    """SIGTERM for "SIGTERM", "term" or "15"; None when there is no such signal."""
    name = value.upper().removeprefix("SIG")
    if name in SIGNALS:
        return f"SIG{name}"
    if re.fullmatch(r"RTM(IN|AX)([+-]\d{1,2})?", name):
        return f"SIG{name}"
    return value if re.fullmatch(r"[1-9]|[1-5]\d|6[0-4]", value) else None


TEXTS = sequence(text())
ONE_OR_MORE = sequence(text(), short=short.one_as_list)
COMMAND = sequence(text(), short=short.command, whole=True, null=True, keep=True)
ENVIRONMENT = dictionary(scalar(null=True), short=short.pairs, private=True)
LABELS = dictionary(scalar(), short=short.pairs)
OPTIONS = dictionary(scalar())
HOSTS = sequence(text(), short=short.hosts)
ULIMITS = dictionary(
    either(
        kept(whole(-1)),
        mapping({"soft": kept(whole(-1)), "hard": kept(whole(-1))}, required=("soft", "hard")),
        whole=True,
    )
)
HOOK = mapping(
    {
        "command": sequence(text(), short=short.command, whole=True),
        "user": text(),
        "privileged": flag(),
        "working_dir": text(),
        "environment": ENVIRONMENT,
    },
    required=("command",),
)
# Unlike the other hooks it runs in a container of its own, before the replica starts.
PRE_START = replace(HOOK, fields={**HOOK.fields, "image": text(), "per_replica": flag()})
FILE_REFERENCE = mapping(
    {"source": text(), "target": text(), "uid": text(), "gid": text(), "mode": MODE},
    required=("source",),
    short=short.named("source"),
)
FILE_REFERENCES = sequence(FILE_REFERENCE, unique=source_key)
ENV_FILES = sequence(
    mapping(
        {"path": text(), "required": kept(flag()), "format": choice("raw")},
        required=("path",),
        short=short.named("path"),
    ),
    short=short.one_as_list,
    unique=lambda node: str(path.value) if (path := node.get("path")) else "",
)
DEVICE_REQUEST = mapping(
    {
        "capabilities": TEXTS,
        "count": whole(-1),
        "device_ids": TEXTS,
        "driver": text(),
        "options": OPTIONS,
    },
    tidy=short.all_devices,
)
HEALTHCHECK = mapping(
    {
        "test": sequence(text(), short=short.health_test, whole=True),
        "interval": kept(duration()),
        "timeout": kept(duration()),
        "retries": whole(0, keep=True),
        "start_period": kept(duration()),
        "start_interval": kept(duration()),
        "disable": flag(),
    }
)
BUILD = mapping(
    {
        "context": text(),
        "dockerfile": text(),
        "dockerfile_inline": text(),
        "entitlements": TEXTS,
        "args": ENVIRONMENT,
        "ssh": sequence(text(), short=short.ssh),
        "labels": LABELS,
        "cache_from": TEXTS,
        "cache_to": TEXTS,
        "no_cache": flag(),
        "no_cache_filter": sequence(text(), short=short.one_as_list),
        "additional_contexts": dictionary(text(), short=short.pairs),
        "network": text(),
        "provenance": scalar(),
        "sbom": scalar(),
        "pull": flag(),
        "target": text(),
        "shm_size": size(),
        "extra_hosts": HOSTS,
        "isolation": text(),
        "privileged": flag(),
        "secrets": FILE_REFERENCES,
        "tags": TEXTS,
        "ulimits": ULIMITS,
        "platforms": TEXTS,
    },
    short=short.named("context"),
)


def blkio(rate: Shape, name: str) -> Shape:
    """A limit for each of some devices."""
    return sequence(
        mapping({"path": text(), name: kept(rate)}, required=("path", name)),
        unique=lambda node: str(path.value) if (path := node.get("path")) else "",
    )


BLKIO = mapping(
    {
        "device_read_bps": blkio(size(), "rate"),
        "device_read_iops": blkio(size(), "rate"),
        "device_write_bps": blkio(size(), "rate"),
        "device_write_iops": blkio(size(), "rate"),
        "weight": whole(0, 1000),
        "weight_device": blkio(whole(0, 1000), "weight"),
    }
)
