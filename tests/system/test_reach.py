"""Whom the pod's proxy serves: the pod and what it nests, by redirect only; nobody else."""
import contextlib
import json
import os
import uuid

import pytest

from harness import evidence, manifests, squat
from node.node import alive
from paths import HELPERS
from waiting import wait_until

NESTED4, NESTED6 = "172.30.0", "fd00:30:"
RESOLVERS = ["8.8.8.8", "2001:4860:4860::8888"]


def passed(run):
    assert run.start(), run[manifests.BARRIER].lines()
    return run


def name():
    return "%s.example" % uuid.uuid4()


def ask(run, address, port, question, *transport):
    return json.loads(run["build"].exec("probe", "txt", address, str(port), question, *transport)[1])


@contextlib.contextmanager
def nested_container(node, run):
    """A network namespace behind a bridge of the pod's own, as a docker in a job makes it."""
    pid = node.spawn(["unshare", "--net", "sleep", "600"], "nested-" + run.uid)
    wait_until(lambda: alive(pid) and netns_differs(node, pid), "the nested namespace")
    inner = node.node_pid(pid)
    run.in_netns(["sh", "-ec", """
ip link add lw-nest type veth peer name lw-in
ip address add {v4}.1/24 dev lw-nest; ip -6 address add {v6}:1/64 dev lw-nest nodad; ip link set lw-nest up
echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip link set lw-in netns {inner}""".format(v4=NESTED4, v6=NESTED6, inner=inner)])
    node.run(["sh", "-ec", """
ip link set lo up; ip link set lw-in up
ip address add {v4}.2/24 dev lw-in; ip -6 address add {v6}:2/64 dev lw-in nodad
ip route add default via {v4}.1; ip -6 route add default via {v6}:1""".format(v4=NESTED4, v6=NESTED6)], netns=pid)
    try:
        yield lambda *argv: json.loads(node.run([HELPERS / "probe", *argv], netns=pid, check=False).stdout)
    finally:
        squat.kill_session(pid)


def netns_differs(node, pid):
    return os.stat("/proc/%d/ns/net" % pid).st_ino != os.stat("/proc/%d/ns/net" % node.pid).st_ino


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_nested_container_is_served(node, agent, upstream, make_pod, resolver):
    run = passed(make_pod())
    with nested_container(node, run) as probe:
        for transport in ((), ("tcp",)):
            question = name()
            assert probe("txt", resolver, "53", question, *transport)["rcode"] == 3, transport
            assert (transport[0] if transport else "udp", "TXT", question) in upstream.queries()


@pytest.mark.parametrize("port", [53, evidence.DNS_PORT])
def test_neighbour_is_not_served(node, agent, upstream, make_pod, port):
    run, neighbour = passed(make_pod()), passed(make_pod(barrier=False, namespace="default"))
    for address in run.addresses:
        for transport in ((), ("tcp",)):
            question = name()
            assert ask(neighbour, address, port, question, *transport)["rcode"] == -1
            assert question not in [query[2] for query in upstream.queries()]


def test_neighbour_that_routes_by_the_pod_is_not_served(node, agent, upstream, make_pod):
    """Without the rule for the uplink the pod's proxy would be a resolver for its neighbours."""
    run, neighbour = passed(make_pod()), passed(make_pod(barrier=False, namespace="default"))
    neighbour.in_netns(["ip", "route", "add", "8.8.8.8", "via", run.addresses[0]])
    question = name()
    assert ask(neighbour, "8.8.8.8", 53, question)["rcode"] == -1
    assert question not in [query[2] for query in upstream.queries()]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_listener_is_closed_to_direct_questions(node, agent, upstream, make_pod, address):
    run = passed(make_pod())
    question = name()
    assert ask(run, address, evidence.DNS_PORT, question)["rcode"] == -1
    assert question not in [query[2] for query in upstream.queries()]


def test_the_pods_own_resolver_is_left_alone(node, agent, upstream, make_pod):
    run = passed(make_pod())
    with squat.liar(node, run, "wildcard", 53):
        question = name()
        assert ask(run, "127.0.0.1", 53, question)["text"] == "some text"
        assert question not in [query[2] for query in upstream.queries()]
