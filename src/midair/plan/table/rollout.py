"""Rows for how many replicas there are, how they are exchanged, checked, stopped and restarted."""

from midair.plan.table.row import Group, row

_OWN = "midair's own business: the next decision uses it"
_HEALTH = "midair runs the check itself: the next one uses it"
_IN_TASK = "part of the task, which Swarm replaces"
_IN_POD = "part of the pod, which Kubernetes replaces"
_UPDATE = "the next change uses it"

COUNT = Group(
    "Replicas and rollouts",
    "How many there are, in which order they are exchanged, and what counts as a failure. `scale` and "
    "`deploy.replicas` mean the same.",
    (
        row("deploy", "live", _OWN),
        row(
            "deploy.replicas",
            "live",
            "replicas are started, or drained and stopped; the others are not touched",
            shown=True,
        ),
        row("scale", "live", "replicas are started, or drained and stopped; the others are not touched", shown=True),
        row(
            "deploy.mode", "named named recreate recreate", "the engine cannot turn one kind into the other", shown=True
        ),
        row("deploy.update_config", "live", _UPDATE, shown=True),
        row("deploy.rollback_config", "live", _UPDATE, shown=True),
        row("deploy.labels", "named named live live", "labels of the service, not of its replicas"),
        row(
            "deploy.endpoint_mode",
            "named named live recreate",
            "the engine exchanges the address of the service",
            shown=True,
            kubernetes="the kind of a Service's address cannot be changed",
        ),
        row("deploy.placement", "named named replace replace", "replicas may have to move", shown=True),
        row("depends_on", "live", "used when services start together", shown=True),
        row("depends_on.*.restart", "live", "used when the other service is exchanged", shown=True),
    ),
)

HEALTH = Group(
    "Health, stopping and restarting",
    "On plain processes midair does all of this itself, so none of it touches a process.",
    (
        row(
            "healthcheck",
            "live replace replace replace",
            "part of the container",
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "healthcheck.interval",
            "live replace replace replace",
            "part of the container",
            shown=True,
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "healthcheck.timeout",
            "live replace replace replace",
            "part of the container",
            shown=True,
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "healthcheck.retries",
            "live replace replace replace",
            "part of the container",
            shown=True,
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "healthcheck.start_period",
            "live replace replace replace",
            "part of the container",
            shown=True,
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "healthcheck.start_interval",
            "live replace replace replace",
            "part of the container",
            shown=True,
            process=_HEALTH,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "stop_signal",
            "live live replace replace",
            "midair sends it: the next stop uses it",
            shown=True,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "stop_grace_period",
            "live live replace replace",
            "midair waits for it: the next stop uses it",
            shown=True,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row("pre_stop", "live live named replace", "midair runs it: the next stop uses it", kubernetes=_IN_POD),
        row(
            "restart",
            "live resize replace replace",
            "changed in place",
            shown=True,
            process=_OWN,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
        row(
            "deploy.restart_policy",
            "live resize replace replace",
            "changed in place",
            shown=True,
            process=_OWN,
            swarm=_IN_TASK,
            kubernetes=_IN_POD,
        ),
    ),
)

MIDAIR = Group(
    "`x-midair` of a service",
    "What Compose has no word for.",
    (
        row("x-midair", "live", _OWN),
        row(
            "x-midair.runtime",
            "refuse",
            "a service that runs cannot go to another runtime: take it down first",
            shown=True,
        ),
        row("x-midair.build", "live", "the content of the folder is compared, without what is ignored"),
        row("x-midair.build.command", "replace", "it is part of what makes a release"),
        row("x-midair.ready", "live live live live", _HEALTH),
        row("x-midair.rollout", "live", _UPDATE, shown=True),
        row("x-midair.drain", "live", "the router is told: the next drain uses it", shown=True),
        row("x-midair.hold", "live", "the router is told", shown=True),
        row("x-midair.protocol", "live", "the router is told: connections begun before are not touched", shown=True),
        row("x-midair.on_change", "live", "the next change of these files uses it"),
    ),
)
