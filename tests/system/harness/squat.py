"""Other people's doings in a pod: what makes a step of the attach fail, or looks like it."""
import contextlib
import os
import pathlib
import signal
import sys

from harness import evidence
from node.node import alive
from paths import HELPERS
from waiting import wait_until

SERVICES = pathlib.Path(__file__).parent.parent / "services"
OWNED_TABLE = "(echo 'add table inet leitwacht { flags owner; }'; exec sleep 3600) | nft -i"


@contextlib.contextmanager
def running(node, argv, log, ready=None):
    """A process of the node's while the block runs; ready() or the word in its log says that it works."""
    log = "%s-%d" % (log, len(list((node.folder / "log").iterdir())))
    pid = node.spawn(argv, log)
    try:
        wait_until(lambda: ready() if ready else "ready" in node.log(log) or not alive(pid), "%s ready" % log)
        assert alive(pid), node.log(log)
        yield pid
    finally:
        kill_session(pid)


def kill_session(pid):
    """Each spawned process leads a session: its children go with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "%d ended" % pid)


def in_netns(node, run, argv):
    return ["nsenter", "--net=/proc/%d/ns/net" % node.node_pid(run.pause), *argv]


def port_taken(node, run, kind, port=evidence.DNS_PORT):
    argv = in_netns(node, run, [sys.executable, "-IS", SERVICES / "holder.py", kind, str(port)])
    return running(node, argv, "holder")


def table_taken(node, run):
    """A table of our name that another live socket owns."""
    return running(node, in_netns(node, run, ["sh", "-c", OWNED_TABLE]), "squatter",
                   ready=lambda: "leitwacht" in evidence.tables(node, run))


def programs(node, run, kind, count):
    """Someone else's egress programs on the pod's cgroup: allow, deny, or canary (see helpers/cgroupprog.c)."""
    return running(node, [HELPERS / "cgroupprog", node_path(node, run), kind, str(count)], "cgroupprog")


def node_path(node, run):
    return "/sys/fs/cgroup/%s" % run.cgroup.relative_to(node.cgroup)


def liar(node, run, mode, port):
    """A DNS server in the pod's own network that answers the barrier's name."""
    log = node.folder / "liar.log"
    argv = in_netns(node, run, [sys.executable, "-IS", SERVICES / "upstream.py", mode, log, str(port), "0.0.0.0"])
    return running(node, argv, "liar")


def nft(node, run, script):
    run.in_netns(["nft", "-f", "-"], input=script)


def redirect_barrier(node, run, port):
    """A nat chain in front of ours: the barrier's questions go to another port."""
    nft(node, run, """
table ip lw_liar {
  chain output { type nat hook output priority -110; policy accept;
    ip daddr 127.53.0.53 udp dport 53 redirect to :%d
  }
}""" % port)


@contextlib.contextmanager
def full_pod_map(node, limit=1024):
    """lw_pods filled up with entries of nobody's; they are taken out again."""
    value = " ".join(["0x00"] * 120)
    key_of = lambda index: " ".join(evidence.hex_bytes((1 << 60) + index))       # noqa: E731
    pin = evidence.PINS + "/lw_pods"
    room = limit - len(evidence.map_entries(node, "lw_pods"))
    batch = node.folder / "batch"
    batch.write_text("".join("map update pinned %s key %s value %s\n" % (pin, key_of(i), value) for i in range(room)))
    node.run(["bpftool", "batch", "file", batch])
    try:
        yield
    finally:
        batch.write_text("".join("map delete pinned %s key %s\n" % (pin, key_of(i)) for i in range(room)))
        node.run(["bpftool", "batch", "file", batch], check=False)
