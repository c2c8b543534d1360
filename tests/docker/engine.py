"""A real Docker engine for the tests: the one that runs, or one started here with its own folder, and a small image.

Where there is no engine and no way to start one the tests are skipped; in CI that is a failure.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from pathlib import Path

import pytest

IMAGE = "midair-test/python"
PERL = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/perl-base"
PACKAGES = ("click", "h11", "typing_extensions", "uvicorn", "websockets")  # what an ASGI app needs
_SITE = Path(sysconfig.get_path("purelib"))
_SKIPPED_FOLDERS = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"}


class Engine:
    """A running engine: where it listens, and its command line."""

    def __init__(self, host: str, process: "subprocess.Popen[bytes] | None" = None, folder: Path | None = None) -> None:
        self.host = host
        self.process = process
        self.folder = folder

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the docker command against this engine."""
        done = subprocess.run([command(), "-H", self.host, *arguments], capture_output=True, text=True, timeout=100)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def stop(self) -> None:
        """End the engine if it was started here."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
        if self.folder is not None:
            netns = self.folder / "exec" / "netns" / "default"  # stays mounted otherwise, and its folder with it
            subprocess.run(["umount", "-l", str(netns)], check=False, capture_output=True)
            self._unmount()

    def _unmount(self) -> None:
        """Let go of what the engine mounted under its folder and forgot, so that the folder can be removed."""
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in reversed([one for one in mounted if one.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", path], capture_output=True)

    def end(self) -> None:
        """End it, and with it what it runs. Skips the test when the engine is somebody else's."""
        if self.process is None:
            pytest.skip("the engine was not started by the tests, so it is not theirs to end")
        self.stop()

    def restart(self) -> None:
        """Start it again after it was ended."""
        assert self.folder is not None
        self.process = _spawn(self.folder, self.host)


def command() -> str:
    """Debian's docker command: another one on the PATH may be a newer client without its plugins."""
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else (shutil.which("docker") or "docker")


def start(folder: Path) -> Engine:
    """The user's engine if it answers, else one of our own. Skips (in CI: fails) when neither can be had."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if _answers(host):
        return Engine(host)
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        reason = "no Docker engine runs here, and none can be started (needs root and dockerd)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return start_own(folder)


def start_own(folder: Path, *options: str) -> Engine:
    """An engine with its own data under `folder`. Raises AssertionError with its log when it does not come up."""
    host = f"unix://{folder}/docker.sock"
    return Engine(host, _spawn(folder, host, *options), folder)


def _spawn(folder: Path, host: str, *options: str) -> "subprocess.Popen[bytes]":
    with (folder / "dockerd.log").open("ab") as log:
        process = subprocess.Popen(
            ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
             "--pidfile", str(folder / "pid"), "-H", host, "--insecure-registry", "127.0.0.0/8", *options],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while not _answers(host):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"dockerd did not start:\n{(folder / 'dockerd.log').read_text()[-3000:]}")
        time.sleep(0.2)
    return process


def _answers(host: str) -> bool:
    if shutil.which("docker") is None:
        return False
    done = subprocess.run([command(), "-H", host, "version"], capture_output=True, timeout=30)
    return done.returncode == 0


def ensure_image(engine: Engine, folder: Path) -> None:
    """Import an image made of this machine's own Python, so that no registry is needed."""
    if engine.docker("images", "-q", IMAGE):
        return
    archive = folder / "python.tar"
    pack_python(archive)
    engine.docker("import", "-c", "ENV PATH=/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1", str(archive), IMAGE)
    archive.unlink()


def pack_python(archive: Path) -> None:
    """This Python, its standard library and the libraries they are linked with, as a root file system."""
    needed: dict[str, Path] = {}
    standard = Path(sysconfig.get_path("stdlib"))
    inside = f"usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}"
    executable = Path(sys.executable).resolve()
    with tarfile.open(archive, "w") as tar:
        needed |= _libraries(executable)
        tar.add(executable, "usr/local/bin/python3")
        for path in sorted(standard.rglob("*")):
            parts = set(path.relative_to(standard).parts)
            if parts & _SKIPPED_FOLDERS or path.suffix == ".a" or ".opt-" in path.name or path.is_dir():
                continue
            if path.suffix == ".so":
                needed |= _libraries(path)
            tar.add(path, f"{inside}/{path.relative_to(standard)}", recursive=False)
        for package in PACKAGES:
            for path in _files_of(package):
                tar.add(path, f"{inside}/{path.relative_to(_SITE)}", recursive=False)
        shell = Path("/bin/sh").resolve()
        needed |= _libraries(shell) | {"bin/sh": shell}
        for name, path in needed.items():
            tar.add(path, name.lstrip("/"), recursive=False)
        for name in ("tmp", "proc", "sys", "dev", "etc", "root"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        users = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(users)
        tar.addfile(entry, io.BytesIO(users))


def pack_programs(archive: Path, programs: list[str], folders: list[str]) -> None:
    """Programs of this machine with the libraries they are linked with, and folders as they are."""
    with tarfile.open(archive, "w") as tar:
        for name in programs:
            path = Path(shutil.which(name) or pytest.skip(f"{name} is not installed")).resolve()
            tar.add(path, f"usr/local/bin/{name}")
            for library, place in _libraries(path).items():
                tar.add(place, library.lstrip("/"), recursive=False)
        for folder in folders:
            tar.add(folder, folder.lstrip("/"))


def _files_of(package: str) -> list[Path]:
    folder = _SITE / package
    if not folder.is_dir():
        return [_SITE / f"{package}.py"]
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and "sync" not in path.parts]


def _libraries(path: Path) -> dict[str, Path]:
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True).stdout
    return {name: Path(name).resolve() for name in re.findall(r"(/\S+) \(0x", listed)}
