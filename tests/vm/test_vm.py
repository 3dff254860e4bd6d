"""Linux 6.1 of Debian 12, which has no nftables PERSIST: booted once, each line of its console is a test."""
import os
import subprocess

import pytest

VM = os.path.join(os.path.dirname(__file__), "../../build/vm")
BOOT_SECONDS = 75  # about 15 without kvm

EXPECTED = [
    "kernel: linux 6.1",
    "kernel: modules loaded",
    "agent: self-test passed",
    "agent: runs on",
    "agent: none of its processes ended",
    "agent: stops with status 0",
    "owner: a fresh network namespace",
    "owner: two sockets",
    "owner: the table is built",
    "owner: its flags are OWNER without PERSIST",
    "owner: the table reads back",
    "owner: another table would not read back",
    "owner: another socket's delete gets EPERM",
    "owner: another socket can't take the table",
    "owner: the table is still whole",
    "owner: a copy of the socket keeps the table",
    "owner: and keeps it from others",
    "owner: the table is gone with the last copy",
]


@pytest.fixture(scope="module")
def console():
    """The VM's console, line by line, also in build/vm/console.txt."""
    path = os.path.join(VM, "console.txt")
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "1", "-nographic", "-no-reboot",
               "-nic", "none", "-kernel", f"{VM}/vmlinuz", "-initrd", f"{VM}/root.gz",
               "-append", "console=ttyS0 loglevel=1 panic=1 rdinit=/init"]
    with open(path, "wb") as out:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=BOOT_SECONDS, check=True)
        except subprocess.TimeoutExpired:
            pass  # the lines that are missing fail, one by one
    with open(path, encoding="utf-8", errors="replace") as lines:
        return [line.strip() for line in lines]


@pytest.mark.parametrize("what", EXPECTED)
def test_second_kernel(console, what):
    assert f"ok - {what}" in console, "\n".join(console)


def test_nothing_else_failed(console):
    assert "# end" in console
    assert not [line for line in console if line.startswith("not ok")]
    assert len([line for line in console if line.startswith("ok - ")]) == len(EXPECTED)
