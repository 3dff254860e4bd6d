/*
 * containerd as a `runtime`: its events, its lists, and the proof that the
 * subscription lives.  Used by the watcher; everything that comes over the
 * gate's channel is hostile.
 */
#ifndef LW_EVENTS_CONTAINERD_H
#define LW_EVENTS_CONTAINERD_H

#include "calls.h"
#include "known.h"
#include "runtime.h"

enum stream_phase {
	STREAM_NONE,		/* no connection */
	STREAM_PROBING,		/* subscribed, but does it live? */
	STREAM_LIVE,
};

struct containerd {
	struct runtime runtime;		/* first: the ops get a pointer to it */
	const struct runtime_sink *sink;
	struct channel gate;
	enum stream_phase phase;
	uint32_t epoch;
	struct assembly events;
	struct calls calls;
	struct known_ring known;
	int blocked;
	int unread;			/* the gate may have said more */

	uint64_t nonce, probe_ns, probe_wait_ns, up_ns;
	int probe_logged;		/* no probe comes back, which was said */

	unsigned list_open;		/* calls of the list that are not answered yet */
	enum list_result list_result;
	int list_unsure;		/* a task's state could not be told: list again soon */
	uint64_t list_ns, list_wait_ns;
	uint64_t list_moved_ns;		/* when the open list began or one of its calls ended */
};

/* `nonce`: random, so that no two watchers probe with the same. */
void containerd_open(struct containerd *self, const struct runtime_sink *sink, uint64_t nonce);

#endif
