#!/usr/bin/python3
"""Outlives the driver and tidies up after the node: usage: keeper.py FOLDER CGROUP ADDRESS...

Starts the node's init in its namespaces and in a cgroup of the node's own, and
waits for its end.  init ends with the driver's pipe, so this also works after
Ctrl-C or SIGKILL of the driver; if this process is killed, the kernel kills
init.  Mounts, network namespaces and pins live in the node's namespaces and go
with them; what is left is the cgroup and the folder.
"""
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
CLONE_NEWCGROUP = 0x02000000
UNSHARE = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child=KILL", "--"]


def enter(cgroup):
    """In the child: die with the keeper; make the cgroup a namespace's root, then leave it for a leaf.

    A cgroup with processes cannot hand out controllers.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    (cgroup / "cgroup.procs").write_text("0")
    if libc.unshare(CLONE_NEWCGROUP):
        raise OSError(ctypes.get_errno(), "unshare")
    (cgroup / "system" / "cgroup.procs").write_text("0")


def remove_cgroup(cgroup):
    (cgroup / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + 10
    while "populated 1" in (cgroup / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    for path, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(path)


def lock(folder):
    """Held as long as this process lives: a node whose lock is free has lost its keeper."""
    file = open(folder / "lock", "w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def remove(folder, cgroup):
    if cgroup.exists():
        remove_cgroup(cgroup)
    shutil.rmtree(folder)


def main():
    folder, cgroup, addresses = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    held = lock(folder)
    os.setsid()                                   # a Ctrl-C is for the driver
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    (cgroup / "system").mkdir(parents=True)
    init = pathlib.Path(__file__).with_name("init.py")
    child = subprocess.Popen([*UNSHARE, sys.executable, "-IS", str(init), str(folder), *addresses],
                             preexec_fn=lambda: enter(cgroup))
    sys.stdin.close()
    child.wait()
    remove(folder, cgroup)
    held.close()


if __name__ == "__main__":
    main()
