"""A taken port is explained by who has it."""

import os
import pwd
import socket

from midair.router.embedded.port_holder import holder_of

ROW = "{slot}: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0\n"
USER = pwd.getpwuid(os.geteuid()).pw_name


def machine(proc, *, uid, cmdline):
    """A /proc with a listener on port 8000 and a process, whose open files nobody else may see."""
    (proc / "net").mkdir()
    rows = ROW.format(slot=0, address="0100007F", port=8000, state="01", uid=1, inode=1)
    rows += ROW.format(slot=1, address="00000000", port=8000, state="0A", uid=uid, inode=2)
    (proc / "net" / "tcp").write_text("header\n" + rows)
    (proc / "77").mkdir()
    (proc / "77" / "cmdline").write_text("\0".join(cmdline))
    return proc


def test_process_of_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        holder = holder_of(taken.getsockname()[1])
    assert holder.endswith(f"(pid {os.getpid()}) of user {USER}")


def test_midair_router_is_named_with_its_home(tmp_path):
    command = ("python", "-m", "midair.router.embedded", "/home/ann/midair/projects/shop", "--ready", "3")
    proc = machine(tmp_path, uid=os.geteuid(), cmdline=command)
    assert holder_of(8000, proc) == (
        f"midair of user {USER} (project shop, pid 77): to use it run MIDAIR_HOME=/home/ann/midair midair up"
    )


def test_several_routers_of_a_user_are_not_told_apart(tmp_path):
    command = ("python", "-m", "midair.router.embedded", "/home/ann/midair/projects/shop", "--ready", "3")
    proc = machine(tmp_path, uid=os.geteuid(), cmdline=command)
    (proc / "78").mkdir()
    (proc / "78" / "cmdline").write_text("\0".join(command).replace("shop", "blog"))
    assert holder_of(8000, proc) == (
        f"midair of user {USER} (one of projects blog, shop): to use it run MIDAIR_HOME=/home/ann/midair midair up"
    )


def test_other_users_listener_is_named_by_its_user(tmp_path):
    proc = machine(tmp_path, uid=1, cmdline=("nginx",))
    assert holder_of(8000, proc) == f"user {pwd.getpwuid(1).pw_name}"
    assert holder_of(9000, proc) == ""
