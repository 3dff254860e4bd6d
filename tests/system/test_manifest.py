"""Point 8: what the manifest grants is needed, and what a node must have is checked."""
import pytest

from harness import evidence, manifests
from harness.agent import NAME, Agent
from node.node import Node

CAPABILITIES = ["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SETUID", "SETGID", "SETPCAP", "SYS_CHROOT", "KILL", "CHOWN"]


def container():
    return manifests.container_of(manifests.agent_pod(), NAME)


def fails_to_start(agent):
    """Exit status 1, and one JSON line at level error, which is returned."""
    agent.launch()
    assert agent.container.wait(timeout=20) == 1
    assert agent.said("agent ready") == []
    errors = [entry for entry in agent.log() if entry["level"] == "error"]
    assert len(errors) == 1, agent.container.lines()
    return errors[0]


def set_volume(pod, name, path):
    next(v for v in pod["spec"]["volumes"] if v["name"] == name)["hostPath"]["path"] = path


def test_the_manifest_grants_exactly_the_list():
    security = container()["securityContext"]
    assert sorted(security["capabilities"]["add"]) == sorted(CAPABILITIES)
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["privileged"] is False and security["readOnlyRootFilesystem"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_kernel_grants_the_agent_no_more(node, upstream, make_agent):
    bits = int(make_agent().start().process("leitwacht").status["CapBnd"], 16)
    numbers = {"CHOWN": 0, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "NET_ADMIN": 12, "SYS_CHROOT": 18,
               "SYS_PTRACE": 19, "SYS_ADMIN": 21}
    assert bits & ~sum(1 << numbers[name] for name in CAPABILITIES) == 0


@pytest.mark.parametrize("missing", CAPABILITIES)
def test_without_one_capability_it_does_not_start(node, upstream, make_agent, missing):
    def without(_pod, agent_container):
        agent_container["securityContext"]["capabilities"]["add"].remove(missing)
    error = fails_to_start(make_agent(without))
    assert missing.lower() in str(error).lower(), error


def test_pins_of_another_owner():
    with Node() as fresh:
        fresh.run(["mkdir", "-m", "0700", evidence.PINS])
        fresh.run(["chown", "1234:1234", evidence.PINS])
        assert "owner" in str(fails_to_start(Agent(fresh)))


def test_node_without_cgroup2(node, upstream, make_agent):
    """A cgroup v1 hierarchy where the manifest expects the node's cgroup2."""
    node.run(["mkdir", "-p", "/run/v1"])
    node.run(["mount", "-t", "cgroup", "-o", "freezer", "none", "/run/v1"])
    try:
        error = fails_to_start(make_agent(lambda pod, _: set_volume(pod, "cgroup", "/run/v1")))
        assert "cgroup" in str(error)
    finally:
        node.run(["umount", "/run/v1"])


def test_folder_that_is_no_bpffs(node, upstream, make_agent):
    node.run(["mkdir", "-p", "/run/nobpf"])
    error = fails_to_start(make_agent(lambda pod, _: set_volume(pod, "bpf", "/run/nobpf")))
    assert "bpf" in str(error)


def test_wrong_option_is_status_2(make_agent):
    agent = make_agent(lambda _pod, agent_container: agent_container["args"].append("--no-such-option"))
    agent.launch()
    assert agent.container.wait(timeout=10) == 2
