/*
 * The zygote: an unprivileged process that has set up ldns and libcrypto once
 * and forks one child a pod, so that the pods share that memory.  It holds one
 * channel, and the ends of a child made in advance; what comes on the channel is
 * checked by channel_receive().  It reads nothing of a pod or of an upstream.
 * When the attacher goes, it goes, and its children with it: one that is owned would
 * else hold its pod's network namespace for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "channel.h"
#include "clock.h"
#include "log.h"
#include "spare.h"
#include "zygote.h"

#define SPARE_AFTER_NS (10 * NS_PER_MS)	/* a fork must not compete with the child that an attach waits for */

struct zygote {
	struct channel channel;
	const struct sock_fprog *child_filter;
	struct spare spare;
	int resting;	/* the last child could not be made: not again before it is needed */
};

static int make_spare(struct zygote *z)
{
	int error = z->spare.pid ? 0 : spare_make(&z->spare, z->child_filter);

	z->resting = error != 0;
	if (error)
		log_event(LOG_ERROR, "no child could be made", log_errno(error));
	return error;
}

/* Give the pod to the spare child, or to one made now.  0 or -errno. */
static int give(struct zygote *z, const struct received *in)
{
	int error = spare_send(&z->spare, &in->m.spawn, in->fds);

	if (!error)
		return 0;
	spare_forget(&z->spare);	/* there was none, or it has died */
	error = make_spare(z);
	return error ? error : spare_send(&z->spare, &in->m.spawn, in->fds);
}

static int in_range(const struct msg_spawn *spawn)
{
	return spawn->slot && spawn->families && spawn->families <= 3;
}

static void on_spawn(struct zygote *z, const struct received *in)
{
	const struct msg_spawn *spawn = &in->m.spawn;
	struct msg_spawned spawned = MESSAGE(SPAWNED, spawned);
	struct msg_spawn_failed failed = MESSAGE(SPAWN_FAILED, spawn_failed);
	const int pidfd = FD_SPARE_PIDFD;
	int error = in_range(spawn) ? give(z, in) : -EINVAL;

	spawned.slot = failed.slot = spawn->slot;
	spawned.attempt = failed.attempt = spawn->attempt;
	spawned.pid = (uint32_t)z->spare.pid;
	failed.error = error;
	if (error)
		channel_send(&z->channel, &failed, NULL);
	else
		error = channel_send(&z->channel, &spawned, &pidfd);
	if (error)
		log_event(LOG_ERROR, "spawn failed", log_int("slot", spawn->slot), log_errno(error));
	if (in_range(spawn))
		spare_forget(&z->spare);
}

static void reap(void)
{
	siginfo_t info = { 0 };

	while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG) && info.si_pid) {
		if (info.si_code != CLD_EXITED || info.si_status)
			/* SIGKILL is the launcher's, for a pod that ended */
			log_event(info.si_status == SIGKILL ? LOG_INFO : LOG_ERROR, "proxy child died", log_int("pid", info.si_pid),
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

/* Until something comes; in a quiet moment the next child is made. */
static void wait_or_prepare(struct zygote *z, const sigset_t *while_waiting)
{
	struct pollfd readable = { .fd = z->channel.fd, .events = POLLIN };
	const struct timespec moment = { .tv_nsec = SPARE_AFTER_NS };

	if (!ppoll(&readable, 1, z->spare.pid || z->resting ? NULL : &moment, while_waiting))
		make_spare(z);
}

int zygote_run(const struct sock_fprog *child_filter)
{
	struct zygote z = { { FD_ZYGOTE_ATTACHER, P_ZYGOTE, P_ATTACHER, ST_READY }, child_filter, { 0 } };
	struct received in;
	sigset_t while_waiting;
	struct msg_hello hello = MESSAGE(HELLO, hello);
	int got = hear_of_children(&while_waiting);

	if (!got)
		make_spare(&z);
	if (!got)
		got = channel_send(&z.channel, &hello, NULL);
	while (got >= 0) {
		got = channel_receive(&z.channel, &in);
		if (got > 0) {
			on_spawn(&z, &in);
			received_drop(&in);
		} else if (!got) {
			wait_or_prepare(&z, &while_waiting);
		}
		reap();
	}
	log_event(got == -EPIPE ? LOG_INFO : LOG_ERROR, "zygote ends", log_errno(got));
	return got == -EPIPE ? 0 : 1;
}
