/* The filters of zygote and child, tried: each call in a process of its own under the real filter. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "process.h"
#include "unit.h"
#include "../../dnsproxy/filter.h"

static struct sock_fprog child_filter, zygote_filter;

#define BAD 1L		/* a bad pointer: a call that is let through gives EFAULT */
#define HIGH(n) ((1L << 32) | (n))	/* the kernel sees n, a careless filter something else */

struct probe {
	const char *what;
	long number;
	long args[6];
};

#define CALL(name, ...) { #name "(" #__VA_ARGS__ ")", SYS_##name, { __VA_ARGS__ } }

/* 1: the filter let it through; 0: SIGSYS. */
static int allowed(const struct probe *p, int as_child)
{
	pid_t pid = fork();
	int status = -1;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (filter_enter(as_child ? &child_filter : &zygote_filter))
			_exit(99);
		syscall(p->number, p->args[0], p->args[1], p->args[2], p->args[3], p->args[4], p->args[5]);
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "%s: exit %d", p->what, WEXITSTATUS(status));
	return WIFEXITED(status) || WTERMSIG(status) != SIGSYS;
}

static void all(const struct probe *probes, size_t count, int as_child, int want)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* no core for a death that is wanted */
	ck_assert_int_eq(filter_build(&proxy_surface, PHASE_SERVING, &child_filter), 0);
	ck_assert_int_eq(filter_build(&zygote_surface, PHASE_SERVING, &zygote_filter), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(allowed(&probes[i], as_child) == want, "%s: %s", probes[i].what, want ? "denied" : "allowed");
	free(child_filter.filter);
	free(zygote_filter.filter);
}

START_TEST(child_must_not)
{
	static const struct probe probes[] = {
		CALL(socket, AF_INET, SOCK_DGRAM, 0), CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, BAD), CALL(connect, 9, BAD, 16),
		CALL(bind, 4, BAD, 16), CALL(listen, 5, 1), CALL(accept, 5, 0, 0), CALL(accept4, 3, 0, 0, 0),
		CALL(accept4, 9, 0, 0, 0), CALL(shutdown, 4, 2), CALL(getsockopt, 4, 1, 1, BAD, BAD),
		CALL(setsockopt, 4, SOL_SOCKET, SO_MARK, BAD, 4), CALL(setsockopt, 4, IPPROTO_IP, IP_PKTINFO, BAD, 4),
		CALL(setsockopt, 9, IPPROTO_TCP, TCP_REPAIR, BAD, 4),
		CALL(open, BAD, 0), CALL(openat, AT_FDCWD, BAD, 0), CALL(openat2, AT_FDCWD, BAD, BAD, 24), CALL(creat, BAD, 0),
		CALL(execve, BAD, 0, 0), CALL(execveat, AT_FDCWD, BAD, 0, 0, 0), CALL(clone, SIGCHLD, 0, 0, 0, 0), CALL(fork),
		CALL(vfork), CALL(clone3, BAD, 88), CALL(kill, 1, 0), CALL(tkill, 1, 0), CALL(tgkill, 1, 1, 0),
		CALL(pidfd_open, 1, 0), CALL(pidfd_send_signal, 9, 0, 0, 0), CALL(pidfd_getfd, 9, 1, 0), CALL(ptrace, 16, 1, 0, 0),
		CALL(process_vm_readv, 1, BAD, 1, BAD, 1, 0), CALL(process_vm_writev, 1, BAD, 1, BAD, 1, 0), CALL(dup, 4),
		CALL(dup2, 9, 4), CALL(dup3, 9, 4, 0), CALL(fcntl, 4, F_DUPFD, 10), CALL(fcntl, 4, F_DUPFD_CLOEXEC, 10),
		CALL(fcntl, 4, F_SETFL, 0), CALL(close_range, 3, 7, 0), CALL(ioctl, 4, 0x8902, BAD),
		CALL(sendmsg, FD_PROXY_ATTACHER, BAD, 0), CALL(sendmsg, FD_PROXY_TCP4, BAD, 0), CALL(sendmsg, 9, BAD, 0),
		CALL(sendmsg, 62, BAD, 0), CALL(sendmsg, HIGH(4), BAD, 0), CALL(sendmmsg, 4, BAD, 1, 0), CALL(recvmmsg, 9, BAD, 1, 0, 0), CALL(sendmmsg, 9, BAD, 1, 0),
		CALL(sendto, 9, BAD, 1, 0, BAD, 16), CALL(sendto, 4, BAD, 1, 0, BAD, 16), CALL(sendto, 9, BAD, 1, 0, HIGH(0), 16),
		CALL(write, 9, BAD, 1), CALL(write, 1, BAD, 1), CALL(writev, 2, BAD, 1), CALL(read, 3, BAD, 1),
		CALL(sendfile, 9, 9, 0, 1), CALL(splice, 9, 0, 9, 0, 1, 0), CALL(io_uring_setup, 1, BAD),
		CALL(close, 0), CALL(close, 2), CALL(close, 3), CALL(close, 4), CALL(close, 5), CALL(close, 6), CALL(close, 7),
		CALL(close, HIGH(4)), CALL(close, HIGH(7)),
		CALL(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, 4, 0), CALL(mprotect, 0, 4096, PROT_READ | PROT_EXEC),
		CALL(pkey_mprotect, 0, 4096, PROT_EXEC, -1), CALL(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0), CALL(prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0),
		CALL(epoll_create1, 0), CALL(prctl, HIGH(PR_SET_NAME), BAD),
		CALL(seccomp, 1, 0, BAD), CALL(bpf, 0, BAD, 8), CALL(setns, 9, 0), CALL(unshare, 0), CALL(mount, BAD, BAD, BAD, 0, 0),
		CALL(chroot, BAD), CALL(setuid, 0), CALL(capset, BAD, BAD), CALL(memfd_create, BAD, 0), CALL(userfaultfd, 0),
		CALL(rt_sigaction, 2, 0, 0, 8), CALL(rt_sigreturn), CALL(epoll_pwait2, 9, BAD, 1, 0, 0, 8), CALL(unlink, BAD),
		CALL(keyctl, 0), CALL(perf_event_open, BAD), CALL(getppid),
	};

	all(probes, sizeof(probes) / sizeof(probes[0]), 1, 0);
}
END_TEST

