/*
 * The surface of the zygote and of its children (surface.h): what each may
 * call.  The zygote's filters stay on its children, so its serving table holds
 * the child's; the macro PROXY_CALLS says them once.
 */
#include <linux/prctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "process.h"
#include "spare.h"
#include "surface_rows.h"
#include "filter.h"

#define SERVE PHASE_SERVING
#define FORK_FLAGS (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD)

/* A descriptor with this bit set is none of 0 to 7.  (A comparison would look at 64 bits where the kernel looks at 32.) */
#define CLOSE_WITH_BIT(bit) \
	{ "close", SERVE, "what came and went; never a listener or the channel", \
	  { { ARG_MASKED_EQ, 0, bit, bit, "fd > 7 (bit " #bit ")" } } }

#define PROXY_CALLS \
	{ "recvmsg", SERVE, "clients' datagrams, the channel", { { 0 } } }, \
	{ "recvfrom", SERVE, "upstreams, TCP clients", { { 0 } } }, \
	{ "sendmsg", SERVE, "answers over UDP: the only calls with an address", \
	  { { ARG_EQ, 0, FD_PROXY_UDP4, 0, "fd is the IPv4 UDP listener" } } }, \
	{ "sendmsg", SERVE, "the same", { { ARG_EQ, 0, FD_PROXY_UDP6, 0, "fd is the IPv6 UDP listener" } } }, \
	{ "sendto", SERVE, "questions to upstreams, answers over TCP, the channel", \
	  { { ARG_EQ, 4, 0, 0, "no address" } } }, \
	{ "accept4", SERVE, "TCP clients", { { ARG_EQ, 0, FD_PROXY_TCP4, 0, "fd is the IPv4 TCP listener" } } }, \
	{ "accept4", SERVE, "TCP clients", { { ARG_EQ, 0, FD_PROXY_TCP6, 0, "fd is the IPv6 TCP listener" } } }, \
	{ "setsockopt", SERVE, "small answers leave at once", \
	  { { ARG_EQ, 1, IPPROTO_TCP, 0, "level TCP" }, { ARG_EQ, 2, TCP_NODELAY, 0, "option NODELAY" } } }, \
	CLOSE_WITH_BIT(8), CLOSE_WITH_BIT(16), CLOSE_WITH_BIT(32), CLOSE_WITH_BIT(64), CLOSE_WITH_BIT(128), \
	CLOSE_WITH_BIT(256), CLOSE_WITH_BIT(512), \
	{ "prctl", SERVE, "its name, once it has its pod", { { ARG_EQ, 0, PR_SET_NAME, 0, "PR_SET_NAME" } } }, \
	{ "epoll_ctl", SERVE, "the child's event loop", { { 0 } } }, \
	{ "epoll_wait", SERVE, "the child's event loop", { { 0 } } }, \
	{ "epoll_pwait", SERVE, "the same where libc has no epoll_wait", { { 0 } } }, \
	{ "getrandom", SERVE, "ids and the choice of a socket; libc's heap", { { 0 } } }, \
	{ "clock_gettime", SERVE, "where the vDSO can't answer", { { 0 } } }, \
	{ "write", SERVE, "the log", { { ARG_EQ, 0, 2, 0, "fd is stderr" } } }, \
	{ "brk", SERVE, "memory", { { 0 } } }, \
	{ "mmap", SERVE, "memory", \
	  { { ARG_MASKED_EQ, 2, 0, PROT_EXEC, "not executable" }, \
	    { ARG_MASKED_EQ, 3, MAP_ANONYMOUS, MAP_ANONYMOUS, "no file" } } }, \
	{ "mremap", SERVE, "memory", { { 0 } } }, \
	{ "munmap", SERVE, "memory", { { 0 } } }, \
	{ "restart_syscall", SERVE, "a stopped and continued process", { { 0 } } }, \
	{ "exit_group", SERVE, "the end", { { 0 } } }

static const struct surface_call zygote_calls[] = {
	PROXY_CALLS,

	/* one child a pod, made in advance */
	{ "socketpair", SERVE, "to hand a child its pod", { { ARG_EQ, 0, AF_UNIX, 0, "AF_UNIX" } } },
	{ "sendmsg", SERVE, "the pod's descriptors", { { ARG_EQ, 0, FD_SPARE, 0, "fd is the spare child's" } } },
	{ "clone", SERVE, "fork", { { ARG_EQ, 0, FORK_FLAGS, 0, "flags of fork: no thread, no namespace" } } },
	{ "set_robust_list", SERVE, "libc's fork", { { 0 } } },
	{ "pidfd_open", SERVE, "the child's pidfd for the attacher", { { 0 } } },
	{ "waitid", SERVE, "children that ended", { { 0 } } },
	{ "rt_sigaction", SERVE, "to hear of them", { { 0 } } },
	{ "rt_sigprocmask", SERVE, "to hear of them", { { 0 } } },
	{ "rt_sigreturn", SERVE, "to hear of them", { { 0 } } },
	{ "ppoll", SERVE, "waiting for the attacher", { { 0 } } },
	{ "sendmsg", SERVE, "SPAWNED with the pidfd", { { ARG_EQ, 0, FD_ZYGOTE_ATTACHER, 0, "fd is the channel" } } },
	{ "close", SERVE, "descriptors of a message, once handed on", { { 0 } } },

	/* in the child, before its own filter */
	{ "prctl", SERVE, "the child ends with the zygote", { { ARG_EQ, 0, PR_SET_PDEATHSIG, 0, "PR_SET_PDEATHSIG" } } },
	{ "getpid", SERVE, "the same", { { 0 } } },
	{ "getppid", SERVE, "the same", { { 0 } } },
	{ "epoll_create1", SERVE, "the child's event loop", { { 0 } } },
	{ "dup3", SERVE, "descriptors to their fixed numbers", { { 0 } } },
	{ "close_range", SERVE, "everything else closed", { { 0 } } },
	{ "seccomp", SERVE, "the child's own filter on top", { { 0 } } },

	SURFACE_CONFINE_ROWS,
};

static const struct surface_call proxy_calls[] = { PROXY_CALLS };

static const struct surface_fd zygote_fds[] = {
	{ 0, "/dev/null", "stdin", 0 },
	{ 1, "pipe:", "stdout", 0 },
	{ 2, "pipe:", "the log", 0 },
	{ FD_ZYGOTE_ATTACHER, "socket:", "channel to the attacher", 0 },
	{ FD_SPARE, "socket:", "to the child made in advance", 1 },
	{ FD_SPARE_PIDFD, "anon_inode:[pidfd]", "the child made in advance", 1 },
};

static const struct surface_fd spare_fds[] = {
	{ 0, "/dev/null", "stdin", 0 },
	{ 1, "pipe:", "stdout", 0 },
	{ 2, "pipe:", "the log", 0 },
	{ FD_PROXY_EPOLL, "anon_inode:[eventpoll]", "event loop", 0 },
	{ FD_SPARE_ZYGOTE, "socket:", "to the zygote", 0 },
};

static const struct surface_fd proxy_fds[] = {
	{ 0, "/dev/null", "stdin", 0 },
	{ 1, "pipe:", "stdout", 0 },
	{ 2, "pipe:", "the log", 0 },
	{ FD_PROXY_ATTACHER, "socket:", "channel to the attacher", 0 },
	{ FD_PROXY_UDP4, "socket:", "UDP listener in the pod, IPv4, or a plug", 0 },
	{ FD_PROXY_TCP4, "socket:", "TCP listener in the pod, IPv4, or a plug", 0 },
	{ FD_PROXY_UDP6, "socket:", "UDP listener in the pod, IPv6, or a plug", 0 },
	{ FD_PROXY_TCP6, "socket:", "TCP listener in the pod, IPv6, or a plug", 0 },
	{ FD_PROXY_EPOLL, "anon_inode:[eventpoll]", "event loop", 0 },
	{ SURFACE_FD_ANY, "socket:", "TCP clients, sockets to upstreams", 1 },
};

const struct surface zygote_surface = {
	.process = "leitwacht-dnsproxy",
	.comm = "lw-dnsproxy",
	.uid = UID_DNSPROXY,
	.chrooted = 1,
	.reads = "fixed-size messages of the attacher.",
	.never = "reads a byte of a pod or of an upstream; makes a socket, opens a file, executes.",
	.calls = zygote_calls, .call_count = ARRAY_SIZE(zygote_calls),
	.fds = zygote_fds, .fd_count = ARRAY_SIZE(zygote_fds),
};

/* Not yet a pod's, and already in a proxy's filter. */
static const struct surface spare_surface = {
	.process = "leitwacht-dnsproxy (spare child)",
	.comm = "lw-dnsspare",
	.uid = UID_DNSPROXY,
	.chrooted = 1,
	.reads = "one message of the zygote.",
	.never = "reads more before it has its pod.",
	.calls = proxy_calls, .call_count = ARRAY_SIZE(proxy_calls),
	.fds = spare_fds, .fd_count = ARRAY_SIZE(spare_fds),
};

const struct surface proxy_surface = {
	.process = "leitwacht-dnsproxy (child)",
	.comm = "lw-dns-",
	.uid = UID_DNSPROXY,
	.chrooted = 1,
	.reads = "DNS from the pod and from upstreams, both hostile; fixed-size messages of the attacher.",
	.never = "makes, connects or duplicates a socket, opens a file, executes, signals; sends to an address of its own "
		 "choice except as an answer from a listener; closes a listener.",
	.calls = proxy_calls, .call_count = ARRAY_SIZE(proxy_calls),
	.fds = proxy_fds, .fd_count = ARRAY_SIZE(proxy_fds),
};

const struct surface *const surface_tables[] = { &zygote_surface, &spare_surface, &proxy_surface, NULL };
