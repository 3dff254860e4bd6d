"""CRI over containerd's socket: messages, and one method a call that the tests need."""
import json
import os
import sys
import types

try:
    import grpc
    from google.protobuf import descriptor_pb2, message_factory
except ImportError as error:
    raise SystemExit("tests/system: %s: apt-get install python3-grpcio python3-protobuf python3-grpc-tools, "
                     "and run with /usr/bin/python3, not %s" % (error, sys.executable))

from node.images import BUSYBOX, PAUSE
from paths import SYSTEM, TESTS_BUILD

SOURCE = SYSTEM / "harness" / "cri.proto"
CALL_SECONDS = 60


def compiled():
    """cri.proto as a descriptor set, compiled at first use.

    Of Debian's grpc-tools only protoc is used: the modules that it would write
    are refused by Debian's protobuf.
    """
    cache = TESTS_BUILD / "cri.pb"
    if not cache.exists() or cache.stat().st_mtime < SOURCE.stat().st_mtime:
        from grpc_tools import protoc
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = "%s.%d" % (cache, os.getpid())
        if protoc.main(["protoc", "-I%s" % SOURCE.parent, "--descriptor_set_out=" + part, str(SOURCE)]):
            raise SystemExit("tests/system: cannot compile " + str(SOURCE))
        os.rename(part, cache)
    return descriptor_pb2.FileDescriptorSet.FromString(cache.read_bytes()).file


def load():
    """Every message class and enum value by its own name, and the services."""
    names = types.SimpleNamespace()
    files = compiled()
    for name, message in message_factory.GetMessages(files).items():
        setattr(names, name.rsplit(".", 1)[1], message)
    for enum in files[0].enum_type:
        for value in enum.value:
            setattr(names, value.name, value.number)
    return names, {service.name: service for service in files[0].service}


pb, SERVICES = load()


def stub(channel, service):
    """An object with one callable for each rpc of a service."""
    calls = types.SimpleNamespace()
    for method in SERVICES[service].method:
        reply = getattr(pb, method.output_type.rsplit(".", 1)[1])
        call = channel.unary_unary("/runtime.v1.%s/%s" % (service, method.name),
                                   request_serializer=lambda message: message.SerializeToString(),
                                   response_deserializer=reply.FromString)
        setattr(calls, method.name, lambda message, call=call: call(message, timeout=CALL_SECONDS))
    return calls


class Cri:
    def __init__(self, socket):
        # A pool of its own: two Cris of one restarted containerd must not share a broken connection.
        self.channel = grpc.insecure_channel("unix://" + socket, options=[("grpc.use_local_subchannel_pool", 1)])
        self.runtime = stub(self.channel, "RuntimeService")
        self.images = stub(self.channel, "ImageService")

    # -- the node --

    def ready(self):
        try:
            conditions = self.runtime.Status(pb.StatusRequest()).status.conditions
        except grpc.RpcError:
            return False
        return all(condition.status for condition in conditions)

    def network(self):
        """The CNI configuration that the runtime has loaded, as its text."""
        info = self.runtime.Status(pb.StatusRequest(verbose=True)).info
        return json.loads(info["cniconfig"])["Networks"][-1]["Config"]["Source"]

    def image(self, name):
        """The image, or None: containerd learns of an import some milliseconds later."""
        reply = self.images.ImageStatus(pb.ImageStatusRequest(image=pb.ImageSpec(image=name)))
        return reply.image if reply.HasField("image") else None

    def image_present(self):
        return self.image(PAUSE) and self.image(BUSYBOX)

    # -- sandboxes --

    def run_sandbox(self, sandbox_config):
        return self.runtime.RunPodSandbox(pb.RunPodSandboxRequest(config=sandbox_config)).pod_sandbox_id

    def sandbox_facts(self, sandbox):
        """(addresses, pid of the pause process, cgroup path), as the runtime has them."""
        reply = self.runtime.PodSandboxStatus(pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox, verbose=True))
        info = json.loads(reply.info["info"])
        network = reply.status.network
        addresses = [network.ip] + [more.ip for more in network.additional_ips]
        return [a for a in addresses if a], info["pid"], info["runtimeSpec"]["linux"]["cgroupsPath"]

    def sandbox_ready(self, sandbox):
        reply = self.runtime.PodSandboxStatus(pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox))
        return reply.status.state == pb.SANDBOX_READY

    def stop_sandbox(self, sandbox):
        self.runtime.StopPodSandbox(pb.StopPodSandboxRequest(pod_sandbox_id=sandbox))

    def remove_sandbox(self, sandbox):
        self.runtime.RemovePodSandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox))

    # -- containers --

    def create(self, sandbox, container_config, sandbox_config):
        return self.runtime.CreateContainer(pb.CreateContainerRequest(
            pod_sandbox_id=sandbox, config=container_config, sandbox_config=sandbox_config)).container_id

    def start(self, container):
        self.runtime.StartContainer(pb.StartContainerRequest(container_id=container))

    def stop(self, container, seconds):
        self.runtime.StopContainer(pb.StopContainerRequest(container_id=container, timeout=seconds))

    def container_status(self, container):
        return self.runtime.ContainerStatus(pb.ContainerStatusRequest(container_id=container)).status

    def container_pid(self, container):
        reply = self.runtime.ContainerStatus(pb.ContainerStatusRequest(container_id=container, verbose=True))
        return json.loads(reply.info["info"])["pid"]

    def containers_of(self, sandbox):
        """The names of every container that was ever created in a sandbox and not removed."""
        reply = self.runtime.ListContainers(pb.ListContainersRequest(
            filter=pb.ContainerFilter(pod_sandbox_id=sandbox)))
        return sorted(container.metadata.name for container in reply.containers)

    def exec(self, container, argv, seconds):
        reply = self.runtime.ExecSync(pb.ExecSyncRequest(container_id=container, cmd=argv, timeout=seconds))
        return reply.exit_code, reply.stdout.decode(), reply.stderr.decode()
