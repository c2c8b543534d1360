"""Which paths of a release are links, as the file says it."""

import pytest

from midair.model.project import Link

PLAIN = "{build: ., command: serve, working_dir: /app, volumes: [%s], x-midair: {runtime: process}}"


def test_shared_paths_are_links_that_midair_keeps(service):
    web = service('{build: ./a, command: x, x-midair: {runtime: process, shared: [./db.sqlite3, "media//"]}}')
    assert web.links == (Link("db.sqlite3"), Link("media/"))
    assert all(link.is_kept for link in web.links)


@pytest.mark.parametrize("runtime", ["docker", "swarm", "kubernetes"])
def test_containers_have_no_links(service, runtime):
    web = service("{build: ., command: x, x-midair: {runtime: %s, shared: [db]}}" % runtime)  # noqa: UP031
    assert (web.links, web.shared_place) == ((), "")


def test_services_of_one_build_folder_have_one_place(service):
    def place(context):
        return service("{build: %s, command: x, x-midair: {runtime: process}}" % context).shared_place  # noqa: UP031

    assert place(".") == place("./") == "code"
    assert place("./a") == place("a/") != place("b")
    assert len({place("a/b"), place("a-b"), place("../a"), "code"}) == 4


@pytest.mark.parametrize(
    ("volume", "path", "source", "name"),
    [
        ("./data:/app/data", "data", "./data", ""),
        ("./data:data", "data", "./data", ""),
        ("./data:./var/data", "var/data", "./data", ""),
        ("/srv/x:/app/x/", "x", "/srv/x", ""),
        ("files:/app/files", "files/", "", "files"),
    ],
)
def test_a_volume_inside_the_release_is_a_link(compose, volume, path, source, name):
    text = f"services: {{web: {PLAIN % volume}}}\nvolumes: {{files: }}\n"
    (link,) = compose(text).services["web"].links
    assert (link.path, link.volume, link.is_kept) == (path, name, bool(name))
    assert link.source.startswith("/") == bool(source)
    assert link.source.endswith(source.removeprefix("."))


@pytest.mark.parametrize("volume", ["./data:/var/lib/data", ".:/app", "/app/node_modules", "./x:/app/../x"])
def test_a_volume_elsewhere_is_no_link(service, volume):
    assert service(PLAIN % volume).links == ()
