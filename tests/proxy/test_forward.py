"""Honest traffic: what comes back is what the upstream said."""
import socket
import struct
import time

import pytest

import dns
from attacher import PORT, Proxy
from dns import ask, ask_tcp, query
from upstream import Upstream

ADDRESSES = [("127.0.0.1", PORT), ("127.53.0.53", PORT), ("::1", PORT)]


@pytest.mark.parametrize("send", [ask, ask_tcp])
@pytest.mark.parametrize("to", ADDRESSES)
def test_question_and_answer_are_the_clients(proxy, upstream, send, to):
    message = query("WWW.Example.com", qid=0xbeef, edns=1232)
    reply = send(message, to)
    assert reply.id == 0xbeef and reply.an == 1
    assert reply.question == message[12:12 + len(reply.question)]
    seen, tcp, _ = upstream.seen[0]
    assert tcp == (send is ask_tcp)
    assert seen[2:] == message[2:]                 # untouched but for the id


def test_the_upstreams_case_is_not_the_clients(proxy, upstream):
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.A, b"\1\2\3\4")]).replace(b"wWw", b"www")]
    message = query("wWw.example.com")
    assert ask(message).question == message[12:]


def test_flags_and_rcodes_pass(proxy, upstream):
    for flags in (0x8180, 0x8580, 0x81b0, 0x8183, 0x8185, 0x8100):
        upstream.behave = lambda message, tcp, flags=flags: [dns.answer(message, flags=flags)]
        assert ask(query("example.com")).flags == flags


def test_ids_and_ports_are_spread(proxy, upstream):
    for i in range(200):
        ask(query(f"n{i}.example.com", qid=i))
    ids = [struct.unpack_from(">H", message)[0] for message, _, _ in upstream.seen]
    assert len(set(ids)) > 190 and max(ids) > 50000 and min(ids) < 15000
    ports = {source[1] for _, _, source in upstream.seen}
    assert len(ports) == 4                         # a batch, of which each question took a random one
    assert all(sum(source[1] == port for _, _, source in upstream.seen) > 20 for port in ports)


def test_upstream_truncation_passes(proxy, upstream):
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.A, b"\1\2\3\4")] * (30 if tcp else 3),
                                                       flags=0x8180 if tcp else 0x8380)]
    reply = ask(query("example.com"))
    assert reply.tc and reply.an == 3              # its partial content is kept
    assert ask_tcp(query("example.com")).an == 30


@pytest.mark.parametrize("edns,fits", [(None, False), (512, False), (1232, True), (100, False), (65535, True)])
def test_too_large_for_the_client_is_truncated(proxy, upstream, edns, fits):
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.A, b"\1\2\3\4")] * 60)]
    reply = ask(query("example.com", edns=edns))
    assert reply.tc != fits and reply.an == (60 if fits else 0)
    assert fits or len(reply.wire) <= 512


def test_64k_over_tcp(proxy, upstream):
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.TXT, b"\xff" + b"x" * 255)] * 241)]
    reply = ask_tcp(query("example.com", dns.TXT))
    assert reply.an == 241 and len(reply.wire) > 64000


def test_late_answers_get_through(proxy, upstream):
    for wait in (1.3, 4.2):
        upstream.seen.clear()
        upstream.behave = lambda message, tcp, wait=wait: [(wait if len(upstream.seen) == 1 else 60,
                                                            dns.answer(message, [(dns.A, b"\1\2\3\4")]))]
        begin = time.monotonic()
        assert ask(query("slow.example.com")).an == 1
        assert time.monotonic() - begin == pytest.approx(wait, abs=0.2)
        assert len(upstream.seen) <= 3


def test_a_slow_name_slows_no_other(proxy, upstream):
    upstream.behave = lambda message, tcp: [(2 if b"slow" in message else 0, dns.answer(message, [(dns.A, b"\1\2\3\4")]))]
    slow = [dns.connect() for _ in range(8)]
    for s in slow:
        s.sendall(dns.frame(query("slow.example.com")))
    begin = time.monotonic()
    assert ask(query("fast.example.com")).an == 1
    assert ask_tcp(query("fast.example.com")).an == 1
    assert time.monotonic() - begin < 0.5
    assert all(dns.read_frame(s).an == 1 for s in slow)


