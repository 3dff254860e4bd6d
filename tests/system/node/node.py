"""A private containerd node: real containerd, runc, CNI and kernel, nothing pulled.

    node = Node().start()        # about a second
    node.cri                     # CRI client
    node.run(["nft", "list", "ruleset"])   # in the node's namespaces
    node.stop()                  # or the end of this process, however it ends

Several nodes may be up at once.  Pids are those of the machine.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from harness.cri import Cri
from node import config, images, keeper
from waiting import wait_until

TOOLS = {"containerd": "containerd", "runc": "runc", "ctr": "containerd", "unshare": "util-linux",
         "nsenter": "util-linux", "ip": "iproute2", "nft": "nftables", "bpftool": "bpftool"}
PREFIX = "lwn-"


class Node:
    def __init__(self, network="dual", root=None):
        """network: a key of config.NETWORKS.  root: a folder with another containerd and runc."""
        self.network = network
        self.path = os.environ["PATH"]
        if root:
            self.path = "%s/usr/bin:%s/usr/sbin:%s" % (root, root, self.path)
        self.folder = self.cgroup = self.keeper = self.pid = self.containerd = None
        self.lock = threading.Lock()

    # -- start and end --

    def start(self):
        check_machine(self.path)
        remove_stale()
        archive = images.archive()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        self.cgroup = cgroup2_mount() / self.folder.name
        try:
            config.write_all(self.folder, self.network, shutil.which("runc", path=self.path))
            self._start_keeper()
            self.start_containerd()
            self._import(archive)
        except BaseException:
            self.stop()
            raise
        return self

    def _start_keeper(self):
        program = pathlib.Path(__file__).with_name("keeper.py")
        addresses = [config.SERVICE4 + "/32", config.SERVICE6 + "/128"]
        self.errors = tempfile.TemporaryFile("w+")       # outlives the folder
        self.keeper = subprocess.Popen(
            [sys.executable, "-IS", str(program), str(self.folder), str(self.cgroup), *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=dict(os.environ, PATH=self.path))
        self.pid = self._reply()["pid"]

    def _reply(self):
        line = self.keeper.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SystemExit("the test node's init ended:\n" + self.errors.read())
        return json.loads(line)

    def _import(self, archive):
        subprocess.run(["ctr", "--address", self.socket_path, "--namespace", "k8s.io", "images", "import", str(archive)],
                       check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, PATH=self.path))
        wait_until(self.cri.image_present, "the images known to CRI")

    def stop(self):
        """Everything of the node is gone when this returns."""
        if self.keeper:
            self.keeper.stdin.close()
            self.keeper.wait()
        elif self.folder:
            shutil.rmtree(self.folder)
        self.keeper = self.folder = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- containerd alone --

    @property
    def socket_path(self):
        return str(self.folder / "run" / "containerd.sock")

    def start_containerd(self):
        self.containerd = self.spawn(["containerd", "-c", str(self.folder / "containerd.toml")], "containerd")
        # gRPC waits for seconds after a refused connection: it must not meet one.
        wait_until(lambda: accepts(self.socket_path), "containerd listens", timeout=20)
        self.cri = Cri(self.socket_path)
        wait_until(self.cri.ready, "containerd ready", timeout=20)

    def stop_containerd(self, number=signal.SIGTERM):
        """Pods go on; their shims are children of the node's init."""
        os.kill(self.containerd, number)
        wait_until(lambda: not alive(self.containerd), "containerd ended")

    def restart_containerd(self, number=signal.SIGTERM):
        self.stop_containerd(number)
        self.start_containerd()

    def use_network(self, network):
        """For pods made from now on."""
        self.network = network
        config.write_network(self.folder, network)
        wait_until(lambda: self.cri.network() == config.conflist(network), "CNI reloaded")

    # -- processes in the node --

    def spawn(self, argv, log):
        """Started by the node's init, and gone with it.  Output: log/<log>.log."""
        command = {"spawn": [str(a) for a in argv], "log": str(self.folder / "log" / (log + ".log"))}
        with self.lock:
            self.keeper.stdin.write(json.dumps(command) + "\n")
            self.keeper.stdin.flush()
            return self._reply()["pid"]

    def run(self, argv, netns=None, check=True, **options):
        """Run to the end in the node's mount and network namespaces (or in those of process netns)."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup",
                 "--net=/proc/%d/ns/net" % (netns or self.pid)]
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run([*enter, "--", *map(str, argv)], text=True, **options)
        if check and done.returncode:
            raise AssertionError("%s: status %d\n%s%s" % (" ".join(map(str, argv)), done.returncode,
                                                          done.stdout, done.stderr))
        return done

    def log(self, name):
        return (self.folder / "log" / (name + ".log")).read_text(errors="replace")

    def machine_cgroup(self, path):
        """A cgroup path of the node as the machine's tree has it."""
        return self.cgroup / path.lstrip("/")

    def machine_pid(self, pid):
        """The machine's number for a pid that the node's containerd named."""
        for group, _, _ in os.walk(self.cgroup):
            for candidate in pathlib.Path(group, "cgroup.procs").read_text().split():
                if self.node_pid(candidate) == pid:
                    return int(candidate)
        raise AssertionError("no process %d in the node" % pid)

    def node_pid(self, pid):
        """And back; a container may have a pid namespace of its own below the node's."""
        depth = len(namespaced_pids(self.pid))
        numbers = namespaced_pids(pid)
        return numbers[depth - 1] if len(numbers) >= depth else None


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def namespaced_pids(pid):
    """A process's pid in each pid namespace, the machine's first."""
    try:
        with open("/proc/%s/status" % pid) as file:
            line = next(line for line in file if line.startswith("NSpid:"))
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(number) for number in line.split()[1:]]


def remove_stale():
    """What a node left whose keeper was killed too: its lock is free."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            held = keeper.lock(folder) if (folder / "lock").exists() else None
        except BlockingIOError:
            continue                      # it lives
        if held:
            keeper.remove(folder, cgroup2_mount() / folder.name)


def cgroup2_mount():
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, target, kind, *_ = line.split()
            if kind == "cgroup2":
                return pathlib.Path(target)
    raise SystemExit("tests/system: no cgroup2 on this machine: mount -t cgroup2 none /sys/fs/cgroup/unified")


def check_machine(path):
    if os.geteuid() != 0:
        raise SystemExit("tests/system: must run as root (namespaces, cgroups, BPF)")
    for tool, package in TOOLS.items():
        if not shutil.which(tool, path=path):
            raise SystemExit("tests/system: %s is missing: apt-get install %s" % (tool, package))
    if not os.path.exists("/usr/lib/cni/bridge"):
        raise SystemExit("tests/system: no CNI plugins: apt-get install containernetworking-plugins")
