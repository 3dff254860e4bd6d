"""What runs in the node's network beside the agent: the jobs' far side."""
import os
import pathlib
import signal
import sys

from node.config import SERVICE4, SERVICE6
from node.node import alive
from waiting import wait_until

UPSTREAM_PORT, SINK_PORT = 5300, 7777
HERE = pathlib.Path(__file__).parent


def _start(node, name, *arguments):
    log = "%s-%d" % (name, len(list((node.folder / "log").iterdir())))
    pid = node.spawn([sys.executable, "-IS", HERE / (name + ".py"), *arguments], log)
    wait_until(lambda: "ready" in node.log(log) or not alive(pid), name + " ready")
    assert alive(pid), node.log(log)
    return pid


class Upstream:
    """The upstream DNS server; .queries() is what it was asked."""

    def __init__(self, node, mode="plain"):
        self.node, self.log = node, node.folder / "queries.log"
        self.pid = None
        self.restart(mode)

    def restart(self, mode):
        self.stop()
        self.pid = _start(self.node, "upstream", mode, self.log, UPSTREAM_PORT, SERVICE4, SERVICE6)

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not alive(self.pid), "upstream ended")

    def queries(self):
        """("udp"|"tcp", type, name) of each query so far."""
        return [tuple(line.split(" ", 2)) for line in self.log.read_text().splitlines()]


def start_sink(node):
    return _start(node, "sink", SINK_PORT, SERVICE4, SERVICE6)
