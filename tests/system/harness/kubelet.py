"""A kubelet's order of acts: pod cgroup, sandbox, init containers one by one, main containers."""
import os
import time

import grpc

from harness import translate
from waiting import wait_until

CLUSTER_DNS = {"ipv6": "fd00:96::a"}
CLUSTER_DNS_DEFAULT = "10.96.0.10"
LOG_MESSAGE_BYTES = 2048


class Container:
    """One container that was created: its id, its log, and its end."""

    def __init__(self, run, spec, attempt):
        self.run, self.spec, self.attempt = run, spec, attempt
        self.name = spec["name"]
        folder = run.folder / self.name
        folder.mkdir(exist_ok=True)
        self.termination = folder / ("%d.termination" % attempt)
        self.termination.touch()
        self.log_file = folder / ("%d.log" % attempt)
        cri = run.node.cri
        translate.check_user(run.pod, spec, cri.image(spec["image"]))
        config = translate.container_config(
            run.pod, spec, attempt, "%s/%d.log" % (self.name, attempt),
            [("/etc/hosts", str(run.hosts)), ("/dev/termination-log", str(self.termination))])
        self.id = cri.create(run.sandbox, config, run.sandbox_config)
        cri.start(self.id)
        self.started = time.time()

    def status(self):
        return self.run.node.cri.container_status(self.id)

    def exit_code(self):
        """None while it runs."""
        status = self.status()
        return status.exit_code if status.finished_at else None

    def wait(self, timeout=60):
        wait_until(lambda: self.exit_code() is not None, "%s ended" % self.name, timeout)
        return self.exit_code()

    def lines(self, stream=None):
        """The log's lines: the runtime writes "time stream F text"."""
        if not self.log_file.exists():
            return []
        rows = [line.split(" ", 3) for line in self.log_file.read_text(errors="replace").splitlines()]
        return [row[3] for row in rows if len(row) == 4 and stream in (None, row[1])]

    def message(self):
        """What kubelet would show as the container's termination message."""
        text = self.termination.read_text()
        if not text and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" and self.exit_code():
            text = "\n".join(self.lines())[-LOG_MESSAGE_BYTES:]
        return text

    def exec(self, *argv, timeout=20):
        """(exit code, stdout, stderr) of a command in the running container."""
        return self.run.node.cri.exec(self.id, list(argv), timeout)

    def pid(self):
        return self.run.node.machine_pid(self.run.node.cri.container_pid(self.id))


class PodRun:
    """One pod on its way through the node.  Times are of the wall clock."""

    def __init__(self, node, pod):
        self.node, self.pod, self.uid = node, pod, pod["metadata"]["uid"]
        self.name, self.namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.cgroup = node.machine_cgroup(translate.pod_cgroup(pod))
        self.folder = node.folder / "pods" / ("%s_%s_%s" % (self.namespace, self.name, self.uid))
        self.hosts = self.folder / "hosts"
        self.containers, self.times = {}, {}
        self.attempt, self.sandbox, self.sandboxes = -1, None, []

    # -- kubelet's steps --

    def make_sandbox(self):
        """Pod cgroup first, as kubelet does; a second call replaces a dead sandbox."""
        self.folder.mkdir(exist_ok=True)
        self.hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
        self.cgroup.mkdir(parents=True, exist_ok=True)
        self.attempt += 1
        dns = CLUSTER_DNS.get(self.node.network, CLUSTER_DNS_DEFAULT)
        self.sandbox_config = translate.sandbox_config(self.pod, self.attempt, str(self.folder), [dns])
        self.times["sandbox asked for"] = time.time()
        self.sandbox = self.node.cri.run_sandbox(self.sandbox_config)
        self.times["sandbox runs"] = time.time()
        self.sandboxes.append(self.sandbox)
        self.addresses, pid, self.sandbox_cgroup = self.node.cri.sandbox_facts(self.sandbox)
        self.pause = self._pause_pid(pid)
        return self

    def _pause_pid(self, pid):
        procs = (self.node.machine_cgroup(self.sandbox_cgroup) / "cgroup.procs").read_text().split()
        return int(procs[0]) if len(procs) == 1 else self.node.machine_pid(pid)

    def run_init(self, timeout=60):
        """True if each init container ended with 0, each created only after the one before it."""
        for spec in self.pod["spec"].get("initContainers", []):
            container = self.start_container(spec)
            code = container.wait(timeout)
            self.times[spec["name"] + " ended"] = time.time()
            if code != 0:
                return False
        return True

    def run_main(self):
        for spec in self.pod["spec"]["containers"]:
            self.start_container(spec)
        return self

    def start(self, timeout=60):
        """The whole way.  False if an init container failed: then no main container is created."""
        self.make_sandbox()
        if not self.run_init(timeout):
            return False
        self.run_main()
        return True

    def start_container(self, spec):
        attempt = self.containers[spec["name"]].attempt + 1 if spec["name"] in self.containers else 0
        container = Container(self, spec, attempt)
        self.times[spec["name"] + " started"] = container.started
        self.containers[spec["name"]] = container
        return container

    # -- looking at it --

    def __getitem__(self, name):
        return self.containers[name]

    @property
    def cgroup_id(self):
        """The kernel's id of the pod cgroup is its inode number."""
        return self.cgroup.stat().st_ino

    def created(self):
        """The containers that the runtime knows of: the runtime's evidence, not ours."""
        return self.node.cri.containers_of(self.sandbox)

    def in_netns(self, argv, **options):
        """Run a node's program in the pod's network namespace: outside the pod's cgroup."""
        return self.node.run(argv, netns=self.pause, **options)

    # -- its end --

    def remove(self):
        for sandbox in self.sandboxes:
            try:
                self.node.cri.stop_sandbox(sandbox)
                self.node.cri.remove_sandbox(sandbox)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
        self.sandboxes = []
        self.remove_cgroup()

    def remove_cgroup(self):
        """Kubelet removes the pod's cgroup last, when nobody is in it."""
        def removed():
            if not self.cgroup.exists():
                return True
            try:
                for path, _, _ in os.walk(self.cgroup, topdown=False):
                    os.rmdir(path)
            except OSError:
                return False
            return True
        wait_until(removed, "pod cgroup %s empty" % self.cgroup)
