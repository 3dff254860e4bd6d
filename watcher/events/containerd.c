/*
 * containerd as a runtime (containerd.h).  Run by the watcher.
 *
 * A subscription gives no sign of life before its first event, so on each
 * connection a probe event with a nonce is published until it comes back; only
 * then is what already runs listed.  Events that come meanwhile are taken at
 * once; START is idempotent, so that knowing a sandbox twice harms nothing.
 */
#include <errno.h>
#include <string.h>
#include "answers.h"
#include "clock.h"
#include "containerd.h"
#include "cleanup.h"
#include "envelope.h"
#include "log.h"

#define PROBE_FIRST_NS (5 * NS_PER_MS)
#define PROBE_MAX_NS NS_PER_S
#define LIST_EVERY_NS (30 * NS_PER_S)
#define LIST_SOON_NS NS_PER_S
#define PROBE_WARN_NS (5 * NS_PER_S)

/*
 * The gate ends each call after 2 s without progress.  What takes so much longer
 * is lost in one of us; a list is as long as its calls (each may be a hung
 * shim's), so it counts from the last of them that ended.
 */
#define CALL_OVERDUE_NS (10 * NS_PER_S)
#define LIST_OVERDUE_NS (60 * NS_PER_S)

#define BURST 64		/* messages a turn: a gate that never stops must not keep the others waiting */
#define GRPC_RESOURCE_EXHAUSTED 8	/* the gate's: not now */

static struct containerd *self_of(struct runtime *runtime)
{
	return (struct containerd *)runtime;
}

static void reset(struct containerd *self)
{
	self->phase = STREAM_NONE;
	calls_end_all(&self->calls);
	assembly_drop(&self->events);
	known_clear(&self->known);
	self->list_open = 0;
	self->list_ns = UINT64_MAX;
	self->probe_ns = UINT64_MAX;
}

/* ---- lists -------------------------------------------------------------- */

static void list_start(struct containerd *self, uint64_t now)
{
	self->list_ns = UINT64_MAX;
	if (self->list_open)
		return;		/* one at a time; its end sets the next */
	if (!calls_add(&self->calls, CALL_LIST, METHOD_CONTAINER_LIST, "")) {
		self->list_ns = now + LIST_SOON_NS;
		return;
	}
	self->list_open = 1;
	self->list_moved_ns = now;
	self->list_result = LIST_COMPLETE;
	self->list_unsure = 0;
	self->sink->list_begin(self->sink->context);
}

/* The next list: on the timer, or sooner, more and more slowly, while something could not be told. */
static void list_finish(struct containerd *self, uint64_t now)
{
	if (self->list_result == LIST_COMPLETE && !self->list_unsure) {
		self->list_wait_ns = LIST_SOON_NS;
		self->list_ns = now + LIST_EVERY_NS;
	} else {
		self->list_ns = now + self->list_wait_ns;
		self->list_wait_ns = self->list_wait_ns * 2 < LIST_EVERY_NS ? self->list_wait_ns * 2 : LIST_EVERY_NS;
	}
	self->sink->list_end(self->sink->context, self->list_result);
}

void containerd_list_soon(struct containerd *self, uint64_t now)
{
	if (self->phase == STREAM_LIVE && !self->list_open && self->list_ns > now + LIST_SOON_NS)
		self->list_ns = now + LIST_SOON_NS;
	self->list_unsure = 1;
}

/* ---- events ------------------------------------------------------------- */

static void on_probe_back(struct containerd *self, uint64_t nonce, uint64_t now)
{
	if (self->phase != STREAM_PROBING || nonce != self->nonce)
		return;
	self->phase = STREAM_LIVE;
	self->probe_ns = UINT64_MAX;
	log_event(LOG_INFO, "subscription lives", log_int("epoch", self->epoch), log_ms("duration_ms", now - self->up_ns));
	list_start(self, now);
}

/* Look at its container while the runtime still prepares it: containerd takes a millisecond and more to answer. */
static void on_task_create(struct containerd *self, const struct event *event)
{
	calls_add(&self->calls, CALL_CREATED, METHOD_CONTAINER_GET, event->container);	/* without a place: asked at its start */
}

