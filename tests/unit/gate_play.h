/*
 * Plays launcher, watcher and containerd to the gate; one turn of its loop at a
 * time, with a clock of the test's.
 */
#ifndef GATE_PLAY_H
#define GATE_PLAY_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cleanup.h"
#include "clock.h"
#include "gate.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct gate gate;
static struct channel launcher = { -1, P_LAUNCHER, P_GATE, ST_READY }, watcher = { -1, P_WATCHER, P_GATE, ST_READY };
static struct received in;
static uint64_t now;

/* What the played containerd has seen of the newest request. */
static struct {
	int fd;
	nghttp2_session *http2;
	int32_t stream;
	char path[128], namespace[32];
	uint8_t body[512];
	size_t body_length;
	unsigned requests, resets;
} server;

/* The gate's numbers 3, 4 and 5 must not be the check library's. */
__attribute__((constructor)) static void reserve(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd < 5);
}

/* A pair far from the numbers that the gate closes and takes. */
static void high_pair(int type, int ends[2])
{
	int low[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, low), 0);
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20);
		ck_assert_int_ge(ends[i], 20);
	}
	close(low[0]);
	close(low[1]);
}

/* ---- a containerd ------------------------------------------------------- */

static int server_header(nghttp2_session *h, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
			 const uint8_t *value, size_t length, uint8_t flags, void *data)
{
	(void)h, (void)flags, (void)data;
	server.stream = frame->hd.stream_id;
	if (name_length == 5 && !memcmp(name, ":path", 5))
		snprintf(server.path, sizeof(server.path), "%.*s", (int)length, (const char *)value);
	if (name_length == 20 && !memcmp(name, "containerd-namespace", 20))
		snprintf(server.namespace, sizeof(server.namespace), "%.*s", (int)length, (const char *)value);
	return 0;
}

static int server_data(nghttp2_session *h, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *data)
{
	(void)h, (void)flags, (void)data, (void)id;
	ck_assert_uint_le(length, sizeof(server.body));
	memcpy(server.body, bytes, length);
	server.body_length = length;
	return 0;
}

static int server_frame(nghttp2_session *h, const nghttp2_frame *frame, void *data)
{
	(void)h, (void)data;
	server.requests += frame->hd.type == NGHTTP2_HEADERS;
	server.resets += frame->hd.type == NGHTTP2_RST_STREAM;
	return 0;
}

static void server_open(int fd)
{
	nghttp2_session_callbacks *callbacks;

	memset(&server, 0, sizeof(server));
	server.fd = fd;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, server_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_frame);
	nghttp2_session_server_new(&server.http2, callbacks, NULL);
	nghttp2_session_callbacks_del(callbacks);
}

static void server_close(void)
{
	nghttp2_session_del(server.http2);
	drop_fd(&server.fd);
}

static void server_turn(void)
{
	uint8_t bytes[65536];
	const uint8_t *out;
	ssize_t length;

	while ((length = recv(server.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		ck_assert_int_eq(nghttp2_session_mem_recv(server.http2, bytes, (size_t)length), length);
	while ((length = nghttp2_session_mem_send(server.http2, &out)) > 0)
		ck_assert_int_eq(send(server.fd, out, (size_t)length, MSG_NOSIGNAL), length);
}

struct answer {
	const uint8_t *bytes;
	size_t length, sent;
	const char *status;	/* NULL: the stream stays open */
};

static ssize_t server_body(nghttp2_session *h, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
			   nghttp2_data_source *source, void *data)
{
	struct answer *answer = source->ptr;
	size_t part = answer->length - answer->sent < room ? answer->length - answer->sent : room;
	nghttp2_nv trailer = { (uint8_t *)(uintptr_t)"grpc-status", (uint8_t *)(uintptr_t)answer->status, 11, 0, 0 };

	(void)data;
	if (!part && !answer->status)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(into, answer->bytes + answer->sent, part);
	answer->sent += part;
	if (answer->sent < answer->length || !answer->status)
		return (ssize_t)part;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	trailer.valuelen = strlen(answer->status);
	nghttp2_submit_trailer(h, id, &trailer, 1);
	return (ssize_t)part;
}

static void gate_turn(void)
{
	peers_launcher(&gate, now);
	if (gate.watcher.fd >= 0)
		peers_watcher(&gate, now);
	link_tick(&gate, now);
	if (gate.phase >= LINK_OPENING)
		link_serve(&gate, link_events(&gate) & POLLIN, now);
}

static void turns(void)
{
	for (int i = 0; i < 40; i++) {
		gate_turn();
		if (server.fd > 0)
			server_turn();
	}
}

static void respond(int32_t stream, struct answer *answer)
{
	nghttp2_nv status = { (uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)"200", 7, 3, 0 };
	nghttp2_data_provider body = { .source.ptr = answer, .read_callback = server_body };

	ck_assert_int_eq(nghttp2_submit_response(server.http2, stream, &status, 1, &body), 0);
	turns();
}

/* ---- the others --------------------------------------------------------- */

static void pair_with(struct channel *theirs, struct channel *ours, enum process peer)
{
	int ends[2];

	high_pair(SOCK_SEQPACKET, ends);
	theirs->fd = ends[0];
	*ours = (struct channel){ ends[1], P_GATE, peer, ST_READY };
}

static void begin(void)
{
	memset(&gate, 0, sizeof(gate));
	memset(&server, 0, sizeof(server));
	pair_with(&launcher, &gate.launcher, P_LAUNCHER);
	pair_with(&watcher, &gate.watcher, P_WATCHER);
	now = clock_ns();
}

static const union message *next(struct channel *from, uint16_t type)
{
	ck_assert_int_eq(channel_receive(from, &in), 1);
	ck_assert_uint_eq(in.m.h.type, type);
	return &in.m;
}

static void nothing(struct channel *from)
{
	ck_assert_int_eq(channel_receive(from, &in), 0);
}

/* The launcher hands over a socket; nobody answers on it yet. */
static void connect_gate(void)
{
	struct msg_connected m = MESSAGE(CONNECTED, connected);
	int ends[2];

	gate_turn();
	next(&launcher, MSG_CONNECT);
	high_pair(SOCK_STREAM, ends);
	ck_assert_int_eq(channel_send(&launcher, &m, &ends[1]), 0);
	close(ends[1]);
	server_open(ends[0]);
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_OPENING);
}

static uint32_t go_up(void)
{
	connect_gate();
	nothing(&watcher);
	nghttp2_submit_settings(server.http2, NGHTTP2_FLAG_NONE, NULL, 0);
	turns();
	ck_assert_str_eq(server.path, "/containerd.services.events.v1.Events/Subscribe");
	return next(&watcher, MSG_STREAM_UP)->stream_up.epoch;
}

static void finish(void)
{
	if (gate.phase >= LINK_OPENING)
		session_close(&gate.session);
	queue_drop(&gate.queue);
	if (server.fd > 0)
		server_close();
}

static void send_call(uint32_t method, uint64_t number, uint32_t epoch, const char *id)
{
	struct msg_call m = MESSAGE(CALL, call);

	m.call = number;
	m.method = method;
	m.epoch = epoch;
	m.id_length = (uint32_t)strlen(id);
	memcpy(m.id, id, m.id_length);
	ck_assert_int_eq(channel_send(&watcher, &m, NULL), 0);
}

static void call(uint32_t method, uint64_t number, uint32_t epoch, const char *id)
{
	send_call(method, number, epoch, id);
	turns();
}

#endif
