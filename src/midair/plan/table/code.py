"""Rows for what a replica runs: code, command, environment, and where these come from."""

from midair.plan.table.row import NOT_PASSED, Group, row

_AT_START = "a process is given it when it starts"
_BUILD = "only a build uses it: what was built is compared, not how"

RUN = Group(
    "What runs",
    "Together with the code these make a revision: when one of them changes, replicas of the new revision take over.",
    (
        row(
            "build",
            "live live named named",
            "what was built is compared, not how",
            process="the content of the folder is compared, not this field",
        ),
        row(
            "build.context", "live live named named", "the content of the folder is compared, not its name", shown=True
        ),
        row("build.args", "named live named named", _BUILD),
        row("build.secrets", "named live named named", _BUILD),
        row("build.ssh", "named live named named", _BUILD),
        row(
            "build.dockerfile",
            "live live named named",
            _BUILD,
            process="the process runtime reads no Dockerfile",
            shown=True,
        ),
        row(
            "build.target",
            "named live named named",
            _BUILD,
            process="the process runtime reads no Dockerfile",
            shown=True,
        ),
        row(
            "image",
            "named replace replace replace",
            "the code of a replica is fixed when it starts",
            shown=True,
            process="plain processes run no image",
        ),
        row(
            "pull_policy",
            "named live named replace",
            "used when the image is looked up next",
            kubernetes="part of the pod",
            shown=True,
        ),
        row("pull_refresh_after", "named", NOT_PASSED, shown=True, docker=NOT_PASSED),
        row(
            "platform",
            "named named named replace",
            "the code of a replica is fixed when it starts",
            shown=True,
            docker=NOT_PASSED,
        ),
        row("command", "replace", "the command line is fixed when a replica starts"),
        row("entrypoint", "replace", "the command line is fixed when a replica starts"),
        row("environment", "replace", "the environment is fixed when a replica starts"),
        row("env_file", "live", "what the file says is compared, as environment"),
        row("working_dir", "replace", _AT_START, shown=True),
        row("user", "replace", _AT_START, shown=True),
        row("group_add", "named replace replace replace", _AT_START, shown=True),
        row("init", "named replace replace named", _AT_START, shown=True, kubernetes="the pod's own init is used"),
        row("stdin_open", "named replace replace replace", _AT_START, shown=True),
        row("tty", "named replace replace replace", _AT_START, shown=True),
        row(
            "pre_start",
            "refuse",
            "midair does not run it yet; write a service that ends, and wait for it: depends_on with "
            "condition: service_completed_successfully",
        ),
        row("post_start", "replace replace named replace", "it has run in the replicas that are there"),
        row("configs", "named replace replace replace", "its files are part of a revision"),
        row("secrets", "named replace replace replace", "its files are part of a revision"),
        row(
            "models",
            "named",
            "midair starts no models",
            process="midair starts no models",
            docker="midair starts no models",
            swarm="midair starts no models",
            kubernetes="midair starts no models",
        ),
        row("provider", "refuse", "midair runs services itself and calls no provider"),
        row("extends", "live", "resolved when the file is read"),
        row("profiles", "live", "says only whether the service is active", shown=True),
        row("develop", "live", "only development uses it"),
    ),
)
