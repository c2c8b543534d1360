"""Real servers of Debian's in images that declare what the official ones do, made without a registry of images."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BASE = "midair-test/debian"
SUITE = "bookworm"
PACKAGES = (
    "postgresql-15", "mariadb-server", "redis-server", "rabbitmq-server", "nginx-light", "curl", "gosu",
    "gunicorn", "python3", "python3-flask", "python3-pika", "python3-psycopg2", "python3-pymysql", "python3-redis",
)  # fmt: skip
# What no server here needs at run time: a third of the size.
EXCLUDED = ("share/doc/*", "share/locale/*", "share/man/*", "lib/*/libLLVM*", "lib/postgresql/*/lib/bitcode/*")
LEFT = ("var/lib/mysql", "var/lib/postgresql/15", "etc/postgresql/15", "var/cache/apt", "var/lib/apt/lists")
TAGS = {
    "postgres": ("postgres:15", "postgres:15-alpine"),
    "mysql": ("mysql:8.0", "mariadb:10.11"),
    "redis": ("redis:7", "redis:7-alpine"),
    "rabbitmq": ("rabbitmq:3",),
    "nginx": ("nginx:1.22", "nginx:alpine"),
    "python": ("python:3.11-slim",),
}


def build(engine):
    """Give the engine every image under the names that Compose files use."""
    if not engine.docker("images", "-q", BASE):
        engine.docker("import", str(_root()), BASE)
    for name, tags in TAGS.items():
        tagging = [word for tag in tags for word in ("-t", tag)]
        engine.docker("build", "-q", *tagging, str(HERE / name))


def _root():
    """The root file system of all images. Skips (in CI: fails) where it cannot be made."""
    target = Path(sys.prefix) / "stacks.tar"
    if not target.exists():
        if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
            reason = "the servers' root file system cannot be made (needs root and mmdebstrap)"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        partial = target.with_suffix(".partial.tar")
        left = " ".join(f'"$1"/{path}' for path in LEFT)
        subprocess.run(
            # A mirror that lags behind is fresh enough: hence no check of the dates of its index.
            ["mmdebstrap", "--quiet", "--variant=minbase", '--aptopt=Acquire::Check-Valid-Until "false"',
             *(f"--dpkgopt=path-exclude=/usr/{path}" for path in EXCLUDED), f"--customize-hook=rm -rf {left}",
             f"--include={','.join(PACKAGES)}", SUITE, str(partial)],
            check=True, timeout=400, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        partial.rename(target)
    return target
