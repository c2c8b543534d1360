"""The shape of a whole file."""

from midair.spec import short
from midair.spec.shape import dictionary, flag, kept, mapping, scalar, sequence, text, whole
from midair.spec.table import midair
from midair.spec.table.common import LABELS, NAME, ONE_OR_MORE, OPTIONS, TEXTS
from midair.spec.table.service import SERVICE

NETWORK = mapping(
    {
        "name": text(),
        "driver": text(),
        "driver_opts": OPTIONS,
        "ipam": mapping(
            {
                "driver": text(),
                "config": sequence(
                    mapping(
                        {
                            "subnet": text(),
                            "ip_range": text(),
                            "gateway": text(),
                            "aux_addresses": dictionary(text()),
                        }
                    ),
                    unique=lambda node: str(subnet.value) if (subnet := node.get("subnet")) else "",
                    joined=True,
                ),
                "options": OPTIONS,
            }
        ),
        "external": flag(),
        "internal": flag(),
        "attachable": flag(),
        "enable_ipv4": kept(flag()),
        "enable_ipv6": kept(flag()),
        "labels": LABELS,
    },
    null=True,
    tidy=short.external,
)
VOLUME = mapping(
    {"name": text(), "driver": text(), "driver_opts": OPTIONS, "external": flag(), "labels": LABELS},
    null=True,
    tidy=short.external,
)
_FILE = {
    "name": text(),
    "file": text(),
    "environment": text(),
    "external": flag(),
    "labels": LABELS,
    "template_driver": text(),
}
SECRET = mapping({**_FILE, "driver": text(), "driver_opts": OPTIONS}, tidy=short.external)
CONFIG = mapping({**_FILE, "content": text()}, tidy=short.external)
MODEL = mapping(
    {"name": text(), "model": text(), "context_size": whole(0), "runtime_flags": TEXTS}, required=("model",)
)
INCLUDE = mapping(
    {"path": ONE_OR_MORE, "env_file": ONE_OR_MORE, "project_directory": text()},
    required=("path",),
    short=short.named("path"),
)

PROJECT = mapping(
    {
        "version": scalar(),
        "name": text(),
        "include": sequence(INCLUDE, unique=None),
        "services": dictionary(SERVICE, key=NAME, keep=True),
        "networks": dictionary(NETWORK, key=NAME),
        "volumes": dictionary(VOLUME, key=NAME),
        "secrets": dictionary(SECRET, key=NAME),
        "configs": dictionary(CONFIG, key=NAME),
        "models": dictionary(MODEL, key=NAME),
        "x-midair": midair.PROJECT,
    }
)
