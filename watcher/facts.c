/*
 * What the runtime reports, turned into the table of sandboxes.  Run by the
 * watcher; the facts come from hostile payloads, but have passed the parsers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "log.h"
#include "watcher.h"

const char *facts_pod(const struct sandbox_facts *facts)
{
	static char pod[sizeof(facts->namespace) + sizeof(facts->pod) + sizeof(facts->uid) + 2];

	snprintf(pod, sizeof(pod), "%s/%s/%s", facts->namespace, facts->pod, facts->uid);
	return pod;
}

static int on_guarded(void *context, const char *namespace)
{
	return guard_covers(&((struct watcher *)context)->guard, namespace);
}

/* Fail closed: what has no place gets no START, so its barrier stays shut. */
static void table_full(struct sandboxes *all, const struct sandbox_facts *facts)
{
	if (!all->full_logged)
		log_event(LOG_ERROR, "too many sandboxes, pods stay behind their barrier", log_int("bound", SANDBOXES_MAX),
			  log_str("pod", facts_pod(facts)), log_bytes("sandbox", facts->id, SANDBOX_ID_LENGTH));
	all->full_logged = 1;
}

static void refuse(struct sandboxes *all, struct sandbox *sandbox)
{
	log_event(LOG_WARNING, "refused", log_str("reason", sandbox->facts.refused),
		  log_str("pod", facts_pod(&sandbox->facts)), log_bytes("sandbox", sandbox->facts.id, SANDBOX_ID_LENGTH));
	sandboxes_set(all, sandbox, SANDBOX_REFUSED);
}

/* A list finds it again: the attacher is asked again, and answers ALREADY after reading back what holds. */
static void reconcile(struct sandboxes *all, struct sandbox *sandbox, const struct sandbox_facts *facts, uint64_t now)
{
	if (sandbox->state != SANDBOX_ATTACHED && sandbox->state != SANDBOX_ENDED)
		return;		/* on its way, or never to go */
	if (facts->found == FOUND_EVENT && sandbox->state == SANDBOX_ATTACHED && sandbox->facts.pid == facts->pid)
		return;		/* the event of what a list has told before */
	sandbox->facts.pid = facts->pid;
	sandbox->facts.found = facts->found;
	sandbox->facts.received_ns = facts->received_ns;	/* a duration counts from what made us ask */
	sandbox->due_ns = now;
	sandboxes_set(all, sandbox, SANDBOX_DUE);
}

static void on_running(void *context, const struct sandbox_facts *facts, uint64_t now)
{
	struct sandboxes *all = &((struct watcher *)context)->sandboxes;
	struct sandbox *sandbox = sandboxes_find(all, facts->id);

	if (sandbox) {
		reconcile(all, sandbox, facts, now);
		return;
	}
	sandbox = sandboxes_add(all, facts, now);
	if (!sandbox)
		table_full(all, facts);
	else if (facts->refused)
		refuse(all, sandbox);
}

/* The pod is attached all the same; without the barrier its job may have run before that. */
static void on_workload(void *context, const char id[SANDBOX_ID_LENGTH], const char *container)
{
	struct sandbox *sandbox = sandboxes_find(&((struct watcher *)context)->sandboxes, id);

	if (!sandbox || sandbox->workload_seen || sandbox->state == SANDBOX_REFUSED)
		return;
	sandbox->workload_seen = 1;
	if (strcmp(container, BARRIER_CONTAINER) != 0)
		log_event(LOG_WARNING, "pod has no barrier", log_str("pod", facts_pod(&sandbox->facts)),
			  log_bytes("sandbox", id, SANDBOX_ID_LENGTH), log_str("container", container));
}

/* A hint for the attacher, once.  What was refused was never its. */
static void end(struct sandboxes *all, struct sandbox *sandbox)
{
	if (sandbox->state == SANDBOX_ENDED || sandbox->state == SANDBOX_REFUSED)
		return;
	sandbox->end_due = 1;
	sandboxes_set(all, sandbox, SANDBOX_ENDED);
}

static void on_ended(void *context, const char id[SANDBOX_ID_LENGTH])
{
	struct sandboxes *all = &((struct watcher *)context)->sandboxes;
	struct sandbox *sandbox = sandboxes_find(all, id);

	if (sandbox)
		end(all, sandbox);
}

static void on_list_begin(void *context)
{
	((struct watcher *)context)->sandboxes.list++;
}

static void on_listed(void *context, const char id[SANDBOX_ID_LENGTH])
{
	struct sandboxes *all = &((struct watcher *)context)->sandboxes;
	struct sandbox *sandbox = sandboxes_find(all, id);

	if (sandbox)
		sandbox->listed = all->list;
}

/* What a complete list does not have is gone, and its event may have been lost: the hint goes out with it. */
static void sweep(struct sandboxes *all)
{
	for (unsigned i = all->high; i-- > 0;) {
		struct sandbox *sandbox = &all->table[i];

		if (sandbox->state == SANDBOX_FREE || sandbox->listed == all->list)
			continue;
		end(all, sandbox);
		if (!sandbox->end_due)
			sandboxes_forget(all, sandbox);	/* else the next list's sweep does, when the hint is out */
	}
}

static void on_list_end(void *context, enum list_result result)
{
	struct watcher *watcher = context;
	struct msg_ready ready = MESSAGE(READY, ready);

	if (result == LIST_COMPLETE)
		sweep(&watcher->sandboxes);
	if (watcher->ready || result == LIST_FAILED)
		return;
	if (channel_send(&watcher->launcher, &ready, NULL))
		log_fatal("READY to the launcher", -EPIPE);
	watcher->ready = 1;
	log_event(LOG_INFO, "watching");
}

void facts_sink(struct runtime_sink *sink, struct watcher *watcher)
{
	*sink = (struct runtime_sink){
		.guarded = on_guarded,
		.running = on_running,
		.workload = on_workload,
		.ended = on_ended,
		.list_begin = on_list_begin,
		.listed = on_listed,
		.list_end = on_list_end,
		.context = watcher,
	};
}
