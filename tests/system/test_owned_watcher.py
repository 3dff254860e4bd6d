"""The attacher against a watcher that is owned: claims are checked, a broken message is the watcher's end.

The test stops the watcher, takes a copy of its channel to the attacher (pidfd_getfd, as root) and speaks on it
as an owned watcher would.  Layouts are those of common/message.h.
"""
import ctypes
import json
import os
import signal
import socket
import struct

import pytest

from harness import evidence, squat
from node.config import SERVICE4
from services import SINK_PORT
from waiting import wait_until

SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
FD_WATCHER_ATTACHER = 5
START, STARTED = 40, 41
LIVE, ALREADY, FAILED, REFUSED, GONE = range(5)
EPERM, ESRCH, EINVAL, EOPNOTSUPP, EADDRINUSE = -1, -3, -22, -95, -98
AUDIT_ALL = 1


def start(sandbox, pid, bundle=AUDIT_ALL):
    return struct.pack("=HHI64sII", START, 0, 0, sandbox.encode(), pid, bundle)


class OwnedWatcher:
    """Use in a with statement: the real watcher is stopped meanwhile."""

    def __init__(self, agent):
        self.process = agent.process("lw-watcher")

    def __enter__(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = libc.syscall(SYS_PIDFD_OPEN, self.process.pid, 0)
        fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, FD_WATCHER_ATTACHER, 0)
        os.close(pidfd)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        self.channel = socket.socket(fileno=fd)
        self.channel.settimeout(5)
        return self

    def __exit__(self, *_):
        self.channel.close()
        os.kill(self.process.pid, signal.SIGCONT)

    def claim(self, sandbox, pid, bundle=AUDIT_ALL):
        """(outcome, error) of the answer for this sandbox."""
        self.channel.send(start(sandbox, pid, bundle))
        while True:
            answer = struct.unpack("=HHI64sQQIIi7I", self.channel.recv(4096))
            if answer[0] == STARTED and answer[3].decode() == sandbox:
                return answer[6], answer[8]


def passed(run):
    assert run.start(), run["leitwacht-attach"].lines()
    return run


def test_host_network(node, agent, make_pod):
    def on_the_host(pod):
        pod["spec"]["hostNetwork"] = True
    run = make_pod(change=on_the_host)
    before = evidence.ruleset(node)
    with OwnedWatcher(agent) as watcher:
        run.make_sandbox()
        assert watcher.claim(run.sandbox, node.node_pid(run.pause)) == (REFUSED, EPERM)
    assert evidence.ruleset(node) == before
    assert evidence.attached(node, run) == []


def test_claims_that_the_kernel_does_not_bear_out(node, agent, make_pod):
    one, two = passed(make_pod()), passed(make_pod())
    link = evidence.link_facts(node, one)
    with OwnedWatcher(agent) as watcher:
        pid = node.node_pid(two.pause)
        assert watcher.claim(one.sandbox, pid) == (REFUSED, EINVAL)             # another pod's process
        assert watcher.claim("f" * 64, pid) == (REFUSED, EINVAL)                # an id that is not there
        assert watcher.claim("../" + "f" * 61, pid) == (REFUSED, EINVAL)        # no id at all
        assert watcher.claim(two.sandbox, 1) == (REFUSED, EINVAL)               # the node's init
        assert watcher.claim(two.sandbox, 0xffffffff) == (REFUSED, EINVAL)
        assert watcher.claim(two.sandbox, pid, bundle=7) == (FAILED, EOPNOTSUPP)
        assert watcher.claim(two.sandbox, pid) == (ALREADY, 0)                  # the truth
    assert evidence.link_facts(node, one) == link


def test_a_process_that_is_gone(node, agent, make_pod):
    run = passed(make_pod())
    pid = node.node_pid(run.pause)
    os.kill(run.pause, signal.SIGKILL)
    wait_until(lambda: not os.path.exists("/proc/%d" % run.pause), "the pause process gone")
    with OwnedWatcher(agent) as watcher:
        assert watcher.claim(run.sandbox, pid) == (GONE, ESRCH)
    assert evidence.attached(node, run) == ["lw_egress"]


def test_after_a_failed_first_attach_the_pod_sends_nothing(node, agent, sink, make_pod):
    """Slot 0 denies.  Nobody repeats the claim here, and the job has no barrier that would hold it."""
    run = make_pod(barrier=False)
    with OwnedWatcher(agent) as watcher:
        run.make_sandbox()
        with squat.port_taken(node, run, "udp4"):
            assert watcher.claim(run.sandbox, node.node_pid(run.pause)) == (FAILED, EADDRINUSE)
        assert evidence.attached(node, run) == ["lw_egress"]
        assert evidence.slot_of(node, run) == 0
        with evidence.bridge_counter(node, run) as sent:
            run.run_main()
            tried = json.loads(run["build"].exec("probe", "udp", SERVICE4, str(SINK_PORT), "3")[1])
            assert (tried["sent"], tried["errno"]) == (0, "EPERM")
            assert sent() == 0


@pytest.mark.parametrize("message", [
    b"", b"\x28", start("0" * 64, 7)[:-1], start("0" * 64, 7) + b"\0",
    b"\x29" + start("0" * 64, 7)[1:],                       # STARTED, which a watcher may not send
    start("0" * 64, 7)[:4] + b"\1" + start("0" * 64, 7)[5:],   # padding
    b"\xff\xff" + bytes(6),
], ids=["empty", "short", "cut", "long", "direction", "padding", "type"])
def test_a_broken_message_is_the_watchers_end(node, agent, make_pod, message):
    running = passed(make_pod())
    attacher = agent.process("lw-attacher")
    with OwnedWatcher(agent) as watcher:
        watcher.channel.send(message)
        if message:
            wait_until(lambda: not os.path.exists("/proc/%d" % watcher.process.pid), "the watcher ended by the launcher")
        else:                                               # as if it had gone: a new one comes by the channel's end
            os.kill(watcher.process.pid, signal.SIGKILL)
        watcher.process.pid = os.getpid()                   # SIGCONT to somebody who does not mind
    assert passed(make_pod())
    assert agent.process("lw-attacher").pid == attacher.pid
    assert evidence.attached(node, running) == ["lw_egress"]


def test_a_descriptor_that_no_message_takes(agent, make_pod):
    with OwnedWatcher(agent) as watcher:
        socket.send_fds(watcher.channel, [start("0" * 64, 7)], [0])
        wait_until(lambda: not os.path.exists("/proc/%d" % watcher.process.pid), "the watcher ended by the launcher")
        watcher.process.pid = os.getpid()
    assert passed(make_pod())
