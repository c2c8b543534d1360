"""CPU time of processes, read from the kernel: steadier than wall time on a shared machine."""

import os


def cpu_seconds(pid: int) -> float:
    """Time that all threads of a process have spent running."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
            total += int(stat.read().split()[0])
    return total / 1e9


def resident_mb(pid: int) -> float:
    """Memory in use."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def pin(*cores: int) -> list[str]:
    """A command prefix that keeps a program on these cores, where the machine has them."""
    available = sorted(os.sched_getaffinity(0))
    chosen = [core for core in cores if core in available] or available
    return ["taskset", "-c", ",".join(map(str, chosen))]
