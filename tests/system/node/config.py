"""The node's files: containerd's and CNI's configuration, and the runc wrapper."""
import json
import stat

SUBNET4, GATEWAY4 = "10.88.0.0/16", "10.88.0.1"
SUBNET6, GATEWAY6 = "fd00:88::/64", "fd00:88::1"
BRIDGE = "lw-bridge"
# Addresses on the node's loopback, where the tests' upstream DNS and sinks listen.
SERVICE4, SERVICE6 = "10.53.0.53", "fd00:53::53"

CONTAINERD = """\
version = 2
root = "{folder}/root"
state = "/run/containerd"
# Not needed here, and each would only log an error.
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:test"
  # Without CAP_SYS_RESOURCE on the machine runc cannot go below our own value.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "{folder}/bin/runc"
# Ignored by 1.6; on by default in 2.x.
[plugins."io.containerd.nri.v1.nri"]
  disable = true
"""

# On a hybrid machine cpu, memory and pids belong to cgroup v1, and runc fails on
# the cpu.weight that CRI asks for in every sandbox.  The spec is compact JSON
# and these objects hold no other object; a quote inside a string would stand
# there as \\", so nothing but the keys themselves can match.
RUNC = """\
#!/bin/sh
bundle= create= previous=
for argument; do
	case "$argument" in create|run) create=1 ;; esac
	[ "$previous" != --bundle ] || bundle=$argument
	previous=$argument
done
if [ -n "$create" ] && [ -n "$bundle" ]; then
	read -r have </sys/fs/cgroup/cgroup.controllers || have=
	script=
	for controller in cpu memory pids; do
		case " $have " in *" $controller "*) continue ;; esac
		script="$script;s/,\\"$controller\\":\\{{[^{{}}]*\\}}//;s/\\"$controller\\":\\{{[^{{}}]*\\}},?//"
		script="$script;s/,\\"$controller\\.[a-z._]+\\":\\"[^\\"]*\\"//g;s/\\"$controller\\.[a-z._]+\\":\\"[^\\"]*\\",?//g"
	done
	sed -E -i "$script" "$bundle/config.json"
fi
exec {runc} "$@"
"""


def ipam(families):
    ranges = {"ipv4": [{"subnet": SUBNET4, "gateway": GATEWAY4}],
              "ipv6": [{"subnet": SUBNET6, "gateway": GATEWAY6}]}
    routes = {"ipv4": {"dst": "0.0.0.0/0"}, "ipv6": {"dst": "::/0"}}
    return {"type": "host-local", "dataDir": "/var/lib/cni/networks",
            "ranges": [ranges[f] for f in families], "routes": [routes[f] for f in families]}


# What a pod gets.  "noipv6" is a pod without IPv6 altogether: not even ::1.
NETWORKS = {"dual": ("ipv4", "ipv6"), "ipv4": ("ipv4",), "ipv6": ("ipv6",), "noipv6": ("ipv4",)}


def conflist(network):
    plugins = [{"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False,
                "hairpinMode": True, "ipam": ipam(NETWORKS[network])}]
    if network == "noipv6":
        plugins.append({"type": "tuning", "sysctl": {"net.ipv6.conf.all.disable_ipv6": "1"}})
    return json.dumps({"cniVersion": "1.0.0", "name": "lw", "plugins": plugins})


def write_network(folder, network):
    """In place: containerd 1.6 does not look at a file that was moved into the folder.

    All networks have one name, and so one list of leases: no two pods on the
    bridge get the same address.
    """
    (folder / "cni" / "10-lw.conflist").write_text(conflist(network))


def write_all(folder, network, runc):
    for name in ("root", "run", "cni", "opt", "bin", "pods", "log"):
        (folder / name).mkdir()
    (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder))
    wrapper = folder / "bin" / "runc"
    wrapper.write_text(RUNC.format(runc=runc))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    write_network(folder, network)
