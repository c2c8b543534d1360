"""Which files are read: as Docker Compose looks for them."""

import pytest

from midair.cli.load import LARGEST, load_project
from midair.errors import FileRefused, NotFound

WEB = "services: {web: {image: one}}\n"


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(place, *args, environ=None, **options):
    project = load_project(*args, cwd=place, environ=environ or {}, **options)
    return [path.removeprefix(str(place.parent) + "/") for path in project.files]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"])
def test_each_usual_name_is_found(place, name):
    (place / name).write_text(WEB)
    assert found(place) == [f"shop/{name}"]


def test_compose_yaml_goes_before_the_old_names(place):
    write(place, compose_yaml=WEB)
    (place / "docker-compose.yml").write_text(WEB)
    assert found(place) == ["shop/compose.yaml"]


def test_an_override_file_beside_it_is_merged(place):
    write(place, compose_yaml=WEB, compose_override_yaml="services: {web: {image: two}}")
    assert found(place) == ["shop/compose.yaml", "shop/compose.override.yaml"]
    assert load_project(cwd=place, environ={}).services["web"].image == "two"


def test_parent_folders_are_searched(place):
    write(place, compose_yaml=WEB, deep__er__x="")
    project = load_project(cwd=place / "deep" / "er", environ={})
    assert (project.folder, project.name) == (str(place), "shop")


def test_files_that_are_named_are_merged_without_the_override_file(place):
    write(place, compose_yaml=WEB, compose_override_yaml="no: yaml", other__a_yaml="services: {web: {command: b}}")
    project = load_project(["compose.yaml", "other/a.yaml"], cwd=place, environ={})
    assert project.services["web"].command == ("b",)
    assert project.folder == str(place)


def test_compose_file_of_the_shell_or_of_dotenv_names_files(place):
    write(place, a_yaml=WEB, b_yaml="services: {web: {image: two}}", _env="COMPOSE_FILE=a.yaml:b.yaml")
    assert found(place) == ["shop/a.yaml", "shop/b.yaml"]
    assert found(place, environ={"COMPOSE_FILE": "a.yaml"}) == ["shop/a.yaml"]
    assert found(place, environ={"COMPOSE_FILE": "a.yaml,b.yaml", "COMPOSE_PATH_SEPARATOR": ","})[1:] == ["shop/b.yaml"]


def test_dotenv_gives_variables_and_the_shell_wins(place):
    write(place, compose_yaml="services: {web: {image: '$A-$B'}}", _env="A=file\nB=${A}")
    assert load_project(cwd=place, environ={}).services["web"].image == "file-file"
    assert load_project(cwd=place, environ={"A": "shell"}).services["web"].image == "shell-shell"


def test_env_files_that_are_named_take_the_place_of_dotenv(place):
    write(place, compose_yaml="services: {web: {image: 'x$A$B$C'}}", _env="A=no", one_env="B=1\nC=1", two_env="C=2$B")
    project = load_project(env_files=["one.env", "two.env"], cwd=place, environ={})
    assert project.services["web"].image == "x121"


def test_names_and_profiles_come_from_options_and_the_shell(place):
    write(place, compose_yaml="services: {a: {image: x}, b: {image: x, profiles: [p]}, c: {image: x, profiles: [q]}}")
    project = load_project(project_name="mine", profiles=["p"], cwd=place, environ={"COMPOSE_PROFILES": "q,r"})
    assert (project.name, sorted(project.services)) == ("mine", ["a", "b", "c"])
    assert list(load_project(cwd=place, environ={"COMPOSE_PROJECT_NAME": "theirs"}).services) == ["a"]


def test_only_what_programs_expect_is_kept_of_the_shell(place):
    write(place, compose_yaml=WEB)
    project = load_project(cwd=place, environ={"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "secret"})
    assert project.shell == {"PATH": "/bin", "LC_ALL": "C", "PWD": str(place)}


def test_no_file_anywhere_is_said_with_a_hint(place):
    with pytest.raises(NotFound, match=r"cannot find a Compose file: no compose\.yaml in") as caught:
        load_project(cwd=place, environ={})
    assert caught.value.hint == "write one, or name it with -f"


def test_a_named_file_that_is_not_there_is_said(place):
    with pytest.raises(NotFound, match=r'cannot read ".*/shop/gone\.yaml": no such file'):
        load_project(["gone.yaml"], cwd=place, environ={})


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("compose.yaml", b"a: \xff", "not UTF-8 text at byte 3"),
        ("compose.yaml", b"#" * (LARGEST + 1), f"larger than {LARGEST} bytes"),
        (".env", b"A B=1", ".env:1:1 should be NAME=value"),
        (".env", b"\xff", "cannot read variables"),
    ],
)
def test_a_file_that_is_no_text_is_refused(place, name, data, message):
    write(place, compose_yaml=WEB)
    (place / name).write_bytes(data)
    with pytest.raises(FileRefused) as caught:
        load_project(cwd=place, environ={})
    assert message in str(caught.value)


def test_an_env_file_that_is_named_has_to_be_there(place):
    write(place, compose_yaml=WEB)
    with pytest.raises(FileRefused, match="no such file"):
        load_project(env_files=["gone.env"], cwd=place, environ={})
