"""Clients and upstreams that mean harm."""
import os
import random
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

import dns
from attacher import LIVE, PORT, SPAWN, SPAWN_FAILED, TOKEN, UDP, Proxy, channel_pair, header, receive, send as send_message
from dns import ask, ask_tcp, query
from upstream import Upstream

GOOD = [(dns.A, b"\1\2\3\4")]
EVIL = [(dns.A, b"\6\6\6\6")]


def put16(message, at, value):
    return message[:at] + struct.pack(">H", value) + message[at + 2:]


SPOOFS = {
    "another id": lambda m: put16(dns.answer(m, EVIL), 0, struct.unpack_from(">H", m)[0] ^ 1),
    "no QR": lambda m: dns.answer(m, EVIL, flags=0x0100),
    "another opcode": lambda m: dns.answer(m, EVIL, flags=0xa180),
    "another name": lambda m: dns.answer(m[:12] + m[12:].replace(b"example", b"exbmple"), EVIL),
    "another type": lambda m: put16(dns.answer(m, EVIL), dns.question_end(m) - 4, dns.AAAA),
    "another class": lambda m: put16(dns.answer(m, EVIL), dns.question_end(m) - 2, 3),
    "no question": lambda m: m[:2] + struct.pack(">HHHHH", 0x8180, 0, 0, 0, 0),
    "two questions": lambda m: put16(dns.answer(m, EVIL), 4, 2),
    "longer name": lambda m: dns.answer(m[:12] + b"\1a" + m[12:], EVIL),
    "cut in the header": lambda m: dns.answer(m, EVIL)[:11],
    "cut in the question": lambda m: dns.answer(m, EVIL)[:20],
    "cut in the record": lambda m: dns.answer(m, EVIL)[:-1],
    "bytes behind the end": lambda m: dns.answer(m, EVIL) + b"\0",
    "one record too few": lambda m: put16(dns.answer(m, EVIL), 6, 2),
    "pointer to itself": lambda m: dns.answer(m, EVIL, owner=struct.pack(">H", 0xc000 | dns.question_end(m))),
    "pointer forward": lambda m: dns.answer(m, EVIL, owner=struct.pack(">H", 0xc000 | (dns.question_end(m) + 4))),
    "pointer into the header": lambda m: dns.answer(m, EVIL, owner=b"\xc0\x02"),
    "reserved label": lambda m: dns.answer(m, EVIL, owner=b"\x80a\0"),
    "address of three bytes": lambda m: dns.answer(m, [(dns.A, b"\6\6\6")]),
    "two OPTs": lambda m: put16(dns.answer(m, EVIL) + (b"\0" + struct.pack(">HHIH", dns.OPT, 512, 0, 0)) * 2, 10, 2),
    "empty": lambda m: b"",
}


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("spoof", SPOOFS, ids=str)
def test_a_spoofed_reply_is_dropped_and_the_real_one_awaited(proxy, upstream, spoof, tcp):
    upstream.behave = lambda message, over_tcp: [SPOOFS[spoof](message), (0.1, dns.answer(message, GOOD))]
    reply = (ask_tcp if tcp else ask)(query("example.com"))
    assert reply.rcode == 0 and reply.wire.endswith(b"\1\2\3\4")
    assert len(upstream.seen) == 1


def test_only_the_spoof_comes(proxy, upstream):
    upstream.behave = lambda message, tcp: [SPOOFS["another id"](message)] * 50
    begin = time.monotonic()
    assert ask(query("example.com")).rcode == dns.SERVFAIL
    assert time.monotonic() - begin < 5


def test_replies_twice(proxy, upstream):
    upstream.behave = lambda message, tcp: [dns.answer(message, GOOD), dns.answer(message, EVIL)]
    for _ in range(20):
        assert ask(query("example.com")).wire.endswith(b"\1\2\3\4")


