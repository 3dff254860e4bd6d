"""A process in the pod, with NET_ADMIN, cannot speak to the attacher's netlink socket there."""
import errno
import json
import sys

# Runs in the pod's network namespace: sends 16 bytes to each NETLINK_NETFILTER port id that stands
# in /proc/net/netlink, and to an unconnected socket of its own as the control.
SENDER = """
import errno, json, socket, struct
NETFILTER = 12
def ports():
    rows = [line.split() for line in open("/proc/net/netlink").read().splitlines()[1:]]
    return {int(row[2]) for row in rows if row[1] == str(NETFILTER)} - {0}
def send(to):
    out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    try:
        out.sendto(struct.pack("=IHHII", 16, 2, 0, 1, 0), (to, 0))
    except OSError as error:
        return error.errno
    return 0
others = ports()
control = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
control.bind((0, 0))
print(json.dumps({"owners": {port: send(port) for port in others}, "control": send(control.getsockname()[0])}))
"""


def test_the_owner_socket_takes_nothing_from_the_pod(node, agent, make_pod):
    run = make_pod()
    assert run.start(), run["leitwacht-attach"].lines()
    result = json.loads(run.in_netns([sys.executable, "-c", SENDER]).stdout)
    assert result["control"] == 0
    assert len(result["owners"]) >= 1
    assert set(result["owners"].values()) == {errno.ECONNREFUSED}
