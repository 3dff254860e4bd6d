"""The floor program, started once in the node; one round a pod."""
import json
import subprocess
import tempfile

from paths import BUILD, TESTS_BUILD

PROGRAM = TESTS_BUILD / "bench" / "floor"
OBJECT = BUILD / "bpf" / "lw.bpf.o"
PINS = "/sys/fs/bpf/leitwacht-floor"


class Floor:
    def __init__(self, node):
        self.errors = tempfile.TemporaryFile("w+")
        enter = ["nsenter", "--target", str(node.pid), "--mount", "--pid", "--cgroup", "--net", "--"]
        self.process = subprocess.Popen([*enter, PROGRAM, OBJECT, PINS], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self._line()

    def begin(self, pid, cgroup):
        """pid as the node counts; cgroup: the pod's, from the node's cgroup2 root."""
        self.process.stdin.write("%d %s\n" % (pid, cgroup))
        self.process.stdin.flush()

    def result(self):
        """{stage: ms} of the round that was begun; it is undone when this returns."""
        return json.loads(self._line())

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SystemExit("bench: the floor program ended: " + self.errors.read().strip())
        return line

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
