#!/usr/bin/python3
"""make bench: what an attach costs, beside what the kernel alone takes for it, in one run.

Prints a line a figure and writes the same, with every sample, to build/bench.json.
A figure beyond its goal is said and is no failure (exit status 0): a busy
machine makes it so.  1: it could not be measured.  2: a bad option.
"""
import os
import sys
import time
import pathlib

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

import options                                             # noqa: E402
import sizes                                               # noqa: E402
from figures import Figures, percentile                    # noqa: E402
from node.node import Node                                 # noqa: E402
from paths import BUILD                                    # noqa: E402
from rounds import STAGES, Bench, run_pairs                # noqa: E402
from waiting import TimedOut                               # noqa: E402

OUT = BUILD / "bench.json"
OWN_STAGES = tuple(stage for stage in STAGES if stage != "proxy")
LEGEND = """
attach.<stage>     the agent's own clock, from its "attached" line.  attach.attacher: all stages but proxy, which waits
                   for another process (zygote and child, until the child's HELLO); the hand-over itself is in it.
floor.<stage>      the same kernel calls for a pod that no agent guards, by a bare program (uid 0, no filter, nothing
                   built or compared), begun by the same kind of event, in turn with the agent: tests/bench/floor.h.
receipt_to_live    from the event's first byte at the gate to the attacher's LIVE; attach.road: what of it is no stage
                   (gate, watcher, waking the attacher).
runtime.event_lag  from the envelope's time (the shim saw the task start) to the gate's receipt; the receipt's time is
                   the log line's minus duration_ms, so it holds one hop too much (about 0.1 ms).
runtime.sandbox    kubelet's RunPodSandbox call.  pod.ready_overhead: how long the init container waited, by itself.
memory             private pages, clean and dirty (/proc/PID/smaps_rollup), one pod attached.
privileged.lines   attacher/*.[ch] without blank lines, comments, uninstall.c and the page generator; tables: the
                   surface tables, which are data."""


def own(sample):
    return sum(sample[stage] for stage in OWN_STAGES)


def stage_figures(figures, agent, floor):
    for stage in STAGES:
        figures.spread("attach." + stage, [s[stage] for s in agent])
    figures.spread("attach.attacher", list(map(own, agent)))
    for stage in STAGES:
        figures.spread("floor." + stage, [s[stage] for s in floor], percents=(0, 50))
    figures.spread("floor.attacher", list(map(own, floor)))
    for stage in OWN_STAGES:
        figures.add("attach.%s_vs_floor.p50" % stage, percentile([s[stage] for s in agent], 50) /
                    percentile([s[stage] for s in floor], 50), "times")
    for label, percent, goal in (("min", 0, None), ("p50", 50, 2.0)):
        figures.add("attach.attacher_vs_floor." + label, percentile(map(own, agent), percent) /
                    percentile(map(own, floor), percent), "times", goal)


def road_figures(figures, agent):
    figures.spread("attach.receipt_to_live", [s["receipt_to_live"] for s in agent], {50: 3, 99: 10}.items())
    figures.spread("attach.road", [s["receipt_to_live"] - sum(s[stage] for stage in STAGES) for s in agent])
    figures.spread("runtime.event_lag", [s["event_lag"] for s in agent])
    figures.spread("runtime.sandbox", [s["sandbox"] for s in agent], percents=(50,))
    figures.spread("pod.ready_overhead", [s["waited"] for s in agent], percents=(50, 99))


def size_figures(figures, agent):
    total = 0
    for process in agent.processes():
        facts = sizes.rollup(process.pid)
        is_child = process.name.startswith("lw-dns-")
        private = facts["Private_Clean"] + facts["Private_Dirty"]
        total += private
        figures.add("memory.%s.private" % ("proxy-child" if is_child else process.name), private, "KiB",
                    100 if is_child else None)
    figures.add("memory.all.private", total, "KiB", 10240)
    figures.add("initc.size", sizes.initc_bytes(), "bytes", 65536)
    lines = sizes.privileged_lines()
    for part, count in lines.items():
        figures.add("privileged.lines.%s" % part, count, "lines")
    figures.add("privileged.lines", sum(lines.values()), "lines", 1500)


def noise_figures(figures, agent, floor, load):
    """How far two halves of one run differ: a difference below that says nothing."""
    half = len(agent) // 2
    for name, samples in (("attacher", agent), ("floor", floor)):
        figures.add("noise.%s.first_half.p50" % name, percentile(map(own, samples[:half]), 50), "ms")
        figures.add("noise.%s.second_half.p50" % name, percentile(map(own, samples[half:]), 50), "ms")
    ratios = [own(a) / own(f) for a, f in zip(agent, floor)]
    figures.add("noise.pair_ratio.p25", percentile(ratios, 25), "times")
    figures.add("noise.pair_ratio.p75", percentile(ratios, 75), "times")
    figures.add("noise.load.before", load, "load")
    figures.add("noise.load.after", os.getloadavg()[0], "load")


def usable(pairs):
    """An attach found by listing has no receipt; a round that was prepared anew did more than the calls."""
    kept = [p for p in pairs if p["agent"]["by_event"] and not p["floor"]["prepared_anew"]]
    if len(kept) < 2:
        raise SystemExit("bench: only %d of %d pairs can be used" % (len(kept), len(pairs)))
    return [p["agent"] for p in kept], [p["floor"] for p in kept]


def measure(count, load):
    figures = Figures()
    with Node() as node:
        bench = Bench(node).start()
        try:
            pairs = run_pairs(bench, count)
            agent, floor = usable(pairs)
            stage_figures(figures, agent, floor)
            road_figures(figures, agent)
            size_figures(figures, bench.agent)
        finally:
            bench.stop()
        version = node.run(["containerd", "--version"]).stdout.split()[2]
    noise_figures(figures, agent, floor, load)
    figures.write(OUT, pods=len(agent), kernel=os.uname().release, processors=os.cpu_count(), containerd=version,
                  time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), samples=pairs)
    print("%d pods one by one, linux %s, %d processors, containerd %s" % (len(agent), os.uname().release,
                                                                        os.cpu_count(), version))
    return figures


def main():
    count, load = options.parse().pods, os.getloadavg()[0]
    try:
        figures = measure(count, load)
    except (AssertionError, TimedOut) as error:
        raise SystemExit("bench: could not measure: %s" % error)
    print(figures.table())
    print(LEGEND)
    print("\nThe same as JSON, with all samples: %s" % os.path.relpath(OUT))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nbench: interrupted; the node is gone")
