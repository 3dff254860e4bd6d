"""Each run has a network namespace of its own; each test a zygote, a child and an upstream of its own."""
import ctypes
import os
import subprocess

import pytest

from attacher import Proxy, Zygote
from upstream import Upstream

CLONE_NEWNET = 0x40000000


def pytest_configure(config):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        pytest.exit(f"unshare(CLONE_NEWNET): {os.strerror(ctypes.get_errno())}: run as root", 2)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.fixture
def zygote():
    made = Zygote()
    yield made
    status = made.end()
    print("\n".join(made.log))
    assert status == 0
    assert not any('"died"' in line or "proxy child died" in line for line in made.log), made.log


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
def proxy(zygote, upstream):
    made = Proxy(zygote, [upstream.address])
    made.live()
    yield made
    assert made.end()
