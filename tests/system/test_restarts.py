"""Point 3: what dies and comes back: the agent, each of its processes, containerd."""
import json
import signal

import pytest

from harness import evidence, manifests
from harness.agent import ended
from node.config import SERVICE4
from node.node import alive
from services import SINK_PORT
from waiting import wait_until

FROZEN = {"the event is not read": "lw-watcher", "the claim is not read": "lw-attacher"}


def passed(run):
    assert run.start(), run[manifests.BARRIER].lines()
    return run


def send(run, count):
    """COUNT datagrams from the build container to the sink."""
    code, out, _ = run["build"].exec("probe", "udp", SERVICE4, str(SINK_PORT), str(count))
    assert (code, json.loads(out)["sent"]) == (0, count)


def assert_enforced(node, run, count=5):
    """The same link still counts each packet of the pod."""
    before = evidence.counts(node, run)["uplink_packets"]
    with evidence.bridge_counter(node, run) as sent:
        send(run, count)
        assert sent() == count
    assert evidence.counts(node, run)["uplink_packets"] - before == count
    assert evidence.attached(node, run) == ["lw_egress"]


def resolves(run):
    return run["build"].exec("nslookup", "-type=a", "build.example.com")[0] == 0


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=list(FROZEN))
def test_agent_killed_between_event_and_attach(node, upstream, make_agent, make_pod, frozen):
    agent = make_agent().start()
    agent.signal(frozen, signal.SIGSTOP)
    run = make_pod(deadline=20)
    run.make_sandbox()
    init = run.start_container(manifests.container_of(run.pod, manifests.BARRIER))
    agent.kill()
    assert init.exit_code() is None
    agent.start()
    assert init.wait(timeout=20) == 0
    assert evidence.attached(node, run) == ["lw_egress"]


def test_agent_restarted_adopts_running_pods(node, sink, upstream, make_agent, make_pod):
    agent = make_agent().start()
    run = passed(make_pod())
    link, slot, token = evidence.link_facts(node, run), evidence.slot_of(node, run), evidence.token_of(node, run)
    agent.kill()
    assert_enforced(node, run)                          # with nobody there
    agent.start()
    wait_until(lambda: resolves(run), "the pod's names are resolved again")
    assert evidence.link_facts(node, run) == link       # not rebuilt: the same link, the same program
    assert evidence.slot_of(node, run) == slot
    assert_enforced(node, run)
    assert evidence.chains(node, run) == ["input", "output", "output_nat", "prerouting_nat"]
    assert len(evidence.token_of(node, run)) == len(token)


def test_agent_stops_when_it_is_told_to(node, make_agent, upstream):
    agent = make_agent().start()
    processes = agent.processes()
    agent.stop()
    assert agent.exit_code() == 0
    assert [process for process in processes if alive(process.pid)] == []


@pytest.mark.parametrize("name", ["lw-gate", "lw-watcher", "lw-attacher", "lw-dnsproxy"])
def test_a_process_killed_comes_back(node, sink, agent, make_pod, name):
    running = passed(make_pod())
    victim = agent.process(name)
    agent.signal(name, signal.SIGKILL)
    wait_until(lambda: ended(victim), "it ended")
    assert passed(make_pod(deadline=5))
    assert agent.exit_code() is None
    assert agent.process(name).pid != victim.pid
    assert_enforced(node, running)
    wait_until(lambda: resolves(running), "the running pod's names are resolved")


def test_a_proxy_killed_stops_only_that_pods_names(node, agent, make_pod):
    first, second = passed(make_pod()), passed(make_pod())
    proxy = agent.process("lw-dns-%d" % evidence.slot_of(node, first))
    agent.signal(proxy.name, signal.SIGKILL)
    assert resolves(second)
    wait_until(lambda: ended(proxy), "the proxy ended")
    wait_until(lambda: resolves(first), "the first pod's names are resolved again")


def test_containerd_killed_under_the_agent(node, sink, agent, make_pod):
    running = passed(make_pod())
    node.restart_containerd(signal.SIGKILL)
    assert_enforced(node, running)
    assert passed(make_pod())
    assert agent.exit_code() is None
    assert resolves(running)


def test_slow_gate_is_in_time(node, agent, make_pod):
    agent.signal("lw-gate", signal.SIGSTOP)
    run = make_pod(deadline=20)
    run.make_sandbox()
    agent.signal("lw-gate", signal.SIGCONT)
    assert run.run_init(), run[manifests.BARRIER].lines()


def test_event_lost_with_the_gate(node, agent, make_pod):
    """The gate dies with the event unread: the pod is found by the list after the next subscription."""
    agent.signal("lw-gate", signal.SIGSTOP)
    run = make_pod(deadline=10)
    run.make_sandbox()
    agent.signal("lw-gate", signal.SIGKILL)
    assert run.run_init(), run[manifests.BARRIER].lines()


def test_event_lost_with_containerd(node, agent, make_pod):
    """containerd dies before it could deliver: found by the list after the reconnect."""
    agent.signal("lw-gate", signal.SIGSTOP)
    run = make_pod(deadline=20)
    run.make_sandbox()
    node.stop_containerd(signal.SIGKILL)
    agent.signal("lw-gate", signal.SIGCONT)
    node.start_containerd()
    assert run.run_init(), run[manifests.BARRIER].lines()


def test_a_second_agent_is_refused(node, agent, make_agent, make_pod):
    second = make_agent()
    second.launch()
    assert second.container.wait(timeout=15) == 1
    assert [entry for entry in second.log() if entry["level"] == "error" and "lock" in str(entry)]
    assert passed(make_pod())
