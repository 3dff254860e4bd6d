/*
 * The processes, who they run as, and the numbers of the descriptors that they
 * inherit.  Everything else is closed before exec (launcher) or after fork
 * (zygote).  These numbers stand in seccomp rules and in the surface tables.
 */
#ifndef LW_PROCESS_H
#define LW_PROCESS_H

/* One bit each, so that a row of the message table can name several. */
enum process {
	P_LAUNCHER = 1 << 0,
	P_ATTACHER = 1 << 1,
	P_GATE = 1 << 2,
	P_WATCHER = 1 << 3,
	P_ZYGOTE = 1 << 4,
	P_PROXY = 1 << 5,
};

/* Unassigned numbers in the range that Debian leaves to the administrator. */
enum process_uid {
	UID_ATTACHER = 65010,
	UID_GATE = 65011,
	UID_WATCHER = 65012,
	UID_DNSPROXY = 65013,
};

enum process_fd {
	FD_LAUNCHER = 3,		/* attacher, gate, watcher: channel to the launcher */

	FD_ATTACHER_WATCHER = 4,	/* attacher: channel to the watcher */
	FD_ATTACHER_ZYGOTE = 5,		/* attacher: channel to the zygote */
	FD_ATTACHER_CGROUP = 6,		/* attacher: root of the node's cgroup2 tree */
	FD_ATTACHER_SCRATCH = 7,	/* attacher: scratch cgroup, until the self-test is done */

	FD_GATE_WATCHER = 4,		/* gate: channel to the watcher */
	FD_GATE_RUNTIME = 5,		/* gate: connected containerd socket, while there is one */

	FD_WATCHER_GATE = 4,		/* watcher: channel to the gate */
	FD_WATCHER_ATTACHER = 5,	/* watcher: channel to the attacher */

	FD_ZYGOTE_ATTACHER = 3,		/* zygote: channel to the attacher */

	FD_PROXY_ATTACHER = 3,		/* proxy: channel of its own to the attacher */
	FD_PROXY_UDP4 = 4,		/* proxy: the listeners in the pod's netns, or a plug */
	FD_PROXY_TCP4 = 5,
	FD_PROXY_UDP6 = 6,
	FD_PROXY_TCP6 = 7,
	FD_PROXY_FIRST_FREE = 8,
};

#endif
