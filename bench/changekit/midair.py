"""Code changed by midair."""

from pathlib import Path

from tests.e2e.place import Place
from tests.e2e.shop import compose, service

from bench.changekit.peer import Peer


class Midair(Peer):
    """`midair up`, with a process of uvicorn for each replica."""

    name = "midair up (uvicorn)"
    monitor = "1s"

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        super().__init__(self.place.folder)
        about = service("web", self.port, app=self.app, replicas=2, together=0, monitor=self.monitor, drain="10s")
        self.place.write(compose(web=about))

    def start(self) -> None:
        self.place.midair("up", expect=0)

    def change(self) -> None:
        self.place.midair("up", expect=0)

    def stop(self) -> None:
        self.place.close()


class MidairWsgi(Midair):
    """`midair up`, with a gunicorn for each replica."""

    name, app = "midair up (gunicorn)", "wsgi"


class MidairUnwatched(Midair):
    """Without a time in which the new code is watched while the old is still there, as nobody else has one either."""

    name, monitor = "midair up (uvicorn, monitor 1ms)", "1ms"
