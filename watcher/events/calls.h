/*
 * The calls that the watcher has asked the gate for: a bounded table.  Few are
 * under way at once, the others wait here.  Used by the watcher.
 */
#ifndef LW_EVENTS_CALLS_H
#define LW_EVENTS_CALLS_H

#include "assembly.h"
#include "runtime.h"

#define CALLS_MAX 1280		/* a Tasks/Get for each sandbox of a list, and room for events */
#define CALLS_UNDER_WAY 16
#define CALLS_AGAIN_MAX 20	/* times that a call is sent again after "not now" */
#define CALLS_OF_LISTS 8	/* of these: hung shims hold a list up, never an event */

enum call_purpose {
	CALL_FREE,
	CALL_STARTED,		/* Containers/Get: whose task is it that has started? */
	CALL_CREATED,		/* the same, before it starts */
	CALL_LIST,
	CALL_LISTED_TASK,	/* Tasks/Get: does the listed sandbox run, and with which pid? */
};

struct call {
	enum call_purpose purpose;
	int sent, answered;
	unsigned again;			/* times that it was sent again */
	uint64_t sent_ns;
	uint32_t method;
	uint64_t number;
	char id[CONTAINER_ID_MAX + 1];
	struct sandbox_facts facts;	/* what is known so far */
	struct assembly assembly;
};

struct calls {
	struct call table[CALLS_MAX];
	unsigned high;			/* places from here on are free */
	unsigned waiting, under_way;
	uint64_t last_number;
	uint64_t hold_ns;		/* nothing is sent before that, the gate has had too many; 0: none */
};

/* A new call, or NULL if the table is full.  id: "" or a valid one. */
struct call *calls_add(struct calls *calls, enum call_purpose purpose, uint32_t method, const char *id);
void calls_end(struct calls *calls, struct call *call);
void calls_end_all(struct calls *calls);
struct call *calls_find(struct calls *calls, uint64_t number);
/* The call that looks at this container because its task was created, or NULL. */
struct call *calls_find_created(struct calls *calls, const char *id);

/* The gate's rate bound has refused it: it waits again.  0, or -EBUSY when that was too often. */
int calls_again(struct calls *calls, struct call *call, uint64_t now);

/* Since when the oldest unanswered call is with the gate, or UINT64_MAX.  Not lists, which may be long. */
uint64_t calls_oldest_ns(const struct calls *calls);

/* Send waiting calls, oldest first.  0, -EAGAIN when the gate does not read, or the channel's error. */
int calls_send(struct calls *calls, const struct channel *gate, uint32_t epoch, uint64_t now);

#endif
