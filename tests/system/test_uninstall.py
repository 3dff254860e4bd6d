"""leitwacht-uninstall is the only thing that detaches, and not while it would do harm."""
from harness import evidence, manifests
from paths import BUILD

PROGRAM = BUILD / "agent" / "leitwacht-uninstall"


def uninstall(node, *options):
    done = node.run([PROGRAM, *options], check=False)
    return done.returncode, done.stdout + done.stderr


def passed(run):
    assert run.start(), run[manifests.BARRIER].lines()
    return run


def test_refuses_while_an_agent_runs(node, upstream, make_agent, make_pod):
    make_agent().start()
    run = passed(make_pod())
    for options in ((), ("--force",)):
        code, said = uninstall(node, *options)
        assert code != 0 and said
        assert evidence.attached(node, run) == ["lw_egress"]


def test_refuses_while_a_pod_is_enforced_unless_forced(node, upstream, make_agent, make_pod):
    agent = make_agent().start()
    run = passed(make_pod())
    agent.kill()
    code, said = uninstall(node)
    assert code != 0 and said
    assert evidence.attached(node, run) == ["lw_egress"]
    assert uninstall(node, "--force")[0] == 0
    assert evidence.attached(node, run) == []
    assert evidence.pins(node) == []


def test_after_it_an_agent_starts_afresh(node, upstream, make_agent, make_pod):
    agent = make_agent().start()
    passed(make_pod()).remove()
    agent.kill()
    assert uninstall(node)[0] == 0
    assert evidence.pins(node) == []
    make_agent().start()
    assert evidence.attached(node, passed(make_pod())) == ["lw_egress"]


def test_no_bpffs_is_said(node):
    code, said = uninstall(node, "--bpffs=/tmp")
    assert code != 0 and "bpffs" in said
