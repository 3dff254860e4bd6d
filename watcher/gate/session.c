/*
 * HTTP/2 towards containerd: an nghttp2 client session that is fed and drained
 * by memory, and the table of streams.  Run by the gate.  containerd's frames
 * come in; what is inside a message is passed on unread.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "clock.h"
#include "gate.h"
#include "log.h"

#define READ_BYTES 65536

static struct stream *stream_of(nghttp2_session *http2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(http2, id);
}

static struct session *session_of(void *gate)
{
	return &((struct gate *)gate)->session;
}

/* The watcher can't use up the places that liveness and probes need. */
static unsigned places_for(enum stream_owner owner)
{
	return owner == OWNER_WATCHER ? STREAMS_MAX - STREAMS_RESERVED : STREAMS_MAX;
}

static struct stream *free_stream(struct session *session, enum stream_owner owner)
{
	for (unsigned i = 0; i < places_for(owner); i++)
		if (session->streams[i].owner == OWNER_NONE)
			return &session->streams[i];
	return NULL;
}

static ssize_t on_read_body(nghttp2_session *http2, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
			    nghttp2_data_source *source, void *gate)
{
	struct stream *stream = source->ptr;
	size_t part = stream->request.length - stream->sent;

	(void)http2, (void)id, (void)gate;
	if (part > room)
		part = room;
	memcpy(into, stream->request.body + stream->sent, part);
	stream->sent += part;
	if (stream->sent == stream->request.length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)part;
}

static int forward(void *gate, const struct framing *framing, const uint8_t *bytes, size_t length, int last)
{
	struct stream *stream = (struct stream *)(uintptr_t)((const char *)framing - offsetof(struct stream, framing));

	return gate_on_piece(gate, stream, bytes, length, last);
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *gate)
{
	struct stream *stream = stream_of(http2, id);
	struct session *session = session_of(gate);
	unsigned skipped = 0;

	(void)flags;
	if (!stream)
		return 0;
	if (stream->deadline_ns != UINT64_MAX)
		stream->deadline_ns = session->now + CALL_DEADLINE_NS;
	session->error = framing_feed(&stream->framing, bytes, length, session->now, forward, gate, &skipped);
	stream->skipped += skipped;
	if (skipped)
		log_event(LOG_WARNING, "message too large, skipped", log_int("method", stream->method),
			  log_int("messages", skipped), log_int("bound_bytes", FRAMING_MESSAGE_MAX));
	return session->error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* "12" -> 12; anything but one or two digits is no gRPC status. */
static int32_t parse_status(const uint8_t *value, size_t length)
{
	int32_t status = 0;

	if (length < 1 || length > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return GRPC_UNKNOWN;
		status = status * 10 + (value[i] - '0');
	}
	return status;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
		     const uint8_t *value, size_t value_length, uint8_t flags, void *gate)
{
	struct stream *stream = stream_of(http2, frame->hd.stream_id);

	(void)flags, (void)gate;
	if (!stream)
		return 0;
	if (name_length == 11 && !memcmp(name, "grpc-status", 11))
		stream->grpc_status = parse_status(value, value_length);
	if (name_length == 7 && !memcmp(name, ":status", 7) && (value_length != 3 || memcmp(value, "200", 3) != 0))
		stream->grpc_status = GRPC_UNKNOWN;
	return 0;
}

/* OK is said only of an answer that was passed on whole: a list that lacks one is not complete. */
static int32_t final_status(const struct stream *stream, uint32_t error)
{
	if (error || stream->grpc_status < 0)
		return GRPC_UNKNOWN;
	if (stream->grpc_status == 0 && (stream->skipped || stream->framing.have))
		return GRPC_DATA_LOSS;
	return stream->grpc_status;
}

static int on_stream_close(nghttp2_session *http2, int32_t id, uint32_t error, void *gate)
{
	struct stream *stream = stream_of(http2, id);

	if (!stream || stream->owner == OWNER_NONE)
		return 0;
	if (stream->owner == OWNER_EVENTS)
		session_of(gate)->closing = 1;
	session_of(gate)->error = gate_on_end(gate, stream, final_status(stream, error));
	stream->owner = OWNER_NONE;
	return session_of(gate)->error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *gate)
{
	struct session *session = session_of(gate);

	(void)http2;
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		session->error = gate_on_greeting(gate);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		session->closing = 1;
	return session->error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int make_session(struct gate *gate)
{
	nghttp2_session_callbacks *callbacks;
	int error;

	if (nghttp2_session_callbacks_new(&callbacks))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	error = nghttp2_session_client_new(&gate->session.http2, callbacks, gate);
	nghttp2_session_callbacks_del(callbacks);
	return error ? -ENOMEM : 0;
}

/* A fresh connection: settings, then the subscription, in one flight. */
int session_open(struct gate *gate)
{
	static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 } };
	struct session *session = &gate->session;
	struct request subscribe;

	memset(session, 0, sizeof(*session));
	if (make_session(gate))
		return -ENOMEM;
	request_subscribe(&subscribe);
	if (nghttp2_submit_settings(session->http2, NGHTTP2_FLAG_NONE, settings, 1) ||
	    !session_request(session, OWNER_EVENTS, &subscribe, clock_ns()))
		return -ENOMEM;
	return 0;
}

