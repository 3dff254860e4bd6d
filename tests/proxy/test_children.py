"""Zygote and children as processes: descriptors, privileges, memory, many at once."""
import os
import re
import select
import signal
import time
from pathlib import Path

import pytest

import dns
from attacher import PORT, UID, Proxy, Zygote
from dns import ask, ask_tcp, query

KILOBYTES_A_POD = 100
SPARE = {62, 63}         # the zygote's ends of the child made in advance


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def fds_of(pid):
    return {int(fd.name): os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}


def children_of(zygote):
    pid = zygote.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_child_has_nothing_but_its_descriptors(proxy, zygote):
    assert set(fds_of(proxy.pid)) == set(range(9))
    time.sleep(0.1)                                # the zygote closes after it has answered
    assert set(fds_of(zygote.process.pid)) - SPARE == set(range(4))
    zygotes_channel = fds_of(zygote.process.pid)[3]
    assert zygotes_channel not in fds_of(proxy.pid).values()


def test_privileges(proxy, zygote):
    for pid, name in ((proxy.pid, "lw-dns-1"), (zygote.process.pid, "lw-dnsproxy")):
        status = status_of(pid)
        assert status["Name"] == name and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert status["Uid"].split() == [str(UID)] * 4 and status["Gid"].split() == [str(UID)] * 4
        assert status["Groups"].strip() == ""
        assert all(int(status[key], 16) == 0 for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
        assert os.readlink(f"/proc/{pid}/root").endswith("/empty")
        assert os.stat(f"/proc/{pid}/status").st_uid == 0     # not dumpable: its siblings can't look into it


@pytest.mark.parametrize("families,works,closed", [(1, "127.0.0.1", "::1"), (2, "::1", "127.0.0.1")])
def test_one_family_only(zygote, upstream, families, works, closed):
    made = Proxy(zygote, [upstream.address], families=families).live()
    assert ask(query("example.com"), (works, PORT)).an == 1
    assert ask_tcp(query("example.com"), (works, PORT)).an == 1
    with pytest.raises(ConnectionRefusedError):
        ask(query("example.com"), (closed, PORT))
    assert made.end()


def test_name_of_a_large_slot(zygote):
    made = Proxy(zygote, slot=2**64 - 1)
    assert status_of(made.pid)["Name"] == "lw-dns-18446744"
    assert made.end()


def test_many(zygote, upstream):
    begin = time.monotonic()
    pods = [Proxy(zygote, [upstream.address], slot=i + 1, port=20000 + i) for i in range(50)]
    spawned = (time.monotonic() - begin) / len(pods)
    fresh = max(pod.memory() for pod in pods)
    for i, pod in enumerate(pods):
        pod.live()
        for k in range(20):
            assert ask(query(f"n{k}.example.com", edns=1232), ("127.0.0.1", 20000 + i)).an == 1
        assert ask_tcp(query("example.com"), ("127.0.0.1", 20000 + i)).an == 1
    used = max(pod.memory() for pod in pods)
    print(f"spawn {spawned * 1e3:.2f} ms, private KiB: fresh {fresh}, used {used}")
    assert fresh < KILOBYTES_A_POD and used < KILOBYTES_A_POD
    assert all(pod.end() for pod in pods)
    time.sleep(0.1)
    assert [status_of(pid)["Name"] for pid in children_of(zygote)] == ["lw-dnsspare"]      # all others reaped


def test_nobody_reads_the_log(upstream):
    zygote = Zygote()
    made = Proxy(zygote, [("127.0.0.1", 5999), upstream.address])
    os.kill(made.pid, 0)
    zygote.stop_reading()
    made.live()
    assert ask(query("example.com")).an == 1       # its "upstream fails" line is lost, nothing else
    assert ask(query(dns.BARRIER, dns.TXT)).an == 1
    assert made.end()
    assert zygote.end() == 0


def test_killed_child_is_reaped_and_reported():
    zygote = Zygote()
    made = Proxy(zygote, slot=7)
    os.kill(made.pid, 9)
    assert made.ended()
    again = Proxy(zygote, slot=7)                  # the listeners are free again
    assert ask(query("example.com")).rcode == dns.SERVFAIL
    assert again.end()
    zygote.end()
    assert any(re.search(rf'"proxy child died","pid":{made.pid},"how":"signal","number":9', line) for line in zygote.log)


def test_a_dead_spare_costs_nobody_a_pod():
    zygote = Zygote()
    first = Proxy(zygote)
    assert first.end()
    time.sleep(0.1)
    spare, = children_of(zygote)
    assert set(fds_of(spare)) == {0, 1, 2, 8, 9} and fds_of(spare)[9] != fds_of(zygote.process.pid)[3]
    assert status_of(spare)["Seccomp_filters"] == "3"
    pidfd = os.pidfd_open(spare)
    os.kill(spare, 9)
    assert select.select([pidfd], [], [], 2)[0]
    os.close(pidfd)
    for slot in (2, 3, 4):                         # no pause: none is made in advance
        made = Proxy(zygote, slot=slot)
        assert status_of(made.pid)["Name"] == f"lw-dns-{slot}"
        assert ask(query(dns.BARRIER, dns.TXT)).rcode == dns.SERVFAIL
        assert made.end()
    assert zygote.end() == 0


def test_children_end_with_the_zygote(upstream):
    """Owned ones too: they would else hold their pods' network namespaces."""
    zygote = Zygote()
    made = Proxy(zygote, [upstream.address]).live()
    time.sleep(0.1)
    pidfds = [os.pidfd_open(pid) for pid in children_of(zygote)]
    assert len(pidfds) == 2                        # the pod's and the spare one
    os.kill(made.pid, signal.SIGSTOP)              # it does nothing of its own accord
    os.kill(zygote.process.pid, signal.SIGKILL)
    zygote.process.wait()
    assert all(select.select([pidfd], [], [], 2)[0] for pidfd in pidfds)
    for pidfd in pidfds:
        os.close(pidfd)


def test_zygote_ends_with_the_attacher_and_takes_all_along(zygote, upstream):
    made = Proxy(zygote, [upstream.address]).live()
    assert ask(query("example.com")).an == 1
    zygote.channel.close()
    assert zygote.process.wait(5) == 0
    assert made.ended()
