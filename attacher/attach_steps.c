/*
 * The steps of an attach, each one kind of privileged act.  Run by the attacher
 * with a claim that op_cgroup.c has checked.  A step says how it failed; taking
 * back is attach.c's.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include "attach_steps.h"
#include "cleanup.h"
#include "clock.h"
#include "op_bpf.h"
#include "op_nft.h"

void attach_mark(struct pod *pod, enum attach_stage stage)
{
	uint64_t now = clock_ns();

	pod->stage_us[stage] = (uint32_t)((now - pod->mark_ns) / 1000);
	pod->mark_ns = now;
}

static int make_token(uint8_t token[LW_TOKEN_BYTES])
{
	uint8_t random[LW_TOKEN_BYTES / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (unsigned i = 0; i < sizeof(random); i++) {
		token[2 * i] = (uint8_t)"0123456789abcdef"[random[i] >> 4];
		token[2 * i + 1] = (uint8_t)"0123456789abcdef"[random[i] & 15];
	}
	return 0;
}

/* The same sandbox keeps its token (an init container may hold it already); a new one gets a new token. */
static int step_entry(struct pod *pod, const struct msg_start *start)
{
	int same = pod->slot != LW_SLOT_NONE && !memcmp(pod->entry.sandbox, start->sandbox, SANDBOX_ID_LENGTH);
	int error = 0;

	if (pod->slot == LW_SLOT_NONE) {
		pod->entry = (struct lw_pod){ 0 };
		error = op_bpf_new_slot(&pod->slot);
		pod->first = 1;
	}
	if (!error && !same) {
		error = make_token(pod->entry.token);
		memcpy(pod->entry.sandbox, start->sandbox, SANDBOX_ID_LENGTH);
		memset(pod->entry.uplinks, 0, sizeof(pod->entry.uplinks));
	}
	pod->entry.cgroup_id = pod->cgroup_id;
	pod->entry.bundle = start->bundle;
	pod->entry.mode = LW_MODE_AUDIT;
	pod->entry.generation++;
	return error ? error : op_bpf_put_pod(pod->slot, &pod->entry);
}

static int step_link(struct pod *pod, const struct claim *claim)
{
	struct link_facts facts;
	int error = op_bpf_link_facts(pod->cgroup_id, &facts);

	if (error == -ENOENT)
		error = op_bpf_link(claim->cgroup_fd, pod->cgroup_id);
	else if (!error && (!facts.egress || !facts.our_maps))
		error = -EBADE;		/* someone else's, or our maps' pins were taken away: an update would keep the old storage */
	else if (!error && !facts.same_program)
		error = op_bpf_link_update(pod->cgroup_id);
	return error ? error : op_bpf_store_slot(pod->cgroup_id, pod->slot);
}

/* In the pod's netns. */
static int build_table(struct pod *pod)
{
	int error = 0;

	if (pod->owner_fd >= 0 && !op_nft_read_back(pod->owner_fd, pod->entry.uplinks))
		return 0;	/* a restarted attacher finds it in force */
	if (pod->owner_fd < 0) {
		pod->owner_fd = op_nft_socket();
		if (pod->owner_fd < 0)
			return pod->owner_fd;
		pod->made_table = 1;
	}
	if (!pod->entry.uplinks[0])
		error = op_netns_uplinks(pod->entry.uplinks);
	if (!error && !pod->entry.uplinks[0])
		error = -ENETDOWN;	/* no uplink rule could be built, and an uplink may come later */
	if (!error)
		error = op_bpf_put_pod(pod->slot, &pod->entry);
	return error ? error : op_nft_build(pod->owner_fd, pod->entry.uplinks);
}

static int step_netns(struct pod *pod, const struct claim *claim, enum attach_stage *stage)
{
	int error = op_netns_enter(claim->pidfd);

	*stage = STAGE_NFT;
	if (error)
		return error;
	error = build_table(pod);
	if (!error) {
		attach_mark(pod, STAGE_NFT);
		*stage = STAGE_LISTEN;
		error = op_netns_listen(pod->listeners);
	}
	op_netns_leave();
	if (!error)
		attach_mark(pod, STAGE_LISTEN);
	return error;
}

static int keep_owner(struct attacher *attacher, const struct pod *pod)
{
	struct msg_keep keep = MESSAGE(KEEP, keep);

	memcpy(keep.sandbox, pod->sandbox, SANDBOX_ID_LENGTH);
	return channel_send(&attacher->launcher, &keep, &pod->owner_fd);
}

static int step_spawn(struct attacher *attacher, struct pod *pod)
{
	struct msg_spawn spawn = MESSAGE(SPAWN, spawn);
	int ends[2], fds[1 + LISTENERS], error = channel_pair(ends);

	if (error)
		return error;
	pod->proxy.fd = ends[0];
	spawn.slot = pod->slot;
	spawn.attempt = ++pod->attempt;
	spawn.families = 1U | (pod->listeners[LISTEN_UDP6] >= 0 ? 2U : 0U);
	fds[0] = ends[1];
	for (int i = 0; i < LISTENERS; i++)
		fds[1 + i] = pod->listeners[i] >= 0 ? pod->listeners[i] : attacher->plug_fd;
	error = channel_send(&attacher->zygote, &spawn, fds);
	drop_fd(&ends[1]);
	if (error == -EAGAIN)
		attacher->zygote_silence++;
	return error ? error : pod_watch(attacher, pod->proxy.fd, EPOLLIN, WATCH_PROXY, pod);
}

int attach_steps(struct attacher *attacher, struct pod *pod, const struct msg_start *start,
		 const struct claim *claim, enum attach_stage *stage)
{
	int error;

	*stage = STAGE_ENTRY;
	error = step_entry(pod, start);
	attach_mark(pod, STAGE_ENTRY);
	if (error)
		return error;
	*stage = STAGE_LINK;
	error = step_link(pod, claim);
	attach_mark(pod, STAGE_LINK);
	if (!error)
		error = step_netns(pod, claim, stage);
	if (error)
		return error;
	*stage = STAGE_PROXY;
	error = keep_owner(attacher, pod);
	return error ? error : step_spawn(attacher, pod);
}
