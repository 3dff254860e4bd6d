/*
 * leitwacht-gate: the only process that speaks to containerd.  Its socket is
 * root on the node, so it says fixed requests only (request.h) and reads
 * nothing inside a payload: it cuts them into CHUNKs for the watcher.
 *
 * Hostile: the watcher's messages.  containerd is a trusted peer that may be
 * slow, hung or restarted.
 */
#ifndef LW_GATE_H
#define LW_GATE_H

#include <nghttp2/nghttp2.h>
#include "channel.h"
#include "framing.h"
#include "queue.h"
#include "rate.h"
#include "request.h"
#include "surface.h"

#define STREAMS_MAX 64
#define STREAMS_RESERVED 8
#define CALL_DEADLINE_NS (2 * 1000000000ULL)	/* without a byte of progress */

/*
 * What a call's CALL_END says beside containerd's own words.  RESOURCE_EXHAUSTED
 * comes back later; DATA_LOSS will not get better: a message of the answer was
 * not passed on.
 */
enum grpc_status { GRPC_UNKNOWN = 2, GRPC_DEADLINE_EXCEEDED = 4, GRPC_RESOURCE_EXHAUSTED = 8, GRPC_DATA_LOSS = 15 };

enum stream_owner {
	OWNER_NONE,		/* the place is free */
	OWNER_EVENTS,		/* the subscription */
	OWNER_WATCHER,		/* a call that the watcher asked for */
	OWNER_PROBE,		/* Publish: nobody waits for its answer */
	OWNER_LIVENESS,		/* our own Version: late means that containerd hangs */
};

struct stream {
	enum stream_owner owner;
	int32_t id;
	uint32_t method;
	uint64_t call;			/* the watcher's number */
	struct request request;
	size_t sent;
	struct framing framing;
	unsigned skipped;		/* messages that were not passed on */
	int32_t grpc_status;		/* -1: none came */
	uint64_t deadline_ns;		/* UINT64_MAX: none */
};

/* One HTTP/2 connection. */
struct session {
	nghttp2_session *http2;
	struct stream streams[STREAMS_MAX];
	const uint8_t *out;		/* what the socket did not take; nghttp2 owns it */
	size_t out_length;
	uint64_t now;			/* of the batch that is being read */
	int closing;			/* GOAWAY, or the subscription ended */
	int probe_logged;		/* a Publish failed, which was said */
	int error;			/* a callback's, nghttp2 knows only "failed" */
};

enum link_phase {
	LINK_IDLE,			/* until retry_ns, a watcher, and an empty queue */
	LINK_ASKED,			/* CONNECT sent to the launcher */
	LINK_OPENING,			/* preface and Subscribe sent, no SETTINGS yet */
	LINK_UP,
};

struct gate {
	struct channel launcher, watcher;
	struct queue queue;
	struct rate calls, probes;	/* outlive a watcher: a new one has no new allowance */
	struct session session;
	enum link_phase phase;
	uint32_t epoch;
	uint64_t retry_ns, backoff_ns, asked_deadline_ns, opening_deadline_ns, liveness_ns;
	int outage_logged;
};

/* session.c: HTTP/2 and the streams. */
int session_open(struct gate *gate);
void session_close(struct session *session);
struct stream *session_request(struct session *session, enum stream_owner owner, const struct request *request, uint64_t now);
void session_cancel(struct session *session, struct stream *stream);
int session_read(struct gate *gate, int fd, uint64_t now);
int session_write(struct session *session, int fd);

/* What session.c reports.  0, or -errno, which ends the connection. */
int gate_on_greeting(struct gate *gate);
int gate_on_piece(struct gate *gate, const struct stream *stream, const uint8_t *bytes, size_t length, int last);
int gate_on_end(struct gate *gate, const struct stream *stream, int32_t grpc_status);

/* link.c: the life of the connection. */
void link_connected(struct gate *gate, int fd, uint64_t now);
void link_connect_failed(struct gate *gate, int error, uint64_t now);
void link_down(struct gate *gate, const char *reason, int error, uint64_t now);
void link_serve(struct gate *gate, int readable, uint64_t now);
/* What to poll the runtime's socket for. */
short link_events(const struct gate *gate);
void link_tick(struct gate *gate, uint64_t now);
uint64_t link_due_ns(const struct gate *gate);

/* peers.c: the launcher's and the watcher's messages. */
void peers_launcher(struct gate *gate, uint64_t now);
void peers_watcher(struct gate *gate, uint64_t now);
void peers_watcher_gone(struct gate *gate, uint64_t now);
void peers_watcher_stuck(struct gate *gate, uint64_t now);
void peers_place_fd(int fd, int number);

extern const struct surface gate_surface;

#endif
