/*
 * What the watcher wants of any container runtime.  containerd is the one
 * implementation (events/containerd.c); CRI-O, which has no usable events and
 * no pid for a sandbox, can be another: it lists on a timer and reports a
 * sandbox when a process of it is known.
 */
#ifndef LW_RUNTIME_H
#define LW_RUNTIME_H

#include "channel.h"

enum found_by { FOUND_EVENT, FOUND_LIST };

/* A sandbox that runs, as the runtime says: a claim, checked by the attacher. */
struct sandbox_facts {
	char id[SANDBOX_ID_LENGTH];
	uint32_t pid;
	enum found_by found;
	uint64_t received_ns;		/* when the gate had the first byte of what told us */
	const char *refused;		/* why it can't be guarded, or NULL */
	char namespace[64], pod[254], uid[64];
};

enum list_result {
	LIST_COMPLETE,			/* what was not listed is gone */
	LIST_PARTIAL,			/* an item could not be read */
	LIST_FAILED,
};

/* What the runtime reports.  Pointers are valid during the call only. */
struct runtime_sink {
	int (*guarded)(void *context, const char *namespace);
	void (*running)(void *context, const struct sandbox_facts *facts, uint64_t now);
	/* A container of the pod's own, started after we began to listen. */
	void (*workload)(void *context, const char sandbox[SANDBOX_ID_LENGTH], const char *container);
	/* Its first process is gone; the pod may run on. */
	void (*ended)(void *context, const char sandbox[SANDBOX_ID_LENGTH]);
	void (*list_begin)(void *context);
	void (*listed)(void *context, const char sandbox[SANDBOX_ID_LENGTH]);
	void (*list_end)(void *context, enum list_result result);
	void *context;
};

struct runtime {
	const struct runtime_ops *ops;
};

struct runtime_ops {
	/* Descriptors: the gate's channel, to poll. */
	int (*fd)(const struct runtime *runtime);
	/* Wants to be called again when the channel takes bytes. */
	int (*blocked)(const struct runtime *runtime);
	/* Read what is there.  0, or -errno: the channel is done and closed. */
	int (*receive)(struct runtime *runtime, uint64_t now);
	/* A new channel, to a restarted gate. */
	void (*adopt)(struct runtime *runtime, int fd);
	/* Send what waits, do what is due. */
	void (*tick)(struct runtime *runtime, uint64_t now);
	uint64_t (*due_ns)(const struct runtime *runtime);
	/* What the runtime's side owes us for longer than it can take, or NULL: only starting afresh helps. */
	const char *(*overdue)(const struct runtime *runtime, uint64_t now);
};

#endif