void session_close(struct session *session)
{
	if (session->http2)
		nghttp2_session_del(session->http2);
	memset(session, 0, sizeof(*session));
}

#define HEADER(n, v) { .name = (uint8_t *)(uintptr_t)(n), .value = (uint8_t *)(uintptr_t)(v), \
		       .namelen = strlen(n), .valuelen = strlen(v) }

struct stream *session_request(struct session *session, enum stream_owner owner, const struct request *request, uint64_t now)
{
	const nghttp2_nv headers[] = {
		HEADER(":method", "POST"), HEADER(":scheme", "http"), HEADER(":path", request->path),
		HEADER(":authority", "localhost"), HEADER("content-type", "application/grpc"), HEADER("te", "trailers"),
		HEADER("containerd-namespace", request->namespace),
	};
	struct stream *stream = free_stream(session, owner);
	nghttp2_data_provider body = { .source.ptr = stream, .read_callback = on_read_body };

	if (!stream)
		return NULL;	/* the caller answers for it: nothing waits here without bound */
	*stream = (struct stream){ .request = *request, .grpc_status = -1 };
	stream->deadline_ns = owner == OWNER_EVENTS ? UINT64_MAX : now + CALL_DEADLINE_NS;
	stream->id = nghttp2_submit_request(session->http2, NULL, headers, sizeof(headers) / sizeof(headers[0]), &body, stream);
	if (stream->id < 0)
		return NULL;
	stream->owner = owner;
	return stream;
}

/* The stream's end is reported to nobody: the caller says why it gave up. */
void session_cancel(struct session *session, struct stream *stream)
{
	stream->owner = OWNER_NONE;
	nghttp2_session_set_stream_user_data(session->http2, stream->id, NULL);
	nghttp2_submit_rst_stream(session->http2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

int session_read(struct gate *gate, int fd, uint64_t now)
{
	uint8_t bytes[READ_BYTES];
	struct session *session = &gate->session;
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), used;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0)
		return -ECONNRESET;
	session->now = now;
	used = nghttp2_session_mem_recv(session->http2, bytes, (size_t)got);
	if (used == got && !session->closing)
		return 0;
	return session->error ? session->error : session->closing ? -ECONNABORTED : -EPROTO;
}

int session_write(struct session *session, int fd)
{
	for (;;) {
		ssize_t part;

		if (!session->out_length) {
			part = nghttp2_session_mem_send(session->http2, &session->out);
			if (part <= 0)
				return part ? -EPROTO : 0;
			session->out_length = (size_t)part;
		}
		part = send(fd, session->out, session->out_length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (part < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		session->out += part;
		session->out_length -= (size_t)part;
	}
}
