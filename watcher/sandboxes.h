/*
 * The sandboxes of guarded pods: a bounded table.  Used by the watcher; pure.
 */
#ifndef LW_SANDBOXES_H
#define LW_SANDBOXES_H

#include "runtime.h"

#define SANDBOXES_MAX 1024

enum sandbox_state {
	SANDBOX_FREE,
	SANDBOX_DUE,		/* a START is to be sent at due_ns */
	SANDBOX_ASKED,		/* START sent, answer wanted until due_ns */
	SANDBOX_ATTACHED,
	SANDBOX_REFUSED,	/* never: logged once */
	SANDBOX_ENDED,		/* its first process is gone; kept until a list no longer has it */
};

struct sandbox {
	enum sandbox_state state;
	int attached;		/* was attached before: asked again by a reconcile, nothing waits for it */
	int end_due;		/* an END is to be sent */
	int workload_seen;	/* the pod's first container was looked at, or began before we listened */
	uint32_t listed;	/* number of the last list that had it */
	uint64_t due_ns;	/* DUE, ASKED: as said there; ENDED, once the END is out: to be forgotten, list or not */
	uint64_t retry_wait_ns;
	struct sandbox_facts facts;
};

struct sandboxes {
	struct sandbox table[SANDBOXES_MAX];
	unsigned high;		/* places from here on are free */
	unsigned asked;
	uint32_t list;		/* number of the current list */
	int full_logged;
};

struct sandbox *sandboxes_find(struct sandboxes *all, const char id[SANDBOX_ID_LENGTH]);
/* A new one, DUE at once, or NULL if the table is full. */
struct sandbox *sandboxes_add(struct sandboxes *all, const struct sandbox_facts *facts, uint64_t now);
void sandboxes_forget(struct sandboxes *all, struct sandbox *sandbox);
/* The only way to change a state: keeps the count of those that are asked for. */
void sandboxes_set(struct sandboxes *all, struct sandbox *sandbox, enum sandbox_state state);

#endif
