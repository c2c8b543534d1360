"""Shapes of `deploy` and `develop`."""

from dataclasses import replace

from midair.spec import short
from midair.spec.shape import Shape, choice, duration, flag, kept, mapping, number, sequence, size, text, whole
from midair.spec.table.common import DEVICE_REQUEST, HOOK, LABELS, ONE_OR_MORE, TEXTS


def _update(*actions: str) -> Shape:
    return mapping(
        {
            "parallelism": whole(0, keep=True),
            "delay": duration(),
            "failure_action": choice(*actions),
            "monitor": duration(),
            "max_failure_ratio": number(0, 1),
            "order": choice("start-first", "stop-first"),
        }
    )


_GENERIC = sequence(
    mapping(
        {
            "discrete_resource_spec": mapping({"kind": text(), "value": whole(0, keep=True)}),
        }
    ),
    unique=None,
)

DEPLOY = mapping(
    {
        "mode": choice("replicated", "global", "replicated-job", "global-job"),
        "endpoint_mode": choice("vip", "dnsrr"),
        "replicas": whole(0, 10_000, keep=True),
        "labels": LABELS,
        "update_config": _update("rollback", "pause", "continue"),
        "rollback_config": _update("pause", "continue"),
        "resources": mapping(
            {
                "limits": mapping({"cpus": number(0), "memory": size(), "pids": whole(-1)}),
                "reservations": mapping(
                    {
                        "cpus": number(0),
                        "memory": size(),
                        "pids": whole(-1),
                        "generic_resources": _GENERIC,
                        "devices": sequence(replace(DEVICE_REQUEST, required=("capabilities",)), unique=None),
                    }
                ),
            }
        ),
        "restart_policy": mapping(
            {
                "condition": choice("none", "on-failure", "any", "unless-stopped"),
                "delay": kept(duration()),
                "max_attempts": whole(0, keep=True),
                "window": kept(duration()),
            }
        ),
        "placement": mapping(
            {
                "constraints": TEXTS,
                "preferences": sequence(mapping({"spread": text()}), unique=None),
                "max_replicas_per_node": whole(0),
            }
        ),
    }
)

DEVELOP = mapping(
    {
        "watch": sequence(
            mapping(
                {
                    "path": text(),
                    "action": choice("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
                    "target": text(),
                    "exec": HOOK,
                    "ignore": ONE_OR_MORE,
                    "include": ONE_OR_MORE,
                    "initial_sync": flag(),
                },
                required=("path", "action"),
                many=short.watch_paths,
            ),
            unique=None,
        )
    }
)
