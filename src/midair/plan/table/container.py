"""Rows for the surroundings of a replica: network, storage, limits, rights, labels."""

from midair.plan.table.row import NOT_PASSED, Group, row

_FIXED = "fixed when a container is created"
_IN_PLACE = "the limit is changed in place"
_NO_LIMITS = "limits of plain processes are not applied yet"
_WINDOWS = "only engines on Windows have it"
_MOUNT = "mounts are fixed when a container is created"

NETWORK = Group(
    "Ports and networks",
    "Published ports belong to midair's router, so that they outlive every replica. Plain processes use the network "
    "of the machine.",
    (
        row("ports", "live", "the router listens on it: replicas are not touched", shown=True),
        row("expose", "named replace named replace", _FIXED, shown=True),
        row("networks", "named replace replace named", _FIXED, shown=True),
        row("network_mode", "named replace named replace", _FIXED, shown=True),
        row("hostname", "named replace replace replace", _FIXED, shown=True),
        row("domainname", "named replace named replace", _FIXED, shown=True),
        row("mac_address", "named replace named named", _FIXED, shown=True),
        row("dns", "named replace replace replace", _FIXED, shown=True),
        row("dns_opt", "named replace replace replace", _FIXED, shown=True),
        row("dns_search", "named replace replace replace", _FIXED, shown=True),
        row("extra_hosts", "named replace replace replace", _FIXED, shown=True),
        row("links", "named live named named", "replicas that start from now on have it", shown=True),
        row("external_links", "named live named named", "replicas that start from now on have it", shown=True),
    ),
)

STORAGE = Group(
    "Volumes and devices",
    "Plain processes see the file system of the machine. A volume whose target lies in the release is a link there, "
    "and a change of it replaces replicas; the others have no effect. A volume that may be written to says that a "
    "single replica must not run beside its successor, so it is stopped first while requests are held.",
    (
        row(
            "volumes",
            "named replace replace replace",
            _MOUNT,
            shown=True,
            process="plain processes see the machine's own files: only what lies in the release is linked",
        ),
        row("volumes_from", "named replace named named", _MOUNT, shown=True),
        row("tmpfs", "named replace replace replace", _MOUNT, shown=True),
        row("read_only", "named replace replace replace", _MOUNT, shown=True),
        row("shm_size", "named replace named replace", _MOUNT, shown=True),
        row("storage_opt", "named replace named named", _MOUNT, shown=True),
        row("devices", "named replace named named", _FIXED, shown=True),
        row("device_cgroup_rules", "named replace named named", _FIXED, shown=True),
        row("gpus", "named replace named replace", _FIXED, shown=True),
        row("use_api_socket", "named named named named", _MOUNT, shown=True, docker=NOT_PASSED),
    ),
)

_ENGINE = {"process": _NO_LIMITS, "swarm": "part of the task, which Swarm replaces"}
_OLD = {
    "process": _NO_LIMITS,
    "swarm": "Swarm reads deploy.resources alone",
    "kubernetes": "Kubernetes limits cpus, memory and devices alone",
}

LIMITS = Group(
    "Limits",
    "Docker changes most of them in place, and so does Kubernetes with cpus and memory. On plain processes they are "
    "not applied yet, and the plan says so.",
    (
        row("deploy.resources", "named replace replace replace", _FIXED, shown=True, **_ENGINE),
        row("deploy.resources.limits.cpus", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("deploy.resources.limits.memory", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("deploy.resources.limits.pids", "named resize replace named", _IN_PLACE, shown=True, **_ENGINE),
        row("deploy.resources.reservations.cpus", "named named replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("deploy.resources.reservations.memory", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row(
            "deploy.resources.reservations.devices",
            "named replace named replace",
            _FIXED,
            shown=True,
            process=_NO_LIMITS,
        ),
        row(
            "deploy.resources.reservations.generic_resources",
            "named named replace named",
            _FIXED,
            shown=True,
            **_ENGINE,
        ),
        row("cpus", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("mem_limit", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("mem_reservation", "named resize replace resize", _IN_PLACE, shown=True, **_ENGINE),
        row("pids_limit", "named resize replace named", _IN_PLACE, shown=True, **_ENGINE),
        row("memswap_limit", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_shares", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_period", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_quota", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_rt_period", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_rt_runtime", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("cpuset", "named resize named named", _IN_PLACE, shown=True, **_OLD),
        row("blkio_config", "named replace named named", _FIXED, shown=True, **_OLD),
        row("blkio_config.weight", "named replace named named", _IN_PLACE, shown=True, **_OLD),
        row("cpu_count", "named replace named named", _WINDOWS, shown=True),
        row("cpu_percent", "named named named named", _WINDOWS, shown=True, docker=NOT_PASSED),
        row("mem_swappiness", "named replace named named", _FIXED, shown=True, **_OLD),
        row("oom_kill_disable", "named replace named named", _FIXED, shown=True, **_OLD),
        row("oom_score_adj", "named replace named named", _FIXED, shown=True, **_OLD),
        row("ulimits", "named replace replace named", _FIXED, shown=True, process=_NO_LIMITS),
    ),
)

RIGHTS = Group(
    "Rights and isolation",
    "Plain processes are not isolated from each other, and the plan says so when the file asks for it.",
    (
        row("privileged", "named replace named replace", _FIXED, shown=True),
        row("cap_add", "named replace replace replace", _FIXED, shown=True),
        row("cap_drop", "named replace replace replace", _FIXED, shown=True),
        row("security_opt", "named replace named replace", _FIXED, shown=True),
        row("credential_spec", "named named replace replace", _FIXED, docker=NOT_PASSED),
        row("userns_mode", "named replace named replace", _FIXED, shown=True),
        row("cgroup", "named replace named named", _FIXED, shown=True),
        row("cgroup_parent", "named replace named named", _FIXED, shown=True),
        row("ipc", "named replace named replace", _FIXED, shown=True),
        row("pid", "named replace named replace", _FIXED, shown=True),
        row("uts", "named replace named named", _FIXED, shown=True),
        row("isolation", "named replace replace named", _WINDOWS, shown=True),
        row("runtime", "named replace named replace", _FIXED, shown=True),
        row("sysctls", "named replace replace replace", _FIXED, shown=True),
    ),
)

LABELS = Group(
    "Names, labels and logs",
    "Replicas are named by midair, as `web/7f3a91c2/0`, since several run side by side.",
    (
        row("container_name", "named replace named named", _FIXED, shown=True, process="replicas are named by midair"),
        row(
            "labels",
            "live replace replace replace",
            "labels are fixed when a container is created",
            process="plain processes carry no labels: they are kept with the service",
        ),
        row("label_file", "live", "what the file says is compared, as labels"),
        row(
            "annotations",
            "named replace named replace",
            "annotations are fixed when a container is created",
            later="docker",
        ),
        row(
            "logging",
            "named replace replace named",
            _FIXED,
            process="midair writes a replica's output to files of its own",
        ),
        row(
            "attach",
            "named",
            "",
            process="`up` shows the change, not the output",
            docker="`up` shows the change, not the output",
            swarm="`up` shows the change, not the output",
            kubernetes="`up` shows the change, not the output",
        ),
    ),
)
