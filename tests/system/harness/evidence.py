"""What the kernel itself says: nft listings, pinned maps and links, counters, what exists."""
import contextlib
import json
import os
import re

from node.config import BRIDGE
from paths import HELPERS

PINS = "/sys/fs/bpf/leitwacht"
TABLE = "leitwacht"
DNS_PORT, CANARY_PORT = 15353, 15354
# struct lw_count of bpf/lw_abi.h, in its order.
COUNTERS = ("packets", "bytes", "uplink_packets", "uplink_bytes", "denied", "denied_token", "flows", "flows_lost")


# -- BPF --

def bpftool(node, *argv):
    return json.loads(node.run(["bpftool", "--json", *argv]).stdout.strip() or "null")


def hex_bytes(number, size=8):
    """A number as bpftool wants it: its bytes, lowest first."""
    return ["0x%02x" % byte for byte in number.to_bytes(size, "little")]


def to_bytes(values):
    return bytes(int(value, 16) for value in values)


def number(values):
    return int.from_bytes(to_bytes(values), "little")


def pins(node, folder=PINS):
    done = node.run(["ls", folder], check=False)
    return sorted(done.stdout.split())


def link_pins(node):
    return [name for name in pins(node) if name.startswith("link_")]


def link_name(cgroup_id):
    return "link_%016x" % cgroup_id


def attached(node, run):
    """The programs that the kernel runs for a pod cgroup's egress."""
    path = "/sys/fs/cgroup" + "/" + str(run.cgroup.relative_to(node.cgroup))
    shown = bpftool(node, "cgroup", "show", path) or []
    return [entry["name"] for entry in shown if entry["attach_type"] in ("egress", "cgroup_inet_egress")]


def map_entries(node, name):
    """{key bytes: value bytes}; of a map with a value a processor, a list of values."""
    entries = {}
    for entry in bpftool(node, "map", "dump", "pinned", "%s/%s" % (PINS, name)):
        raw = entry.get("values")
        value = [to_bytes(v["value"]) for v in raw] if raw else to_bytes(entry["value"])
        entries[to_bytes(entry["key"])] = value
    return entries


def slot_of(node, run):
    """The pod cgroup's slot, read from its attachment's storage; None if it has none."""
    done = node.run(["bpftool", "--json", "map", "lookup", "pinned", PINS + "/lw_slot",
                     "key", *hex_bytes(run.cgroup_id)], check=False)
    if done.returncode:
        return None
    return number(json.loads(done.stdout)["value"])


def pod_entry(node, slot):
    """The bytes of a pod's entry, or None."""
    return map_entries(node, "lw_pods").get(slot.to_bytes(8, "little"))


def token_of(node, run):
    """The pod's barrier token, as the kernel holds it: 16 bytes after four numbers."""
    return pod_entry(node, slot_of(node, run))[16:32].decode("ascii")


def counts(node, run):
    """lw_count of the pod: summed over the processors."""
    values = map_entries(node, "lw_count").get(slot_of(node, run).to_bytes(8, "little"), [])
    total = dict.fromkeys(COUNTERS, 0)
    for value in values:
        for index, name in enumerate(COUNTERS):
            total[name] += int.from_bytes(value[8 * index:8 * index + 8], "little")
    return total


# -- nftables --

def ruleset(node, netns=None):
    """As text: nft 1.0.6 writes broken JSON for a table with flags."""
    return node.run(["nft", "list", "ruleset"], netns=netns).stdout


def tables(node, run):
    return re.findall(r"^table \S+ (\S+) {", ruleset(node, run.pause), re.MULTILINE)


def chains(node, run):
    """The names of our table's chains."""
    ours = re.search(r"^table inet %s {.*?^}" % TABLE, ruleset(node, run.pause), re.MULTILINE | re.DOTALL)
    return sorted(re.findall(r"^\tchain (\S+) {", ours.group(), re.MULTILINE)) if ours else []


@contextlib.contextmanager
def bridge_counter(node, run, name="lw_test"):
    """Counts the pod's own IP packets where they come out of it: on the node's side of the bridge.

    UDP, TCP and echo requests only: what the kernel sends of itself (neighbour
    discovery, multicast reports) is no job's packet and no program judges it.
    """
    rules = "\n".join("    %s saddr %s counter name sent" % ("ip6" if ":" in a else "ip", a) for a in run.addresses)
    node.run(["nft", "-f", "-"], input="""
table inet %s {
  counter sent { }
  chain from_pods {
    type filter hook prerouting priority raw; policy accept;
    iifname != "%s" return
    meta l4proto icmpv6 icmpv6 type != echo-request return
    meta l4proto != { udp, tcp, icmp, icmpv6 } return
%s
  }
}""" % (name, BRIDGE, rules))

    def read():
        for o in json.loads(node.run(["nft", "--json", "list", "counters", "table", "inet", name]).stdout)["nftables"]:
            if "counter" in o:
                return o["counter"]["packets"]
        raise AssertionError("no counter")
    try:
        yield read
    finally:
        node.run(["nft", "delete", "table", "inet", name])


# -- sockets and what else exists --

def listeners(node, run):
    """Local addresses of what listens on the proxy's port in the pod's network, UDP and TCP."""
    out = node.run(["ss", "-H", "-n", "-l", "-u", "-t", "sport", "=", str(DNS_PORT)], netns=run.pause).stdout
    return sorted("%s %s" % (row.split()[0], row.split()[4]) for row in out.splitlines())


def network_namespaces(node):
    """Those that CNI made, by name."""
    return sorted(node.run(["ls", "/run/netns"]).stdout.split())


def veths(node):
    links = json.loads(node.run(["ip", "--json", "link", "show", "type", "veth"]).stdout or "[]")
    return sorted(link["ifname"] for link in links if link)


def node_pids(node):
    """Every process in the node's cgroup."""
    found = []
    for folder, _, files in os.walk(node.cgroup):
        if "cgroup.procs" in files:
            with open(os.path.join(folder, "cgroup.procs")) as file:
                found += [int(pid) for pid in file.read().split()]
    return sorted(found)


# -- together --

def link_facts(node, run):
    """What the kernel says of the pod's pinned link, or None: id, prog_id, cgroup_id, attach_type."""
    done = node.run(["bpftool", "--json", "link", "show", "pinned", "%s/%s" % (PINS, link_name(run.cgroup_id))],
                    check=False)
    if done.returncode:
        return None
    facts = json.loads(done.stdout)
    return facts[0] if isinstance(facts, list) else facts


def entries_of(node, run):
    return entries_with(node, run.cgroup_id)


def entries_with(node, cgroup_id):
    """Slots whose pod entry names this cgroup (struct lw_pod: sandbox at 32, cgroup_id at 96)."""
    wanted = cgroup_id.to_bytes(8, "little")
    return [int.from_bytes(key, "little") for key, value in map_entries(node, "lw_pods").items()
            if value[96:104] == wanted]


def left_in_pod(node, run):
    """What of an attach is there in a pod that still has its cgroup and its network."""
    return {"entries": len(entries_of(node, run)), "chains": len(chains(node, run)),
            "listeners": len(listeners(node, run)), "live link": bool(slot_of(node, run))}


NOTHING_LEFT = {"entries": 0, "chains": 0, "listeners": 0, "live link": False}
