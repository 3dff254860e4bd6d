"""Point 2: no agent, no job.  And an agent that comes late is in time."""
import json
import time

import pytest

from harness import evidence, manifests
from harness.agent import Agent

FAILED = "leitwacht did not attach within deadline"


def failure_line(run):
    """The init container's one JSON line."""
    lines = run[manifests.BARRIER].lines("stderr")
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def test_init_fails_at_its_deadline_and_the_build_is_never_created(node, make_pod):
    run = make_pod(deadline=3)
    assert run.start() is False
    status = run[manifests.BARRIER].status()
    took = (status.finished_at - status.started_at) / 1e9         # containerd's clock
    assert status.exit_code == 1
    assert run.created() == [manifests.BARRIER]         # the runtime never heard of a build container
    assert 2.9 <= took < 5
    line = failure_line(run)
    assert line["msg"] == FAILED
    assert line["reason"]


def test_the_failure_is_the_pods_message(node, make_pod):
    run = make_pod(deadline=1)
    assert run.start() is False
    assert FAILED in run[manifests.BARRIER].message()


def test_deadline_by_flag_wins_nothing_is_sent_out(node, make_pod):
    """The flag works as the environment does, and the init container asks loopback only."""
    def by_flag(pod):
        container = manifests.container_of(pod, manifests.BARRIER)
        container["env"] = []
        container["args"] = ["--deadline", "1", "--poll", "50"]
    run = make_pod(change=by_flag)
    run.make_sandbox()
    with evidence.bridge_counter(node, run) as sent:
        assert run.run_init() is False
        status = run[manifests.BARRIER].status()
        assert (status.finished_at - status.started_at) / 1e9 < 3
        assert sent() == 0


@pytest.mark.parametrize("arguments", [["--deadline", "soon"], ["--no-such-option"], ["--poll"]])
def test_usage_is_status_2(node, make_pod, arguments):
    def wrong(pod):
        manifests.container_of(pod, manifests.BARRIER)["args"] = arguments
    run = make_pod(change=wrong)
    assert run.start() is False
    assert run[manifests.BARRIER].exit_code() == 2


def test_init_container_is_confined(node, make_pod):
    """Kubelet's checks accept the patch: a user by number, no capability, no new privileges."""
    run = make_pod(deadline=5)
    run.make_sandbox()
    init = run.start_container(manifests.container_of(run.pod, manifests.BARRIER))
    with open("/proc/%d/status" % init.pid()) as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4
    assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == ["0" * 16] * 4
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_agent_three_seconds_late_passes(node, upstream, make_pod, make_agent):
    run = make_pod(deadline=20)
    run.make_sandbox()
    init = run.start_container(manifests.container_of(run.pod, manifests.BARRIER))
    time.sleep(3)                                       # the time itself is what is tested
    assert init.exit_code() is None
    make_agent().start()
    assert init.wait(timeout=17) == 0