static void on_task_start(struct containerd *self, const struct event *event, uint64_t received_ns, uint64_t now)
{
	const struct known *known = known_take(&self->known, event->container);
	struct call *call = calls_find_created(&self->calls, event->container);

	if (known) {
		answers_report(self, known, event->pid, received_ns, now);
		return;
	}
	if (call && !call->answered)
		call->purpose = CALL_STARTED;	/* asked already */
	else
		call = calls_add(&self->calls, CALL_STARTED, METHOD_CONTAINER_GET, event->container);
	if (!call) {
		log_event(LOG_ERROR, "too many calls wait, an event is left to the next list",
			  log_str("container", event->container));
		containerd_list_soon(self, now);
		return;
	}
	call->facts.pid = event->pid;
	call->facts.received_ns = received_ns;
}

static void on_event(struct containerd *self, const struct msg_chunk *chunk, uint64_t now)
{
	struct event event;

	if (envelope_parse(self->events.bytes, self->events.length, &event)) {
		log_event(LOG_WARNING, "malformed event, skipped", log_int("bytes", self->events.length));
		containerd_list_soon(self, now);
		return;
	}
	if (event.kind == EVENT_PROBE)
		on_probe_back(self, event.nonce, now);
	else if (event.kind == EVENT_TASK_CREATE)
		on_task_create(self, &event);
	else if (event.kind == EVENT_TASK_START)
		on_task_start(self, &event, chunk->received_ns, now);
	else if (event.kind == EVENT_TASK_END && strlen(event.container) == SANDBOX_ID_LENGTH)
		self->sink->ended(self->sink->context, event.container);
}

/* ---- the gate's messages ------------------------------------------------ */

static void on_stream_up(struct containerd *self, uint32_t epoch, uint64_t now)
{
	reset(self);
	self->phase = STREAM_PROBING;
	self->epoch = epoch;
	self->nonce++;
	self->up_ns = now;
	self->probe_ns = now;
	self->probe_wait_ns = PROBE_FIRST_NS;
	self->probe_logged = 0;
	self->list_wait_ns = LIST_SOON_NS;
}

static void on_stream_down(struct containerd *self, const struct msg_stream_down *down)
{
	if (self->phase != STREAM_NONE && down->epoch == self->epoch)
		reset(self);	/* the gate has said why */
}

/* -EBADMSG where the gate breaks the contract. */
static int on_chunk(struct containerd *self, const struct msg_chunk *chunk, uint64_t now)
{
	struct assembly *into = &self->events;
	struct call *call = NULL;
	int whole;

	if (chunk->length > CHUNK_BYTES || chunk->last > 1)
		return -EBADMSG;
	if (self->phase == STREAM_NONE || chunk->epoch != self->epoch)
		return 0;
	if (chunk->method != METHOD_EVENTS) {
		call = calls_find(&self->calls, chunk->call);
		if (!call || !call->sent || call->method != chunk->method)
			return 0;
		into = &call->assembly;
	}
	whole = assembly_add(into, chunk->bytes, chunk->length, (int)chunk->last);
	if (whole > 0 && call)
		answers_message(self, call, chunk, now);
	else if (whole > 0)
		on_event(self, chunk, now);
	else if (whole < 0 && call)
		answers_unreadable(self, call, now);	/* no memory for it, as the gate's bound is ours */
	else if (whole < 0)
		containerd_list_soon(self, now);
	return 0;
}

static void end_call(struct containerd *self, struct call *call, uint64_t now)
{
	int of_list = call->purpose == CALL_LIST || call->purpose == CALL_LISTED_TASK;

	calls_end(&self->calls, call);
	if (!of_list)
		return;
	self->list_moved_ns = now;
	if (!--self->list_open)
		list_finish(self, now);
}

static void on_call_end(struct containerd *self, const struct msg_call_end *end, uint64_t now)
{
	struct call *call = calls_find(&self->calls, end->call);

	if (self->phase == STREAM_NONE || end->epoch != self->epoch || !call || !call->sent)
		return;
	if (end->grpc_status == GRPC_RESOURCE_EXHAUSTED && !call->answered && !calls_again(&self->calls, call, now))
		return;
	answers_end(self, call, end->grpc_status, now);
	end_call(self, call, now);
}

static int on_message(struct containerd *self, const union message *m, uint64_t now)
{
	switch (m->h.type) {
	case MSG_STREAM_UP:
		on_stream_up(self, m->stream_up.epoch, now);
		return 0;
	case MSG_STREAM_DOWN:
		on_stream_down(self, &m->stream_down);
		return 0;
	case MSG_CHUNK:
		return on_chunk(self, &m->chunk, now);
	default:
		on_call_end(self, &m->call_end, now);
		return 0;
	}
}

/* ---- the interface ------------------------------------------------------ */

