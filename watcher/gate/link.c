/*
 * The life of the connection to containerd: ask the launcher for a connected
 * socket, open HTTP/2, notice that it hangs, go down, come again.  Run by the
 * gate.  Each connection has an epoch, so that nothing of an old one is taken
 * for the new one's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "clock.h"
#include "gate.h"
#include "log.h"

#define BACKOFF_FIRST_NS (50 * NS_PER_MS)
#define BACKOFF_MAX_NS NS_PER_S
#define OPENING_NS (2 * NS_PER_S)
#define ANSWER_NS (5 * NS_PER_S)	/* of the launcher, which answers every CONNECT at once */
#define WATCHER_STUCK_NS (30 * NS_PER_S)	/* has not even read STREAM_DOWN */
#define LIVENESS_NS (3 * NS_PER_S)	/* a Version call; PINGs end in GOAWAY too_many_pings */

static void retry_later(struct gate *gate, uint64_t now)
{
	gate->phase = LINK_IDLE;
	gate->retry_ns = now + gate->backoff_ns;
	gate->backoff_ns = gate->backoff_ns ? gate->backoff_ns * 2 : BACKOFF_FIRST_NS;
	if (gate->backoff_ns > BACKOFF_MAX_NS)
		gate->backoff_ns = BACKOFF_MAX_NS;
}

/* One line an outage, however long it lasts. */
static void log_outage(struct gate *gate, const char *msg, const char *reason, int error)
{
	if (!gate->outage_logged)
		log_event(LOG_WARNING, msg, log_str("reason", reason), log_errno(error), log_int("epoch", gate->epoch));
	gate->outage_logged = 1;
}

void link_connected(struct gate *gate, int fd, uint64_t now)
{
	if (gate->phase != LINK_ASKED) {
		close(fd);	/* the late answer to a question that was asked again */
		return;
	}
	if (gate->watcher.fd < 0) {
		close(fd);
		gate->phase = LINK_IDLE;
		return;
	}
	peers_place_fd(fd, FD_GATE_RUNTIME);
	gate->phase = LINK_OPENING;
	gate->opening_deadline_ns = now + OPENING_NS;
	if (session_open(gate))
		link_down(gate, "no memory for a session", -ENOMEM, now);
}

void link_connect_failed(struct gate *gate, int error, uint64_t now)
{
	if (gate->phase != LINK_ASKED)
		return;		/* the late answer to a question that was asked again: what is open stays */
	log_outage(gate, "runtime cannot be reached", "connect", error);
	retry_later(gate, now);
}

/* containerd speaks: Subscribe is on its way since the first flight. */
int gate_on_greeting(struct gate *gate)
{
	struct msg_stream_up up = MESSAGE(STREAM_UP, stream_up);
	uint64_t now = gate->session.now;

	if (gate->phase != LINK_OPENING)
		return 0;
	gate->phase = LINK_UP;
	gate->backoff_ns = 0;
	gate->outage_logged = 0;
	gate->liveness_ns = now + LIVENESS_NS;
	up.epoch = ++gate->epoch;
	log_event(LOG_INFO, "connected to the runtime", log_int("epoch", gate->epoch));
	return queue_send(&gate->queue, &gate->watcher, &up, now);
}

/* What was kept speaks of an epoch that has ended, so it goes too. */
void link_down(struct gate *gate, const char *reason, int error, uint64_t now)
{
	struct msg_stream_down down = MESSAGE(STREAM_DOWN, stream_down);
	int was_up = gate->phase == LINK_UP;

	session_close(&gate->session);
	close(FD_GATE_RUNTIME);
	queue_drop(&gate->queue);
	log_outage(gate, was_up ? "runtime connection lost" : "runtime cannot be reached", reason, error);
	down.epoch = gate->epoch;
	down.reason = error;
	if (was_up && gate->watcher.fd >= 0)
		queue_send(&gate->queue, &gate->watcher, &down, now);	/* its failure is seen by the next poll */
	retry_later(gate, now);
}

static int watcher_waits(const struct gate *gate, uint64_t bound_ns, uint64_t now)
{
	return gate->queue.first && now - queue_oldest_ns(&gate->queue) >= bound_ns;
}

/* Back-pressure: what is not read here waits in containerd, before the connection has to be cut. */
static int held_back(const struct gate *gate)
{
	return gate->queue.bytes > QUEUE_BYTES_MAX / 2;
}

short link_events(const struct gate *gate)
{
	return (short)((held_back(gate) ? 0 : POLLIN) | (gate->session.out_length ? POLLOUT : 0));
}