def test_silence_becomes_servfail_in_time(proxy, upstream):
    upstream.behave = lambda message, tcp: []
    for send in (ask, ask_tcp):
        upstream.seen.clear()
        begin = time.monotonic()
        assert send(query("example.com")).rcode == dns.SERVFAIL
        assert 4 < time.monotonic() - begin < 5
        assert 1 < len(upstream.seen) <= 3
        assert len({message[:2] for message, _, _ in upstream.seen}) == len(upstream.seen)     # an id of its own each


def test_fail_over_and_back_to_silence(zygote, upstream):
    second = Upstream(port=5301)
    upstream.behave = lambda message, tcp: []
    made = Proxy(zygote, [upstream.address, second.address]).live()
    begin = time.monotonic()
    assert ask(query("example.com")).an == 1
    assert 0.9 < time.monotonic() - begin < 1.5
    begin = time.monotonic()
    assert ask(query("example.com")).an == 1       # the failing one is not asked first now
    assert time.monotonic() - begin < 0.2
    assert ask_tcp(query("example.com")).an == 1
    assert any("upstream fails" in line for line in zygote.log)
    assert made.end()
    second.close()


def test_refused_server_costs_no_time(zygote, upstream):
    made = Proxy(zygote, [("127.0.0.1", 5999), upstream.address]).live()
    for send in (ask, ask_tcp):
        begin = time.monotonic()
        assert send(query("example.com")).an == 1
        assert time.monotonic() - begin < 0.3
    assert made.end()


@pytest.mark.parametrize("send", [ask, ask_tcp])
def test_all_refused(zygote, send):
    made = Proxy(zygote, [("127.0.0.1", 5999)]).live()
    begin = time.monotonic()
    assert send(query("example.com")).rcode == dns.SERVFAIL
    assert time.monotonic() - begin < 1.2
    for _ in range(5):
        assert send(query("example.com")).rcode == dns.SERVFAIL
    assert len(made.asks) < 20
    assert made.end()


@pytest.mark.parametrize("send", [ask, ask_tcp])
def test_no_sockets(zygote, upstream, send):
    made = Proxy(zygote, [upstream.address])
    made.refuse = {(1, 0), (2, 0)}
    made.live()
    begin = time.monotonic()
    for _ in range(10):
        assert send(query("example.com")).rcode == dns.SERVFAIL
    assert time.monotonic() - begin < 0.5 and len(made.asks) == 1
    assert made.end()


@pytest.mark.parametrize("send", [ask, ask_tcp])
def test_asked_too_often_only_waits(proxy, send):
    proxy.too_often = 2
    begin = time.monotonic()
    assert send(query("example.com")).an == 1
    assert 0.4 < time.monotonic() - begin < 1 and len(proxy.asks) == 3


def test_no_servers(zygote):
    made = Proxy(zygote, []).live()
    assert ask(query("example.com")).rcode == dns.SERVFAIL
    assert ask(query(dns.BARRIER, dns.TXT)).an == 1
    assert made.end()


def test_upstream_comes_back(proxy, upstream):
    upstream.behave = lambda message, tcp: []
    assert ask(query("example.com")).rcode == dns.SERVFAIL
    upstream.behave = lambda message, tcp: [dns.answer(message, [(dns.A, b"\1\2\3\4")])]
    begin = time.monotonic()
    assert ask(query("example.com")).an == 1
    assert time.monotonic() - begin < 0.3


def test_sockets_are_renewed(proxy, upstream):
    """A load balancer on the way would keep a socket on one backend for ever."""
    ports = set()
    begin = time.monotonic()
    while time.monotonic() - begin < 31.5:
        assert ask(query("example.com")).an == 1
        time.sleep(0.25)
    first = {source[1] for _, _, source in upstream.seen[:16]}
    upstream.seen.clear()
    for _ in range(32):
        begin = time.monotonic()
        assert ask(query("example.com")).an == 1
        assert time.monotonic() - begin < 0.1
    ports = {source[1] for _, _, source in upstream.seen}
    assert len(ports) == 4 and not ports & first
