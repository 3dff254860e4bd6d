"""leitwacht-initc beside a real proxy; an nft rule that drops the token's payload stands in for the egress program."""
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

import dns
from attacher import PORT, TOKEN, Proxy
from upstream import Upstream

INITC = Path(__file__).resolve().parents[2] / "build" / "leitwacht-initc"
REDIRECT = f"""
table inet pod {{
    chain nat {{
        type nat hook output priority -100;
        ip daddr 127.53.0.53 udp dport 53 redirect to :{PORT}
    }}
    chain egress {{
        type filter hook output priority 0;
    }}
}}
"""
EVERY_REASON = {"query not sent", "refused", "no answer", "not attached yet", "malformed answer", "wrong version",
                "canary control not sent", "canary not denied"}


def nft(text):
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def drop(payload=None):
    match = f"@th,64,128 0x{payload.encode().hex()} " if payload else ""
    nft(f"add rule inet pod egress udp dport 15354 {match}drop")


@pytest.fixture
def redirect():
    nft(REDIRECT)
    yield
    nft("delete table inet pod")


def initc(*flags, **environment):
    """The program as kubelet starts it: any uid, no capability.  (status, stdout, error line)"""
    done = subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--bounding-set", "-all",
                           "--no-new-privs", str(INITC), *flags], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=30)
    if done.returncode == 1:
        line, = done.stderr.splitlines()
        error = json.loads(line)
        assert error["msg"] == "leitwacht did not attach within deadline"
        assert set(error["counts"]) == EVERY_REASON and sum(error["counts"].values()) == error["polls"]
        assert error["counts"][error["reason"]] > 0
        return 1, done.stdout, error
    return done.returncode, done.stdout, done.stderr


def refused_for(reason, *flags):
    begin = time.monotonic()
    status, _, error = initc("--deadline", "0.5", *flags)
    assert (status, error["reason"], error["deadline_s"]) == (1, reason, 0.5)
    assert 0.45 < time.monotonic() - begin < 1
    return error


def test_nothing_there():
    assert refused_for("refused")["counts"]["refused"] >= 5       # 10, 20, 40 ... ms at first


def test_redirect_to_nobody(redirect):
    refused_for("refused")


def test_mute_then_live(redirect, zygote):
    drop(TOKEN)
    made = Proxy(zygote)
    refused_for("not attached yet")
    threading.Timer(0.5, made.live).start()
    begin = time.monotonic()
    status, out, _ = initc()
    assert status == 0 and out.startswith("leitwacht attached version=0.1.0 waited_ms=")
    assert "WEAKENED" not in out and 0.4 < time.monotonic() - begin < 0.8
    assert made.end()


def test_no_egress_program(redirect, proxy):
    refused_for("canary not denied")


def test_another_pods_program(redirect, proxy):
    drop("f" * 16)
    refused_for("canary not denied")


def test_someone_elses_deny_all(redirect, proxy):
    drop()
    refused_for("canary control not sent")


def test_weakened_says_so(redirect, proxy):
    status, out, _ = initc("--no-canary")
    assert status == 0 and "WEAKENED: canary=off" in out
    status, out, _ = initc(LEITWACHT_CANARY="off", LEITWACHT_VERSION_CHECK="off")
    assert status == 0 and "canary=off" in out and "version_check=off" in out


def test_older_agent(redirect, proxy):
    drop(TOKEN)
    error = refused_for("wrong version", "--min-version", "0.1.1-rc.1")
    assert (error["agent_version"], error["min_version"]) == ("0.1.0", "0.1.1-rc.1")
    assert initc("--min-version", "0.1.1", "--no-version-check")[0] == 0
    assert initc("--min-version", "0.1.0-rc.1")[0] == 0


def liar(behave):
    return Upstream(lambda message, tcp: behave(message), port=PORT)


TEXT = b"attached version=0.1.0 token=" + TOKEN.encode()


def txt(text):
    return [(dns.TXT, bytes([len(text)]) + text)]


@pytest.mark.parametrize("reason,behave", [
    ("no answer", lambda m: []),
    ("no answer", lambda m: [bytes([m[0] ^ 1]) + dns.answer(m, txt(TEXT))[1:]]),
    ("no answer", lambda m: [dns.answer(m, txt(TEXT), flags=0x0180)]),
    ("not attached yet", lambda m: [dns.answer(m, flags=0x8182)]),
    ("not attached yet", lambda m: [dns.answer(m, flags=0x8183)]),
    ("malformed answer", lambda m: [dns.answer(m)]),
    ("malformed answer", lambda m: [dns.answer(m, txt(TEXT) * 2)]),
    ("malformed answer", lambda m: [dns.answer(m, txt(b"attached"))]),
    ("malformed answer", lambda m: [dns.answer(m, [(dns.A, b"\1\2\3\4")])]),
    ("wrong version", lambda m: [dns.answer(m, txt(TEXT.replace(b"0.1.0", b"0.0.9")))]),
    ("canary not denied", lambda m: [dns.answer(m, txt(TEXT.replace(TOKEN.encode(), b"0" * 16)))]),
], ids=range(11))
def test_a_liar_in_the_proxys_place(redirect, reason, behave):
    drop(TOKEN)
    false = liar(behave)
    refused_for(reason)
    false.close()


def test_usage():
    assert initc("--nonsense")[0] == 2
    assert initc(LEITWACHT_DEADLINE="soon")[0] == 2
    assert initc("--version")[:2] == (0, "leitwacht-initc 0.1.0\n")


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_as_the_containers_command_opens_nothing(flag):
    """As pid 1, and in a pod that shares its pid namespace, where only the parent is out of sight."""
    def status(*start):
        done = subprocess.run([*start, str(INITC), flag], capture_output=True, text=True, timeout=30)
        assert (flag in done.stderr) == (done.returncode == 2), done
        return done.returncode
    assert status() == 0
    assert status("unshare", "--pid", "--fork") == 2
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "60"]) as pause:
        try:
            time.sleep(0.3)
            namespace = f"--pid=/proc/{pause.pid}/ns/pid_for_children"
            assert status("nsenter", namespace) == 2
        finally:
            pause.kill()


def test_ends_at_once_when_told():
    process = subprocess.Popen([INITC])
    time.sleep(0.2)
    process.terminate()
    assert process.wait(1) == 1


def test_size_and_self_sufficiency():
    assert INITC.stat().st_size < 64 * 1024
    headers = subprocess.run(["readelf", "-lW", INITC], capture_output=True, text=True, check=True).stdout
    assert "INTERP" not in headers and "GNU_RELRO" in headers
