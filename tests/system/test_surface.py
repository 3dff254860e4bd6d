"""The live processes of a running agent equal their surface tables (common/surface.h)."""
import json
import os
import subprocess

import pytest

from paths import BUILD
from waiting import wait_until

FOLDERS = ["attacher", "dnsproxy", "watcher", "gate"]
ANY = -1
CAPABILITIES = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
                "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot "
                "sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease "
                "audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read "
                "perfmon bpf checkpoint_restore").split()


def tables():
    rows = []
    for folder in FOLDERS:
        out = subprocess.run([BUILD / "surface" / folder, "json"], check=True, stdout=subprocess.PIPE).stdout
        rows += [json.loads(line) for line in out.splitlines()]
    return rows


def bits(names):
    return sum(1 << CAPABILITIES.index(name) for name in names)


@pytest.fixture(scope="module")
def processes(node, agent):
    """With one pod LIVE, so that a proxy runs too; [(table, process)]."""
    from harness import manifests
    from harness.kubelet import PodRun
    run = PodRun(node, manifests.runner_pod("exec sleep 3600"))
    assert run.start()
    wait_until(lambda: any(p.name.startswith("lw-dns-") for p in agent.processes()), "a proxy")
    found = [(table, process) for table in tables() for process in agent.processes()
             if process.name == table["comm"] or (table["comm"].endswith("-") and process.name.startswith(table["comm"]))]
    yield found
    run.remove()


def test_each_table_has_its_process_and_each_process_its_table(agent, processes):
    assert {table["process"] for table, _ in processes} == {table["process"] for table in tables()}
    assert sorted(p.pid for _, p in processes) == sorted(p.pid for p in agent.processes())


def test_uid_capabilities_filter(processes):
    for table, process in processes:
        status, name = process.status, table["process"]
        assert status["Uid"].split() == [str(table["uid"])] * 4, name
        assert status["Gid"].split() == [str(table["uid"])] * 4, name
        if table["uid"]:
            assert status["Groups"].split() == [], name
        for key in ("CapPrm", "CapEff"):
            assert int(status[key], 16) == bits(table["capabilities"]), (name, key)
        assert int(status["CapBnd"], 16) == bits(table["bounding"]), name
        assert int(status["CapAmb"], 16) == (bits(table["capabilities"]) if table["ambient"] else 0), name
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", name


def test_root_folder(processes):
    for table, process in processes:
        if table["chrooted"]:
            assert os.listdir("/proc/%d/root" % process.pid) == [], table["process"]


def test_descriptors(processes):
    for table, process in processes:
        fixed = {row["number"]: row for row in table["fds"] if row["number"] != ANY}
        kinds = [row["kind"] for row in table["fds"] if row["number"] == ANY]
        open_now = process.fds()
        for number, row in fixed.items():
            assert row["optional"] or number in open_now, (table["process"], number)
        for number, what in open_now.items():
            allowed = [fixed[number]["kind"]] if number in fixed else kinds
            assert any(what.startswith(kind) for kind in allowed), (table["process"], number, what, allowed)
