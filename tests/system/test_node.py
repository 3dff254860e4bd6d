"""The test node itself: what the other tests rest on, and that nothing of it is left."""
import json
import os
import signal
import subprocess
import sys

import pytest

from harness import evidence, manifests
from harness.kubelet import PodRun
from node.config import NETWORKS, SERVICE4, SERVICE6
from node.node import Node, cgroup2_mount
from paths import SYSTEM
from services import SINK_PORT
from waiting import wait_until

# A driver that brings up a node with a pod, says where, and then waits to be killed.
DRIVER = """
import sys, time
sys.path.insert(0, %r)
from node.node import Node
from harness import manifests
from harness.kubelet import PodRun
node = Node().start()
PodRun(node, manifests.runner_pod(barrier=False)).start()
print(node.folder, flush=True)
time.sleep(600)
""" % str(SYSTEM)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_however_the_driver_ends(number):
    mounts_before = open("/proc/self/mounts").read()
    driver = subprocess.Popen([sys.executable, "-B", "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    folder = driver.stdout.readline().strip()
    cgroup = cgroup2_mount() / os.path.basename(folder)
    pids = [int(pid) for path, _, _ in os.walk(cgroup)
            for pid in open(os.path.join(path, "cgroup.procs")).read().split()]
    assert len(pids) >= 6                         # unshare, init, containerd, shim, pause, build
    driver.send_signal(number)
    driver.wait()
    wait_until(lambda: not os.path.exists(folder) and not cgroup.exists(), "folder and cgroup gone")
    assert [pid for pid in pids if os.path.exists("/proc/%d" % pid)] == []
    assert open("/proc/self/mounts").read() == mounts_before


def test_what_a_killed_keeper_left_is_removed_at_the_next_start():
    lost = Node().start()
    folder, cgroup = lost.folder, lost.cgroup
    os.kill(lost.keeper.pid, signal.SIGKILL)
    lost.keeper.wait()
    wait_until(lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), "every process gone")
    assert folder.exists()
    with Node():
        assert not folder.exists() and not cgroup.exists()


def test_two_nodes_at_once(node, make_pod):
    with Node() as second:
        other = PodRun(second, manifests.runner_pod(barrier=False))
        mine = make_pod(barrier=False)
        assert other.start() and mine.start()
        assert evidence.veths(node) and evidence.veths(second)
    assert mine["build"].exit_code() is None


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_networks(node, make_pod, network):
    before = node.network
    node.use_network(network)
    try:
        run = make_pod(barrier=False)
        run.start()
        assert [":" in address for address in run.addresses] == \
            [family == "ipv6" for family in NETWORKS[network]]
        has_loopback6 = run["build"].exec("ip", "-6", "addr", "show", "dev", "lo")[1] != ""
        assert has_loopback6 == (network != "noipv6")
    finally:
        node.use_network(before)


def test_bridge_counter_counts_each_packet_of_the_pod(node, sink, make_pod):
    run = make_pod(barrier=False)
    run.start()
    probe = run["build"].exec
    with evidence.bridge_counter(node, run) as sent:
        assert sent() == 0
        code, out, _ = probe("probe", "udp", SERVICE4, str(SINK_PORT), "7")
        assert (code, json.loads(out)["sent"]) == (0, 7)
        assert sent() == 7
        assert probe("probe", "udp", SERVICE6, str(SINK_PORT), "5")[0] == 0
        assert sent() == 12
        assert probe("probe", "udp", "127.0.0.1", "9999", "3")[0] == 0     # never leaves the pod
        assert sent() == 12
        assert probe("probe", "tcp", SERVICE4, str(SINK_PORT))[0] == 0
        assert 17 <= sent() <= 18           # SYN, ACK, data, one or two ACKs, FIN


def test_upstream_answers_and_logs(node, upstream, make_pod):
    run = make_pod(barrier=False)
    run.start()
    for address in (SERVICE4, SERVICE6):
        code, out, _ = run["build"].exec("probe", "txt", address, "5300", "some.example")
        assert (code, json.loads(out)["rcode"]) == (0, 3)
    assert upstream.queries()[-2:] == [("udp", "TXT", "some.example")] * 2


def test_a_failed_init_container_stops_the_pod(node, make_pod):
    def failing(pod):
        pod["spec"]["initContainers"] = [manifests.shell_container("first", "exit 3")]
    run = make_pod(barrier=False, change=failing)
    assert run.start() is False
    assert run.created() == ["first"]


def test_containerd_alone_can_be_killed(node, make_pod):
    run = make_pod(barrier=False)
    run.start()
    node.restart_containerd(signal.SIGKILL)
    assert run["build"].exit_code() is None
    again = make_pod(barrier=False)
    assert again.start()
