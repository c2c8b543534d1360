"""A Debian machine with the servers installed, as stacks that run as processes need it; the network is the test's."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.stacks.images.build import HERE as IMAGES

REPOSITORY = Path(__file__).parents[2]
# The names of services lead to this machine, as people write them who move from Compose to processes.
HOSTS = "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {names}\n"
# Mounts end with the process that made them, so that none is left. "$1" is the root, the words after "--" the command.
ENTER = """#!/bin/sh
exec unshare --mount --propagation private sh -c '
  root=$1; shift
  for folder in {folders}; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; done
  exec chroot "$root" sh -c "cd \\"\\$1\\" && shift && exec \\"\\$@\\"" sh "$PWD" "$@"' sh {root} {command}"$@"
"""
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/postgresql/15/bin"

SERVERS = {"postgres": "postgres", "mysql": "mysqld"}
DATA = ("PGDATA=/var/lib/postgresql/data",)
ENTRYPOINTS = ("mysql", "postgres", "redis")


class Machine:
    """The root file system in `folder`, and the folder `bin` with commands that run inside."""

    def __init__(self, folder, archive):
        self.root, self.bin = folder / "root", folder / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(self.root)], check=True, timeout=200)
        for server in ENTRYPOINTS:
            script = self.root / "usr/local/bin" / f"{server}-entrypoint"
            shutil.copy(IMAGES / server / "docker-entrypoint.sh", script)
            script.chmod(0o755)
        shutil.copy(IMAGES / "python" / "probe.py", self.root / "usr/lib/python3/dist-packages")
        (self.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        self._command("midair", f"{sys.prefix}/bin/midair ")
        self._command("inside", "")

    def make_ready(self, stack, services):
        """Make new databases, with the stack's own first statements. Names of services lead to this machine."""
        links = [link.partition(":")[2] for service in services.values() for link in service.get("links", ())]
        (self.root / "etc/hosts").write_text(HOSTS.format(names=" ".join([*services, *links])))
        for folder in ("var/lib/postgresql/data", "var/lib/mysql", "docker-entrypoint-initdb.d"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / folder).mkdir(parents=True)
        for statements in stack.glob("*.sql"):
            shutil.copy(statements, self.root / "docker-entrypoint-initdb.d")
        # Beforehand: while a new database is made, its check is answered by a server that only the socket reaches.
        for service in services.values():
            server = service.get("image", "").partition(":")[0].replace("mariadb", "mysql")
            if server in SERVERS:
                variables = service["environment"]
                if isinstance(variables, dict):
                    variables = [f"{name}={value}" for name, value in variables.items()]
                make = ["env", *DATA, *variables, f"{server}-entrypoint", SERVERS[server], "--version"]
                subprocess.run([self.bin / "inside", *make], check=True, capture_output=True, timeout=60)

    def _command(self, name, program):
        folders = ["/proc", "/dev", str(self.bin.parents[1]), str(REPOSITORY)]
        folders += [folder for folder in (sys.prefix, sys.base_prefix) if folder != "/usr"]
        script = self.bin / name
        script.write_text(ENTER.format(root=self.root, command=program, folders=" ".join(dict.fromkeys(folders))))
        script.chmod(0o755)
