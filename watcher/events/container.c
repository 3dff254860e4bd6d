/* Decoding containerd's containers (container.h).  Run by the watcher.  We must distrust these bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "budget.h"
#include "container.h"
#include "containerd.pb-c.h"
#include "envelope.h"

#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/"

static int copy(char *into, size_t room, const char *value)
{
	size_t length = strlen(value);

	if (length >= room)
		return -EBADMSG;
	memcpy(into, value, length + 1);
	return 0;
}

/* The value of a label, "" if it is not there, NULL if it is there twice. */
static const char *label(const Lw__Container *container, const char *key)
{
	const char *found = "";
	unsigned times = 0;

	for (size_t i = 0; i < container->n_labels; i++) {
		if (strcmp(container->labels[i]->key, key) != 0)
			continue;
		found = container->labels[i]->value;
		times++;
	}
	return times > 1 ? NULL : found;
}

static int copy_label(char *into, size_t room, const Lw__Container *container, const char *key)
{
	const char *value = label(container, key);

	return value ? copy(into, room, value) : -EBADMSG;
}

static int read_kind(const Lw__Container *container, struct container *out)
{
	const char *kind = label(container, "io.cri-containerd.kind");

	if (!kind)
		return -EBADMSG;
	out->kind = !strcmp(kind, "sandbox") ? CONTAINER_SANDBOX :
		    !strcmp(kind, "container") ? CONTAINER_WORKLOAD : CONTAINER_OTHER;
	return 0;
}

static int read_container(const Lw__Container *container, struct container *out)
{
	int error = event_id_valid(container->id) ? copy(out->id, sizeof(out->id), container->id) : -EBADMSG;

	if (!error)
		error = read_kind(container, out);
	if (!error)
		error = copy_label(out->namespace, sizeof(out->namespace), container, "io.kubernetes.pod.namespace");
	if (!error)
		error = copy_label(out->pod, sizeof(out->pod), container, "io.kubernetes.pod.name");
	if (!error)
		error = copy_label(out->uid, sizeof(out->uid), container, "io.kubernetes.pod.uid");
	if (!error)
		error = copy_label(out->name, sizeof(out->name), container, "io.kubernetes.container.name");
	if (!error)
		error = copy(out->runtime, sizeof(out->runtime), container->runtime ? container->runtime->name : "");
	return error;
}

int container_open(const uint8_t *bytes, size_t size, struct container *out)
{
	Lw__ContainerAnswer *answer = lw__container_answer__unpack(&budget_allocator, size, bytes);
	int error;

	memset(out, 0, sizeof(*out));
	if (!answer)
		return -EBADMSG;
	out->message = answer;
	error = answer->container ? read_container(answer->container, out) : -EBADMSG;
	if (error)
		container_close(out);
	return error;
}

void container_close(struct container *container)
{
	if (container->message)
		lw__container_answer__free_unpacked(container->message, &budget_allocator);
	container->message = NULL;
}

int container_spec(const struct container *container, struct spec *out)
{
	const Lw__Any *spec = ((const Lw__ContainerAnswer *)container->message)->container->spec;

	if (!spec || strncmp(spec->type_url, SPEC_TYPE, strlen(SPEC_TYPE)) != 0)
		return -EBADMSG;
	return spec_parse((const char *)spec->value.data, spec->value.len, out);
}

static enum task_state task_state(const Lw__Process *process)
{
	enum { CREATED = 1, RUNNING = 2, PAUSED = 4, PAUSING = 5 };

	if (process->status == CREATED)
		return TASK_CREATED;
	if (process->pid && (process->status == RUNNING || process->status == PAUSED || process->status == PAUSING))
		return TASK_RUNS;
	return TASK_GONE;
}

int task_parse(const uint8_t *bytes, size_t size, struct task *out)
{
	Lw__TaskAnswer *answer = lw__task_answer__unpack(&budget_allocator, size, bytes);
	const Lw__Process *process = answer ? answer->process : NULL;
	int error = process && event_id_valid(process->id) ? copy(out->id, sizeof(out->id), process->id) : -EBADMSG;

	if (!error) {
		out->pid = process->pid;
		out->state = task_state(process);
	}
	if (answer)
		lw__task_answer__free_unpacked(answer, &budget_allocator);
	return error;
}
