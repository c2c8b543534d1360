"""Real servers of Debian's in images that declare what the official ones do, made without a registry of images."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BASE = "midair-test/debian"
SUITE = "bookworm"
# Of every image: an app's own, and what the entrypoints call.
PACKAGES = (
    "curl", "gosu", "gunicorn", "python3", "python3-flask", "python3-pika", "python3-psycopg2", "python3-pymysql",
    "python3-redis",
)  # fmt: skip
SERVERS = {
    "postgres": "postgresql-15", "mysql": "mariadb-server", "redis": "redis-server", "rabbitmq": "rabbitmq-server",
    "nginx": "nginx-light",
}  # fmt: skip
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
ALL = frozenset(tag for tags in TAGS.values() for tag in tags)


def build(engine, images=ALL):
    """Give the engine images under the names that Compose files use."""
    names = names_of(images)
    archive = root_archive(names)
    base = f"midair-test/{archive.stem}"
    if not engine.docker("images", "-q", base):
        engine.docker("import", str(archive), base)
    engine.docker("tag", base, BASE)
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(_build, engine, name) for name in names]:
            future.result()


def names_of(images):
    """The images of this folder that have these names."""
    return [name for name, tags in TAGS.items() if images.intersection(tags)]


def _build(engine, name):
    engine.docker("build", "-q", *(word for tag in TAGS[name] for word in ("-t", tag)), str(HERE / name))


def root_archive(names=tuple(SERVERS)):
    """A root file system with these servers. Skips (in CI: fails) where it cannot be made."""
    packages = sorted({*PACKAGES, *(SERVERS[name] for name in names if name in SERVERS)})
    target = Path(sys.prefix) / f"stacks-{sha256(' '.join(packages).encode()).hexdigest()[:8]}.tar"
    if not target.exists():
        if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
            reason = "the servers' root file system cannot be made (needs root and mmdebstrap)"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        partial = target.with_suffix(".partial.tar")
        left = " ".join(f'"$1"/{path}' for path in LEFT)
        subprocess.run(
            # A mirror that lags behind is fresh enough: hence no check of the dates of its index.
            ["mmdebstrap", "--quiet", "--variant=minbase", '--aptopt=Acquire::Check-Valid-Until "false"',
             "--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/{path}" for path in EXCLUDED),
             f"--customize-hook=rm -rf {left}", f"--include={','.join(packages)}", SUITE, str(partial)],
            check=True, timeout=400, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        partial.rename(target)
    return target