MALFORMED = {
    "cut question": (query("example.com")[:-3], dns.FORMERR),
    "no question": (struct.pack(">HHHHHH", 7, 0x0100, 0, 0, 0, 0), dns.FORMERR),
    "two questions": (put16(query("example.com"), 4, 2), dns.FORMERR),
    "compressed question": (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c" + b"\0\1\0\1", dns.FORMERR),
    "long label": (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x7f" + b"a" * 127 + b"\0\0\1\0\1", dns.FORMERR),
    "long name": (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", dns.FORMERR),
    "bytes behind the end": (query("example.com") + b"secret", dns.FORMERR),
    "record missing": (put16(query("example.com"), 10, 1), dns.FORMERR),
    "answer in a question": (dns.answer(query("example.com"), GOOD, flags=0x0100), dns.FORMERR),
    "two OPTs": (put16(query("example.com", edns=512) + b"\0" + struct.pack(">HHIH", dns.OPT, 512, 0, 0), 10, 2), dns.FORMERR),
    "status": (query("example.com", flags=0x1000), dns.NOTIMP),
    "notify": (query("example.com", flags=0x2000), dns.NOTIMP),
    "update": (query("example.com", flags=0x2800), dns.NOTIMP),
    "zone transfer": (query("example.com", dns.AXFR), dns.NOTIMP),
}


@pytest.mark.parametrize("send", [ask, ask_tcp])
@pytest.mark.parametrize("case", MALFORMED, ids=str)
def test_malformed_queries_are_answered_here(proxy, upstream, send, case):
    message, rcode = MALFORMED[case]
    reply = send(message)
    assert (reply.rcode, reply.an) == (rcode, 0) and reply.wire[:2] == message[:2]
    assert not upstream.seen


def test_answers_are_not_answered(proxy, upstream):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", PORT))
        s.settimeout(0.3)
        for message in (dns.answer(query("example.com"), GOOD), query("example.com", flags=0x8100), b"", b"x" * 11):
            s.send(message)
        with pytest.raises(TimeoutError):
            s.recv(512)
    assert not upstream.seen


def test_noise(proxy, upstream):
    """20,000 messages that were changed at random: whatever is forwarded can be walked, and the proxy lives."""
    chance = random.Random(7)
    before = proxy.memory()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", PORT))
        for i in range(20000):
            message = bytearray(query("www.example.com", edns=1232, qid=i))
            for _ in range(chance.randrange(1, 6)):
                message[chance.randrange(len(message))] = chance.randrange(256)
            s.send(message[:chance.randrange(len(message) + 1)] if chance.random() < 0.3 else message)
            if not i % 200:
                assert ask(query("honest.example.com")).an == 1
    assert ask(query("honest.example.com")).an == 1
    assert proxy.memory() < before + 200


def test_full_table_says_so_and_recovers(proxy, upstream):
    upstream.behave = lambda message, tcp: [] if b"hole" in message else [dns.answer(message, GOOD)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", PORT))
        s.settimeout(6)
        for i in range(300):
            s.send(query("hole.example.com", qid=i))
            time.sleep(0.001)                                          # the socket's buffer is another matter
        replies = [dns.Reply(s.recv(512)) for _ in range(44)]          # 256 wait, the others hear at once
        assert all(reply.rcode == dns.SERVFAIL for reply in replies)
        replies += [dns.Reply(s.recv(512)) for _ in range(256)]
    assert {reply.id for reply in replies} == set(range(300))
    assert ask(query("example.com")).an == 1


def test_pipelined_in_one_segment(proxy, upstream):
    upstream.behave = lambda message, tcp: [(random.random() / 20, dns.answer(message, GOOD))]
    with dns.connect() as s:
        s.sendall(b"".join(dns.frame(query(f"n{i}.example.com", qid=i)) for i in range(500)))
        s.shutdown(socket.SHUT_WR)                                     # what was asked before is still answered
        replies = [dns.read_frame(s) for _ in range(500)]
        assert s.recv(1) == b""
    assert {reply.id for reply in replies} == set(range(500)) and all(reply.an == 1 for reply in replies)
    assert [reply.id for reply in replies] != list(range(500))         # any order


def test_byte_by_byte(proxy):
    with dns.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in dns.frame(query("example.com")) * 2:
            s.send(bytes([byte]))
            time.sleep(0.002)
        assert dns.read_frame(s).an == 1 and dns.read_frame(s).an == 1


def test_message_too_long_ends_the_connection(proxy):
    with dns.connect() as s:
        s.sendall(struct.pack(">H", 5000) + b"x" * 100)
        with pytest.raises((EOFError, ConnectionResetError)):
            dns.read_frame(s)
    assert ask(query("example.com")).an == 1


def test_upstream_closes_mid_message(proxy, upstream):
    connections = []

    def cut(message, tcp):
        connections.append(message)
        raise EOFError                                                 # the connection is closed without an answer
    upstream.behave = cut
    begin = time.monotonic()
    assert ask_tcp(query("example.com")).rcode == dns.SERVFAIL
    assert time.monotonic() - begin < 1.5 and len(connections) == 3
    upstream.behave = lambda message, tcp: [dns.answer(message, GOOD)]
    assert ask_tcp(query("example.com")).an == 1


def test_idle_connections_do_not_shut_others_out(proxy):
    idle = [dns.connect() for _ in range(200)]
    assert ask_tcp(query("example.com")).an == 1
    assert ask(query("example.com")).an == 1
    del idle


def test_client_that_never_reads(proxy, upstream):
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.TXT, b"\xff" + b"x" * 255)] * 200)]
    with dns.connect() as s:
        s.settimeout(1)
        try:
            for i in range(5000):
                s.sendall(dns.frame(query("big.example.com", dns.TXT, qid=i)))
        except (TimeoutError, ConnectionError):
            pass
        assert ask_tcp(query("example.com")).an == 200
        assert proxy.memory() < 4096
    time.sleep(0.3)
    assert ask(query("example.com", edns=65000)).an == 200
    assert proxy.memory() < 2048


