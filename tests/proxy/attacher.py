"""A stand-in for the attacher: starts the real zygote, makes listeners, hands out upstream sockets.

Everything is in the network namespace of the test process (conftest.py makes a fresh one).
"""
import array
import os
import select
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

AGENT = Path(os.environ.get("LEITWACHT_AGENT", Path(__file__).resolve().parents[2] / "build" / "agent"))
PORT = 15353
TOKEN = "0123456789abcdef"
UID = 65013

SPAWN, SPAWNED, SPAWN_FAILED = 50, 51, 52
HELLO, LIVE, ASK, UDP, TCP, NONE = 60, 61, 62, 63, 64, 65
IPV6_RECVPKTINFO = 49


def header(number):
    return struct.pack("=HHI", number, 0, 0)


def send(channel, message, fds=()):
    channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def receive(channel):
    """(type, whole message, fds), or None at the end of the channel."""
    message, controls, _, _ = channel.recvmsg(8192, 1024)
    if not message:
        return None
    fds = array.array("i")
    for level, kind, payload in controls:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
    return struct.unpack_from("=H", message)[0], message, list(fds)


def channel_pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Zygote:
    """The program as the launcher starts it: own uid, two ambient capabilities, fd 3."""

    def __init__(self):
        self.channel, theirs = channel_pair()
        caps = "+sys_chroot,+setpcap"
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--inh-caps", "-all," + caps,
             "--ambient-caps", "-all," + caps, "--bounding-set", "-all," + caps, "./leitwacht-dnsproxy"],
            cwd=AGENT, stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, pass_fds=(3,),
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        os.close(write_end)
        self.log = []
        self.stop, self.go = os.pipe()
        self.pipe = os.fdopen(read_end)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        assert receive(self.channel)[0] == HELLO

    def _read_log(self):
        while select.select([self.pipe, self.stop], [], [])[0] == [self.pipe]:
            line = self.pipe.readline()
            if not line:
                return
            self.log.append(line.rstrip())

    def stop_reading(self):
        os.close(self.go)
        self.reader.join(5)
        self.pipe.close()

    def spawn(self, slot, listeners, families=3):
        """(channel, pid, pidfd) of a new child; listeners are udp4, tcp4, udp6, tcp6."""
        ours, theirs = channel_pair()
        send(self.channel, header(SPAWN) + struct.pack("=QII", slot, families, 7),
             [theirs.fileno()] + [s.fileno() for s in listeners])
        theirs.close()
        kind, message, fds = receive(self.channel)
        assert kind == SPAWNED, message
        got, pid, attempt = struct.unpack_from("=QII", message, 8)
        assert (got, attempt, len(fds)) == (slot, 7, 1)
        return ours, pid, fds[0]

    def end(self):
        self.channel.close()
        try:
            self.process.wait(5)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        self.reader.join(5)
        return self.process.returncode


class Plug:
    """What stands where there is no listener."""

    def __init__(self):
        self.fd = os.eventfd(0)

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


def listeners(families=3, port=PORT):
    """udp4, tcp4, udp6, tcp6 on the wildcard addresses, as the attacher makes them."""
    made = []
    for bit, family, any_address in ((1, socket.AF_INET, "0.0.0.0"), (2, socket.AF_INET6, "::")):
        if not families & bit:
            made += [Plug(), Plug()]
            continue
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            s = socket.socket(family, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_DGRAM:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                else:
                    s.setsockopt(socket.IPPROTO_IP, socket.IP_PKTINFO if hasattr(socket, "IP_PKTINFO") else 8, 1)
            s.bind((any_address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(128)
            s.setblocking(False)
            made.append(s)
    return made


class Proxy:
    """One child with its own channel; answers its UPSTREAM_ASK with sockets to `servers` [(address, port)]."""

    def __init__(self, zygote, servers=(), slot=1, families=3, port=PORT):
        self.servers = list(servers)
        self.asks = []
        self.refuse = set()     # (kind, server) that get UPSTREAM_NONE
        self.too_often = 0      # so many asks get "not so often"
        made = listeners(families, port)
        self.channel, self.pid, self.pidfd = zygote.spawn(slot, made, families)
        for s in made:
            s.close()
        assert receive(self.channel)[0] == HELLO
        self.wake, self.stop = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def live(self, bundle=1):
        send(self.channel, header(LIVE) + TOKEN.encode() + struct.pack("=III4x", bundle, 1, len(self.servers)))
        return self

    def _sockets(self, kind, server):
        made = []
        for _ in range(4 if kind == 1 else 1):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == 1 else socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex(self.servers[server])
            made.append(s)
        return made

    def _on_ask(self, message):
        kind, server = struct.unpack_from("=BB", message, 8)
        self.asks.append((time.monotonic(), kind, server))
        if (kind, server) in self.refuse:
            send(self.channel, header(NONE) + struct.pack("=iBB2x", -101, kind, server))
            return
        if self.too_often:
            self.too_often -= 1
            send(self.channel, header(NONE) + struct.pack("=iBB2x", -11, kind, server))
            return
        made = self._sockets(kind, server)
        send(self.channel, header(UDP if kind == 1 else TCP) + struct.pack("=B7x", server), [s.fileno() for s in made])
        for s in made:
            s.close()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.channel, self.wake], [], [])
            if self.wake in ready:
                return
            got = receive(self.channel)
            if got is None:
                return
            assert got[0] == ASK
            self._on_ask(got[1])

    def ended(self, timeout=5):
        """Has the child ended?"""
        return bool(select.select([self.pidfd], [], [], timeout)[0])

    def end(self):
        os.close(self.stop)
        self.thread.join(5)
        self.channel.close()
        ended = self.ended()
        os.close(self.pidfd)
        os.close(self.wake)
        return ended

    def memory(self):
        """Private kilobytes of the child."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
