"""A subscriber of our own to the runtime's /tasks/start events, beside the agent's gate.

It tells when the runtime says that a task started (the envelope's time), and
it starts the floor's rounds: at the moment at which the agent would begin, so
that both compete with the same things.
"""
import contextlib
import threading

import grpc

METHOD = "/containerd.services.events.v1.Events/Subscribe"
FILTER = b'topic=="/tasks/start"'
VARINT, BYTES = 0, 2


class Start:
    """One task's start; stamped: when the shim saw it, in seconds of the wall clock."""

    def __init__(self, envelope):
        fields = decode(envelope)
        stamp, task = decode(fields[1]), decode(decode(fields[4])[2])
        self.stamped = stamp[1] + stamp.get(2, 0) / 1e9
        self.container, self.pid = task[1].decode(), task[2]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def decode(data):
    """{field number: integer or bytes} of a protobuf message with these two kinds of field."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == BYTES:
            value, at = data[at:at + value], at + value
        elif key & 7 != VARINT:
            raise ValueError("field %d: wire type %d is not expected here" % (key >> 3, key & 7))
        fields[key >> 3] = value
    return fields


class Starts:
    """{sandbox or container id: Start} of those that came; on_start, if set, is called with each."""

    def __init__(self, socket):
        self.seen, self.on_start = {}, None
        channel = grpc.insecure_channel("unix://" + socket, options=[("grpc.use_local_subchannel_pool", 1)])
        self.call = channel.unary_stream(METHOD)(bytes([10, len(FILTER)]) + FILTER)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(grpc.RpcError):    # cancelled, or lost: who waits for an event says so
            for envelope in self.call:
                start = Start(envelope)
                if self.on_start:
                    self.on_start(start)
                self.seen[start.container] = start

    def stop(self):
        self.call.cancel()
