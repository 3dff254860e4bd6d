"""The pairs: a guarded pod, attached by the agent, then a pod that no agent guards, for the floor.

Pods come one after the other and each is gone before the next.  One guarded
pod stays all the time: the kernel patches its own code at the machine's first
link and first hook of a kind, and no pair shall pay for that.
"""
import contextlib
import datetime
import os
import re
import sys
import time

from floor import Floor
from events import Starts
from harness import manifests
from harness.agent import Agent
from harness.kubelet import PodRun
from services import Upstream
from waiting import wait_until

STAGES = ("verify", "entry", "link", "nft", "listen", "proxy", "readback")
WARM_UP = 2
WAITED = re.compile(r"waited_ms=(\d+)")


def stand_back():
    """From now on this process runs only where nobody else wants to.

    It hears of the same events at the same time: on a small machine agent and
    floor would else wait for their own measurer.
    """
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):      # it ended meanwhile
            os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))


class Bench:
    """start(); pair() as often as wanted; stop()."""

    def __init__(self, node):
        self.node = node
        self.waiting_pod = None          # cgroup of the pod whose start begins a round of the floor

    def start(self):
        Upstream(self.node)
        self.agent = Agent(self.node).start()
        self.floor = Floor(self.node)
        self.starts = Starts(self.node.socket_path)
        self.starts.on_start = self._begin_floor
        self.resident = PodRun(self.node, manifests.runner_pod(name="resident"))
        if not self.resident.start():
            raise SystemExit("bench: a first pod was not attached:\n" + "\n".join(self.agent.container.lines()[-20:]))
        stand_back()
        for number in range(WARM_UP):
            self.pair("warm-up-%d" % number)
        return self

    def stop(self):
        self.starts.stop()
        self.floor.stop()

    def pair(self, name):
        return {"agent": self._guarded(name), "floor": self._unguarded(name)}

    # -- the agent's --

    def _guarded(self, name):
        run = PodRun(self.node, manifests.runner_pod(name=name))
        try:
            run.make_sandbox()
            if not run.run_init():
                raise SystemExit("bench: the barrier of %s did not open:\n%s"
                                 % (name, "\n".join(run[manifests.BARRIER].lines())))
            return self._sample(run)
        finally:
            run.remove()

    def _sample(self, run):
        entry = self.agent.wait_said("attached", sandbox=run.sandbox)[0]
        start = wait_until(lambda: self.starts.seen.get(run.sandbox), "our subscriber saw the sandbox start")
        said = datetime.datetime.fromisoformat(entry["time"]).timestamp()
        sample = {stage: entry[stage + "_ms"] for stage in STAGES}
        sample["receipt_to_live"] = entry["duration_ms"]
        sample["event_lag"] = (said - start.stamped) * 1000 - entry["duration_ms"]
        sample["sandbox"] = (run.times["sandbox runs"] - run.times["sandbox asked for"]) * 1000
        sample["waited"] = int(WAITED.search("\n".join(run[manifests.BARRIER].lines())).group(1))
        sample["by_event"] = entry["found"] == "event"
        return sample

    # -- the floor's --

    def _unguarded(self, name):
        run = PodRun(self.node, manifests.runner_pod(name=name, namespace="unguarded", barrier=False))
        self.waiting_pod = run.cgroup.relative_to(self.node.cgroup)
        try:
            run.make_sandbox()
            wait_until(lambda: self.waiting_pod is None, "our subscriber saw the sandbox start")
            return self.floor.result()
        finally:
            run.remove()

    def _begin_floor(self, start):
        if self.waiting_pod:
            self.floor.begin(start.pid, self.waiting_pod)
            self.waiting_pod = None


def run_pairs(bench, count):
    """The samples of `count` pairs, with progress for who waits."""
    samples, began = [], time.monotonic()
    for number in range(count):
        samples.append(bench.pair("job-%d" % number))
        done, step = number + 1, max(1, count // 10)
        if done % step == 0 or done == count:
            left = (time.monotonic() - began) / done * (count - done)
            print("bench: %d of %d pods, about %d s left" % (done, count, left), file=sys.stderr, flush=True)
    return samples
