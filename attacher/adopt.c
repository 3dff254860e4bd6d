/*
 * Restart is adoption: the kernel's word on links, slots and entries is what
 * holds.  Run by the attacher at start and on its own timer; reads only the
 * kernel and our pin folder (owned by us, mode 0700).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "adopt.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "op_bpf.h"
#include "op_cgroup.h"

#define CLAIM_PATIENCE (90 * NS_PER_S)	/* three of the watcher's reconciles */

int adopt_lock(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);	/* held until this process ends */

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return 0;
}

static void take_link(struct attacher *attacher, uint64_t cgroup_id)
{
	struct pod *pod = pod_new(attacher, cgroup_id);
	int error;

	if (!pod) {
		log_event(LOG_ERROR, "more pinned links than pods can be held", log_int("cgroup", cgroup_id));
		return;
	}
	error = op_bpf_read_slot(cgroup_id, &pod->slot);
	if (!error && pod->slot != LW_SLOT_NONE)
		error = op_bpf_get_pod(pod->slot, &pod->entry);
	if (error)
		pod->slot = LW_SLOT_NONE;	/* it denies; a START makes it anew */
	else
		memcpy(pod->sandbox, pod->entry.sandbox, SANDBOX_ID_LENGTH);
	log_event(LOG_INFO, "link adopted", log_int("cgroup", cgroup_id), log_int("slot", pod->slot));
}

static void each_link(uint64_t cgroup_id, void *context)
{
	struct link_facts facts;

	if (op_bpf_link_facts(cgroup_id, &facts)) {
		log_event(LOG_ERROR, "pin is not a link of ours", log_int("cgroup", cgroup_id));
		return;
	}
	if (facts.cgroup_id)
		take_link(context, cgroup_id);
	else
		op_bpf_unpin(cgroup_id);	/* the cgroup is gone; its entry goes below */
}

int adopt_links(struct attacher *attacher)
{
	uint64_t slot = LW_SLOT_NONE, stale = LW_SLOT_NONE;
	int error = op_bpf_each_link(each_link, attacher);

	while (!error && !op_bpf_next_slot(&slot)) {
		if (stale != LW_SLOT_NONE)
			op_bpf_free_slot(stale);	/* one step behind: the walk needs its key */
		stale = pod_by_slot(attacher, slot) ? LW_SLOT_NONE : slot;
	}
	if (stale != LW_SLOT_NONE)
		op_bpf_free_slot(stale);
	return error;
}

void adopt_kept(struct attacher *attacher, const char sandbox[SANDBOX_ID_LENGTH], int fd)
{
	struct msg_forget forget = MESSAGE(FORGET, forget);
	struct pod *pod = pod_by_sandbox(attacher, sandbox);

	if (pod && pod->owner_fd < 0) {
		pod->owner_fd = fd;
		return;
	}
	close(fd);
	memcpy(forget.sandbox, sandbox, SANDBOX_ID_LENGTH);
	channel_send(&attacher->launcher, &forget, NULL);
}

static int cgroup_gone(const struct pod *pod)
{
	struct link_facts facts;
	int error;

	if (pod->events_fd >= 0)
		return op_cgroup_populated(pod->events_fd) == -ENODEV;
	error = op_bpf_link_facts(pod->cgroup_id, &facts);	/* adopted, not claimed since */
	return error == -ENOENT || (!error && !facts.cgroup_id);
}

void adopt_look(struct attacher *attacher, struct pod *pod)
{
	if (cgroup_gone(pod)) {
		pod_forget(attacher, pod);
		return;
	}
	if (pod->events_fd >= 0 && op_cgroup_populated(pod->events_fd) == 0 && (pod->owner_fd >= 0 || pod->proxy.fd >= 0)) {
		log_event(LOG_INFO, "pod cgroup is empty, its netns is let go", log_int("slot", pod->slot),
			  log_bytes("sandbox", pod->sandbox, SANDBOX_ID_LENGTH));
		pod_leave_netns(attacher, pod);
	}
}

/* Adopted, but no START came for it since we are ready: its kept socket would pin a netns that may be dead. */
static int unclaimed(const struct attacher *attacher, const struct pod *pod)
{
	return pod->state == POD_HELD && pod->events_fd < 0 && pod->owner_fd >= 0 &&
	       clock_ns() - attacher->ready_ns > CLAIM_PATIENCE;
}

void adopt_sweep(struct attacher *attacher)
{
	for (unsigned i = 0; i < PODS_MAX; i++) {
		struct pod *pod = &attacher->pods[i];

		if (pod->state == POD_FREE)
			continue;
		adopt_look(attacher, pod);
		if (unclaimed(attacher, pod))
			pod_leave_netns(attacher, pod);
	}
}
