"""The barrier's name, before and after LIVE."""
import struct

import pytest

import dns
from attacher import PORT, TOKEN, Proxy
from dns import ask, ask_tcp, query

TEXT = b"attached version=0.1.0 token=" + TOKEN.encode() + b" bundle=1"
ADDRESSES = [("127.0.0.1", PORT), ("127.53.0.53", PORT), ("::1", PORT)]


@pytest.fixture
def mute(zygote, upstream):
    made = Proxy(zygote, [upstream.address])
    yield made
    assert made.end()


@pytest.mark.parametrize("send", [ask, ask_tcp])
@pytest.mark.parametrize("to", ADDRESSES)
def test_mute_before_live(mute, upstream, send, to):
    for message in (query(dns.BARRIER, dns.TXT), query("example.com")):
        reply = send(message, to)
        assert (reply.rcode, reply.an) == (dns.SERVFAIL, 0)
        assert reply.id == struct.unpack_from(">H", message)[0]
    assert not upstream.seen and not mute.asks


@pytest.mark.parametrize("send", [ask, ask_tcp])
@pytest.mark.parametrize("to", ADDRESSES)
def test_live(proxy, upstream, send, to):
    message = query("_LeitWacht.attached.LOCAL", dns.TXT)
    reply = send(message, to)
    assert (reply.rcode, reply.an, reply.ns, reply.ar) == (0, 1, 0, 0)
    assert reply.question == message[12:]          # in the asker's case
    owner = 2 if reply.rest[0] >= 0xc0 else len(dns.name(dns.BARRIER))
    rtype, rclass, ttl, length = struct.unpack_from(">HHIH", reply.rest, owner)
    assert (rtype, rclass, ttl, length) == (dns.TXT, 1, 0, len(TEXT) + 1)
    assert reply.rest[owner + 10:] == bytes([len(TEXT)]) + TEXT
    assert not upstream.seen


@pytest.mark.parametrize("qtype,qclass", [(dns.A, 1), (dns.AAAA, 1), (dns.ANY, 1), (dns.TXT, 3), (dns.TXT, 255), (dns.OPT, 1)])
def test_other_types_are_empty_and_stay_here(proxy, upstream, qtype, qclass):
    reply = ask(query(dns.BARRIER, qtype, qclass))
    assert (reply.rcode, reply.an, reply.ns) == (dns.NOERROR, 0, 0)
    assert not upstream.seen


def test_edns_is_answered_with_edns(proxy):
    reply = ask(query(dns.BARRIER, dns.TXT, edns=4096))
    assert (reply.an, reply.ar) == (1, 1)


def test_another_pods_name_is_not_the_barrier(proxy, upstream):
    reply = ask(query("x." + dns.BARRIER, dns.TXT))
    assert reply.an == 1 and len(upstream.seen) == 1       # whatever upstream says, it is another name
