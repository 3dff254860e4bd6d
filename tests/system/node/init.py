#!/usr/bin/python3
"""Process 1 of a test node: sets the node up, starts what it is told, reaps.

Run by keeper.py inside new mount, network, pid and cgroup namespaces.  Its
standard input is the driver's pipe: one JSON command a line.  When that pipe
ends, however the driver ended, this process ends, and the kernel ends
everything else in its pid namespace.

  {"spawn": ["program", "arg"], "log": "/path"}  ->  {"pid": PID ON THE MACHINE}
"""
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC, MS_SHARED, MNT_DETACH = 0x1000, 0x4000, 0x100000, 2


def mount(source, target, kind, flags=0, options=""):
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()):
        raise OSError(ctypes.get_errno(), "mount %s on %s" % (kind or source, target))


def set_up_mounts(folder):
    """A fresh world on top of the machine's: nothing of it is written to."""
    mount("proc", "/proc", "proc")
    LIBC.umount2(b"/sys", MNT_DETACH)            # with the machine's cgroup mounts below it
    mount("sysfs", "/sys", "sysfs")
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    mount("bpf", "/sys/fs/bpf", "bpf", options="mode=0700")
    mount("tmpfs", "/run", "tmpfs", options="mode=0755")
    mount("tmpfs", "/var/lib", "tmpfs", options="mode=0755")
    for name in ("/run/containerd", "/run/netns", "/var/lib/cni"):
        os.makedirs(name)
    # The one folder that is seen from outside too: containerd's socket is in it.
    mount(os.path.join(folder, "run"), "/run/containerd", "", MS_BIND)
    # As systemd leaves a node's mounts: HostToContainer needs it.  The machine is
    # not among the peers: this namespace began as a private copy.
    mount("none", "/", "", MS_REC | MS_SHARED)


def set_up_cgroups():
    """Whatever controllers the machine's cgroup2 has (on a hybrid machine few or none)."""
    for controller in read("/sys/fs/cgroup/cgroup.controllers").split():
        write("/sys/fs/cgroup/cgroup.subtree_control", "+" + controller)


def set_up_network(addresses):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    write("/proc/sys/net/ipv4/ip_forward", "1")
    write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
    # Or the bridge's own address is not usable for the first seconds.
    write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def spawn(machine_proc, argv, log):
    """Start argv in a session of its own; its pid as the machine counts it."""
    to_parent, from_child = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(from_child, os.readlink("self", dir_fd=machine_proc).encode())
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.closerange(3, 1024)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execvp(argv[0], argv)
        finally:
            os._exit(127)
    os.close(from_child)
    pid = os.read(to_parent, 32)
    os.close(to_parent)
    return int(pid)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def serve(machine_proc):
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj == wake:
                os.read(wake, 4096)
                reap()
                continue
            line = sys.stdin.readline()      # one command at a time is on its way
            if not line:
                return
            command = json.loads(line)
            print(json.dumps({"pid": spawn(machine_proc, command["spawn"], command["log"])}), flush=True)


def main():
    folder, addresses = sys.argv[1], sys.argv[2:]
    machine_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    pid = int(os.readlink("self", dir_fd=machine_proc))
    set_up_mounts(folder)
    set_up_cgroups()
    set_up_network(addresses)
    print(json.dumps({"pid": pid}), flush=True)
    serve(machine_proc)


if __name__ == "__main__":
    main()
