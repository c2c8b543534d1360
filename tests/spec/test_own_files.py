"""Files of the project itself do not count as code of a service that is built from their folder."""

FILES = {"base.yaml": "services: {x: {build: ., command: run}}", "live/f[1].json": ""}


def test_files_of_the_project_are_left_out_of_its_releases(compose):
    project = compose(
        "x-midair: {flags: 'live/f[1].json'}\n"
        "services:\n"
        "  web: {extends: {file: base.yaml, service: x}}\n"
        "  api: {build: ./live, command: run, x-midair: {build: {ignore: ['!f*.json']}}}\n"
        "  far: {build: 'https://example.org/x.git', command: run}\n",
        "services: {web: {environment: {A: b}}}",
        files=FILES,
    )
    ignored = {name: service.build.ignore for name, service in project.services.items()}
    assert set(ignored["web"]) == {"/compose.yaml", "/compose1.yaml", "/base.yaml", "/live/f\\[1\\].json"}
    assert ignored["api"] == ("/f\\[1\\].json", "!f*.json")
    assert ignored["far"] == ()