static int containerd_fd(const struct runtime *runtime)
{
	return ((const struct containerd *)runtime)->gate.fd;
}

static int containerd_blocked(const struct runtime *runtime)
{
	return ((const struct containerd *)runtime)->blocked;
}

/* 1: a message was taken.  0: there was none.  -errno of the channel. */
static int receive_one(struct containerd *self, uint64_t now)
{
	struct received in;
	int got = channel_receive(&self->gate, &in), error;

	if (got <= 0)
		return got;
	error = on_message(self, &in.m, now);
	return error ? error : 1;
}

static int containerd_receive(struct runtime *runtime, uint64_t now)
{
	struct containerd *self = self_of(runtime);
	int got = 1;

	for (int i = 0; i < BURST && got > 0; i++)
		got = receive_one(self, now);
	self->unread = got > 0;
	if (got >= 0)
		return 0;
	reset(self);
	drop_fd(&self->gate.fd);
	return got;
}

static void containerd_adopt(struct runtime *runtime, int fd)
{
	struct containerd *self = self_of(runtime);

	reset(self);
	self->gate.fd = fd;
}

static void probe(struct containerd *self, uint64_t now)
{
	struct msg_probe m = MESSAGE(PROBE, probe);

	m.nonce = self->nonce;
	m.epoch = self->epoch;
	channel_send(&self->gate, &m, NULL);	/* lost or not, it is repeated until it comes back */
	self->probe_ns = now + self->probe_wait_ns;
	self->probe_wait_ns = self->probe_wait_ns * 2 < PROBE_MAX_NS ? self->probe_wait_ns * 2 : PROBE_MAX_NS;
}

/* A node where nothing ever attaches must say so. */
static void warn_of_silence(struct containerd *self, uint64_t now)
{
	if (self->probe_logged || now - self->up_ns < PROBE_WARN_NS)
		return;
	self->probe_logged = 1;
	log_event(LOG_WARNING, "no probe comes back, no pod is found", log_int("epoch", self->epoch),
		  log_ms("duration_ms", now - self->up_ns));
}

static void containerd_tick(struct runtime *runtime, uint64_t now)
{
	struct containerd *self = self_of(runtime);

	if (self->phase == STREAM_PROBING && now >= self->probe_ns) {
		warn_of_silence(self, now);
		probe(self, now);
	}
	if (self->phase == STREAM_LIVE && now >= self->list_ns)
		list_start(self, now);
	self->blocked = self->phase != STREAM_NONE && calls_send(&self->calls, &self->gate, self->epoch, now) == -EAGAIN;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t call_overdue_ns(const struct containerd *self)
{
	uint64_t oldest = calls_oldest_ns(&self->calls);

	return oldest == UINT64_MAX ? UINT64_MAX : oldest + CALL_OVERDUE_NS;
}

static uint64_t list_overdue_ns(const struct containerd *self)
{
	return self->list_open ? self->list_moved_ns + LIST_OVERDUE_NS : UINT64_MAX;
}

/* After we were stopped for a while, the answers are there, unread: nobody is late. */
static const char *containerd_overdue(const struct runtime *runtime, uint64_t now)
{
	const struct containerd *self = (const struct containerd *)runtime;

	if (self->unread)
		return NULL;
	if (now >= call_overdue_ns(self))
		return "a call has no end";
	return now >= list_overdue_ns(self) ? "a list has no end" : NULL;
}

static uint64_t containerd_due_ns(const struct runtime *runtime)
{
	const struct containerd *self = (const struct containerd *)runtime;
	uint64_t hold = self->calls.hold_ns ? self->calls.hold_ns : UINT64_MAX;
	uint64_t overdue = earlier(call_overdue_ns(self), list_overdue_ns(self));

	return earlier(earlier(earlier(self->probe_ns, self->list_ns), hold), overdue);
}

static const struct runtime_ops ops = {
	.fd = containerd_fd,
	.blocked = containerd_blocked,
	.receive = containerd_receive,
	.adopt = containerd_adopt,
	.tick = containerd_tick,
	.due_ns = containerd_due_ns,
	.overdue = containerd_overdue,
};

void containerd_open(struct containerd *self, const struct runtime_sink *sink, uint64_t nonce)
{
	self->runtime.ops = &ops;
	self->sink = sink;
	self->gate = (struct channel){ FD_WATCHER_GATE, P_WATCHER, P_GATE, ST_READY };
	self->nonce = nonce;
	reset(self);
}
