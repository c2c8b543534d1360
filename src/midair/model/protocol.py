"""What is probably spoken on a port that nobody says anything about."""

from typing import Literal

# What listens on these ports does not speak HTTP/1.1 in the clear.
_TCP_PORTS = frozenset((
    21, 22, 23, 25, 53, 110, 111, 139, 143, 389, 443, 445, 465, 514, 587, 636, 853, 873, 993, 995, 1433, 1521, 1883,
    2049, 2181, 2379, 2380, 3306, 3389, 4222, 5060, 5222, 5432, 5433, 5671, 5672, 5900, 6222, 6379, 6380, 6432, 6443,
    7687, 8443, 8883, 9042, 9092, 9093, 9094, 9300, 11211, 15432, 16379, 25565, 26257, 26379, 27017, 27018, 27019,
    28015, 33060, 50051, 61616,
))  # fmt: skip

_HTTP_PORTS = frozenset((80, 81, 591, 2368, 5000, 5001, 5173, 5601, 9000, 9080, 9090, *range(3000, 3010), 4000, 4200))


def is_usual_for_http(port: int) -> bool:
    """Whether people expect a web application on this port."""
    return port in _HTTP_PORTS or 8000 <= port < 9000


def likely_protocol(port: int) -> Literal["http", "tcp"]:
    """HTTP, unless the port is one that is well known for something else."""
    return "tcp" if port in _TCP_PORTS else "http"
