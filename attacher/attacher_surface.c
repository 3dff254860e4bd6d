/*
 * What the attacher may do: the table from which its filters and SURFACE.md are
 * made.  Its capabilities are what is dangerous; these rows are what narrows them.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "attacher_surface.h"
#include "cleanup.h"
#include "privs.h"
#include "process.h"
#include "surface_rows.h"

#define START PHASE_STARTUP
#define SERVE PHASE_SERVING

static const struct surface_call calls[] = {
	/* the kernel objects that an attach makes */
	{ "bpf", SERVE, "read a map", { ARG_IS(0, BPF_MAP_LOOKUP_ELEM) } },
	{ "bpf", SERVE, "write an entry or a slot", { ARG_IS(0, BPF_MAP_UPDATE_ELEM) } },
	{ "bpf", SERVE, "free an entry", { ARG_IS(0, BPF_MAP_DELETE_ELEM) } },
	{ "bpf", SERVE, "pin a link, bare name in our folder", { ARG_IS(0, BPF_OBJ_PIN) } },
	{ "bpf", SERVE, "open a pinned link", { ARG_IS(0, BPF_OBJ_GET) } },
	{ "bpf", SERVE, "read-back: a link's program", { ARG_IS(0, BPF_PROG_GET_FD_BY_ID) } },
	{ "bpf", SERVE, "read-back: facts of a link, program, map", { ARG_IS(0, BPF_OBJ_GET_INFO_BY_FD) } },
	{ "bpf", SERVE, "attach the program to a pod cgroup", { ARG_IS(0, BPF_LINK_CREATE) } },
	{ "bpf", SERVE, "an older program's link: this build's program", { ARG_IS(0, BPF_LINK_UPDATE) } },
	{ "setns", SERVE, "enter a pod's netns, and leave it", { ARG_IS(1, CLONE_NEWNET) } },
	{ "unlink", SERVE, "the pin of a link whose cgroup is gone" },

	/* looking at a claim */
	{ "pidfd_open", SERVE, "hold the claimed process" },
	{ "openat", SERVE, "/proc/PID/cgroup, cgroup.events; read only", { ARG_LACKS(2, O_WRONLY | O_RDWR | O_CREAT) } },
	{ "openat2", SERVE, "the pod cgroup, beneath the cgroup2 root" },
	{ "newfstatat", SERVE, "inode numbers of cgroup and netns" },
	{ "read", SERVE, "/proc/PID/cgroup" },
	{ "pread64", SERVE, "cgroup.events" },
	{ "poll", SERVE, "is a pidfd's process alive" },

	/* sockets: netlink and listeners in the pod, upstreams in our own network */
	{ "socket", SERVE, "a pod's nftables", { ARG_IS(0, AF_NETLINK), ARG_IS(2, NETLINK_NETFILTER) } },
	{ "socket", SERVE, "a pod's interfaces", { ARG_IS(0, AF_NETLINK), ARG_IS(2, NETLINK_ROUTE) } },
	{ "socket", SERVE, "listeners, upstreams", { ARG_IS(0, AF_INET) } },
	{ "socket", SERVE, "listeners, upstreams", { ARG_IS(0, AF_INET6) } },
	{ "socketpair", SERVE, "a proxy's channel", { ARG_IS(0, AF_UNIX) } },
	{ "bind", SERVE, "listeners, netlink" },
	{ "listen", SERVE, "TCP listeners" },
	{ "connect", SERVE, "upstream sockets, to configured servers" },
	{ "setsockopt", SERVE, "IP_PKTINFO, V6ONLY, REUSEADDR, receive time-out" },
	{ "getsockopt", SERVE, "read-back of listeners" },
	{ "getsockname", SERVE, "read-back of listeners, netlink port" },
	{ "sendto", SERVE, "messages, netlink", { ARG_IS(4, 0) } },
	{ "recvfrom", SERVE, "netlink" },
	{ "sendmsg", SERVE, "messages with descriptors" },
	{ "recvmsg", SERVE, "messages" },
	{ "dup3", SERVE, "a restarted watcher's channel, or a plug", { ARG_IS(1, FD_ATTACHER_WATCHER) } },
	{ "dup3", SERVE, "a restarted zygote's channel, or a plug", { ARG_IS(1, FD_ATTACHER_ZYGOTE) } },
	{ "dup3", START, "libbpf: a reused map's descriptor; the plug onto the scratch cgroup's number" },

	/* a process's daily needs */
	{ "epoll_wait", SERVE, "the loop" },
	{ "epoll_ctl", SERVE, "the loop" },
	{ "close", SERVE, "" },
	{ "getrandom", SERVE, "tokens" },
	{ "rt_sigreturn", SERVE, "" },

	SURFACE_DAILY_ROWS,

	/* start: load the program, make or reuse the maps, self-test, second filter */
	{ "bpf", START, "load program, make maps, probe features" },
	{ "unshare", START, "scratch netns of the self-test", { ARG_IS(0, CLONE_NEWNET) } },
	{ "flock", START, "the node's lock" },
	{ "getdents64", START, "pinned links to adopt" },
	{ "fstat", START, "" },
	{ "fcntl", START, "" },
	{ "lseek", START, "" },
	{ "faccessat", START, "libbpf: kernel BTF" },
	{ "faccessat2", START, "libbpf: kernel BTF" },
	{ "access", START, "libbpf: kernel BTF" },
	{ "statfs", START, "libbpf: is this a bpffs" },
	{ "mkdir", START, "libbpf: the pins' folder, which exists" },
	{ "uname", START, "libbpf: kernel version" },
	{ "prlimit64", START, "libbpf: memory lock limit" },
	{ "epoll_create1", START, "the loop" },
	{ "eventfd2", START, "the plug" },
	{ "mprotect", START, "", { ARG_LACKS(2, PROT_EXEC) } },
	{ "getpid", START, "" },
	{ "prctl", START, "seccomp" },
	{ "seccomp", START, "the serving filter" },
	{ "dup", START, "libbpf: its maps' descriptors" },
	{ "perf_event_open", START, "libbpf: feature probe" },
};

