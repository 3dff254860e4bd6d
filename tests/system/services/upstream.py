#!/usr/bin/python3
"""An upstream DNS server for the tests: UDP and TCP, IPv4 and IPv6.

usage: upstream.py MODE QUERY_LOG PORT ADDRESS...

  plain     A: 192.0.2.53, AAAA: 2001:db8::53, TXT _leitwacht...: NXDOMAIN
  wildcard  as plain, and every TXT, the barrier's name too: "some text"
  lying     as plain, and the barrier's name: an answer just like the agent's
  lying:T   the same with token T
  silent    logs, and never answers

Each query is one line in QUERY_LOG: "udp|tcp TYPE NAME".  Understands exactly
what a stub resolver sends: one question.
"""
import ipaddress
import socketserver
import struct
import sys
import threading

TYPES = {1: "A", 16: "TXT", 28: "AAAA"}
ADDRESSES = {"A": ipaddress.ip_address("192.0.2.53").packed, "AAAA": ipaddress.ip_address("2001:db8::53").packed}
BARRIER = "_leitwacht.attached.local"
LIE = "attached version=0.1.0 token=%s"
TTL = 60
NXDOMAIN = 3


def parse(query):
    """(name, type, the question's bytes) of a query's only question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    number = struct.unpack_from("!H", query, at + 1)[0]
    return ".".join(labels).lower(), TYPES.get(number, str(number)), query[12:at + 5]


def answer_data(mode, name, kind):
    """The answer's data; b"" for none; None where the name does not exist."""
    if kind in ADDRESSES:
        return ADDRESSES[kind]
    if kind != "TXT":
        return b""
    mode, _, token = mode.partition(":")
    text = {"lying": LIE % (token or "0123456789abcdef") if name == BARRIER else None,
            "wildcard": "some text"}.get(mode)
    return None if text is None else bytes([len(text)]) + text.encode()


def respond(mode, query):
    name, kind, question = parse(query)
    data = answer_data(mode, name, kind)
    code = NXDOMAIN if data is None else 0
    header = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 1 if data else 0, 0, 0)
    if not data:
        return header + question
    return header + question + struct.pack("!HHHIH", 0xC00C, *question_kind(question), TTL, len(data)) + data


def question_kind(question):
    return struct.unpack("!HH", question[-4:])


class Log:
    def __init__(self, path):
        self.file, self.lock = open(path, "a", buffering=1), threading.Lock()

    def write(self, transport, query):
        name, kind, _ = parse(query)
        with self.lock:
            self.file.write("%s %s %s\n" % (transport, kind, name))


class OverUdp(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        self.server.log.write("udp", query)
        if self.server.mode != "silent":
            sock.sendto(respond(self.server.mode, query), self.client_address)


class OverTcp(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.rfile.read(2):
            query = self.rfile.read(struct.unpack("!H", length)[0])
            self.server.log.write("tcp", query)
            if self.server.mode != "silent":
                reply = respond(self.server.mode, query)
                self.wfile.write(struct.pack("!H", len(reply)) + reply)


def serve(base, handler, mode, log, address, port):
    class Server(base):
        allow_reuse_address = True
        daemon_threads = True
        address_family = socketserver.socket.AF_INET6 if ":" in address else socketserver.socket.AF_INET
    server = Server((address, port), handler)
    server.mode, server.log = mode, log
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    mode, log, port = sys.argv[1], Log(sys.argv[2]), int(sys.argv[3])
    for address in sys.argv[4:]:
        serve(socketserver.ThreadingUDPServer, OverUdp, mode, log, address, port)
        serve(socketserver.ThreadingTCPServer, OverTcp, mode, log, address, port)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
