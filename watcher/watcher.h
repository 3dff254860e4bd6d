/*
 * leitwacht-watcher: reads what the runtime says (hostile payloads) and names
 * claims to the attacher: {sandbox id, pid, bundle number}, never a path.
 * Unprivileged in fact: it holds no containerd, BPF, cgroup or netns descriptor.
 */
#ifndef LW_WATCHER_H
#define LW_WATCHER_H

#include "events/containerd.h"
#include "guard.h"
#include "sandboxes.h"
#include "surface.h"

#define BUNDLE_AUDIT_ALL 1	/* compiled into the attacher */
#define BARRIER_CONTAINER "leitwacht-attach"

struct watcher {
	struct channel launcher, attacher;
	struct guard guard;
	struct sandboxes sandboxes;
	struct containerd containerd;
	struct runtime *runtime;
	int ready;			/* READY was sent */
	int attacher_blocked;		/* it does not read: wait for POLLOUT */
	uint64_t blocked_ns;		/* since when */
	int blocked_logged;
	uint64_t gate_deadline_ns, attacher_deadline_ns;	/* for a new channel, while there is none */
};

/* facts.c: what the runtime reports. */
void facts_sink(struct runtime_sink *sink, struct watcher *watcher);

/* peers.c: the channels of launcher, attacher and gate. */
void peers_launcher(struct watcher *watcher, uint64_t now);
void peers_attacher(struct watcher *watcher, uint64_t now);
void peers_runtime(struct watcher *watcher, uint64_t now);
uint64_t peers_due_ns(const struct watcher *watcher);
/* Why to start afresh, or NULL. */
const char *peers_overdue(const struct watcher *watcher, uint64_t now);

/* attach.c: START, STARTED, END. */
void attach_started(struct watcher *watcher, const struct msg_started *started, uint64_t now);
/* Every running sandbox again, to a new attacher. */
void attach_all_again(struct watcher *watcher, uint64_t now);
void attach_tick(struct watcher *watcher, uint64_t now);
uint64_t attach_due_ns(const struct watcher *watcher);

/* "namespace/name/uid", in a static buffer. */
const char *facts_pod(const struct sandbox_facts *facts);

extern const struct surface watcher_surface;

#endif
