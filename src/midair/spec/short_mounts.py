"""Short forms of `ports` and `volumes`. Raises BadShort."""

import re
from typing import Any

from midair.spec.node import Node
from midair.spec.problems import got
from midair.spec.shape import BadShort
from midair.spec.short import is_path

_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:.%]+\]|[0-9.]+|[0-9a-fA-F:]*::[0-9a-fA-F:.]*|):)?(?P<published>\d*(?:-\d+)?):)?"
    r"(?P<target>\d+(?:-\d+)?)(?:/(?P<protocol>[A-Za-z]+))?"
)
_FORMAT = '"[[address:]published:]target[/protocol]"'
_PROPAGATIONS = ("rprivate", "private", "rshared", "shared", "rslave", "slave")


def ports(node: Node) -> list[Node]:
    """ "127.0.0.1:8000-8001:80-81/tcp" is two mappings of one port each."""
    if node.is_mapping:
        outside = node.get("published")
        if outside is not None and not _is_published(outside.value):
            raise BadShort(f"published should be a port between 1 and 65535 or a range, got {got(outside.value)}")
        return [node]
    if isinstance(node.value, bool) or not isinstance(node.value, int | str):
        raise BadShort(f"should be {_FORMAT}, got {got(node.value)}")
    match = _PORT.fullmatch(str(node.value))
    if match is None:
        raise BadShort(f"should be {_FORMAT}, got {got(node.value)}")
    targets = _range(match["target"])
    published = _range(match["published"]) if match["published"] else []
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise BadShort(f'the protocol should be "tcp", "udp" or "sctp", got {got(match["protocol"])}')
    address = (match["ip"] or "").strip("[]")
    if len(targets) == 1 and len(published) > 1:  # any of these, as the engine likes
        return [_port(node, targets[0], f"{published[0]}-{published[-1]}", address, protocol)]
    if published and len(published) != len(targets):
        raise BadShort(f"both ranges should be of the same length, got {got(node.value)}")
    texts = [str(each) for each in published] or [""] * len(targets)
    return [_port(node, target, text, address, protocol) for target, text in zip(targets, texts, strict=True)]


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    low, high = int(first[:9]), int((last or first)[:9])
    if not 0 <= low <= 65535 or not 0 <= high <= 65535:
        raise BadShort(f"a port should be between 1 and 65535, got {got(text)}")
    if high < low:
        raise BadShort(f"a range should go upward, got {got(text)}")
    return list(range(low, high + 1))


def _is_published(value: Any) -> bool:
    if value is None or value == "":
        return True
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,5}(-\d{1,5})?", str(value)):
        return False
    numbers = [int(end) for end in str(value).split("-")]
    return numbers == sorted(numbers) and numbers[-1] <= 65535


def _port(node: Node, target: int, published: str, address: str, protocol: str) -> Node:
    entries: dict[str, Any] = {"mode": "ingress", "target": target, "protocol": protocol}
    if published:
        entries["published"] = published
    if address:
        entries["host_ip"] = address
    return node.make(entries)


def port_key(node: Node) -> str:
    """Ports with the same address, numbers and protocol are one."""
    published, target = node.get("published"), node.get("target")
    host, protocol = node.get("host_ip"), node.get("protocol")
    parts = (host.value if host else "0.0.0.0", published.value if published else "", target.value if target else "")
    return f"{':'.join(map(str, parts))}/{protocol.value if protocol else 'tcp'}"


def volumes(node: Node) -> Node:
    """ "source:target:options"; what starts like a path is a bind mount."""
    if not isinstance(node.value, str):
        return node
    parts = _split(node.value)
    if not all(parts) or len(parts) > 3:
        raise BadShort(f'should be "[source:]target[:options]", got {got(node.value)}')
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    entries: dict[str, Any] = {"target": target}
    details: dict[str, Any] = {}
    if source:
        entries["source"] = source
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option == "ro":
            entries["read_only"] = True
        elif option == "nocopy":
            details["nocopy"] = True
        elif option in ("z", "Z"):
            details["selinux"] = option
        elif option in _PROPAGATIONS:
            details["propagation"] = option
    if is_path(source):
        bind = {key: value for key, value in details.items() if key != "nocopy"}
        entries |= {"type": "bind", "bind": {"create_host_path": True, **bind}}
    else:
        volume = {key: value for key, value in details.items() if key == "nocopy"}
        entries |= {"type": "volume", "volume": volume}
    return node.make(entries)


def _split(text: str) -> list[str]:
    parts = text.split(":")
    for index in (1, 0):  # C:\data is one part
        if (
            len(parts) > index + 1
            and len(parts[index]) == 1
            and parts[index].isalpha()
            and parts[index + 1][:1] in "\\/"
        ):
            parts[index : index + 2] = [":".join(parts[index : index + 2])]
    return parts


def target_key(node: Node) -> str:
    """Mounts at the same place are one."""
    target = node.get("target")
    return _clean(str(target.value)) if target else ""


def _clean(path: str) -> str:
    return path.rstrip("/") or "/"


def source_key(node: Node) -> str:
    """Configs and secrets that are put at the same place are one."""
    target = node.get("target") or node.get("source")
    name = str(target.value) if target else ""
    return name.removeprefix("/run/secrets/").removeprefix("/")
