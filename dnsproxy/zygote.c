/*
 * The zygote: an unprivileged process that has set up ldns and libcrypto once
 * and forks one child a pod, so that the pods share that memory.  It holds one
 * channel and nothing else; what comes on it is checked by channel_receive().
 * It reads nothing of a pod or of an upstream.  When the attacher goes, it goes;
 * its children each end by their own channel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "channel.h"
#include "cleanup.h"
#include "filter.h"
#include "log.h"
#include "proxy.h"
#include "zygote.h"

#define PARKED 64	/* numbers above all that come by message */

static void fixed_numbers(const int fds[MSG_FDS_MAX])
{
	for (int i = 0; i < MSG_FDS_MAX; i++)
		if (dup3(fds[i], PARKED + i, O_CLOEXEC) < 0)
			log_fatal("dup3", -errno);
	for (int i = 0; i < MSG_FDS_MAX; i++)
		if (dup3(PARKED + i, FD_PROXY_ATTACHER + i, O_CLOEXEC) < 0)
			log_fatal("dup3", -errno);
	if (close_range(FD_PROXY_FIRST_FREE, ~0U, 0))
		log_fatal("close_range", -errno);
}

/* In the child: the zygote's channel is gone before a byte is read. */
static void become_proxy(const struct msg_spawn *spawn, const int fds[MSG_FDS_MAX], const struct sock_fprog *filter)
{
	static struct proxy proxy;	/* the child's; the zygote never touches it */
	char name[16];
	int error;

	fixed_numbers(fds);
	snprintf(name, sizeof(name), "lw-dns-%llu", (unsigned long long)spawn->slot);
	if (prctl(PR_SET_NAME, name, 0, 0, 0))
		log_fatal("name", -errno);
	error = filter_enter(filter);
	if (error)
		log_fatal("filter", error);
	_exit(proxy_run(&proxy, spawn->slot, spawn->families));
}

/* pidfd of the new child, or -errno. */
static int spawn_child(const struct msg_spawn *spawn, const int fds[MSG_FDS_MAX], const struct sock_fprog *filter,
		       pid_t *pid)
{
	int pidfd;

	*pid = fork();
	if (*pid < 0)
		return -errno;
	if (!*pid)
		become_proxy(spawn, fds, filter);
	/* it stays ours until reap(), so the number can't be another process's */
	pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

static void on_spawn(const struct channel *channel, const struct received *in, const struct sock_fprog *filter)
{
	const struct msg_spawn *spawn = &in->m.spawn;
	struct msg_spawned spawned = MESSAGE(SPAWNED, spawned);
	struct msg_spawn_failed failed = MESSAGE(SPAWN_FAILED, spawn_failed);
	pid_t pid = 0;
	autoclose pidfd = spawn->slot && spawn->families && spawn->families <= 3 ?
		spawn_child(spawn, in->fds, filter, &pid) : -EINVAL;
	int error;

	spawned.slot = failed.slot = spawn->slot;
	spawned.pid = (uint32_t)pid;
	failed.error = pidfd;
	error = pidfd < 0 ? channel_send(channel, &failed, NULL) : channel_send(channel, &spawned, &pidfd);
	if (error || pidfd < 0)
		log_event(LOG_ERROR, "spawn failed", log_int("slot", spawn->slot), log_errno(pidfd < 0 ? pidfd : error));
}

static void reap(void)
{
	siginfo_t info = { 0 };

	while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG) && info.si_pid) {
		if (info.si_code != CLD_EXITED || info.si_status)
			log_event(LOG_ERROR, "proxy child died", log_int("pid", info.si_pid),
				  log_str("how", info.si_code == CLD_EXITED ? "exit status" : "signal"),
				  log_int("number", info.si_status));
		info.si_pid = 0;
	}
}

/* Only so that ppoll() returns. */
static void on_child(int number)
{
	(void)number;
}

static int hear_of_children(sigset_t *while_waiting)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigemptyset(while_waiting);
	return sigaction(SIGCHLD, &action, NULL) || sigprocmask(SIG_BLOCK, &blocked, NULL) ? -errno : 0;
}

int zygote_run(const struct sock_fprog *child_filter)
{
	struct channel channel = { FD_ZYGOTE_ATTACHER, P_ZYGOTE, P_ATTACHER, ST_READY };
	struct pollfd readable = { .fd = channel.fd, .events = POLLIN };
	struct received in;
	sigset_t while_waiting;
	int got = hear_of_children(&while_waiting);

	while (got >= 0) {
		got = channel_receive(&channel, &in);
		if (got > 0) {
			on_spawn(&channel, &in, child_filter);
			received_drop(&in);
		} else if (!got) {
			ppoll(&readable, 1, NULL, &while_waiting);
		}
		reap();
	}
	log_event(got == -EPIPE ? LOG_INFO : LOG_ERROR, "zygote ends", log_errno(got));
	return got == -EPIPE ? 0 : 1;
}
