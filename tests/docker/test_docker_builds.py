"""Images are built of what Docker reads, and once for each content."""

import asyncio
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.docker import engine as engines
from tests.e2e.place import free_port

from midair.errors import BuildTrouble
from midair.model.project import Build, Revision, Service
from midair.runtime.docker.builds import Builds
from midair.runtime.docker.client import connect
from midair.source.context import Contexts
from midair.source.reader import Digests

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(120)]


@asynccontextmanager
async def builds_on(engine, tmp_path):
    """The builds of project "shop", whose images are removed afterwards."""
    client = await connect({"DOCKER_HOST": engine.host})
    builds = Builds(client, "shop", Contexts(Digests(tmp_path / "digests"), tmp_path / "home"), engine.host)
    try:
        yield builds
    finally:
        await builds.prune(set())
        await client.close()


def service(context, **build):
    return Service(name="web", runtime="docker", build=Build(str(context), **{"dockerfile": "Dockerfile", **build}))


def label(engine, tag):
    return engine.docker("inspect", "-f", '{{index .Config.Labels "version"}}', tag)


def test_edited_dockerfile_that_is_ignored_is_built(engine, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (context / ".dockerignore").write_text("Dockerfile\n")
    web = service(context)

    async def run():
        async with builds_on(engine, tmp_path) as builds:
            tags = []
            for version in ("v1", "v2"):
                (context / "Dockerfile").write_text(f"FROM scratch\nLABEL version={version}\n")
                tags.append(await builds.prepare(web, print))
                assert label(engine, tags[-1]) == version
            assert len(set(tags)) == 2
            assert await builds.fingerprint(web) == tags[-1]

    asyncio.run(run())


def test_image_of_the_first_midair_is_kept_until_an_edit(engine, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (context / ".dockerignore").write_text("Dockerfile\n")
    (context / "Dockerfile").write_text("FROM scratch\nLABEL version=v1\n")
    web = service(context)

    async def run():
        async with builds_on(engine, tmp_path) as builds:
            before = Contexts(Digests(tmp_path / "none"), tmp_path / "home").before(web.build).digest
            old = f"midair/shop-web:{before[:16]}"
            await asyncio.sleep(1.1)  # the engine says to the second when an image was made
            engine.docker("build", "-q", "-t", old, "--label", "com.docker.compose.project=shop", str(context))
            known = Revision(id="1", service=web, release=old)
            assert await builds.fingerprint(web, known) == old
            assert await builds.fingerprint(web) != old
            engine.docker("rmi", old)
            assert await builds.fetch(known, print) == ""
            assert label(engine, old) == "v1"
            (context / "Dockerfile").write_text("FROM scratch\nLABEL version=v2\n")
            assert await builds.fingerprint(web, known) != old

    asyncio.run(run())


def test_git_url_is_fetched_by_the_engine(engine, tmp_path):
    work = tmp_path / "app.git"
    work.mkdir()
    (work / "Dockerfile").write_text("FROM scratch\nLABEL version=v1\n")
    git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    port = free_port()
    web = service(f"git://127.0.0.1:{port}/app.git#main")

    async def run():
        async with builds_on(engine, tmp_path) as builds:
            assert label(engine, await builds.prepare(web, print)) == "v1"

    listen = ["--listen=127.0.0.1", f"--port={port}", "--reuseaddr", "--export-all", f"--base-path={tmp_path}"]
    with subprocess.Popen(["git", "daemon", *listen, str(Path(tmp_path))]) as served:
        try:
            asyncio.run(run())
        finally:
            served.terminate()


def test_inline_dockerfile_gets_secrets_and_labels(engine, tmp_path):
    (tmp_path / "context").mkdir()
    (tmp_path / "token").write_text("of a file")
    reads = "open('/run/secrets/one').read() + open('/run/secrets/two').read()"
    mounts = "--mount=type=secret,id=one --mount=type=secret,id=two"
    inline = f"FROM {engines.IMAGE}\nRUN {mounts} python3 -c \"open('/both', 'w').write({reads})\"\n"
    settings = {"dockerfile_inline": inline, "labels": {"version": "v1"}, "tags": ["shop-test:extra"]}
    secrets = {"one": str(tmp_path / "token"), "two": ""}
    web = service(tmp_path / "context", dockerfile=None, settings=settings, secrets=secrets)
    web = replace(web, contents={"build.two": "0"})

    async def run():
        async with builds_on(engine, tmp_path) as builds:
            with pytest.raises(BuildTrouble, match='value of build secret "two"'):
                await builds.prepare(web, print)
            tag = await builds.prepare(web, print, contents={"0": b" and of a variable"})
            assert label(engine, tag) == label(engine, "shop-test:extra") == "v1"
            assert (
                engine.docker("run", "--rm", tag, "python3", "-c", "print(open('/both').read())")
                == "of a file and of a variable"
            )
            engine.docker("rmi", "shop-test:extra")

    asyncio.run(run())


def test_setting_without_an_option_is_refused_by_name(engine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    web = service(tmp_path, settings={"cache_to": ["type=local,dest=/tmp"]})

    async def run():
        async with builds_on(engine, tmp_path) as builds:
            if await builds._builder() == "buildx":
                pytest.skip("the docker command has the plugin")
            (line,) = await builds.unsupported(web)
            assert 'web": the docker command has no option for build.cache_to; install the buildx plugin' in line
            with pytest.raises(BuildTrouble, match=r"build\.cache_to"):
                await builds.prepare(web, print)

    asyncio.run(run())
