/*
 * The messages of the launcher and of the watcher.  Run by the gate.  The
 * watcher may be owned: what it asks for is built from fixed parts (request.h),
 * and a request outside the contract ends its channel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "clock.h"
#include "gate.h"
#include "log.h"

#define PROBES_MAX 4

/* Give a received descriptor its fixed number.  It may have come under that number already. */
void peers_place_fd(int fd, int number)
{
	if (fd == number)
		return;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		log_fatal("dup3", -errno);
	close(fd);
}

void peers_watcher_gone(struct gate *gate, uint64_t now)
{
	drop_fd(&gate->watcher.fd);
	if (gate->phase >= LINK_OPENING)
		link_down(gate, "watcher is gone", -EPIPE, now);
	queue_drop(&gate->queue);
}

/* The new watcher gets a connection of its own, and nothing that was meant for the old one. */
static void on_peer(struct gate *gate, struct received *in, uint64_t now)
{
	if (in->m.peer.peer != P_WATCHER)
		log_fatal("the launcher named a peer that is not the gate's", -EBADMSG);
	peers_watcher_gone(gate, now);
	peers_place_fd(in->fds[0], FD_GATE_WATCHER);
	gate->watcher.fd = FD_GATE_WATCHER;
	gate->backoff_ns = 0;
	gate->retry_ns = now;
	gate->outage_logged = 0;
	log_event(LOG_INFO, "new channel", log_str("peer", "watcher"));
}

void peers_launcher(struct gate *gate, uint64_t now)
{
	struct received in;
	int got;

	while ((got = channel_receive(&gate->launcher, &in)) > 0) {
		if (in.m.h.type == MSG_CONNECTED)
			link_connected(gate, in.fds[0], now);
		else if (in.m.h.type == MSG_CONNECT_FAILED)
			link_connect_failed(gate, in.m.connect_failed.error, now);
		else
			on_peer(gate, &in, now);
	}
	if (got < 0)
		log_fatal("the launcher's channel ended", got);
}

static int tell_end(struct gate *gate, uint64_t call, uint32_t method, int32_t grpc_status, uint64_t now)
{
	struct msg_call_end end = MESSAGE(CALL_END, call_end);

	end.call = call;
	end.epoch = gate->epoch;
	end.grpc_status = grpc_status;
	end.method = method;
	return queue_send(&gate->queue, &gate->watcher, &end, now);
}

/* 0, or -EBADMSG for a call outside the contract, or the channel's error. */
static int on_call(struct gate *gate, const struct msg_call *call, uint64_t now)
{
	struct request request;
	struct stream *stream;

	if (call->id_length > CONTAINER_ID_MAX || request_call(&request, call->method, call->id, call->id_length))
		return -EBADMSG;
	if (gate->phase != LINK_UP || call->epoch != gate->epoch)
		return 0;	/* asked before the watcher read STREAM_DOWN: it has no answer to wait for */
	stream = session_request(&gate->session, OWNER_WATCHER, &request, now);
	if (!stream)
		return tell_end(gate, call->call, call->method, GRPC_RESOURCE_EXHAUSTED, now);
	stream->call = call->call;
	stream->method = call->method;
	return 0;
}

static void on_probe(struct gate *gate, const struct msg_probe *probe, uint64_t now)
{
	struct request request;
	unsigned waiting = 0;

	for (unsigned i = 0; i < STREAMS_MAX; i++)
		waiting += gate->session.streams[i].owner == OWNER_PROBE;
	if (gate->phase != LINK_UP || probe->epoch != gate->epoch || waiting >= PROBES_MAX)
		return;		/* a lost probe is repeated */
	request_probe(&request, probe->nonce);
	session_request(&gate->session, OWNER_PROBE, &request, now);
}

void peers_watcher(struct gate *gate, uint64_t now)
{
	struct received in;
	int got = queue_flush(&gate->queue, &gate->watcher);

	while (!got && (got = channel_receive(&gate->watcher, &in)) > 0) {
		got = 0;
		if (in.m.h.type == MSG_PROBE)
			on_probe(gate, &in.m.probe, now);
		else
			got = on_call(gate, &in.m.call, now);
	}
	if (!got)
		return;
	log_event(LOG_ERROR, "watcher's channel ended", log_errno(got));
	peers_watcher_gone(gate, now);
}

int gate_on_piece(struct gate *gate, const struct stream *stream, const uint8_t *bytes, size_t length, int last)
{
	struct msg_chunk chunk;
	size_t part;

	if (stream->owner != OWNER_EVENTS && stream->owner != OWNER_WATCHER)
		return 0;
	do {
		int error;

		part = length < CHUNK_BYTES ? length : CHUNK_BYTES;
		chunk = MESSAGE(CHUNK, chunk);
		chunk.received_ns = stream->framing.received_ns;
		chunk.call = stream->call;
		chunk.epoch = gate->epoch;
		chunk.method = stream->owner == OWNER_EVENTS ? METHOD_EVENTS : stream->method;
		chunk.length = (uint32_t)part;
		chunk.last = last && part == length;
		memcpy(chunk.bytes, bytes, part);
		error = queue_send(&gate->queue, &gate->watcher, &chunk, gate->session.now);
		if (error)
			return error;
		bytes += part;
		length -= part;
	} while (length);
	return 0;
}

int gate_on_end(struct gate *gate, const struct stream *stream, int32_t grpc_status)
{
	if (stream->owner != OWNER_WATCHER)
		return 0;
	return tell_end(gate, stream->call, stream->method, grpc_status, clock_ns());
}
