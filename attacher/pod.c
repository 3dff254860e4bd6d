/*
 * The pod table.  Run by the attacher.  Nothing here detaches a link whose cgroup
 * exists: pod_forget() is called only for a cgroup that the kernel says is gone.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "cleanup.h"
#include "log.h"
#include "op_bpf.h"
#include "pod.h"

int pod_watch(struct attacher *attacher, int fd, uint32_t events, enum watch kind, const struct pod *pod)
{
	uint64_t index = pod ? (uint64_t)(pod - attacher->pods) : 0;
	struct epoll_event event = { .events = events, .data.u64 = (uint64_t)kind << 32 | index };

	return epoll_ctl(attacher->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

struct pod *pod_by_cgroup(struct attacher *attacher, uint64_t cgroup_id)
{
	for (unsigned i = 0; i < PODS_MAX; i++)
		if (attacher->pods[i].state != POD_FREE && attacher->pods[i].cgroup_id == cgroup_id)
			return &attacher->pods[i];
	return NULL;
}

struct pod *pod_by_slot(struct attacher *attacher, uint64_t slot)
{
	for (unsigned i = 0; i < PODS_MAX && slot != LW_SLOT_NONE; i++)
		if (attacher->pods[i].state != POD_FREE && attacher->pods[i].slot == slot)
			return &attacher->pods[i];
	return NULL;
}

struct pod *pod_by_sandbox(struct attacher *attacher, const char sandbox[SANDBOX_ID_LENGTH])
{
	for (unsigned i = 0; i < PODS_MAX; i++)
		if (attacher->pods[i].state != POD_FREE && !memcmp(attacher->pods[i].sandbox, sandbox, SANDBOX_ID_LENGTH))
			return &attacher->pods[i];
	return NULL;
}

struct pod *pod_new(struct attacher *attacher, uint64_t cgroup_id)
{
	for (unsigned i = 0; i < PODS_MAX; i++) {
		struct pod *pod = &attacher->pods[i];

		if (pod->state != POD_FREE)
			continue;
		*pod = (struct pod){
			.attempt = pod->attempt, .state = POD_HELD, .cgroup_id = cgroup_id, .events_fd = -1, .owner_fd = -1, .proxy_pidfd = -1,
			.listeners = { -1, -1, -1, -1 },
			.proxy = { .fd = -1, .self = P_ATTACHER, .peer = P_PROXY, .state = ST_NEW },
		};
		return pod;
	}
	return NULL;
}

void pod_drop_proxy(struct attacher *attacher, struct pod *pod)
{
	struct msg_end_proxy end = MESSAGE(END_PROXY, end_proxy);

	op_netns_close(pod->listeners);
	drop_fd(&pod->proxy.fd);	/* a sound child ends at this end of file */
	pod->proxy.state = ST_NEW;
	pod->greeted = 0;
	if (pod->proxy_pidfd >= 0)	/* a stopped or owned one would pin the netns: the launcher ends it */
		channel_send(&attacher->launcher, &end, &pod->proxy_pidfd);
	drop_fd(&pod->proxy_pidfd);
}

void pod_leave_netns(struct attacher *attacher, struct pod *pod)
{
	struct msg_forget forget = MESSAGE(FORGET, forget);

	pod_drop_proxy(attacher, pod);
	if (pod->owner_fd >= 0) {
		memcpy(forget.sandbox, pod->sandbox, SANDBOX_ID_LENGTH);
		channel_send(&attacher->launcher, &forget, NULL);
	}
	drop_fd(&pod->owner_fd);
	pod->netns = 0;
	pod->due_ns = 0;
	pod->state = POD_HELD;
}

void pod_forget(struct attacher *attacher, struct pod *pod)
{
	pod_leave_netns(attacher, pod);
	drop_fd(&pod->events_fd);
	if (pod->slot != LW_SLOT_NONE)
		op_bpf_free_slot(pod->slot);
	op_bpf_unpin(pod->cgroup_id);
	log_event(LOG_INFO, "pod gone", log_int("cgroup", pod->cgroup_id), log_int("slot", pod->slot));
	pod->state = POD_FREE;
}
