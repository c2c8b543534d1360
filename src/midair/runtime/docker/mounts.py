"""`volumes` of a service → `Mounts` and `Binds` of the engine. Pure.

A folder of this machine that is made where it is missing, or labelled for SELinux, is a bind, as Compose has it: the
engine has no word for either in a mount.
"""

from typing import Any

_RECURSIVE = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}


def is_bind(entry: dict[str, Any], source: str) -> bool:
    """Whether an entry is written as a bind. A path with a colon cannot be."""
    bind = entry.get("bind") or {}
    wanted = bind.get("selinux") or (bind.get("create_host_path") and not bind.get("recursive"))
    return entry.get("type") == "bind" and bool(wanted) and ":" not in source + entry["target"]


def bind(entry: dict[str, Any], source: str) -> str:
    """SOURCE:TARGET:OPTIONS."""
    settings = entry.get("bind") or {}
    options = ["ro" if entry.get("read_only") else "rw", settings.get("selinux"), settings.get("propagation")]
    return ":".join((source, entry["target"], ",".join(option for option in options if option)))


def mount(entry: dict[str, Any], source: str) -> dict[str, Any]:
    """An entry as a mount. `source` as the engine knows it; "": it makes a volume for this container alone."""
    kind = entry.get("type", "volume")
    body: dict[str, Any] = {"Type": kind, "Target": entry["target"], "ReadOnly": bool(entry.get("read_only"))}
    if source or kind not in ("volume", "tmpfs"):
        body["Source"] = source
    options = _OPTIONS[kind](entry.get(kind) or {}) if kind in _OPTIONS else {}
    return body | ({f"{kind.title()}Options": options} if options else {})


def _bind_options(settings: dict[str, Any]) -> dict[str, Any]:
    options = {"Propagation": settings["propagation"]} if settings.get("propagation") else {}
    recursive = _RECURSIVE.get(settings.get("recursive", ""))
    return options | ({recursive: True} if recursive else {})


def _volume_options(settings: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"NoCopy": True} if settings.get("nocopy") else {}
    options |= {"Labels": settings["labels"]} if settings.get("labels") else {}
    return options | ({"Subpath": settings["subpath"]} if settings.get("subpath") else {})


def _tmpfs_options(settings: dict[str, Any]) -> dict[str, Any]:
    names = (("size", "SizeBytes"), ("mode", "Mode"))
    return {key: int(settings[name]) for name, key in names if settings.get(name)}


def _image_options(settings: dict[str, Any]) -> dict[str, Any]:
    return {"Subpath": settings["subpath"]} if settings.get("subpath") else {}


_OPTIONS = {"bind": _bind_options, "volume": _volume_options, "tmpfs": _tmpfs_options, "image": _image_options}
