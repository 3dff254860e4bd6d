/* The launcher's state, shared by its files. */
#ifndef LW_LAUNCHER_H
#define LW_LAUNCHER_H

#include <stdint.h>
#include <sys/types.h>
#include "channel.h"

#define GUARDS_MAX 64

struct options {
	unsigned node_pid;			/* whose cgroup namespace is the node's */
	const char *containerd_socket;
	const char *bpffs;
	const char *cgroup;
	const char *guards[GUARDS_MAX];		/* namespaces, handed to the watcher as they are */
	unsigned guard_count;
	struct upstream_address upstream[UPSTREAMS_MAX];
	unsigned upstream_count;
};

enum child_index { CHILD_ATTACHER, CHILD_ZYGOTE, CHILD_WATCHER, CHILD_GATE, CHILDREN };

struct child {
	pid_t pid;			/* 0: not running */
	struct channel channel;		/* ours to it; the zygote has none */
	uint64_t due_ns;		/* when to start it again */
	uint64_t began_ns;
	unsigned failures;		/* in a row, for the back-off */
};

/* One end of a pair whose process does not run yet. */
struct waiting {
	int fd;				/* -1: none */
	enum child_index who;
};

#define PAIRS 6

/* An owner's netlink socket of a pod, kept for a restarted attacher. */
struct kept {
	int fd;				/* -1: free row */
	char sandbox[SANDBOX_ID_LENGTH];
};

struct launcher {
	struct options options;
	struct child children[CHILDREN];
	struct kept kept[PODS_MAX];
	struct waiting waiting[PAIRS];
	int program_folder;		/* O_PATH: where the programs and the empty folder lie */
	int pin_folder;			/* O_PATH: leitwacht/ in the node's bpffs */
	int cgroup_root;
	int scratch_cgroup;
	char scratch_name[64];
	int was_ready;			/* the first start is over */
	int stopping;
};

/* launcher_options.c: parse the command line; exits with status 2 and says what to do. */
void options_parse(int argc, char **argv, struct options *options);

/* launcher_resolv.c: the servers of resolv.conf, read by a confined child.  0 or -errno. */
int resolv_read(struct options *options);
/* Pure: the nameserver lines of `text` into servers; how many. */
unsigned resolv_parse(const char *text, struct upstream_address servers[UPSTREAMS_MAX]);
/* Pure: "ADDRESS[@PORT]".  0 or -EINVAL. */
int resolv_address(const char *text, struct upstream_address *server);

/* launcher_node.c: look at the container and the node; each failure is one clear line and the end. */
void node_check_capabilities(void);
void node_open(struct launcher *launcher);
/* A cgroup for one attacher's self-test, a new one for each.  0 or -errno. */
int node_scratch_make(struct launcher *launcher);
void node_scratch_remove(struct launcher *launcher);

/* launcher_children.c */
void children_start(struct launcher *launcher);
void children_reap(struct launcher *launcher);
/* Start what is due; milliseconds until the next is, -1 for none. */
int children_run_due(struct launcher *launcher);
/* Kill a child; it is reaped and started anew as after any death. */
void children_end(struct launcher *launcher, enum child_index index);
void children_stop_all(struct launcher *launcher);

/* launcher_requests.c: the launcher's rows of the message table. */
void requests_receive(struct launcher *launcher, enum child_index index);
/* CONFIG, what was kept, KEPT_END: what a new attacher is told.  0 or -errno. */
int requests_brief_attacher(struct launcher *launcher);

#endif
