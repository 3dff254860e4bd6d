/*
 * The gate between a launcher, a watcher and a containerd that the test plays;
 * the latter is an nghttp2 server on the other end of a socket pair.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
		link_serve(&gate, 1, now);
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

static void call(uint32_t method, uint64_t number, uint32_t epoch, const char *id)
{
	struct msg_call m = MESSAGE(CALL, call);

	m.call = number;
	m.method = method;
	m.epoch = epoch;
	m.id_length = (uint32_t)strlen(id);
	memcpy(m.id, id, m.id_length);
	ck_assert_int_eq(channel_send(&watcher, &m, NULL), 0);
	turns();
}

START_TEST(up_and_one_call)
{
	static uint8_t bytes[10005] = { 0, 0, 0, 10000 >> 8, 10000 & 0xff };
	struct answer answer = { bytes, sizeof(bytes), 0, "0" };
	const struct msg_chunk *chunk;
	uint32_t epoch, got = 0;

	begin();
	epoch = go_up();
	call(METHOD_CONTAINER_GET, 77, epoch, ID);
	ck_assert_str_eq(server.path, "/containerd.services.containers.v1.Containers/Get");
	ck_assert_str_eq(server.namespace, "k8s.io");
	ck_assert_mem_eq(server.body + 7, ID, 64);
	bytes[5] = 'a', bytes[10004] = 'z';
	respond(server.stream, &answer);
	do {
		chunk = &next(&watcher, MSG_CHUNK)->chunk;
		ck_assert_uint_eq(chunk->call, 77);
		ck_assert_uint_eq(chunk->method, METHOD_CONTAINER_GET);
		ck_assert_uint_eq(chunk->epoch, epoch);
		ck_assert_uint_eq(chunk->received_ns, now);
		if (!got)
			ck_assert_int_eq(chunk->bytes[0], 'a');
		got += chunk->length;
	} while (!chunk->last);
	ck_assert_uint_eq(got, 10000);
	ck_assert_int_eq(chunk->bytes[chunk->length - 1], 'z');
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, 0);
	nothing(&watcher);
	finish();
}
END_TEST

START_TEST(events_and_probe)
{
	struct answer events = { (const uint8_t *)"\0\0\0\0\3abc\0\0\0\0\2de", 15, 0, NULL };
	struct msg_probe probe = MESSAGE(PROBE, probe);
	const struct msg_chunk *chunk;
	int32_t subscription;

	begin();
	probe.epoch = go_up();
	subscription = server.stream;
	probe.nonce = 0x1122334455667788ULL;
	channel_send(&watcher, &probe, NULL);
	turns();
	ck_assert_str_eq(server.path, "/containerd.services.events.v1.Events/Publish");
	ck_assert_str_eq(server.namespace, "leitwacht");
	ck_assert_mem_eq(server.body + server.body_length - 8, &probe.nonce, 8);
	respond(subscription, &events);
	chunk = &next(&watcher, MSG_CHUNK)->chunk;
	ck_assert_uint_eq(chunk->method, METHOD_EVENTS);
	ck_assert_uint_eq(chunk->call, 0);
	ck_assert_mem_eq(chunk->bytes, "abc", 3);
	ck_assert_mem_eq(next(&watcher, MSG_CHUNK)->chunk.bytes, "de", 2);
	nothing(&watcher);
	finish();
}
END_TEST

START_TEST(errors_of_a_call)
{
	struct answer none = { (const uint8_t *)"", 0, 0, "5" }, odd = { (const uint8_t *)"", 0, 0, "5x" };
	uint32_t epoch;

	begin();
	epoch = go_up();
	call(METHOD_TASK_GET, 1, epoch, ID);
	respond(server.stream, &none);
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, 5);
	call(METHOD_TASK_GET, 2, epoch, ID);
	respond(server.stream, &odd);
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_UNKNOWN);
	call(METHOD_TASK_GET, 3, epoch + 1, ID);	/* of another connection: no request, no answer */
	nothing(&watcher);
	ck_assert_uint_eq(server.requests, 3);
	finish();
}
END_TEST

/* A message beyond the bound is skipped; the connection and the next message live. */
START_TEST(too_large)
{
	static uint8_t bytes[5 + (4U << 20) + 1 + 5 + 1] = { 0, 0, 0x40, 0, 1 };
	struct answer answer = { bytes, sizeof(bytes), 0, "0" };
	uint32_t epoch;

	begin();
	bytes[sizeof(bytes) - 2] = 1;	/* then one of one byte */
	bytes[sizeof(bytes) - 1] = 'x';
	epoch = go_up();
	call(METHOD_CONTAINER_LIST, 4, epoch, "");
	respond(server.stream, &answer);
	for (int i = 0; i < 100; i++)
		turns();
	ck_assert_int_eq(next(&watcher, MSG_CHUNK)->chunk.bytes[0], 'x');
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, 0);
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

/* One call that hangs is given up alone; only a late Version ends the connection. */
START_TEST(hung)
{
	struct answer version = { (const uint8_t *)"\0\0\0\0\0", 5, 0, "0" };
	uint32_t epoch;

	begin();
	epoch = go_up();
	call(METHOD_TASK_GET, 5, epoch, ID);
	now += CALL_DEADLINE_NS;
	turns();
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_DEADLINE_EXCEEDED);
	ck_assert_uint_eq(server.resets, 1);
	ck_assert_int_eq(gate.phase, LINK_UP);
	now += 2 * NS_PER_S;
	turns();
	ck_assert_str_eq(server.path, "/containerd.services.version.v1.Version/Version");
	respond(server.stream, &version);	/* ours: the watcher hears nothing of it */
	nothing(&watcher);
	now += 3 * NS_PER_S;
	turns();
	nothing(&watcher);
	now += CALL_DEADLINE_NS;
	turns();
	ck_assert_int_eq(next(&watcher, MSG_STREAM_DOWN)->stream_down.reason, -ETIMEDOUT);
	finish();
}
END_TEST

