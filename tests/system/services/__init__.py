"""What runs in the node's network beside the agent: the jobs' far side."""
import os
import pathlib
import signal
import sys

from node.config import BRIDGE, SERVICE4, SERVICE6
from node.node import alive
from waiting import wait_until

UPSTREAM_PORT, SINK_PORT = 5300, 7777
HERE = pathlib.Path(__file__).parent


def _start(node, name, *arguments):
    """(pid, name of the log) of a service that said that it is ready."""
    log = "%s-%d" % (name, len(list((node.folder / "log").iterdir())))
    pid = node.spawn([sys.executable, "-IS", HERE / (name + ".py"), *arguments], log)
    wait_until(lambda: "ready" in node.log(log) or not alive(pid), name + " ready")
    assert alive(pid), node.log(log)
    return pid, log


class Upstream:
    """The upstream DNS server; .queries() is what it was asked."""

    def __init__(self, node, mode="plain"):
        self.node, self.log = node, node.folder / "queries.log"
        self.pid = None
        self.restart(mode)

    def restart(self, mode):
        self.stop()
        self.pid, _ = _start(self.node, "upstream", mode, self.log, UPSTREAM_PORT, SERVICE4, SERVICE6)

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not alive(self.pid), "upstream ended")

    def queries(self):
        """("udp"|"tcp", type, name) of each query so far."""
        return [tuple(line.split(" ", 2)) for line in self.log.read_text().splitlines()]


def start_sink(node):
    return _start(node, "sink", SINK_PORT, SERVICE4, SERVICE6)


class Sniffer:
    """Every packet of a pod that came out on the bridge, with the kernel's time."""

    def __init__(self, node):
        self.node = node
        _, self.log = _start(node, "sniffer", BRIDGE)

    def packets(self, addresses):
        """(time, source, destination, protocol, port) of those sent from these addresses."""
        rows = [line.split() for line in self.node.log(self.log).splitlines()[1:]]
        return [(float(row[0]), row[1], row[2], int(row[3]), int(row[4])) for row in rows if row[1] in addresses]
