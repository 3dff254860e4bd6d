"""leitwacht-uninstall: the only thing that detaches, and when it refuses to."""
import pytest

from harness import evidence, manifests
from harness.agent import Agent
from harness.kubelet import PodRun
from node.node import Node
from paths import BUILD
from waiting import wait_until

PROGRAM = BUILD / "agent" / "leitwacht-uninstall"


@pytest.fixture
def own_node():
    with Node() as node:
        yield node


def uninstall(node, *words):
    return node.run([PROGRAM, *words], check=False)


def folder_is_there(node):
    return "leitwacht" in node.run(["ls", "/sys/fs/bpf"]).stdout.split()


def test_wrong_words_and_places(node):
    assert uninstall(node, "--what").returncode == 2
    assert uninstall(node, "--bpffs=/tmp").returncode == 1
    done = uninstall(node)
    assert done.returncode == 0 and "nothing of leitwacht" in done.stdout


def test_refuses_while_an_agent_runs_or_a_pod_is_enforced(own_node):
    node = own_node
    agent = Agent(node, upstreamless).start()
    run = PodRun(node, manifests.runner_pod("exec sleep 3600"))
    assert run.start()

    refused = uninstall(node, "--force")
    assert refused.returncode == 1 and "lock" in refused.stderr
    assert evidence.attached(node, run) == ["lw_egress"]

    agent.remove()
    refused = uninstall(node)
    assert refused.returncode == 1 and "still enforced" in refused.stderr
    assert evidence.attached(node, run) == ["lw_egress"]

    done = uninstall(node, "--force")
    assert done.returncode == 0, done.stderr
    assert not folder_is_there(node)
    assert evidence.attached(node, run) == []
    run.remove()


def test_after_the_pods_are_gone(own_node):
    node = own_node
    agent = Agent(node, upstreamless).start()
    run = PodRun(node, manifests.runner_pod("exec sleep 3600"))
    assert run.start()
    agent.remove()
    run.remove()
    assert evidence.link_pins(node) != []          # nobody was there to clear it
    # the kernel lets go of a removed cgroup a moment later
    wait_until(lambda: uninstall(node).returncode == 0, "nothing holds it any more")
    assert not folder_is_there(node)


def upstreamless(pod, container):
    """No test here asks a name."""
