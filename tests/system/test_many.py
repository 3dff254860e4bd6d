"""Point 7: many pods at once, and many one after the other."""
import collections
import concurrent.futures
import os

from harness import evidence, manifests
from harness.kubelet import PodRun
from waiting import wait_until

AT_ONCE, IN_SEQUENCE = 10, 100


def level(node, agent):
    """Everything that a pod could leave behind, counted.

    A BPF object lives by a pin, a descriptor or an attachment; the machine's own
    lists are not used: other nodes may be up.
    """
    processes = agent.processes()
    return {"network namespaces": evidence.network_namespaces(node), "veths": evidence.veths(node),
            "pins": evidence.pins(node), "pod entries": len(evidence.map_entries(node, "lw_pods")),
            "counters": len(evidence.map_entries(node, "lw_count")),
            "processes": sorted(process.name for process in processes),
            "fds": {process.name: collections.Counter(kind(fd) for fd in process.fds().values())
                    for process in processes},
            "pod cgroups": sorted(os.listdir(node.cgroup / "kubepods" / "burstable"))}


def kind(fd):
    return fd.split("[")[0] if fd.startswith(("socket:", "pipe:")) else fd


def settled(node, agent):
    """The level when no pod is left but the agent's own."""
    wait_until(lambda: evidence.link_pins(node) == [] and not evidence.map_entries(node, "lw_pods"),
               "every pod cleaned up", timeout=30, step=0.1)
    return level(node, agent)


def one_pod(node, number):
    """Through the barrier and away; each tenth pod runs its build container too."""
    run = PodRun(node, manifests.runner_pod("exit 0", name="job-%d" % number))
    try:
        run.make_sandbox()
        passed = run.run_init()
        if passed and number % 10 == 0:
            run.run_main()
        return passed
    finally:
        run.remove()


def back_at(node, agent, before):
    """Wait for it; if it does not come, show the difference."""
    try:
        wait_until(lambda: level(node, agent) == before, "all back", timeout=30, step=0.5)
    except AssertionError:
        assert level(node, agent) == before


def test_ten_at_once_all_pass(node, agent):
    before = settled(node, agent)
    runs = [PodRun(node, manifests.runner_pod(name="at-once-%d" % i)) for i in range(AT_ONCE)]
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            assert list(pool.map(PodRun.start, runs)) == [True] * AT_ONCE
        assert [evidence.attached(node, run) for run in runs] == [["lw_egress"]] * AT_ONCE
        assert len({evidence.slot_of(node, run) for run in runs}) == AT_ONCE
        assert len({evidence.token_of(node, run) for run in runs}) == AT_ONCE
    finally:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(PodRun.remove, runs))
    back_at(node, agent, before)


def test_after_a_hundred_in_sequence_everything_is_back(node, agent):
    assert one_pod(node, 0)                     # what is made once, at the first pod, is no leak
    before = settled(node, agent)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # Two lanes: the machine's two processors; each lane is a sequence.
        results = list(pool.map(lambda number: one_pod(node, number), range(1, IN_SEQUENCE + 1)))
    assert results == [True] * IN_SEQUENCE
    back_at(node, agent, before)
