"""A DNS server whose every answer the test decides: UDP and TCP on one port of 127.0.0.1."""
import socket
import threading
import time

import dns


class Upstream:
    """`behave(message, tcp)` gives the datagrams to send back: bytes, or (seconds to wait, bytes)."""

    def __init__(self, behave=None, port=5300):
        self.behave = behave or (lambda message, tcp: [dns.answer(message, [(dns.A, b"\x0a\0\0\1")])])
        self.seen = []          # (message, tcp, source)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", port))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(("127.0.0.1", port))
        self.tcp.listen(64)
        self.address = ("127.0.0.1", port)
        for work in (self._udp, self._tcp):
            threading.Thread(target=work, daemon=True).start()

    def _replies(self, message, tcp, source, send_now):
        def send(reply):
            try:
                send_now(reply)
            except OSError:
                pass            # a late answer, and the other side has gone
        self.seen.append((message, tcp, source))
        for reply in self.behave(message, tcp):
            if isinstance(reply, tuple):
                threading.Timer(reply[0], send, [reply[1]]).start()
            else:
                send(reply)

    def _udp(self):
        while True:
            try:
                message, source = self.udp.recvfrom(65535)
            except OSError:
                return
            if not message:
                return
            self._replies(message, False, source, lambda reply, to=source: self.udp.sendto(reply, to))

    def _tcp(self):
        while True:
            try:
                connection, source = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(connection, source), daemon=True).start()

    def _connection(self, connection, source):
        try:
            while True:
                message = dns.read_frame(connection).wire
                self._replies(message, True, source, lambda reply: connection.sendall(dns.frame(reply)))
        except (EOFError, OSError):
            connection.close()

    def close(self):
        self.udp.sendto(b"", self.address)      # wakes the thread that holds the socket
        self.udp.close()
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        time.sleep(0.05)
