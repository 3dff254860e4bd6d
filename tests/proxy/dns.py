"""Just enough DNS on the wire for tests that must also be able to write it wrongly."""
import random
import socket
import struct

A, TXT, AAAA, OPT, AXFR, ANY = 1, 16, 28, 41, 252, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP = range(5)
BARRIER = "_leitwacht.attached.local"


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def query(qname, qtype=A, qclass=1, qid=None, flags=0x0100, edns=None):
    qid = random.randrange(65536) if qid is None else qid
    opt = b"" if edns is None else b"\0" + struct.pack(">HHIH", OPT, edns, 0, 0)
    return struct.pack(">HHHHHH", qid, flags, 1, 0, 0, 1 if opt else 0) + name(qname) + struct.pack(">HH", qtype, qclass) + opt


def question_end(message):
    at = 12
    while message[at]:
        at += message[at] + 1
    return at + 5


def answer(asked, records=(), flags=0x8180, owner=b"\xc0\x0c"):
    """An answer to the message `asked`; records are (type, rdata)."""
    end = question_end(asked)
    out = asked[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + asked[12:end]
    for rtype, rdata in records:
        out += owner + struct.pack(">HHIH", rtype, 1, 60, len(rdata)) + rdata
    return out


class Reply:
    def __init__(self, wire):
        self.wire = wire
        self.id, self.flags, self.qd, self.an, self.ns, self.ar = struct.unpack_from(">HHHHHH", wire)
        self.rcode = self.flags & 15
        self.tc = bool(self.flags & 0x0200)
        self.question = wire[12:question_end(wire)] if self.qd else b""
        self.rest = wire[question_end(wire):] if self.qd else wire[12:]


def ask(message, to=("127.0.0.1", 15353), timeout=6):
    """Over UDP; the socket is connected, so an answer from another address is not heard."""
    with socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect(to)
        s.send(message)
        return Reply(s.recv(65535))


def frame(message):
    return struct.pack(">H", len(message)) + message


def read_frame(s):
    def exactly(count):
        got = b""
        while len(got) < count:
            piece = s.recv(count - len(got))
            if not piece:
                raise EOFError
            got += piece
        return got
    return Reply(exactly(struct.unpack(">H", exactly(2))[0]))


def connect(to=("127.0.0.1", 15353), timeout=6):
    s = socket.create_connection(to, timeout)
    s.settimeout(timeout)
    return s


def ask_tcp(message, to=("127.0.0.1", 15353)):
    with connect(to) as s:
        s.sendall(frame(message))
        return read_frame(s)