/* Read if there is something, send what waits. */
void link_serve(struct gate *gate, int readable, uint64_t now)
{
	int error = readable ? session_read(gate, FD_GATE_RUNTIME, now) : 0;

	if (!error)
		error = session_write(&gate->session, FD_GATE_RUNTIME);
	if (error)
		link_down(gate, error == -ENOBUFS ? "watcher does not read" : "connection ended", error, now);
}

static void connect_when_due(struct gate *gate, uint64_t now)
{
	struct msg_connect ask = MESSAGE(CONNECT, connect);

	/* a watcher that is gone or stuck gets no new connection, so that containerd queues nothing for it */
	if (now < gate->retry_ns || gate->watcher.fd < 0 || gate->queue.first)
		return;
	if (channel_send(&gate->launcher, &ask, NULL)) {
		retry_later(gate, now);
		return;
	}
	gate->phase = LINK_ASKED;
	gate->asked_deadline_ns = now + ANSWER_NS;
}

/* A call that is late is given up; only our own Version says that containerd as a whole hangs. */
static int expire_calls(struct gate *gate, uint64_t now)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &gate->session.streams[i];
		int error;

		if (stream->owner == OWNER_NONE || stream->deadline_ns > now)
			continue;
		if (stream->owner == OWNER_LIVENESS)
			return -ETIMEDOUT;
		error = gate_on_end(gate, stream, GRPC_DEADLINE_EXCEEDED);
		session_cancel(&gate->session, stream);
		if (error)
			return error;
	}
	return 0;
}

/* We are the ones who do not read: nobody is late meanwhile. */
static void put_off_deadlines(struct gate *gate, uint64_t now)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		if (gate->session.streams[i].deadline_ns != UINT64_MAX)
			gate->session.streams[i].deadline_ns = now + CALL_DEADLINE_NS;
	gate->liveness_ns = now + LIVENESS_NS;
}

/* Without an answer to wait for, a connection can be dead unseen; a new one has stream ids again. */
static void ask_liveness(struct gate *gate, uint64_t now)
{
	struct request version;

	request_call(&version, METHOD_VERSION, "", 0);
	gate->liveness_ns = now + LIVENESS_NS;
	if (!session_request(&gate->session, OWNER_LIVENESS, &version, now))
		link_down(gate, "no stream for the liveness call", -EMFILE, now);
}

static void tick_up(struct gate *gate, uint64_t now)
{
	int error;

	if (watcher_waits(gate, QUEUE_WAIT_NS, now)) {
		link_down(gate, "watcher does not read", -ETIMEDOUT, now);
		return;
	}
	if (held_back(gate)) {
		put_off_deadlines(gate, now);
		return;
	}
	error = expire_calls(gate, now);
	if (error)
		link_down(gate, error == -ETIMEDOUT ? "runtime hangs" : "watcher does not read", error, now);
	else if (now >= gate->liveness_ns)
		ask_liveness(gate, now);
}

void link_tick(struct gate *gate, uint64_t now)
{
	if (gate->phase == LINK_IDLE && watcher_waits(gate, WATCHER_STUCK_NS, now))	/* an open connection is cut first */
		peers_watcher_stuck(gate, now);
	if (gate->phase == LINK_IDLE)
		connect_when_due(gate, now);
	else if (gate->phase == LINK_ASKED && now >= gate->asked_deadline_ns)
		retry_later(gate, now);
	else if (gate->phase == LINK_OPENING && now >= gate->opening_deadline_ns)
		link_down(gate, "no HTTP/2 greeting", -ETIMEDOUT, now);
	else if (gate->phase == LINK_UP)
		tick_up(gate, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t up_due_ns(const struct gate *gate)
{
	uint64_t due = gate->liveness_ns;

	if (gate->queue.first)
		due = earlier(due, queue_oldest_ns(&gate->queue) + QUEUE_WAIT_NS);
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		if (gate->session.streams[i].owner != OWNER_NONE)
			due = earlier(due, gate->session.streams[i].deadline_ns);
	return due;
}

uint64_t link_due_ns(const struct gate *gate)
{
	switch (gate->phase) {
	case LINK_IDLE:
		if (gate->queue.first)
			return queue_oldest_ns(&gate->queue) + WATCHER_STUCK_NS;
		return gate->watcher.fd < 0 ? UINT64_MAX : gate->retry_ns;
	case LINK_ASKED:
		return gate->asked_deadline_ns;
	case LINK_OPENING:
		return gate->opening_deadline_ns;
	default:
		return up_due_ns(gate);
	}
}
