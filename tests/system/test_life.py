"""Point 6: what happens to a pod while it lives, and which pods are left alone."""
import json
import os
import re
import signal

from harness import evidence, manifests
from node.config import SERVICE4
from node.node import alive
from services import SINK_PORT
from waiting import wait_until

STREAM = "exec probe udp %s %d 1000000 go 2" % (SERVICE4, SINK_PORT)     # a datagram each 2 ms
CHAINS = ["input", "output", "output_nat", "prerouting_nat"]


def passed(run):
    assert run.start(), run[manifests.BARRIER].lines()
    return run


def kill_pause(node, run):
    os.kill(run.pause, signal.SIGKILL)
    wait_until(lambda: not node.cri.sandbox_ready(run.sandbox), "the sandbox is not ready any more")


def sent_and_counted(node, run, sent, least):
    """The bridge's count and the program's, taken while the pod is frozen: no packet is on its way."""
    before = sent()
    wait_until(lambda: sent() >= before + least, "the stream goes on")
    freeze(run, "1")
    try:
        return sent(), evidence.counts(node, run)["uplink_packets"]
    finally:
        freeze(run, "0")


def freeze(run, state):
    (run.cgroup / "cgroup.freeze").write_text(state)
    wait_until(lambda: "frozen " + state in (run.cgroup / "cgroup.events").read_text(), "frozen " + state)


def test_pause_killed_while_the_build_runs(node, sink, agent, make_pod):
    run = make_pod(STREAM)
    run.make_sandbox()
    with evidence.bridge_counter(node, run) as sent:
        assert run.run_init()
        run.run_main()
        link = evidence.link_facts(node, run)
        kill_pause(node, run)
        on_bridge, counted = sent_and_counted(node, run, sent, least=300)
        assert on_bridge == counted
    assert run["build"].exit_code() is None
    assert evidence.link_facts(node, run) == link
    assert evidence.attached(node, run) == ["lw_egress"]


def test_sandbox_replaced_without_a_gap(node, sink, agent, make_pod):
    run = make_pod(STREAM)
    run.make_sandbox()
    with evidence.bridge_counter(node, run) as sent:
        assert run.run_init()
        run.run_main()
        link, slot, token = evidence.link_facts(node, run), evidence.slot_of(node, run), evidence.token_of(node, run)
        kill_pause(node, run)
        run.make_sandbox()                              # the old build goes on sending, from its old network
        assert run.run_init(), run[manifests.BARRIER].lines()
        on_bridge, counted = sent_and_counted(node, run, sent, least=100)
        assert on_bridge == counted
    assert evidence.link_facts(node, run) == link       # one link, one slot, a new token
    assert evidence.slot_of(node, run) == slot
    assert evidence.token_of(node, run) != token
    assert evidence.chains(node, run) == CHAINS         # in the new network


def test_empty_pod_cgroup_keeps_its_link(node, agent, make_pod):
    """Between two sandboxes a pod cgroup holds no process: whatever starts in it next is still enforced."""
    run = passed(make_pod())
    link = evidence.link_facts(node, run)
    node.cri.stop_sandbox(run.sandbox)
    agent.wait_said("pod cgroup is empty, its netns is let go", sandbox=run.sandbox)
    assert evidence.attached(node, run) == ["lw_egress"]
    assert evidence.link_facts(node, run) == link


def test_host_network_is_refused(node, agent, make_pod):
    def on_the_host(pod):
        pod["spec"]["hostNetwork"] = True
    before = evidence.ruleset(node)
    run = make_pod(deadline=2, change=on_the_host)
    assert run.start() is False
    assert run.created() == [manifests.BARRIER]
    assert agent.wait_said("refused", sandbox=run.sandbox)[0]["reason"]
    assert evidence.ruleset(node) == before             # not a rule in the node's own network
    assert evidence.link_facts(node, run) is None
    assert evidence.entries_of(node, run) == []


def test_pod_without_the_init_container(node, sink, agent, make_pod):
    run = passed(make_pod(barrier=False))
    agent.wait_said("attached", sandbox=run.sandbox)
    assert agent.wait_said("pod has no barrier")
    assert evidence.attached(node, run) == ["lw_egress"]
    assert evidence.chains(node, run) == CHAINS
    with evidence.bridge_counter(node, run) as sent:
        run["build"].exec("probe", "udp", SERVICE4, str(SINK_PORT), "3")
        assert sent() == 3


def test_namespace_not_guarded_is_untouched(node, agent, upstream, make_pod):
    run = passed(make_pod(barrier=False, namespace="default"))
    passed(make_pod())                                  # later than run: its event came before
    assert evidence.link_facts(node, run) is None
    assert evidence.entries_of(node, run) == []
    assert evidence.attached(node, run) == []
    assert evidence.tables(node, run) == []
    assert evidence.listeners(node, run) == []
    out = run["build"].exec("probe", "txt", SERVICE4, "5300", "direct.example")[1]
    assert json.loads(out)["rcode"] == 3


def test_pod_removed_leaves_nothing(node, agent, make_pod):
    run = passed(make_pod())
    pin, slot, cgroup_id = evidence.link_name(run.cgroup_id), evidence.slot_of(node, run), run.cgroup_id
    proxy = agent.process("lw-dns-%d" % slot)
    assert pin in evidence.link_pins(node) and evidence.pod_entry(node, slot)
    run.remove()
    wait_until(lambda: not alive(proxy.pid), "the proxy gone", timeout=30)
    wait_until(lambda: pin not in evidence.link_pins(node), "the pin gone", timeout=30)
    assert evidence.entries_with(node, cgroup_id) == []
    assert slot.to_bytes(8, "little") not in evidence.map_entries(node, "lw_count")


def test_agents_log_is_json_lines_with_the_contracts_keys(agent, node, make_pod):
    run = passed(make_pod())
    for line in agent.container.lines():
        entry = json.loads(line)
        assert {"time", "level", "process", "msg"} <= entry.keys(), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["time"]), line
    entry = agent.said("attached", sandbox=run.sandbox)[0]
    assert entry["pod"] == "%s/%s/%s" % (run.namespace, run.name, run.uid)
    assert entry["duration_ms"] > 0


def test_the_job_ends_before_its_pod(node, agent, make_pod):
    """The build container gone, the pod cgroup there: the link stays until the cgroup is removed."""
    run = passed(make_pod("exit 0"))
    assert run["build"].wait() == 0
    assert evidence.attached(node, run) == ["lw_egress"]
