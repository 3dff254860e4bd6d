"""Point 1: with the agent up, the pod passes, and no packet of it is unseen."""
import json
import uuid

import pytest

from harness import evidence, manifests
from node.config import SERVICE4, SERVICE6
from services import SINK_PORT
from waiting import wait_until

CHAINS = ["input", "output", "output_nat", "prerouting_nat"]
UIDS = {"leitwacht": 0, "lw-attacher": 65010, "lw-gate": 65011, "lw-watcher": 65012, "lw-dnsproxy": 65013}
BUILD = """
probe udp {v4} {port} 7; probe udp {v6} {port} 5
probe tcp {v4} {port}; probe tcp {v6} {port}
echo done; exec sleep 3600
""".format(v4=SERVICE4, v6=SERVICE6, port=SINK_PORT)


def passed(run):
    assert run.start(), run[manifests.BARRIER].lines()
    return run


def ask(run, address, name, *transport):
    return json.loads(run["build"].exec("probe", "txt", address, "53", name, *transport)[1])


def test_each_packet_on_the_bridge_was_counted_by_the_program(node, agent, sink, make_pod):
    run = make_pod(BUILD)
    run.make_sandbox()
    with evidence.bridge_counter(node, run) as sent:
        assert run.run_init(), run[manifests.BARRIER].lines()
        assert sent() == 0                                   # the barrier itself sends nothing out
        assert evidence.counts(node, run)["uplink_packets"] == 0
        run.run_main()
        wait_until(lambda: "done" in run["build"].lines(), "the build done")
        counted = evidence.counts(node, run)
        assert sent() == counted["uplink_packets"] >= 7 + 5 + 2 * 5
        assert counted["denied"] == 0                        # audit-all: nothing but tokens
        assert counted["denied_token"] >= 1


def test_link_sits_on_the_pods_own_cgroup(node, agent, make_pod):
    run = passed(make_pod())
    facts = evidence.link_facts(node, run)
    assert facts["cgroup_id"] == run.cgroup_id
    assert evidence.attached(node, run) == ["lw_egress"]
    slot = evidence.slot_of(node, run)
    assert slot > 0
    entry = evidence.pod_entry(node, slot)
    assert entry[32:96].decode() == run.sandbox


def test_rules_and_listeners(node, agent, make_pod):
    run = passed(make_pod())
    assert evidence.chains(node, run) == CHAINS
    listening = evidence.listeners(node, run)
    assert [row.split()[0] for row in listening].count("udp") >= 1
    assert [row.split()[0] for row in listening].count("tcp") >= 1
    assert all(row.rsplit(":", 1)[0].split()[1] in ("*", "0.0.0.0", "[::]") for row in listening)


def test_nobody_else_can_change_the_table(node, agent, make_pod):
    run = passed(make_pod())
    assert run.in_netns(["nft", "delete", "table", "inet", "leitwacht"], check=False).returncode != 0
    run.in_netns(["nft", "flush", "ruleset"], check=False)
    assert evidence.chains(node, run) == CHAINS


def test_barrier_answers_with_the_token_that_the_kernel_drops(node, agent, make_pod):
    run = passed(make_pod())
    token = evidence.token_of(node, run)
    answer = ask(run, "127.53.0.53", "_leitwacht.attached.local")
    assert answer["text"].startswith("attached version=0.1.0 token=" + token)
    before = evidence.counts(node, run)["denied_token"]
    send = ("probe", "udp", "127.0.0.1", str(evidence.CANARY_PORT), "1")
    assert json.loads(run["build"].exec(*send, token)[1])["errno"] == "EPERM"
    other = "0" * 16 if token != "0" * 16 else "1" * 16
    assert json.loads(run["build"].exec(*send, other)[1])["errno"] == ""
    assert evidence.counts(node, run)["denied_token"] == before + 1


@pytest.mark.parametrize("network,resolvers", [("dual", ("10.96.0.10", "fd00:96::a")), ("ipv4", ("10.96.0.10",)),
                                               ("ipv6", ("fd00:96::a",)), ("noipv6", ("10.96.0.10",))])
def test_networks_pass_and_resolve(node, agent, upstream, make_pod, network, resolvers):
    before = node.network
    node.use_network(network)
    try:
        run = passed(make_pod())
        for resolver in resolvers:
            for transport in ((), ("tcp",)):
                name = "%s.example" % uuid.uuid4()
                assert ask(run, resolver, name, *transport)["rcode"] == 3      # the upstream's own answer
                assert (transport[0] if transport else "udp", "TXT", name) in upstream.queries()
    finally:
        node.use_network(before)


def test_names_are_resolved_by_the_upstream_and_leave_the_pod_by_no_other_way(node, agent, upstream, make_pod):
    run = passed(make_pod())
    with evidence.bridge_counter(node, run) as sent:
        code, out, _ = run["build"].exec("nslookup", "-type=a", "build.example.com")
        assert (code, "192.0.2.53" in out) == (0, True)
        assert sent() == 0                                  # the question went to the proxy, not out
    assert ("udp", "A", "build.example.com") in upstream.queries()


def test_one_flow_record_a_flow(node, agent, sink, make_pod):
    run = passed(make_pod())
    slot, name = evidence.slot_of(node, run), "flows-" + run.uid
    node.spawn([evidence.HELPERS / "flows", evidence.PINS + "/lw_flows"], name)
    wait_until(lambda: "ready" in node.log(name), "the ring's reader")
    run["build"].exec("probe", "udp", SERVICE4, str(SINK_PORT), "4")

    def records():
        rows = [json.loads(line) for line in node.log(name).splitlines() if line.startswith("{")]
        return [r for r in rows if r["slot"] == slot and r["port"] == SINK_PORT]
    wait_until(records, "a flow record")
    assert len(records()) == 1
    assert records()[0]["address"] == "::ffff:" + SERVICE4
    assert (records()[0]["protocol"], records()[0]["bundle"]) == (17, 1)


def test_processes_run_as_their_own_users(agent):
    found = {process.name: process.uid for process in agent.processes()}
    assert {name: found.get(name) for name in UIDS} == UIDS
