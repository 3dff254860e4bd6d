"""Point 4: each step of the attach made to fail by the kernel: no barrier, nothing left behind.

The watcher is stopped while the sandbox is made, so that the obstacle is there
before the attach begins.
"""
import contextlib
import os
import signal

import pytest

from harness import evidence, manifests, squat
from node.node import alive
from waiting import wait_until

DEADLINE = 2


@contextlib.contextmanager
def held_back(agent):
    """Events wait until the block ends."""
    agent.signal("lw-watcher", signal.SIGSTOP)
    try:
        yield
    finally:
        agent.signal("lw-watcher", signal.SIGCONT)


def fails(node, agent, run):
    """The init container must fail, and the runtime must not know of a build container."""
    assert run.run_init(timeout=DEADLINE + 15) is False
    assert run[manifests.BARRIER].exit_code() == 1
    assert run.created() == [manifests.BARRIER]
    return agent.wait_said("attach failed", sandbox=run.sandbox)[0]


def is_gone(node, run):
    """After the pod: no pin, no entry of its cgroup."""
    name, cgroup_id = evidence.link_name(run.cgroup_id), run.cgroup_id
    run.remove()
    wait_until(lambda: name not in evidence.link_pins(node), "the pin of the removed pod gone", timeout=30)
    assert evidence.entries_with(node, cgroup_id) == []


def works_again(make_pod):
    run = make_pod(deadline=10)
    assert run.start(), run[manifests.BARRIER].lines()


def test_pod_map_full(node, agent, make_pod):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        filled = contextlib.ExitStack()
        filled.enter_context(squat.full_pod_map(node))
    with filled:
        assert fails(node, agent, run)["stage"] == "entry"
        assert evidence.left_in_pod(node, run) == evidence.NOTHING_LEFT
    is_gone(node, run)
    works_again(make_pod)


def test_cgroup_takes_no_more_programs(node, agent, make_pod):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        crowd = contextlib.ExitStack()
        crowd.enter_context(squat.programs(node, run, "allow", 64))
    with crowd:
        assert fails(node, agent, run)["stage"] == "link"
        assert evidence.link_facts(node, run) is None
        assert evidence.left_in_pod(node, run) == evidence.NOTHING_LEFT
    is_gone(node, run)
    works_again(make_pod)


def test_table_of_our_name_is_someone_elses(node, agent, make_pod):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        squatter = contextlib.ExitStack()
        squatter.enter_context(squat.table_taken(node, run))
    with squatter:
        assert fails(node, agent, run)["stage"] == "nft"
        assert evidence.left_in_pod(node, run) == evidence.NOTHING_LEFT
    is_gone(node, run)
    works_again(make_pod)


@pytest.mark.parametrize("kind", ["udp4", "udp6", "tcp4", "tcp6"])
def test_port_taken(node, agent, make_pod, kind):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        holder = contextlib.ExitStack()
        holder.enter_context(squat.port_taken(node, run, kind))
    with holder:
        assert fails(node, agent, run)["stage"] == "listen"
        assert evidence.left_in_pod(node, run) == dict(evidence.NOTHING_LEFT, listeners=1)    # the holder's
    is_gone(node, run)
    works_again(make_pod)


def test_sandbox_is_dead_when_the_claim_arrives(node, agent, make_pod):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        run.start_container(manifests.container_of(run.pod, manifests.BARRIER))
        init_pid = run[manifests.BARRIER].pid()
        os.kill(run.pause, signal.SIGKILL)
        wait_until(lambda: not alive(run.pause), "the pause process ended")
    assert run[manifests.BARRIER].wait(timeout=DEADLINE + 10) == 1
    assert not alive(init_pid)
    assert evidence.link_facts(node, run) is None and evidence.entries_of(node, run) == []
    is_gone(node, run)
    works_again(make_pod)


def test_cgroup_is_removed_when_the_claim_arrives(node, agent, make_pod):
    run = make_pod(deadline=DEADLINE)
    with held_back(agent):
        run.make_sandbox()
        pins, entries = evidence.link_pins(node), len(evidence.map_entries(node, "lw_pods"))
        run.remove()
    works_again(make_pod)               # so the claim has been judged by now
    assert not run.cgroup.exists()
    assert len([p for p in evidence.link_pins(node) if p not in pins]) == 1
    assert len(evidence.map_entries(node, "lw_pods")) <= entries + 1


def test_no_proxy(node, agent, make_pod):
    """The zygote hangs: no child, so no LIVE; later it works again."""
    run = make_pod(deadline=DEADLINE)
    agent.signal("lw-dnsproxy", signal.SIGSTOP)
    try:
        run.make_sandbox()
        assert run.run_init(timeout=DEADLINE + 15) is False
    finally:
        agent.signal("lw-dnsproxy", signal.SIGCONT)
    is_gone(node, run)
    works_again(make_pod)