@pytest.fixture
def small_buffers():
    """What a client does not read soon waits in the proxy."""
    path = Path("/proc/sys/net/ipv4/tcp_wmem")
    before = path.read_text()
    path.write_text("4096 4096 4096")
    yield
    path.write_text(before)


def deaf(segment=None):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if segment:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
    s.settimeout(6)
    s.connect(("127.0.0.1", PORT))
    return s


def big(message, tcp):
    return [dns.answer(message, [(dns.TXT, b"\xff" + b"x" * 255)] * 230)]


def sockets_of(proxy):
    return len(os.listdir(f"/proc/{proxy.pid}/fd"))


def highest_memory(proxy, seconds):
    highest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        highest = max(highest, proxy.memory())
        time.sleep(0.02)
    return highest


def test_unread_answers_of_one_client(proxy, upstream, small_buffers):
    upstream.behave = big
    with deaf() as s:
        s.sendall(b"".join(dns.frame(query("big.example.com", dns.TXT, qid=i)) for i in range(60)))
        assert highest_memory(proxy, 2) < 2300                         # 60 answers are 3.6 MB
        with pytest.raises((EOFError, ConnectionResetError)):
            for _ in range(60):
                dns.read_frame(s)
    assert ask_tcp(query("example.com")).an == 230


def test_unread_answers_of_all_clients(proxy, upstream, small_buffers):
    upstream.behave = big
    clients = [deaf() for _ in range(60)]
    for i in range(4):
        for s in clients:
            try:
                s.sendall(dns.frame(query("big.example.com", dns.TXT, qid=i)))
            except ConnectionError:
                pass
        time.sleep(0.5)
    assert 2000 < highest_memory(proxy, 2) < 7000                      # 240 answers are 14 MB
    assert ask(query("example.com", edns=65000)).an == 230
    for s in clients:
        s.close()