START_TEST(child_may)
{
	static const struct probe probes[] = {
		CALL(recvmsg, 4, BAD, 0), CALL(recvfrom, 9, BAD, 1, 0, 0, 0),
		CALL(sendmsg, FD_PROXY_UDP4, BAD, 0), CALL(sendmsg, FD_PROXY_UDP6, BAD, 0), CALL(sendto, 9, BAD, 1, 0, 0, 0),
		CALL(sendto, 3, BAD, 1, 0, 0, 0), CALL(accept4, 5, BAD, BAD, 0), CALL(accept4, 7, BAD, BAD, 0),
		CALL(setsockopt, 9, IPPROTO_TCP, TCP_NODELAY, BAD, 4), CALL(close, 8), CALL(close, 9), CALL(close, 15),
		CALL(close, 16), CALL(close, 100), CALL(close, 255), CALL(close, 256), CALL(close, 1000), CALL(prctl, PR_SET_NAME, BAD),
		CALL(epoll_ctl, 8, 1, 9, BAD), CALL(epoll_wait, 8, BAD, 1, 0), CALL(getrandom, BAD, 1, 0), CALL(clock_gettime, 1, BAD),
		CALL(write, 2, BAD, 1), CALL(brk, 0), CALL(mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		CALL(mremap, BAD, 0, 0, 0, 0), CALL(munmap, BAD, 0),
	};

	all(probes, sizeof(probes) / sizeof(probes[0]), 1, 1);
}
END_TEST

START_TEST(zygote_must_not)
{
	static const struct probe probes[] = {
		CALL(socket, AF_INET, SOCK_DGRAM, 0), CALL(socketpair, AF_INET, 1, 0, BAD), CALL(connect, 9, BAD, 16), CALL(bind, 9, BAD, 16), CALL(openat, AT_FDCWD, BAD, 0),
		CALL(execve, BAD, 0, 0), CALL(clone, SIGCHLD, 0, 0, 0, 0), CALL(clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0),
		CALL(clone3, BAD, 88), CALL(fork), CALL(kill, 1, 0), CALL(tgkill, 1, 1, 0), CALL(ptrace, 16, 1, 0, 0),
		CALL(pidfd_getfd, 9, 1, 0), CALL(pidfd_send_signal, 9, 0, 0, 0), CALL(sendmsg, 9, BAD, 0),
		CALL(sendto, 9, BAD, 1, 0, BAD, 16), CALL(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0), CALL(chroot, BAD), CALL(capset, BAD, BAD),
		CALL(mmap, 0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), CALL(mprotect, 0, 4096, PROT_EXEC),
		CALL(bpf, 0, BAD, 8), CALL(setns, 9, 0), CALL(unshare, 0), CALL(memfd_create, BAD, 0), CALL(dup2, 9, 4), CALL(read, 3, BAD, 1),
	};

	all(probes, sizeof(probes) / sizeof(probes[0]), 0, 0);
}
END_TEST

START_TEST(zygote_may)
{
	static const struct probe probes[] = {
		CALL(sendmsg, FD_ZYGOTE_ATTACHER, BAD, 0), CALL(sendmsg, 62, BAD, 0), CALL(socketpair, AF_UNIX, 1, 0, BAD), CALL(pidfd_open, -1, 0), CALL(waitid, 0, 0, BAD, 5, 0), CALL(dup3, 99, 98, 0),
		CALL(close, 4), CALL(close_range, 8, -1, 0), CALL(epoll_create1, 0), CALL(seccomp, 1, 0, BAD),
		CALL(ppoll, BAD, 1, 0, 0, 0),
	};

	all(probes, sizeof(probes) / sizeof(probes[0]), 0, 1);
}
END_TEST

UNIT_MAIN("dns_surface", child_must_not, child_may, zygote_must_not, zygote_may)
