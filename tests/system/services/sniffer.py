#!/usr/bin/python3
"""Writes one line a packet of the pods that comes out on the node's bridge.

usage: sniffer.py INTERFACE     "TIME SOURCE DESTINATION PROTOCOL PORT"

Only what a process sent: neighbour discovery and multicast reports are the
kernel's own.  The interface may appear later.
"""
import ipaddress
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
OUTGOING = 4
TCP, UDP, ICMP, ICMPV6, ECHO6 = 6, 17, 1, 58, 128


def parse(packet):
    """(source, destination, protocol, destination port or 0), or None."""
    version = packet[0] >> 4
    if version == 4:
        at, protocol = (packet[0] & 15) * 4, packet[9]
        source, destination = packet[12:16], packet[16:20]
    elif version == 6:
        at, protocol = 40, packet[6]
        source, destination = packet[8:24], packet[24:40]
    else:
        return None
    if protocol not in (TCP, UDP, ICMP, ICMPV6) or (protocol == ICMPV6 and packet[at] != ECHO6):
        return None
    port = struct.unpack_from("!H", packet, at + 2)[0] if protocol in (TCP, UDP) else 0
    return ipaddress.ip_address(source), ipaddress.ip_address(destination), protocol, port


def wait_for(interface):
    while True:
        try:
            return socket.if_nametoindex(interface)
        except OSError:
            time.sleep(0.005)


def main():
    interface = sys.argv[1]
    # The type is DGRAM: packets without their link-level header.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    print("ready", flush=True)
    wait_for(interface)
    while True:
        packet, ancillary, _, address = sock.recvmsg(65536, 64)
        if address[0] != interface or address[2] == OUTGOING or not packet:
            continue
        seen = parse(packet)
        if seen:
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            print("%d.%09d %s %s %d %d" % (seconds, nanoseconds, *seen), flush=True)


if __name__ == "__main__":
    main()
