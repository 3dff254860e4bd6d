#!/usr/bin/python3
"""make demo: a real pod behind the barrier, and the same pod with the agent down.

Brings up a private containerd node, runs the agent as k8s/daemonset.yaml says,
runs a CI-like pod in kubelet's order, and prints what happened when, each time
with the witness that says so.  Exit status 0: everything that it claims was
seen to be true.
"""
import datetime
import json
import sys
import time

sys.dont_write_bytecode = True

from harness import evidence, manifests                    # noqa: E402
from harness.agent import Agent                            # noqa: E402
from harness.kubelet import PodRun                         # noqa: E402
from node.config import SERVICE4, SERVICE6                 # noqa: E402
from node.node import Node                                 # noqa: E402
from services import SINK_PORT, Sniffer, Upstream, start_sink   # noqa: E402
from waiting import TimedOut, wait_until                   # noqa: E402

DEADLINE_DOWN = 5
STAGES = ("verify_ms", "entry_ms", "link_ms", "nft_ms", "listen_ms", "proxy_ms", "readback_ms")
JOB = """
probe udp {v4} {port} 5; probe udp {v6} {port} 5; probe tcp {v4} {port}
nslookup -type=a build.example.com | grep Address | tail -1
exec sleep 3600
""".format(v4=SERVICE4, v6=SERVICE6, port=SINK_PORT)
JOB_LINES = 4


class Claims:
    """What the demo proves: each claim is printed when it was checked, true or not."""

    def __init__(self):
        self.rows = []

    def check(self, true, text):
        self.rows.append((bool(true), text))

    def report(self):
        print("\nWhat this run proved")
        for true, text in self.rows:
            print("  %s  %s" % ("yes " if true else "NO  ", text))
        return all(true for true, _ in self.rows)


def say(text):
    print(text, flush=True)


def title(text):
    say("\n" + text + "\n" + "-" * len(text))


def timeline(zero, rows):
    """rows: (time, witness, text); printed in order, as milliseconds after zero."""
    for when, witness, text in sorted(rows):
        say("  %+9.1f ms  %-10s  %s" % ((when - zero) * 1000, witness, text))


def seconds(text):
    """The agent's log has its times as RFC 3339."""
    return datetime.datetime.fromisoformat(text).timestamp()


def show_processes(agent):
    say("  %-8s %-7s %-14s %-17s %s" % ("pid", "uid", "process", "capabilities", "program"))
    for process in agent.processes():
        say("  %-8d %-7d %-14s %-17s %s" % (process.pid, process.uid, process.name,
                                            process.status["CapEff"].lstrip("0") or "none", process.program))


def attach_rows(agent, run):
    """The agent's own account of the attach: the only rows whose witness is our log."""
    entry = agent.wait_said("attached", sandbox=run.sandbox)[0]
    live = seconds(entry["time"])
    stages = "  ".join("%s %.1f" % (name[:-3], entry[name]) for name in STAGES if name in entry)
    return [(live - entry["duration_ms"] / 1000, "agent log", "event received"),
            (live, "agent log", "attached and read back in %.1f ms" % entry["duration_ms"]),
            (live + 1e-6, "agent log", "  in ms: " + stages)]


def runtime_rows(run):
    """What containerd says of the containers."""
    rows = [(run.times["sandbox asked for"], "kubelet", "asks for the sandbox"),
            (run.times["sandbox runs"], "kubelet", "has the sandbox")]
    for name, container in run.containers.items():
        status = container.status()
        rows.append((status.started_at / 1e9, "containerd", "%s starts" % name))
        if status.finished_at:
            rows.append((status.finished_at / 1e9, "containerd", "%s exits with %d" % (name, status.exit_code)))
    return rows


