"""Compose text becomes a `Project`: everything that is wrong with the files is told at once, with its place.

Pure: text comes through a reader, variables through a mapping. The thin shell that finds files is `midair.cli.load`.

    project = load(
        files=("/srv/shop/compose.yaml", "/srv/shop/compose.override.yaml"),  # absolute, in merge order
        reader=read,                # Callable[[str], str]: absolute path -> text; raises OSError or UnicodeDecodeError
        environment=environment,    # for interpolation: the shell's variables over those of `.env`
        folder="/srv/shop",         # absolute project directory; default: the folder of the first file
        project_name="shop",        # `-p`; default: COMPOSE_PROJECT_NAME, then `name:`, then the folder's name
        profiles=("debug",),        # "*" activates all
        shell={"PATH": "/usr/bin"}, # kept in Project.shell as it is
    )

Raises `midair.errors.FileRefused` with every `Problem`, and nothing else.

`Project.fields` is what `docker compose config --format json --no-path-resolution` prints (with `$` not doubled);
`Service.fields` is one service of it without `x-midair`. `known_fields()` lists the path of every field that a
Compose service can have ("deploy.resources.limits.memory", "environment.*", "ports[].published"); `describe(path)`
says what is known about one.
"""

from midair.spec.load import load
from midair.spec.schema import Field, describe, known_fields

__all__ = ["Field", "describe", "known_fields", "load"]
