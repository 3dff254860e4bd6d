/*
 * Containers that were looked at when their task was created, so that at its
 * start nothing has to be asked.  A small ring: what falls out is asked for
 * again.  Used by the watcher; pure.
 */
#ifndef LW_EVENTS_KNOWN_H
#define LW_EVENTS_KNOWN_H

#include "runtime.h"

#define KNOWN_MAX 64

enum known_kind {
	KNOWN_FREE,
	KNOWN_FOREIGN,		/* of no guarded pod */
	KNOWN_SANDBOX,
	KNOWN_WORKLOAD,		/* facts.id is its sandbox's */
};

struct known {
	enum known_kind kind;
	char container[CONTAINER_ID_MAX + 1];
	char name[64];		/* a workload's */
	struct sandbox_facts facts;
};

struct known_ring {
	struct known ring[KNOWN_MAX];
	unsigned next;
};

void known_put(struct known_ring *ring, const struct known *known);

/* What is known of a container, once: a task starts once.  NULL if nothing is. */
const struct known *known_take(struct known_ring *ring, const char *container);

/* Nothing of an old connection is taken for a new one's. */
void known_clear(struct known_ring *ring);

#endif
