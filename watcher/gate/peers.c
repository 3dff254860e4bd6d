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
#define BURST 32		/* messages a turn: poll comes back to the rest, and containerd is served between */

/* An owned watcher must not wear containerd out.  An honest one probes and lists well below, or asks again. */
#define CALLS_PER_SECOND 200
#define CALLS_BURST 64
#define PROBES_PER_SECOND 50
#define PROBES_BURST 8

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

/* A process that hangs sees no end of its channel: the launcher ends it and starts the next. */
void peers_watcher_stuck(struct gate *gate, uint64_t now)
{
	struct msg_dismiss dismiss = MESSAGE(DISMISS, dismiss);

	dismiss.peer = P_WATCHER;
	log_event(LOG_ERROR, "watcher does not read, dismissed");
	if (channel_send(&gate->launcher, &dismiss, NULL))
		log_event(LOG_ERROR, "the launcher does not read");
	peers_watcher_gone(gate, now);
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
	int got = 1;

	for (int i = 0; i < BURST && got > 0; i++) {
		got = channel_receive(&gate->launcher, &in);
		if (got <= 0)
			break;
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

static unsigned under_way(const struct gate *gate, enum stream_owner owner, uint32_t method)
{
	unsigned count = 0;

	for (unsigned i = 0; i < STREAMS_MAX; i++)
		count += gate->session.streams[i].owner == owner && gate->session.streams[i].method == method;
	return count;
}

/* NULL: too many, or too often. */
static struct stream *start_call(struct gate *gate, const struct request *request, uint32_t method, uint64_t now)
{
	if (method == METHOD_CONTAINER_LIST && under_way(gate, OWNER_WATCHER, METHOD_CONTAINER_LIST))
		return NULL;	/* the one expensive question, one at a time */
	if (!rate_take(&gate->calls, CALLS_PER_SECOND, CALLS_BURST, now))
		return NULL;
	return session_request(&gate->session, OWNER_WATCHER, request, now);
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
	stream = start_call(gate, &request, call->method, now);
	if (!stream)
		return tell_end(gate, call->call, call->method, GRPC_RESOURCE_EXHAUSTED, now);
	stream->call = call->call;
	stream->method = call->method;
	return 0;
}

static void on_probe(struct gate *gate, const struct msg_probe *probe, uint64_t now)
{
	struct request request;

	/* a lost probe is repeated */
	if (gate->phase != LINK_UP || probe->epoch != gate->epoch || under_way(gate, OWNER_PROBE, 0) >= PROBES_MAX)
		return;
	if (!rate_take(&gate->probes, PROBES_PER_SECOND, PROBES_BURST, now))
		return;
	request_probe(&request, probe->nonce);
	session_request(&gate->session, OWNER_PROBE, &request, now);
}

void peers_watcher(struct gate *gate, uint64_t now)
{
	struct received in;
	int got = queue_flush(&gate->queue, &gate->watcher);

	for (int i = 0; i < BURST && !got; i++) {
		got = channel_receive(&gate->watcher, &in);
		if (got <= 0)
			break;
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

/* Without probes nothing is ever listed: why they fail must be seen, but not with each of them. */
static void log_probe(struct session *session, int32_t grpc_status)
{
	if (grpc_status && !session->probe_logged)
		log_event(LOG_WARNING, "the runtime refuses our probe", log_int("grpc_status", grpc_status));
	session->probe_logged |= grpc_status != 0;
}

int gate_on_end(struct gate *gate, const struct stream *stream, int32_t grpc_status)
{
	if (stream->owner == OWNER_PROBE)
		log_probe(&gate->session, grpc_status);
	if (stream->owner != OWNER_WATCHER)
		return 0;
	return tell_end(gate, stream->call, stream->method, grpc_status, clock_ns());
}
