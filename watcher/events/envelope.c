/*
 * Decoding containerd's events (envelope.h).  Run by the watcher.  We must
 * distrust these bytes.  What an event is, its type says, never what happens
 * to unpack: TaskExit unpacks as TaskStart too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "budget.h"
#include "containerd.pb-c.h"
#include "envelope.h"

#define NAMESPACE_KUBERNETES "k8s.io"
#define NAMESPACE_PROBE "leitwacht"
#define TOPIC_PROBE "/leitwacht/probe"
#define TYPE_PROBE "leitwacht.dev/probe"

int event_id_valid(const char *id)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strlen(id);

	return length >= 1 && length <= EVENT_ID_MAX && strspn(id, allowed) == length;
}

static int take_id(struct event *out, const char *id)
{
	if (!event_id_valid(id))
		return -EBADMSG;
	strcpy(out->container, id);
	return 0;
}

static int parse_create(const Lw__Any *any, struct event *out)
{
	Lw__TaskCreate *create = lw__task_create__unpack(&budget_allocator, any->value.len, any->value.data);
	int error;

	if (!create)
		return -EBADMSG;
	error = take_id(out, create->container_id);
	out->kind = EVENT_TASK_CREATE;
	lw__task_create__free_unpacked(create, &budget_allocator);
	return error;
}

static int parse_start(const Lw__Any *any, struct event *out)
{
	Lw__TaskStart *start = lw__task_start__unpack(&budget_allocator, any->value.len, any->value.data);
	int error;

	if (!start)
		return -EBADMSG;
	error = start->pid ? take_id(out, start->container_id) : -EBADMSG;
	out->pid = start->pid;
	out->kind = EVENT_TASK_START;
	lw__task_start__free_unpacked(start, &budget_allocator);
	return error;
}

/* An exec has an id of its own; the container's init process has its container's, or none. */
static int ended(struct event *out, const char *container, const char *id)
{
	out->kind = !*id || !strcmp(id, container) ? EVENT_TASK_END : EVENT_OTHER;
	return take_id(out, container);
}

static int parse_exit(const Lw__Any *any, struct event *out)
{
	Lw__TaskExit *gone = lw__task_exit__unpack(&budget_allocator, any->value.len, any->value.data);
	int error;

	if (!gone)
		return -EBADMSG;
	error = ended(out, gone->container_id, gone->id);
	lw__task_exit__free_unpacked(gone, &budget_allocator);
	return error;
}

static int parse_delete(const Lw__Any *any, struct event *out)
{
	Lw__TaskDelete *gone = lw__task_delete__unpack(&budget_allocator, any->value.len, any->value.data);
	int error;

	if (!gone)
		return -EBADMSG;
	error = ended(out, gone->container_id, gone->id);
	lw__task_delete__free_unpacked(gone, &budget_allocator);
	return error;
}

static int parse_probe(const Lw__Any *any, struct event *out)
{
	if (any->value.len != sizeof(out->nonce))
		return -EBADMSG;
	memcpy(&out->nonce, any->value.data, sizeof(out->nonce));
	out->kind = EVENT_PROBE;
	return 0;
}

static const struct event_row {
	const char *namespace, *topic, *type;
	int (*parse)(const Lw__Any *any, struct event *out);
} event_rows[] = {
	{ NAMESPACE_KUBERNETES, "/tasks/create", "containerd.events.TaskCreate", parse_create },
	{ NAMESPACE_KUBERNETES, "/tasks/start", "containerd.events.TaskStart", parse_start },
	{ NAMESPACE_KUBERNETES, "/tasks/exit", "containerd.events.TaskExit", parse_exit },
	{ NAMESPACE_KUBERNETES, "/tasks/delete", "containerd.events.TaskDelete", parse_delete },
	{ NAMESPACE_PROBE, TOPIC_PROBE, TYPE_PROBE, parse_probe },
};

/* Namespace, topic and type must agree: another namespace's containers are none of ours. */
static int dispatch(const Lw__Envelope *envelope, struct event *out)
{
	for (size_t i = 0; i < sizeof(event_rows) / sizeof(event_rows[0]); i++) {
		const struct event_row *row = &event_rows[i];

		if (!strcmp(envelope->namespace_, row->namespace) && !strcmp(envelope->topic, row->topic))
			return strcmp(envelope->event->type_url, row->type) ? -EBADMSG : row->parse(envelope->event, out);
	}
	return 0;
}

int envelope_parse(const uint8_t *bytes, size_t size, struct event *out)
{
	Lw__Envelope *envelope = lw__envelope__unpack(&budget_allocator, size, bytes);
	int error;

	memset(out, 0, sizeof(*out));
	out->kind = EVENT_OTHER;
	if (!envelope)
		return -EBADMSG;
	error = envelope->event ? dispatch(envelope, out) : -EBADMSG;
	lw__envelope__free_unpacked(envelope, &budget_allocator);
	return error;
}
