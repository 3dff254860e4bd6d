"""Point 5: what looks like an open barrier, and is not.

The init container runs in a pod that is attached already, so that each test
takes away or imitates one half of the proof only.
"""
import json

import pytest

from harness import evidence, manifests, squat
from waiting import wait_until

LIAR_PORT = 5353
DEADLINE = 2
NAME = "_leitwacht.attached.local"


@pytest.fixture
def attached_pod(node, agent, make_pod):
    """A pod whose attach is done and whose init container has not run yet."""
    def make():
        run = make_pod(deadline=DEADLINE)
        run.make_sandbox()
        agent.wait_said("attached", sandbox=run.sandbox)
        return run
    return make


def shut(run):
    """Runs the init container; the reason that it gives."""
    assert run.run_init(timeout=DEADLINE + 10) is False, "the barrier opened"
    assert run[manifests.BARRIER].exit_code() == 1
    assert run.created() == [manifests.BARRIER]
    return json.loads(run[manifests.BARRIER].lines("stderr")[-1])["reason"]


def detach(node, run):
    node.run(["bpftool", "link", "detach", "pinned", "%s/%s" % (evidence.PINS, evidence.link_name(run.cgroup_id))])


def test_control_it_opens(attached_pod):
    run = attached_pod()
    assert run.run_init() is True


def test_egress_link_alone_taken_away(node, attached_pod):
    run = attached_pod()
    detach(node, run)
    assert evidence.attached(node, run) == []
    assert len(evidence.chains(node, run)) == 4 and evidence.listeners(node, run)
    assert "canary" in shut(run)


@pytest.mark.parametrize("mode", ["lying", "wildcard"])
def test_upstream_is_not_asked_and_cannot_open_it(node, upstream, attached_pod, mode):
    """The proxy answers the barrier's name itself, whichever resolver was asked."""
    upstream.restart(mode)
    try:
        passing, run = attached_pod(), attached_pod()
        assert passing.run_init() is True
        passing.run_main()
        for resolver in ("10.96.0.10", "127.53.0.53"):
            out = passing["build"].exec("probe", "txt", resolver, "53", NAME)[1]
            assert evidence.token_of(node, passing) in json.loads(out)["text"]
        detach(node, run)
        shut(run)
        assert [query for query in upstream.queries() if query[2] == NAME] == []
    finally:
        upstream.restart("plain")


def test_liar_in_the_pods_network_has_the_wrong_token(node, attached_pod):
    run = attached_pod()
    with squat.liar(node, run, "lying", LIAR_PORT):
        squat.redirect_barrier(node, run, LIAR_PORT)
        assert "canary" in shut(run)


def test_liar_and_no_agent_at_all(node, make_pod):
    """A namespace that is not guarded: nothing of ours is in the pod, only a liar."""
    run = make_pod(deadline=DEADLINE, namespace="default")
    run.make_sandbox()
    with squat.liar(node, run, "lying", LIAR_PORT):
        squat.redirect_barrier(node, run, LIAR_PORT)
        assert "canary" in shut(run)


def test_someone_elses_deny_all(node, make_pod):
    run = make_pod(deadline=DEADLINE, namespace="default")
    run.make_sandbox()
    with squat.programs(node, run, "deny", 1):
        shut(run)


@pytest.mark.parametrize("obstacle", ["program", "nft drop"])
def test_liar_with_someone_elses_drop_of_the_canary_port(node, make_pod, obstacle):
    """Both canaries get EPERM: the control is not sent, and so it is not our program."""
    run = make_pod(deadline=DEADLINE, namespace="default")
    run.make_sandbox()
    with squat.liar(node, run, "lying", LIAR_PORT):
        squat.redirect_barrier(node, run, LIAR_PORT)
        if obstacle == "program":
            with squat.programs(node, run, "canary", 1):
                assert "control" in shut(run)
        else:
            squat.nft(node, run, "table inet other { chain o { type filter hook output priority 0; "
                                 "udp dport %d drop; }; }" % evidence.CANARY_PORT)
            assert "control" in shut(run)


def test_token_of_another_pod(node, attached_pod):
    other, run = attached_pod(), attached_pod()
    token = evidence.token_of(node, other)
    assert token != evidence.token_of(node, run)
    with squat.liar(node, run, "lying:" + token, LIAR_PORT):
        squat.redirect_barrier(node, run, LIAR_PORT)
        assert "canary" in shut(run)


def test_token_of_an_earlier_sandbox(node, agent, attached_pod):
    run = attached_pod()
    earlier = evidence.token_of(node, run)
    node.cri.stop_sandbox(run.sandbox)
    run.make_sandbox()
    agent.wait_said("attached", sandbox=run.sandbox)
    wait_until(lambda: evidence.token_of(node, run) != earlier, "a new token")
    with squat.liar(node, run, "lying:" + earlier, LIAR_PORT):
        squat.redirect_barrier(node, run, LIAR_PORT)
        assert "canary" in shut(run)