def test_a_few_bytes_now_and_then_hold_nothing(proxy, upstream, small_buffers):
    upstream.behave = big
    with deaf(segment=536) as s:
        for i in range(2):
            s.sendall(dns.frame(query("big.example.com", dns.TXT, qid=i)))
        time.sleep(1)
        held, begin = sockets_of(proxy), time.monotonic()
        while sockets_of(proxy) >= held - 1 and time.monotonic() - begin < 40:     # one is the upstream's, idle
            s.recv(1500)
            time.sleep(1)
        assert 10 < time.monotonic() - begin < 35


def test_more_questions_than_may_wait_hear_soon(proxy, upstream):
    upstream.behave = lambda message, tcp: []
    begin = time.monotonic()
    with dns.connect() as s:
        s.sendall(b"".join(dns.frame(query("hole.example.com", qid=i)) for i in range(100)))
        early = [dns.read_frame(s) for _ in range(36)]
        assert time.monotonic() - begin < 1.5
        late = [dns.read_frame(s) for _ in range(64)]
    assert 4 < time.monotonic() - begin < 6
    assert {reply.rcode for reply in early + late} == {dns.SERVFAIL}
    assert {reply.id for reply in late} == set(range(64))


def test_an_old_clients_end_is_not_its_successors(proxy):
    """A hang-up and the client that takes the place come in one batch, the newcomer first."""
    clients = []
    for _ in range(64):                                                # as many as there are places
        clients.append(dns.connect())
        time.sleep(0.005)
    assert ask(query("example.com")).an == 1
    os.kill(proxy.pid, signal.SIGSTOP)
    try:
        time.sleep(0.1)
        newcomer = dns.connect()
        clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        clients[0].close()
    finally:
        os.kill(proxy.pid, signal.SIGCONT)
    time.sleep(0.2)
    newcomer.sendall(dns.frame(query("example.com")))
    assert dns.read_frame(newcomer).an == 1


@pytest.mark.parametrize("send", [ask, ask_tcp])
def test_a_bare_error_is_a_failed_try(zygote, upstream, send):
    upstream.behave = lambda message, tcp: [message[:2] + struct.pack(">HHHHH", 0x8181, 0, 0, 0, 0)]
    second = Upstream(port=5301)
    made = Proxy(zygote, [upstream.address, second.address]).live()
    begin = time.monotonic()
    assert send(query("example.com")).an == 1 and len(upstream.seen) == 1
    second.behave = upstream.behave
    assert send(query("example.com")).rcode == dns.SERVFAIL            # never a FORMERR without our question
    assert time.monotonic() - begin < 1.5
    assert made.end()
    second.close()


def test_reset_clients(proxy, upstream):
    upstream.behave = lambda message, tcp: [(0.05, dns.answer(message, GOOD))]
    for i in range(200):
        s = dns.connect()
        s.sendall(dns.frame(query("example.com")) * 3)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    assert ask_tcp(query("example.com")).an == 1


def test_spawn_out_of_range(zygote):
    ends = [channel_pair() for _ in range(5)]
    for slot, families in ((1, 0), (1, 4), (0, 3)):
        send_message(zygote.channel, header(SPAWN) + struct.pack("=QII", slot, families, 3), [b.fileno() for _, b in ends])
        kind, message, _ = receive(zygote.channel)
        assert kind == SPAWN_FAILED and struct.unpack_from("=QiI", message, 8) == (slot, -22, 3)


@pytest.mark.parametrize("message", [
    header(LIVE) + b"0123456789abcdeF" + struct.pack("=III4x", 1, 1, 1),
    header(LIVE) + TOKEN.encode() + struct.pack("=III4x", 1, 1, 9),
    header(LIVE) + TOKEN.encode(),
    header(99),
], ids=["token", "servers", "short", "unknown"])
def test_a_broken_attacher_ends_the_child(upstream, message):
    from attacher import Zygote
    zygote = Zygote()
    made = Proxy(zygote, [upstream.address])
    made.channel.send(message)
    assert made.ended()
    zygote.end()
    assert not any("signal" in line for line in zygote.log), zygote.log
