#!/usr/bin/python3
"""Where jobs send to in the tests: usage: sink.py PORT ADDRESS...

UDP: taken and dropped.  TCP: one read, one reply, and the sink closes first, so
that the job's last packet is sent by a full socket and the packet count is exact.
"""
import socketserver
import sys
import threading


class Taken(socketserver.BaseRequestHandler):
    def handle(self):
        pass


class Answered(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"sink")


def serve(base, handler, address, port):
    class Server(base):
        allow_reuse_address = True
        daemon_threads = True
        address_family = socketserver.socket.AF_INET6 if ":" in address else socketserver.socket.AF_INET
    server = Server((address, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    for address in sys.argv[2:]:
        serve(socketserver.ThreadingUDPServer, Taken, address, int(sys.argv[1]))
        serve(socketserver.ThreadingTCPServer, Answered, address, int(sys.argv[1]))
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