def run_with_agent(node, agent, sniffer, upstream, claims):
    title("A job's pod, agent running")
    run = PodRun(node, manifests.runner_pod(JOB, name="job-1", own_init=True))
    passed = run.start()
    if not passed:
        say("\n".join(run[manifests.BARRIER].lines() + agent.container.lines()[-20:]))
        claims.check(False, "the barrier opened")
        return run
    wait_until(lambda: len(run["build"].lines()) >= JOB_LINES, "the job done")
    packets = sniffer.packets(run.addresses)
    first = [(packets[0][0], "bridge", "the job's first packet, to %s" % packets[0][2])] if packets else []
    timeline(run.times["sandbox asked for"], runtime_rows(run) + attach_rows(agent, run) + first)
    say("  the job's own output: " + " | ".join(run["build"].lines()))
    check_passed(node, agent, run, packets, upstream, claims)
    return run


def check_passed(node, agent, run, packets, upstream, claims):
    live = seconds(agent.said("attached", sandbox=run.sandbox)[0]["time"])
    init, build = run[manifests.BARRIER].status(), run["build"].status()
    counted = evidence.counts(node, run)["uplink_packets"]
    claims.check(init.exit_code == 0 and init.finished_at < build.started_at,
                 "the build container started only after the barrier's exit 0")
    claims.check(live <= init.finished_at / 1e9, "the barrier opened only after each step was read back")
    claims.check(evidence.attached(node, run) == ["lw_egress"],
                 "the kernel runs lw_egress for the pod's own cgroup (bpftool cgroup show)")
    claims.check(packets and packets[0][0] > live, "no packet left the pod before it was enforced (bridge)")
    claims.check(len(packets) == counted > 0,
                 "each packet on the bridge was seen by the program: %d and %d" % (len(packets), counted))
    claims.check(("udp", "A", "build.example.com") in upstream.queries(),
                 "the job's name was resolved through the pod's proxy")


def run_without_agent(node, first, sniffer, claims):
    title("The same pod, agent down (deadline %d s instead of 20)" % DEADLINE_DOWN)
    pod = manifests.runner_pod(JOB, name="job-2", own_init=True)
    manifests.set_env(pod, manifests.BARRIER, "LEITWACHT_DEADLINE", DEADLINE_DOWN)
    run = PodRun(node, pod)
    passed = run.start()
    timeline(run.times["sandbox asked for"], runtime_rows(run))
    say("  the pod's message: " + run[manifests.BARRIER].message())
    line = json.loads(run[manifests.BARRIER].lines("stderr")[0])
    claims.check(not passed and run[manifests.BARRIER].exit_code() == 1,
                 "agent down: the init container exits with 1 at its deadline")
    claims.check(line["msg"] == "leitwacht did not attach within deadline", "and says why, in one JSON line")
    claims.check(run.created() == [manifests.BARRIER], "and the build container is never created (containerd)")
    claims.check(sniffer.packets(run.addresses) == [], "and no packet left that pod (bridge)")
    claims.check(evidence.attached(node, first) == ["lw_egress"],
                 "the first pod, still running, stays enforced without the agent (bpftool)")
    return run


def play(node, claims):
    sniffer, upstream = Sniffer(node), Upstream(node)
    start_sink(node)
    began = time.monotonic()
    agent = Agent(node).start()
    title("The agent, a CRI container of k8s/daemonset.yaml: ready after %d ms" % ((time.monotonic() - began) * 1000))
    show_processes(agent)
    first = run_with_agent(node, agent, sniffer, upstream, claims)
    agent.remove()
    run_without_agent(node, first, sniffer, claims)


def main():
    claims, began = Claims(), time.monotonic()
    with Node() as node:
        version = node.run(["containerd", "--version"]).stdout.split()
        say("A private node of our own: %s %s, up in %d ms" % (version[0], version[2],
                                                              (time.monotonic() - began) * 1000))
        try:
            play(node, claims)
        except (AssertionError, TimedOut) as error:
            say(str(error))
            claims.check(False, "the demo ran to its end")
    held = claims.report()
    say("\n%s, %.1f s in all" % ("All of it held" if held else "NOT all of it held", time.monotonic() - began))
    return 0 if held else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted; the node is gone")