static const struct surface_fd fds[] = {
	{ 0, "/dev/null", "", 0 },
	{ 1, "pipe:", "the container's output", 0 },
	{ 2, "pipe:", "the log", 0 },
	{ FD_LAUNCHER, "socket:", "channel to the launcher", 0 },
	{ FD_ATTACHER_WATCHER, "socket:", "channel to the watcher", 0 },
	{ FD_ATTACHER_ZYGOTE, "socket:", "channel to the zygote", 0 },
	{ FD_ATTACHER_CGROUP, "/", "root of the node's cgroup2 tree", 0 },
	{ FD_ATTACHER_SCRATCH, "anon_inode:[eventfd]", "plug, once the self-test is done", 0 },
	{ SURFACE_FD_ANY, "anon_inode:[eventfd]", "the plug", 0 },
	{ SURFACE_FD_ANY, "anon_inode:[eventpoll]", "the loop", 0 },
	{ SURFACE_FD_ANY, "net:[", "our own network namespace", 0 },
	{ SURFACE_FD_ANY, "/", "pin folder (the node's lock); cgroup.events of each pod", 0 },
	{ SURFACE_FD_ANY, "anon_inode:bpf", "program and maps", 0 },
	{ SURFACE_FD_ANY, "anon_inode:btf", "their type information", 1 },
	{ SURFACE_FD_ANY, "anon_inode:[pidfd]", "a pod's proxy", 1 },
	{ SURFACE_FD_ANY, "pidfd:", "a pod's proxy", 1 },
	{ SURFACE_FD_ANY, "socket:", "a pod's owner socket, its proxy's channel, listeners until LIVE", 1 },
};

const struct surface attacher_surface = {
	.process = "leitwacht-attacher",
	.comm = "lw-attacher",
	.uid = UID_ATTACHER,
	.capabilities = CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE),
	.bounding = CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE),
	.ambient = 1,
	.reads = "fixed-size messages of launcher, watcher, zygote and proxies; /proc and cgroupfs of pids that it was told of; "
		 "netlink answers of the kernel.",
	.never = "exec, fork, make a map or load a program while serving, parse text from outside, take a path from anyone.",
	.calls = calls, .call_count = ARRAY_SIZE(calls),
	.fds = fds, .fd_count = ARRAY_SIZE(fds),
};
