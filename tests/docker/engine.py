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
from importlib.util import find_spec
from pathlib import Path

import pytest

IMAGE = "midair-test/python"
PERL = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/perl-base"
PACKAGES = ("click", "h11", "typing_extensions", "uvicorn", "websockets")  # what an ASGI app needs
EXTENSION = "mmh3"  # what midair's flag client needs beside itself
_SITE = Path(sysconfig.get_path("purelib"))
_SKIPPED_FOLDERS = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"}


class Engine:
    """A running engine: where it listens, and its command line. What is started here has a containerd of its own."""

    def __init__(self, host: str, folder: Path | None = None, *options: str) -> None:
        self.host = host
        self.folder = folder
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.containerd: subprocess.Popen[bytes] | None = None

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the docker command against this engine."""
        done = subprocess.run([command(), "-H", self.host, *arguments], capture_output=True, text=True, timeout=100)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def stop(self) -> None:
        """End the engine if it was started here, and containerd with it."""
        for process in (self.process, self.containerd):
            if process is not None:
                process.terminate()
                process.wait(60)
        self.process = self.containerd = None
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
        """End it in order. Containers end with it, unless it was started with --live-restore."""
        self._owned().terminate()
        self._owned().wait(60)

    def kill(self) -> None:
        """End it with no chance to do anything. Containers go on."""
        self._owned().kill()
        self._owned().wait(60)

    def restart(self, *options: str) -> None:
        """Start it again after it was ended."""
        self.process = self._spawn(*self.options, *options)

    def start(self) -> None:
        """Start containerd, as a service of its own like on any machine with an init system, and the engine."""
        assert self.folder is not None
        config = self.folder / "containerd.toml"
        config.write_text(
            f'version = 2\nroot = "{self.folder}/containerd"\nstate = "{self.folder}/exec/containerd"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self._containerd_socket}"\n'
        )
        with (self.folder / "containerd.log").open("ab") as log:
            self.containerd = subprocess.Popen(
                ["containerd", "--config", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + 30
        while not self._containerd_socket.exists():
            if self.containerd.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"containerd did not start:\n{(self.folder / 'containerd.log').read_text()[-3000:]}"
                )
            time.sleep(0.05)
        self.restart()

    @property
    def _containerd_socket(self) -> Path:
        return Path(f"{self.folder}/containerd.sock")

    def _owned(self) -> "subprocess.Popen[bytes]":
        """Its process. Skips the test when the engine is somebody else's."""
        if self.process is None:
            pytest.skip("the engine was not started by the tests, so it is not theirs to end")
        return self.process

    def _spawn(self, *options: str) -> "subprocess.Popen[bytes]":
        folder = self.folder
        assert folder is not None
        with (folder / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(
                ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
                 "--pidfile", str(folder / "pid"), "-H", self.host, "--containerd", str(self._containerd_socket),
                 "--insecure-registry", "127.0.0.0/8", *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not _answers(self.host):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"dockerd did not start:\n{(folder / 'dockerd.log').read_text()[-3000:]}")
            time.sleep(0.2)
        return process


def command() -> str:
    """Debian's docker command: another one on the PATH may be a newer client without its plugins."""
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else (shutil.which("docker") or "docker")


def start(folder: Path) -> Engine:
    """The user's engine if it answers, else one of our own. Skips (in CI: fails) when neither can be had."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if _answers(host):
        return Engine(host)
    require_own()
    return start_own(folder)


def require_own() -> None:
    """Skips (in CI: fails) where no engine can be started."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        reason = "no Docker engine can be started here (needs root and dockerd)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def start_own(folder: Path, *options: str) -> Engine:
    """An engine with its own data under `folder`. Raises AssertionError with its log when it does not come up."""
    found = Engine(f"unix://{folder}/docker.sock", folder, *options)
    try:
        found.start()
    except AssertionError:
        found.stop()
        raise
    return found


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
        extension = Path(str(find_spec(EXTENSION).origin))
        needed |= _libraries(extension)
        tar.add(extension, f"{inside}/{extension.name}")
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
