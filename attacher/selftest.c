/*
 * Before the attacher calls itself ready it does all that an attach does, reads it
 * back, sees a broken state refused, and takes it away again.  Run by the attacher
 * at start; reads nothing from outside.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "op_bpf.h"
#include "op_cgroup.h"
#include "op_netns.h"
#include "op_nft.h"
#include "selftest.h"

static int check_link(uint64_t id, uint64_t slot, const char **what)
{
	struct link_facts facts;
	uint64_t stored;

	*what = "cgroup_skb/egress link: read-back";
	if (op_bpf_link_facts(id, &facts) || facts.cgroup_id != id || !facts.egress || !facts.our_maps || !facts.same_program)
		return -EBADE;
	*what = "cgroup storage: a fresh attachment must read slot 0";
	if (op_bpf_read_slot(id, &stored) || stored != LW_SLOT_NONE)
		return -EBADE;
	*what = "cgroup storage: slot";
	if (op_bpf_store_slot(id, slot) || op_bpf_read_slot(id, &stored) || stored != slot)
		return -EBADE;
	return 0;
}

static int test_bpf(int cgroup, const char **what)
{
	struct lw_pod entry = { .bundle = LW_BUNDLE_AUDIT_ALL }, got;
	struct stat st;
	uint64_t slot;
	int error;

	*what = "scratch cgroup";
	if (fstat(cgroup, &st))
		return -errno;
	*what = "BPF maps: slot number and pod entry";
	error = op_bpf_new_slot(&slot);
	if (!error)
		error = op_bpf_put_pod(slot, &entry);
	if (error)
		return error;
	*what = "cgroup_skb/egress link: attach and pin";
	error = op_bpf_link(cgroup, st.st_ino);
	if (!error)
		error = check_link(st.st_ino, slot, what);
	if (!error && (op_bpf_get_pod(slot, &got) || memcmp(&got, &entry, sizeof(got))))
		error = -EBADE;
	op_bpf_store_slot(st.st_ino, LW_SLOT_NONE);
	op_bpf_unpin(st.st_ino);	/* a scratch cgroup holds no pod: this detach is no gap */
	op_bpf_free_slot(slot);
	return error;
}

static int test_nft(const char **what)
{
	static const uint32_t uplinks[LW_UPLINKS] = { 2 }, other[LW_UPLINKS] = { 3 };
	autoclose owner = op_nft_socket();
	int error;

	*what = "nftables: netlink socket";
	if (owner < 0)
		return owner;
	*what = "nftables: table with owner flag, chains nat output and prerouting, filter input and output, fib, ct, redirect";
	error = op_nft_build(owner, uplinks);
	if (error)
		return error;
	*what = "nftables: read-back";
	error = op_nft_read_back(owner, uplinks);
	if (!error && !op_nft_read_back(owner, other))
		error = -EBADE;		/* a read-back that can't fail proves nothing */
	if (!error)
		error = op_nft_delete(owner);
	if (!error && !op_nft_read_back(owner, uplinks))
		error = -EBADE;
	op_nft_settle();
	return error;
}

static int test_listeners(const char **what)
{
	int fds[LISTENERS], error;
	uint32_t uplinks[LW_UPLINKS];
	autoclose owner = op_nft_socket();

	*what = "interfaces of a netns";
	error = op_netns_uplinks(uplinks);
	if (error)
		return error;
	*what = "listeners on port 15353 and SO_NETNS_COOKIE (linux 5.14)";
	error = op_netns_listen(fds);
	if (!error)
		error = op_netns_listen_read_back(fds, owner);
	op_netns_close(fds);
	if (!error && !op_netns_listen_read_back(fds, owner))
		error = -EBADE;
	return error;
}

int selftest(int scratch_cgroup, int own_pidfd, const char **what)
{
	int error = test_bpf(scratch_cgroup, what);

	if (error)
		return error;
	*what = "a network namespace of its own (SYS_ADMIN)";
	error = op_netns_scratch();
	if (error)
		return error;
	error = test_nft(what);
	if (!error)
		error = test_listeners(what);
	op_netns_leave();
	if (error)
		return error;
	*what = "setns by pidfd (linux 5.8)";
	error = op_netns_enter(own_pidfd);
	if (!error)
		op_netns_leave();
	return error;
}
