"""Rows for how many replicas there are, how they are exchanged, checked, stopped and restarted."""

from midair.plan.table.row import NOT_YET, RUNTIMES, Group, row

_OWN = "midair's own business: the next decision uses it"
_IN_TASK = "part of the task, which Swarm replaces"
_IN_POD = "part of the pod, which Kubernetes replaces"
_UPDATE = "the next change uses it"
_PASSED = "a revision that has passed before is not watched again"

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
        row("deploy.rollback_config", "live", "the next undo or rollback uses it", shown=True),
        row("deploy.rollback_config.monitor", "named", _PASSED, shown=True, **dict.fromkeys(RUNTIMES, _PASSED)),
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

_ENGINE = {"swarm": _IN_TASK, "kubernetes": _IN_POD}
_ASKS = "midair asks: the next check uses it"
_PROVE = "a new check proves itself on new replicas; a wrong one would empty the routes"
_TIMING = {"process": _ASKS, **_ENGINE}
_TAKEN_ALONG = "part of the container"
_IN_PLACE = {"process": _OWN, **_ENGINE}

HEALTH = Group(
    "Health, stopping and restarting",
    "On plain processes midair does all of this itself, so most of it touches no process. What a check asks is "
    "replaced all the same: new replicas have to pass it before the old ones leave, so a wrong check goes back by "
    "itself instead of taking every replica out of the routes.",
    (
        row("healthcheck", "replace", _TAKEN_ALONG, shown=False, process=_PROVE, **_ENGINE),
        row("healthcheck.interval", "live replace replace replace", _TAKEN_ALONG, shown=True, **_TIMING),
        row("healthcheck.timeout", "live replace replace replace", _TAKEN_ALONG, shown=True, **_TIMING),
        row("healthcheck.retries", "live replace replace replace", _TAKEN_ALONG, shown=True, **_TIMING),
        row("healthcheck.start_period", "live replace replace replace", _TAKEN_ALONG, shown=True, **_TIMING),
        row(
            "healthcheck.start_interval",
            "live replace replace replace",
            _TAKEN_ALONG,
            shown=True,
            later="docker",
            **_TIMING,
        ),
        row(
            "stop_signal", "live live replace replace", "midair sends it: the next stop uses it", shown=True, **_ENGINE
        ),
        row(
            "stop_grace_period",
            "live live replace replace",
            "midair waits: the next stop uses it",
            shown=True,
            **_ENGINE,
        ),
        row("pre_stop", "live live named replace", "midair runs it: the next stop uses it", kubernetes=_IN_POD),
        row("restart", "live resize replace replace", "changed in place", shown=True, **_IN_PLACE),
        row("deploy.restart_policy", "live resize replace replace", "changed in place", shown=True, **_IN_PLACE),
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
        row(
            "x-midair.build_env",
            "live named named named",
            "what was built is compared, not what the command sees",
            shown=True,
            docker="a Dockerfile sees build.args alone",
            swarm="a Dockerfile sees build.args alone",
            kubernetes="a Dockerfile sees build.args alone",
        ),
        row(
            "x-midair.shared",
            "replace named named named",
            "files are linked into a release before a replica starts in it",
            shown=True,
            docker="containers keep files in volumes",
            swarm="containers keep files in volumes",
            kubernetes="containers keep files in volumes",
        ),
        row("x-midair.ready", "replace", _PROVE),
        row("x-midair.ready.interval", "live", _ASKS, shown=True),
        row("x-midair.ready.timeout", "live", _ASKS, shown=True),
        row("x-midair.ready.retries", "live", _ASKS, shown=True),
        row("x-midair.rollout", "live", _UPDATE, shown=True),
        row("x-midair.drain", "live", "the router is told: the next drain uses it", shown=True),
        row("x-midair.hold", "live", "the router is told", shown=True),
        row(
            "x-midair.port",
            "replace named named named",
            "what a process is started with names another port",
            shown=True,
            docker="a container has every port of its own",
            swarm="a container has every port of its own",
            kubernetes="a container has every port of its own",
        ),
        row("x-midair.protocol", "live", "the router is told: connections begun before are not touched", shown=True),
        row(
            "x-midair.front",
            "named replace named named",
            "the names of a container are fixed when it is created",
            shown=True,
            swarm="names lead to the engine's own address of a service",
            kubernetes="names lead to a Service",
        ),
        row("x-midair.trusted_proxies", "live", "the router is told: the next request uses it", shown=True),
        row("x-midair.on_change", "named", NOT_YET, process=NOT_YET, docker=NOT_YET, swarm=NOT_YET, kubernetes=NOT_YET),
    ),
)
