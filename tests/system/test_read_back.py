"""Point 4, second half: one act undone between its step and the read-back: LIVE must not come.

The zygote is stopped, and so the attach waits for its proxy with every kernel
act done; then one act is undone, and the zygote goes on.  The watcher is stopped
meanwhile: it would ask for the attach again, and a second attempt, which does
each act anew, opens the barrier rightly.
"""
import signal
import subprocess

import pytest

from harness import evidence, manifests
from paths import HELPERS
from waiting import wait_until

DEADLINE = 2


@pytest.fixture
def undone(node, agent, make_pod):
    """undone(act): a pod on whose attach act(run) was done just before the read-back."""
    def go(act):
        run = make_pod(deadline=DEADLINE)
        agent.signal("lw-dnsproxy", signal.SIGSTOP)
        try:
            run.make_sandbox()
            wait_until(lambda: len(evidence.listeners(node, run)) >= 2, "the kernel acts done")
            agent.signal("lw-watcher", signal.SIGSTOP)
            act(run)
        finally:
            agent.signal("lw-dnsproxy", signal.SIGCONT)
        return run
    yield go
    agent.signal("lw-watcher", signal.SIGCONT)


def stays_shut(node, agent, run):
    assert run.run_init(timeout=DEADLINE + 15) is False
    assert run[manifests.BARRIER].exit_code() == 1
    assert run.created() == [manifests.BARRIER]
    agent.signal("lw-watcher", signal.SIGCONT)
    assert agent.wait_said("attach failed", sandbox=run.sandbox)[0]["stage"] == "readback"


def map_pin(name):
    return "%s/%s" % (evidence.PINS, name)


def link_pin(run):
    return map_pin(evidence.link_name(run.cgroup_id))


def test_without_an_undoing_it_opens(node, undone):
    """The control: the way of holding it back is not what keeps it shut."""
    run = undone(lambda run: None)
    assert run.run_init() is True


def test_link_detached(node, agent, undone):
    run = undone(lambda run: node.run(["bpftool", "link", "detach", "pinned", link_pin(run)]))
    assert evidence.attached(node, run) == []
    stays_shut(node, agent, run)


def test_pin_removed(node, agent, undone):
    stays_shut(node, agent, undone(lambda run: node.run(["rm", link_pin(run)])))


def test_link_has_another_program(node, agent, undone):
    run = undone(lambda run: node.run([HELPERS / "cgroupprog", link_pin(run), "update"]))
    stays_shut(node, agent, run)


@pytest.mark.parametrize("slot", [0, 1 << 40])
def test_slot_changed(node, agent, undone, slot):
    def change(run):
        node.run(["bpftool", "map", "update", "pinned", map_pin("lw_slot"), "key",
                  *evidence.hex_bytes(run.cgroup_id), "value", *evidence.hex_bytes(slot)])
    stays_shut(node, agent, undone(change))


def test_pod_entry_deleted(node, agent, undone):
    def delete(run):
        for slot in evidence.entries_of(node, run):
            node.run(["bpftool", "map", "delete", "pinned", map_pin("lw_pods"), "key", *evidence.hex_bytes(slot)])
    stays_shut(node, agent, undone(delete))


@pytest.mark.parametrize("offset,what", [(0, "bundle"), (8, "mode"), (16, "token"), (32, "sandbox")])
def test_pod_entry_changed(node, agent, undone, offset, what):
    def change(run):
        slot = evidence.entries_of(node, run)[0]
        value = bytearray(evidence.pod_entry(node, slot))
        value[offset] ^= 1
        node.run(["bpftool", "map", "update", "pinned", map_pin("lw_pods"), "key", *evidence.hex_bytes(slot),
                  "value", *["0x%02x" % byte for byte in value]])
    stays_shut(node, agent, undone(change))


def test_listener_destroyed(node, agent, undone):
    def destroy(run):
        run.in_netns(["ss", "-K", "-n", "-l", "-t", "sport", "=", str(evidence.DNS_PORT)])
        assert not [row for row in evidence.listeners(node, run) if row.startswith("tcp")]
    stays_shut(node, agent, undone(destroy))


@pytest.mark.parametrize("what", [("flush", "output_nat"), ("flush", "prerouting_nat"), ("flush", "input"),
                                  ("flush", "output"), ("table",)], ids=lambda what: what[-1])
def test_rules_undone(node, agent, undone, what):
    """Only over the owner's own socket, taken from the attacher by the machine's root."""
    attacher = agent.process("lw-attacher").pid

    def undo(run):
        before = run.in_netns(["nft", "list", "ruleset"]).stdout
        subprocess.run([HELPERS / "nftundo", str(attacher), "/proc/%d/ns/net" % run.pause, *what], check=True)
        assert run.in_netns(["nft", "list", "ruleset"]).stdout != before
    stays_shut(node, agent, undone(undo))


def test_nobody_else_can_undo_the_rules(node, undone):
    """The owner flag: root in the pod's own network gets EPERM."""
    def attempt(run):
        for script in ("delete table inet leitwacht", "flush table inet leitwacht",
                       "flush chain inet leitwacht output_nat", "delete chain inet leitwacht output_nat",
                       "add rule inet leitwacht output accept"):
            assert run.in_netns(["nft", script], check=False).returncode != 0, script
        run.in_netns(["nft", "flush", "ruleset"], check=False)
    run = undone(attempt)
    assert len(evidence.chains(node, run)) == 4
    assert run.run_init() is True
