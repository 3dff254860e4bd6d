"""Kubernetes pods into CRI messages, field by field as kubelet does it."""
from harness.cri import pb

POD_LABELS = {"name": "io.kubernetes.pod.name", "namespace": "io.kubernetes.pod.namespace",
              "uid": "io.kubernetes.pod.uid"}
MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
PROPAGATION = {None: pb.PROPAGATION_PRIVATE, "None": pb.PROPAGATION_PRIVATE,
               "HostToContainer": pb.PROPAGATION_HOST_TO_CONTAINER, "Bidirectional": pb.PROPAGATION_BIDIRECTIONAL}
CRITICAL_PRIORITY = 2000000000


def pod_cgroup(pod):
    """Kubelet's name (cgroupfs driver) of the cgroup that holds the whole pod.

    Jobs' pods ask for resources in practice; the tests' have no need to, and still lie there.
    """
    return "/kubepods/burstable/pod" + pod["metadata"]["uid"]


def pod_labels(pod):
    return {label: pod["metadata"][key] for key, label in POD_LABELS.items()}


def dns_config(pod, cluster_dns):
    """Empty means the node's own resolv.conf: what "Default", or ClusterFirst on the host's network, gets."""
    policy = pod["spec"].get("dnsPolicy", "ClusterFirst")
    if policy == "Default" or (policy == "ClusterFirst" and pod["spec"].get("hostNetwork")):
        return pb.DNSConfig()
    namespace = pod["metadata"]["namespace"]
    return pb.DNSConfig(servers=cluster_dns, options=["ndots:5"],
                        searches=[namespace + ".svc.cluster.local", "svc.cluster.local", "cluster.local"])


def namespaces(pod):
    spec = pod["spec"]
    return pb.NamespaceOption(network=pb.NODE if spec.get("hostNetwork") else pb.POD,
                              pid=pb.NODE if spec.get("hostPID") else pb.CONTAINER,
                              ipc=pb.NODE if spec.get("hostIPC") else pb.POD)


def profile(security):
    kind = security.get("seccompProfile", {}).get("type", "Unconfined")
    return pb.SecurityProfile(profile_type=getattr(pb.SecurityProfile, kind))


def sandbox_config(pod, attempt, log_directory, cluster_dns):
    metadata, spec = pod["metadata"], pod["spec"]
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=metadata["name"], uid=metadata["uid"],
                                       namespace=metadata["namespace"], attempt=attempt),
        hostname="" if spec.get("hostNetwork") else metadata["name"],
        log_directory=log_directory, dns_config=dns_config(pod, cluster_dns),
        labels=dict(metadata.get("labels", {}), **pod_labels(pod)),
        annotations=metadata.get("annotations", {}),
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=pod_cgroup(pod),
            sysctls={s["name"]: s["value"] for s in spec.get("securityContext", {}).get("sysctls", [])},
            security_context=pb.LinuxSandboxSecurityContext(
                namespace_options=namespaces(pod),
                seccomp=pb.SecurityProfile(profile_type=pb.SecurityProfile.RuntimeDefault))))


def integer(value):
    return None if value is None else pb.Int64Value(value=value)


def security_context(pod, container):
    own = dict(pod["spec"].get("securityContext", {}), **container.get("securityContext", {}))
    capabilities = own.get("capabilities", {})
    privileged = own.get("privileged", False)
    return pb.LinuxContainerSecurityContext(
        privileged=privileged,
        capabilities=pb.Capability(add_capabilities=capabilities.get("add", []),
                                   drop_capabilities=capabilities.get("drop", [])),
        namespace_options=namespaces(pod),
        run_as_user=integer(own.get("runAsUser")), run_as_group=integer(own.get("runAsGroup")),
        readonly_rootfs=own.get("readOnlyRootFilesystem", False),
        no_new_privs=own.get("allowPrivilegeEscalation", True) is False,
        masked_paths=[] if privileged else MASKED, readonly_paths=[] if privileged else READONLY,
        seccomp=profile(own), apparmor=pb.SecurityProfile(profile_type=pb.SecurityProfile.Unconfined))


def check_user(pod, container, image):
    """Kubelet's check of runAsNonRoot: by number, of the pod or else of the image."""
    own = dict(pod["spec"].get("securityContext", {}), **container.get("securityContext", {}))
    if not own.get("runAsNonRoot"):
        return
    if own.get("runAsUser") is None and image.username:
        raise ValueError("%s: runAsNonRoot and image has non-numeric user (%s)" % (container["name"], image.username))
    if (image.uid.value if own.get("runAsUser") is None else own["runAsUser"]) == 0:
        raise ValueError("%s: runAsNonRoot and the user is root" % container["name"])


def mounts(pod, container):
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    return [pb.Mount(container_path=m["mountPath"], host_path=volumes[m["name"]]["hostPath"]["path"],
                     readonly=m.get("readOnly", False), propagation=PROPAGATION[m.get("mountPropagation")])
            for m in container.get("volumeMounts", [])]


def resources(pod, container):
    """Kubelet's oom_score_adj; the cpu shares of a request such as 50m."""
    critical = pod["spec"].get("priority", 0) >= CRITICAL_PRIORITY
    cpu = str(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
    millis = int(cpu[:-1]) if cpu.endswith("m") else int(float(cpu) * 1000)
    return pb.LinuxContainerResources(oom_score_adj=-997 if critical else 999, cpu_shares=max(2, millis * 1024 // 1000))


def container_config(pod, container, attempt, log_path, extra_mounts):
    labels = dict(pod_labels(pod), **{"io.kubernetes.container.name": container["name"]})
    annotations = {"io.kubernetes.container.restartCount": str(attempt),
                   "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
                   "io.kubernetes.container.terminationMessagePolicy": container.get("terminationMessagePolicy", "File")}
    env = [pb.KeyValue(key="KUBERNETES_SERVICE_HOST", value="10.96.0.1")]
    env += [pb.KeyValue(key=e["name"], value=e["value"]) for e in container.get("env", [])]
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=container["name"], attempt=attempt),
        image=pb.ImageSpec(image=container["image"]), command=container.get("command", []),
        args=container.get("args", []), envs=env, labels=labels, annotations=annotations, log_path=log_path,
        mounts=mounts(pod, container) + [pb.Mount(container_path=c, host_path=h) for c, h in extra_mounts],
        linux=pb.LinuxContainerConfig(resources=resources(pod, container),
                                      security_context=security_context(pod, container)))
