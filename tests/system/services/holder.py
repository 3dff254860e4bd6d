#!/usr/bin/python3
"""Takes a port and keeps it: usage: holder.py udp4|udp6|tcp4|tcp6 PORT"""
import signal
import socket
import sys


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    six = kind.endswith("6")
    sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET,
                         socket.SOCK_DGRAM if kind.startswith("udp") else socket.SOCK_STREAM)
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::" if six else "0.0.0.0", port))
    if kind.startswith("tcp"):
        sock.listen()
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
