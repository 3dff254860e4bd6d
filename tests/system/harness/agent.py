"""The agent as a CRI container, with the spec of k8s/daemonset.yaml."""
import copy
import json
import os
import signal

from harness import manifests
from harness.kubelet import PodRun
from node.config import SERVICE4
from node.images import AGENT_PROGRAMS
from node.node import alive
from paths import BUILD
from services import UPSTREAM_PORT
from waiting import wait_until

NAME = "leitwacht"
READY_SECONDS = 15


def check_built():
    missing = [name for name in AGENT_PROGRAMS if not (BUILD / "agent" / name).exists()]
    if missing:
        raise SystemExit("tests/system: build/agent/%s is missing: run `make`" % missing[0])


def manifest(change=None, upstream="%s@%d" % (SERVICE4, UPSTREAM_PORT)):
    """The DaemonSet's pod, told which upstream to ask; change(pod, container) alters single things."""
    pod = manifests.agent_pod()
    container = manifests.container_of(pod, NAME)
    if upstream:
        container["args"].append("--upstream=" + upstream)
    if change:
        change(pod, container)
    return pod


class Process:
    """One process of the agent, as the machine's /proc shows it."""

    def __init__(self, node, pid):
        self.pid, self.node_pid = pid, node.node_pid(pid)
        self.status = self._status()
        self.name = self.status["Name"]
        self.uid = int(self.status["Uid"].split()[0])
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            self.program = file.read().split(b"\0")[0].decode()

    def _status(self):
        with open("/proc/%d/status" % self.pid) as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

    def fds(self):
        """{number: what it is}, read anew."""
        folder = "/proc/%d/fd" % self.pid
        return {int(number): os.readlink("%s/%s" % (folder, number)) for number in os.listdir(folder)}

    def __repr__(self):
        return "%s(%d)" % (self.name, self.pid)


class Agent:
    """start() waits for "agent ready"; the container is restarted in its pod, as kubelet would."""

    def __init__(self, node, change=None):
        check_built()
        self.node = node
        self.run = PodRun(node, manifest(change))

    def launch(self):
        """Create and start the container, without waiting for anything."""
        if not self.run.sandbox:
            self.run.make_sandbox()
        self.run.start_container(copy.deepcopy(manifests.container_of(self.run.pod, NAME)))
        return self

    def start(self):
        self.launch()
        self.wait_ready()
        return self

    def wait_ready(self):
        wait_until(lambda: self.said("agent ready") or self.exit_code() is not None, "agent ready", READY_SECONDS)
        assert self.exit_code() is None, "the agent ended:\n" + "\n".join(self.container.lines())

    def exit_code(self):
        return self.container.exit_code()

    @property
    def container(self):
        return self.run.containers[NAME]

    # -- its end --

    def stop(self):
        """As kubelet stops a pod's container: SIGTERM, and SIGKILL after the grace period."""
        grace = self.run.pod["spec"].get("terminationGracePeriodSeconds", 30)
        self.node.cri.stop(self.container.id, grace)

    def kill(self):
        """kill -9 of the launcher: the container ends with it."""
        os.kill(self.container.pid(), signal.SIGKILL)
        self.container.wait()

    def remove(self):
        self.run.remove()

    # -- what it says and what it is --

    def log(self):
        """The current container's log lines that are JSON objects."""
        entries = []
        for line in self.container.lines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def said(self, msg, **fields):
        """The log's entries with this msg and these fields."""
        return [entry for entry in self.log() if entry.get("msg") == msg
                and all(entry.get(key) == value for key, value in fields.items())]

    def wait_said(self, msg, timeout=10, **fields):
        return wait_until(lambda: self.said(msg, **fields), "the agent says %r %r" % (msg, fields), timeout)

    def processes(self):
        """Every process of the agent's container, by the cgroup that it runs in."""
        group = self.run.cgroup / self.container.id / "cgroup.procs"
        found = []
        for pid in group.read_text().split():
            try:
                found.append(Process(self.node, int(pid)))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def process(self, name):
        """The one process of this name (its comm)."""
        found = [process for process in self.processes() if process.name == name]
        assert len(found) == 1, "%s: %r" % (name, found)
        return found[0]

    def signal(self, name, number):
        os.kill(self.process(name).pid, number)


def ended(process):
    return not alive(process.pid)
