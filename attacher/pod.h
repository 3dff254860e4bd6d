/*
 * The pods that an attacher holds: a table of fixed size.  A pod is a pod cgroup
 * with our link on it; sandboxes and proxies come and go in it.
 */
#ifndef LW_POD_H
#define LW_POD_H

#include "channel.h"
#include "lw_abi.h"
#include "op_netns.h"

enum pod_state {
	POD_FREE = 0,
	POD_HELD,		/* linked (or about to be); nothing of ours runs in a netns */
	POD_SPAWNING,		/* all kernel acts done, the proxy's HELLO is awaited */
	POD_LIVE,
};

struct pod {
	enum pod_state state;
	uint32_t pid;			/* of the sandbox's process, as claimed and checked */
	char sandbox[SANDBOX_ID_LENGTH];
	uint64_t cgroup_id;
	uint64_t slot;			/* LW_SLOT_NONE: the link denies */
	uint64_t netns;			/* inode number */
	struct lw_pod entry;		/* as we wrote it */
	int events_fd;			/* cgroup.events */
	int owner_fd;			/* netlink socket that owns the table; pins the netns */
	int proxy_pidfd;
	int listeners[LISTENERS];	/* ours until LIVE, so that they can be read back */
	struct channel proxy;
	uint32_t attempt;		/* number of the last SPAWN, never reset in a row */
	int greeted;			/* HELLO came */
	int first;			/* this attempt made slot and entry: undo frees them */
	int made_table;			/* this attempt built the table */
	int reply_wanted;		/* a START waits for its STARTED */
	uint32_t failures;		/* in a row, for the back-off of our own retries */
	uint64_t due_ns;		/* SPAWNING: give up then; HELD: try again then; 0: never */
	uint64_t mark_ns;		/* end of the stage before */
	uint32_t stage_us[STAGES];
	uint32_t upstream_tokens;	/* sockets that it may still ask for */
	uint64_t upstream_ns;		/* last refill */
};

struct attacher {
	struct channel launcher, watcher, zygote;
	struct msg_config config;
	int epoll_fd;
	int plug_fd;			/* stands on fixed numbers while there is no peer */
	unsigned zygote_silence;	/* SPAWNs in a row that it left unanswered */
	uint64_t ready_ns;
	struct pod pods[PODS_MAX];
};

/* epoll's data: what kind of descriptor, and of which pod. */
enum watch { WATCH_LAUNCHER, WATCH_WATCHER, WATCH_ZYGOTE, WATCH_PROXY, WATCH_CGROUP };

int pod_watch(struct attacher *attacher, int fd, uint32_t events, enum watch kind, const struct pod *pod);

struct pod *pod_by_cgroup(struct attacher *attacher, uint64_t cgroup_id);
struct pod *pod_by_slot(struct attacher *attacher, uint64_t slot);
struct pod *pod_by_sandbox(struct attacher *attacher, const char sandbox[SANDBOX_ID_LENGTH]);
/* A free row, made HELD for this cgroup; NULL: all PODS_MAX are taken. */
struct pod *pod_new(struct attacher *attacher, uint64_t cgroup_id);

/* End the proxy and close the listeners. */
void pod_drop_proxy(struct attacher *attacher, struct pod *pod);
/* Also close all that pins its netns, ours and the launcher's copy. */
void pod_leave_netns(struct attacher *attacher, struct pod *pod);
/* The cgroup is gone: everything goes, the pin last. */
void pod_forget(struct attacher *attacher, struct pod *pod);

#endif
