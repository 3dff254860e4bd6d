"""The surface tables against their pages, their filters and the programs' symbols.

The live processes are held against the tables in tests/system/test_surface.py.
"""
import json
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
PAGES = {"attacher": "attacher", "dnsproxy": "dnsproxy", "watcher": "watcher", "gate": "watcher/gate"}
PROGRAMS = ["leitwacht", "leitwacht-attacher", "leitwacht-gate", "leitwacht-watcher", "leitwacht-dnsproxy",
            "leitwacht-uninstall"]
# What a reviewer looks for first: none of these may be linked, whatever the list says.
NEVER = {
    "leitwacht": "system popen dlopen getaddrinfo gethostbyname bpf_object__load",
    "leitwacht-attacher": "system popen execve execv execvp execl execlp fexecve posix_spawn fork vfork clone dlopen "
                          "getaddrinfo gethostbyname mount ptrace",
    "leitwacht-gate": "system popen execve execv execvp fork dlopen getaddrinfo socket connect bind bpf setns mount open openat",
    "leitwacht-watcher": "system popen execve execv execvp fork dlopen getaddrinfo socket connect bind bpf setns mount",
    "leitwacht-dnsproxy": "system popen execve execv execvp dlopen getaddrinfo gethostbyname socket connect bind bpf setns "
                          "mount ptrace ldns_resolver_new ldns_tcp_send ldns_udp_send",
}


def generate(folder, *words):
    return subprocess.run([BUILD / "surface" / folder, *words], check=True, stdout=subprocess.PIPE).stdout


def tables(folder):
    return [json.loads(line) for line in generate(folder, "json").splitlines()]


def calls(folder):
    """{process: names of its rows}, from the page."""
    found, process = {}, None
    for line in generate(folder, "page").decode().splitlines():
        if line.startswith("## "):
            process = found.setdefault(line[3:], set())
        row = re.match(r"\| `([a-z0-9_]+)` \|", line)
        if row and process is not None:
            process.add(row.group(1))
    return found


@pytest.mark.parametrize("folder", PAGES)
def test_page_is_the_tables(folder):
    page = TOP / PAGES[folder] / "SURFACE.md"
    assert page.read_bytes() == generate(folder, "page"), "run `make surface` and read the difference"


@pytest.mark.parametrize("folder", PAGES)
@pytest.mark.parametrize("phase", ["startup", "serving"])
def test_filter_builds_from_each_table(folder, phase):
    for index in range(len(tables(folder))):
        assert len(generate(folder, "filter", str(index), phase)) > 64      # BPF instructions of 8 bytes


def test_launcher_has_what_its_children_need():
    """Filters are inherited: a row that the launcher lacks would end the child."""
    launcher = calls("attacher")["leitwacht (launcher)"]
    for folder in PAGES:
        for process, names in calls(folder).items():
            assert names <= launcher, process


@pytest.mark.parametrize("program", PROGRAMS)
def test_symbols_are_the_committed_list(program):
    rows = subprocess.run(["nm", "-D", "--undefined-only", BUILD / "agent" / program], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    found = sorted({row.split()[-1].split("@")[0] for row in rows})
    listed = (TOP / "tests/surface/symbols" / (program + ".txt")).read_text().split()
    assert found == sorted(listed), "run `make symbols` and read the difference"
    assert not set(found) & set(NEVER.get(program, "").split())


def test_initc_is_static_and_small():
    program = BUILD / "leitwacht-initc"
    headers = subprocess.run(["readelf", "-lW", program], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert "INTERP" not in headers and "DYNAMIC" not in headers
    assert program.stat().st_size < 64 * 1024
