/*
 * What the launcher may do.  Filters are inherited: what a child needs between
 * fork and its own, narrower filter, and then within that, must stand here too.
 */
#include <linux/capability.h>
#include <sys/mman.h>
#include "cleanup.h"
#include "launcher_surface.h"
#include "privs.h"
#include "process.h"

#define SERVE PHASE_SERVING
#define CHILD "for a child only, which narrows it"

static const struct surface_call calls[] = {
	/* its own work */
	{ "poll", SERVE, "the loop" },
	{ "read", SERVE, "signals" },
	{ "recvmsg", SERVE, "messages" },
	{ "sendmsg", SERVE, "messages with descriptors" },
	{ "sendto", SERVE, "messages; netlink and upstream sockets of the attacher", { ARG_IS(4, 0) } },
	{ "socket", SERVE, "the containerd socket" },
	{ "connect", SERVE, "the containerd socket" },
	{ "socketpair", SERVE, "channels" },
	{ "setsockopt", SERVE, "a channel's send buffer" },
	{ "mkdirat", SERVE, "scratch cgroup of a restarted attacher's self-test" },
	{ "unlinkat", SERVE, "scratch cgroup" },
	{ "openat", SERVE, "scratch cgroup; a child's libraries" },
	{ "clone", SERVE, "a child" },
	{ "wait4", SERVE, "reap" },
	{ "waitid", SERVE, "reap" },
	{ "kill", SERVE, "a child" },
	{ "pidfd_send_signal", SERVE, "a proxy" },
	{ "execveat", SERVE, "a child's program, from our own folder" },
	{ "close", SERVE, "" },
	{ "write", SERVE, "the log" },
	{ "getpid", SERVE, "" },
	{ "gettid", SERVE, "" },
	{ "exit_group", SERVE, "" },
	{ "rt_sigreturn", SERVE, "" },
	{ "restart_syscall", SERVE, "after SIGSTOP, SIGCONT" },
	{ "clock_gettime", SERVE, "" },
	{ "brk", SERVE, "memory" },
	{ "mmap", SERVE, "memory; a child's libraries" },
	{ "munmap", SERVE, "memory" },
	{ "mremap", SERVE, "memory" },
	{ "mprotect", SERVE, "a child's libraries" },

	/* between fork and exec */
	{ "rt_sigprocmask", SERVE, CHILD },
	{ "close_range", SERVE, CHILD },
	{ "fcntl", SERVE, CHILD },
	{ "dup2", SERVE, CHILD },
	{ "prctl", SERVE, CHILD },
	{ "capget", SERVE, CHILD },
	{ "capset", SERVE, CHILD },
	{ "setgroups", SERVE, CHILD },
	{ "setresgid", SERVE, CHILD },
	{ "setresuid", SERVE, CHILD },
	{ "getresuid", SERVE, CHILD },
	{ "fchdir", SERVE, CHILD },
	{ "getppid", SERVE, CHILD },

	/* any program's start */
	{ "access", SERVE, CHILD },
	{ "faccessat", SERVE, CHILD },
	{ "faccessat2", SERVE, CHILD },
	{ "arch_prctl", SERVE, CHILD },
	{ "fstat", SERVE, CHILD },
	{ "futex", SERVE, CHILD },
	{ "getrandom", SERVE, CHILD },
	{ "newfstatat", SERVE, CHILD },
	{ "pread64", SERVE, CHILD },
	{ "prlimit64", SERVE, CHILD },
	{ "rseq", SERVE, CHILD },
	{ "set_robust_list", SERVE, CHILD },
	{ "set_tid_address", SERVE, CHILD },
	{ "statfs", SERVE, CHILD },
	{ "fstatfs", SERVE, "for a child: libcap-ng asks whether /proc is one" },
	{ "seccomp", SERVE, CHILD },
	{ "chdir", SERVE, CHILD },
	{ "chroot", SERVE, CHILD },
	{ "getuid", SERVE, CHILD },
	{ "geteuid", SERVE, CHILD },
	{ "getgid", SERVE, CHILD },
	{ "getegid", SERVE, CHILD },
	{ "uname", SERVE, CHILD },
	{ "rt_sigaction", SERVE, CHILD },
	{ "lseek", SERVE, CHILD },

	/* what the others serve with (their own tables say why, and where) */
	{ "bpf", SERVE, CHILD },
	{ "perf_event_open", SERVE, CHILD },
	{ "setns", SERVE, CHILD },
	{ "unshare", SERVE, CHILD },
	{ "unlink", SERVE, CHILD },
	{ "mkdir", SERVE, CHILD },
	{ "pidfd_open", SERVE, CHILD },
	{ "openat2", SERVE, CHILD },
	{ "flock", SERVE, CHILD },
	{ "getdents64", SERVE, CHILD },
	{ "bind", SERVE, CHILD },
	{ "listen", SERVE, CHILD },
	{ "accept4", SERVE, CHILD },
	{ "getsockopt", SERVE, CHILD },
	{ "getsockname", SERVE, CHILD },
	{ "recvfrom", SERVE, CHILD },
	{ "recvmmsg", SERVE, CHILD },
	{ "sendmmsg", SERVE, CHILD },
	{ "dup", SERVE, CHILD },
	{ "dup3", SERVE, CHILD },
	{ "eventfd2", SERVE, CHILD },
	{ "epoll_create1", SERVE, CHILD },
	{ "epoll_ctl", SERVE, CHILD },
	{ "epoll_wait", SERVE, CHILD },
	{ "epoll_pwait", SERVE, CHILD },
	{ "ppoll", SERVE, CHILD },
	{ "memfd_create", SERVE, CHILD },
};

#define OWN_CAPS (CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_SETUID) | \
		  CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN))

static const struct surface_fd fds[] = {
	{ 0, "/dev/null", "", 0 },
	{ 1, "pipe:", "the container's output", 0 },
	{ 2, "pipe:", "the log", 0 },
	{ SURFACE_FD_ANY, "/", "program folder, pin folder, cgroup2 root; a scratch cgroup during a self-test", 0 },
	{ SURFACE_FD_ANY, "anon_inode:[signalfd]", "exits of children, SIGTERM", 0 },
	{ SURFACE_FD_ANY, "socket:", "channels to attacher, watcher and gate; a pod's owner socket, kept for a restarted attacher", 0 },
};

const struct surface launcher_surface = {
	.process = "leitwacht (launcher)",
	.comm = "leitwacht",
	.uid = 0,
	.capabilities = OWN_CAPS,
	.bounding = OWN_CAPS,
	.reads = "its options; exits of its children; fixed-size messages of attacher, watcher and gate.",
	.never = "parse anything from outside, talk to a network, execute a program that is not in its own folder.",
	.calls = calls, .call_count = ARRAY_SIZE(calls),
	.fds = fds, .fd_count = ARRAY_SIZE(fds),
};
