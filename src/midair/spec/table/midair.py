"""Shapes of `x-midair`: what Compose has no word for. Snake case, and defaults that need none of it."""

from midair.spec import short
from midair.spec.shape import ANYTHING, choice, dictionary, duration, flag, kept, mapping, scalar, sequence, text, whole
from midair.spec.table.common import ONE_OR_MORE

RUNTIME = choice("process", "docker", "swarm", "kubernetes")

PROXIES = sequence(text(), short=short.one_as_list, keep=True)  # an empty list of a service is not the project's
PROJECT = mapping({"runtime": RUNTIME, "flags": ANYTHING, "trusted_proxies": PROXIES})

STEP = mapping(
    {
        "weight": whole(0, 100, keep=True),
        "pause": scalar(null=True, keep=True, short=short.pause),  # a duration; true or nothing: until promoted
        "analysis": text(),
    },
)
SERVICE = mapping(
    {
        "runtime": RUNTIME,
        "ready": mapping(
            {
                "http": text(),
                "tcp": flag(),
                "command": sequence(text(), short=short.command, whole=True),
                "interval": kept(duration()),
                "timeout": kept(duration()),
                "retries": whole(1),
                "host": text(),
                "headers": dictionary(scalar(), private=True),
            }
        ),
        "rollout": mapping(
            {
                "strategy": choice("rolling", "recreate", "canary", "blue-green"),
                "steps": sequence(STEP, whole=True),
                "stick_by": text(),
                "progress_deadline": duration(),
            }
        ),
        "drain": mapping(
            {
                "timeout": kept(duration()),
                "long_lived": choice("close", "wait"),
                "websocket": kept(duration()),
                "in_surge": flag(),
            }
        ),
        "hold": mapping({"timeout": kept(duration()), "max_requests": whole(0, keep=True)}),
        "on_change": dictionary(text()),
        "port": choice("own", "literal"),
        "protocol": choice("http", "tcp"),
        "front": choice("none"),
        "trusted_proxies": PROXIES,
        "shared": ONE_OR_MORE,
        "build_env": sequence(text(), short=short.one_as_list, keep=True),  # an empty list: none of them
        "build": mapping({"command": text(), "ignore": ONE_OR_MORE}, short=short.named("command")),
    }
)
