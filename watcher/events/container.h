/*
 * containerd's containers and tasks: bytes of an answer in, one bounded struct
 * out.  Pure.  The bytes are hostile; a value that is longer than Kubernetes
 * allows is refused, never cut.
 */
#ifndef LW_EVENTS_CONTAINER_H
#define LW_EVENTS_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#define NAMESPACE_MAX 63
#define POD_NAME_MAX 253
#define POD_UID_MAX 63
#define CONTAINER_NAME_MAX 63
#define RUNTIME_NAME_MAX 63

enum container_kind {
	CONTAINER_SANDBOX,
	CONTAINER_WORKLOAD,
	CONTAINER_OTHER,	/* not made by Kubernetes */
};

struct container {
	enum container_kind kind;
	char id[77];
	char namespace[NAMESPACE_MAX + 1];
	char pod[POD_NAME_MAX + 1];
	char uid[POD_UID_MAX + 1];
	char name[CONTAINER_NAME_MAX + 1];	/* a workload's */
	char runtime[RUNTIME_NAME_MAX + 1];
	void *message;				/* the decoded answer, which holds the spec; container_close() frees it */
};

struct spec {
	int own_network;	/* has a network namespace of its own, or joins one: not hostNetwork */
	char sandbox[77];	/* a workload's sandbox id, "" if there is none */
};

enum task_state {
	TASK_CREATED,		/* its start, and so its event, is still to come; its network may be too */
	TASK_RUNS,		/* or is paused */
	TASK_GONE,
};

struct task {
	char id[77];
	uint32_t pid;
	enum task_state state;
};

/* Answer of Containers/Get or one message of ListStream.  0: close it afterwards.  -EBADMSG. */
int container_open(const uint8_t *bytes, size_t size, struct container *out);
void container_close(struct container *container);

/* The runtime spec of an open container.  0 or -EBADMSG. */
int container_spec(const struct container *container, struct spec *out);

/* The same from JSON. */
int spec_parse(const char *json, size_t size, struct spec *out);

/* Answer of Tasks/Get.  0 or -EBADMSG. */
int task_parse(const uint8_t *bytes, size_t size, struct task *out);

#endif
