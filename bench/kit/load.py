"""Load by wrk: requests per second, latency, and what it cost the proxy."""

import re
import subprocess
from pathlib import Path

import msgspec

from bench.kit.cpu import cpu_seconds, pin
from bench.kit.proxies import SERVER_CORE, Proxy

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1000.0}
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
    "Referer": "http://localhost/shop/",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Upgrade-Insecure-Requests": "1",
    "Priority": "u=0, i",
}
UNLIKE = """
local n = 0
function request()
  n = n + 1
  wrk.headers["Cookie"] = "session=" .. n .. "abcdef0123456789"
  return wrk.format("GET", "/item/" .. n)
end
"""


class Sample(msgspec.Struct, frozen=True):
    """One run."""

    per_second: float
    cpu_us: float  # of the proxy, per request
    p50_ms: float
    p99_ms: float
    failed: int


def run_wrk(
    folder: Path, proxy: Proxy, seconds: float, *, connections: int = 64, kind: str = "plain", pause_ms: int = 0
) -> Sample:
    """Kinds: "plain" (wrk's own two headers), "browser" (11 more), "unlike" (each request has another head).

    Each connection waits for `pause_ms` between an answer and its next request."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{proxy.port}/"]
    if kind != "plain":
        command += [part for name, value in BROWSER.items() for part in ("-H", f"{name}: {value}")]
    lines = UNLIKE if kind == "unlike" else ""
    if pause_ms:
        lines += f"function delay() return {pause_ms} end\n"
    if lines:
        script = folder / "load.lua"
        script.write_text(lines)
        command += ["-s", str(script)]
    before = cpu_seconds(proxy.pid)
    out = subprocess.run([*pin(SERVER_CORE), *command], capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(proxy.pid) - before
    requests = int(_find(r"(\d+) requests in", out))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    failed = sum(map(int, errors.groups())) if errors else 0
    if other := re.search(r"Non-2xx or 3xx responses: (\d+)", out):
        failed += int(other[1])
    return Sample(
        float(_find(r"Requests/sec:\s+([\d.]+)", out)), spent / max(requests, 1) * 1e6,
        _milliseconds(r"50%\s+([\d.]+\w+)", out), _milliseconds(r"99%\s+([\d.]+\w+)", out), failed,
    )  # fmt: skip


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"wrk said something unexpected: {text}")
    return match[1]


def _milliseconds(pattern: str, text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", _find(pattern, text)).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
