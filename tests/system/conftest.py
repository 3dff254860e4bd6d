"""Fixtures of the system tests: one node and one agent for all of a file's tests.

A test that breaks its agent or its node makes its own: `own_node`, `make_agent`.
"""
import sys

import pytest

sys.dont_write_bytecode = True     # everything that is built lies under build/

from harness import manifests                      # noqa: E402
from harness.agent import Agent                    # noqa: E402
from harness.kubelet import PodRun                 # noqa: E402
from node.node import Node                         # noqa: E402
from services import Upstream, start_sink          # noqa: E402


@pytest.fixture(scope="module")
def node():
    with Node() as node:
        yield node


@pytest.fixture(scope="module")
def upstream(node):
    return Upstream(node)


@pytest.fixture(scope="module")
def sink(node):
    return start_sink(node)


@pytest.fixture(scope="module")
def agent(node, upstream):
    agent = Agent(node).start()
    yield agent
    agent.remove()


@pytest.fixture
def make_agent(node, upstream):
    """Agents for one test: removed at its end, whatever came of them."""
    made = []

    def make(change=None):
        made.append(Agent(node, change))
        return made[-1]
    yield make
    for agent in made:
        agent.remove()


@pytest.fixture
def make_pod(node):
    """make_pod(build="shell", ...): a job's pod (see manifests.runner_pod), not started yet."""
    made = []

    def make(build="exec sleep 3600", change=None, deadline=None, **options):
        pod = manifests.runner_pod(build, **options)
        if deadline is not None:
            manifests.set_env(pod, manifests.BARRIER, "LEITWACHT_DEADLINE", deadline)
        if change:
            change(pod)
        made.append(PodRun(node, pod))
        return made[-1]
    yield make
    for run in made:
        run.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the agent and its pods said."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for name, value in item.funcargs.items():
            if isinstance(value, Agent) and value.run.containers:
                report.sections.append(("agent's log", "\n".join(value.container.lines()[-60:])))