START_TEST(no_greeting)
{
	begin();
	connect_gate();
	now += 2 * NS_PER_S;
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	nothing(&watcher);	/* it was never up */
	finish();
}
END_TEST

START_TEST(end_of_file_goaway_and_end_of_the_subscription)
{
	struct answer end = { (const uint8_t *)"", 0, 0, "14" };

	begin();
	ck_assert_uint_eq(go_up(), 1);
	server_close();
	gate_turn();
	ck_assert_uint_eq(next(&watcher, MSG_STREAM_DOWN)->stream_down.epoch, 1);
	now += NS_PER_S;
	ck_assert_uint_eq(go_up(), 2);
	nghttp2_session_terminate_session(server.http2, NGHTTP2_ENHANCE_YOUR_CALM);
	turns();
	next(&watcher, MSG_STREAM_DOWN);
	server_close();
	now += NS_PER_S;
	ck_assert_uint_eq(go_up(), 3);
	respond(server.stream, &end);
	next(&watcher, MSG_STREAM_DOWN);
	finish();
}
END_TEST

START_TEST(refused_connections_back_off)
{
	static const unsigned waits_ms[] = { 0, 0 /* the first two at once */, 50, 100, 200, 400, 800, 1000, 1000 };
	struct msg_connect_failed m = MESSAGE(CONNECT_FAILED, connect_failed);

	begin();
	m.error = -ECONNREFUSED;
	for (unsigned i = 0; i < ARRAY_SIZE(waits_ms); i++) {
		if (waits_ms[i]) {
			now += waits_ms[i] * NS_PER_MS - 1;
			link_tick(&gate, now);
			nothing(&launcher);
			now++;
		}
		link_tick(&gate, now);
		next(&launcher, MSG_CONNECT);
		channel_send(&launcher, &m, NULL);
		peers_launcher(&gate, now);
	}
}
END_TEST

/* A call outside the contract is the watcher's end, and its connection's. */
START_TEST(hostile_watcher)
{
	static const char *const ids[] = { "", "../x", "a b", "\"" };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		uint32_t epoch;

		begin();
		epoch = go_up();
		call(METHOD_CONTAINER_GET, 6, epoch, ids[i]);
		ck_assert_int_eq(gate.watcher.fd, -1);
		ck_assert_int_eq(gate.phase, LINK_IDLE);
		ck_assert_int_eq(channel_receive(&watcher, &in), -EPIPE);
		ck_assert_uint_eq(server.requests, 1);
		now += 10 * NS_PER_S;
		gate_turn();
		nothing(&launcher);	/* no watcher, no connection */
		finish();
	}
}
END_TEST

START_TEST(more_calls_than_places)
{
	uint32_t epoch;

	begin();
	epoch = go_up();
	for (unsigned i = 1; i < STREAMS_MAX - STREAMS_RESERVED; i++)	/* one is the subscription's */
		call(METHOD_TASK_GET, i, epoch, ID);
	nothing(&watcher);
	call(METHOD_TASK_GET, 999, epoch, ID);
	ck_assert_uint_eq(next(&watcher, MSG_CALL_END)->call_end.call, 999);
	ck_assert_int_eq(in.m.call_end.grpc_status, GRPC_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

START_TEST(a_new_watcher_gets_a_new_connection)
{
	struct msg_peer m = MESSAGE(PEER, peer);
	int ends[2];

	begin();
	ck_assert_uint_eq(go_up(), 1);
	drop_fd(&watcher.fd);
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	server_close();
	high_pair(SOCK_SEQPACKET, ends);
	m.peer = P_WATCHER;
	channel_send(&launcher, &m, &ends[1]);
	close(ends[1]);
	watcher.fd = ends[0];
	peers_launcher(&gate, now);
	ck_assert_int_eq(gate.watcher.fd, FD_GATE_WATCHER);
	ck_assert_uint_eq(go_up(), 2);
	finish();
}
END_TEST

/* A watcher that does not read: the connection is cut, and comes again when it has read. */
START_TEST(stuck_watcher)
{
	static uint8_t bytes[5 + (1U << 20)] = { 0, 0, 0x10, 0, 0 };
	uint32_t epoch;

	begin();
	epoch = go_up();
	for (unsigned i = 0; i < 12 && gate.phase == LINK_UP; i++) {
		struct answer answer = { bytes, sizeof(bytes), 0, "0" };

		call(METHOD_CONTAINER_GET, i, epoch, ID);
		respond(server.stream, &answer);
		turns();
	}
	ck_assert_int_ne(gate.phase, LINK_UP);
	ck_assert_uint_lt(gate.queue.bytes, 4096);	/* STREAM_DOWN is all that is kept */
	now += 5 * NS_PER_S;
	gate_turn();
	nothing(&launcher);
	while (channel_receive(&watcher, &in) > 0 && in.m.h.type != MSG_STREAM_DOWN)
		gate_turn();
	ck_assert_uint_eq(in.m.h.type, MSG_STREAM_DOWN);
	server_close();
	ck_assert_uint_eq(go_up(), 2);
	finish();
}
END_TEST

UNIT_MAIN("gate", up_and_one_call, events_and_probe, errors_of_a_call, too_large, hung, no_greeting,
	  end_of_file_goaway_and_end_of_the_subscription, refused_connections_back_off, hostile_watcher, more_calls_than_places,
	  a_new_watcher_gets_a_new_connection, stuck_watcher)
