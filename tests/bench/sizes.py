"""What is big: the processes' memory, the init container, the privileged source."""
import re

from paths import BUILD, REPO

# A string or character constant, kept; or a comment, dropped.
TOKEN = re.compile(r'("(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')|/\*.*?\*/|//[^\n]*', re.DOTALL)
# uninstall.c is a program of its own; surface_tables.c writes the reviewers' pages.
NOT_SERVING = {"uninstall.c", "surface_tables.c"}


def rollup(pid):
    """{name: KiB} of a process's whole memory."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        rows = [line.split() for line in file.read().splitlines()[1:]]
    return {row[0].rstrip(":"): int(row[1]) for row in rows}


def code_lines(text):
    bare = TOKEN.sub(lambda match: match.group(1) or " ", text)
    return sum(1 for line in bare.splitlines() if line.strip())


def part_of(name):
    if "surface" in name:
        return "tables"
    return "launcher" if name.startswith("launcher") else "attacher"


def privileged_lines():
    """{part: lines} of the folder whose programs hold capabilities while they serve."""
    lines = {"launcher": 0, "attacher": 0, "tables": 0}
    for file in REPO.joinpath("attacher").glob("*.[ch]"):
        if file.name not in NOT_SERVING:
            lines[part_of(file.name)] += code_lines(file.read_text())
    return lines


def initc_bytes():
    return (BUILD / "leitwacht-initc").stat().st_size
