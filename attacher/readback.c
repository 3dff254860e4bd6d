/*
 * The read-back.  Run by the attacher between the acts and LIVE, and again
 * for each START of a LIVE pod.  Everything is asked of the kernel anew;
 * nothing is remembered but what it should be.
 */
#include <errno.h>
#include <string.h>
#include "op_bpf.h"
#include "op_nft.h"
#include "readback.h"

static int link_in_force(const struct pod *pod)
{
	struct link_facts facts;
	int error = op_bpf_link_facts(pod->cgroup_id, &facts);

	if (error)
		return error;
	return facts.cgroup_id == pod->cgroup_id && facts.egress && facts.our_maps && facts.same_program ? 0 : -EBADE;
}

static int slot_stored(const struct pod *pod)
{
	uint64_t slot;
	int error = op_bpf_read_slot(pod->cgroup_id, &slot);

	if (error)
		return error;
	return slot == pod->slot && slot != LW_SLOT_NONE ? 0 : -EBADE;
}

static int entry_stored(const struct pod *pod)
{
	struct lw_pod entry;
	int error = op_bpf_get_pod(pod->slot, &entry);

	if (error)
		return error;
	return memcmp(&entry, &pod->entry, sizeof(entry)) ? -EBADE : 0;
}

int readback(const struct pod *pod, const struct claim *claim, const char **what)
{
	int error;

	*what = "cgroup";
	if (claim->cgroup_id != pod->cgroup_id || claim->netns != pod->netns)
		return -EBADE;
	*what = "link";
	error = link_in_force(pod);
	if (error)
		return error;
	*what = "slot";
	error = slot_stored(pod);
	if (error)
		return error;
	*what = "entry";
	error = entry_stored(pod);
	if (error)
		return error;
	*what = "table";
	error = op_nft_read_back(pod->owner_fd, pod->entry.uplinks);
	if (error || pod->state == POD_LIVE)	/* a LIVE proxy holds its listeners itself */
		return error;
	*what = "listeners";
	return op_netns_listen_read_back(pod->listeners, pod->owner_fd);
}
