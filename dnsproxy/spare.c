/*
 * The child made in advance (spare.h), and its way to a pod's proxy.  Until it
 * has its pod it reads one message of the zygote and nothing else; its filter
 * stands before that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "filter.h"
#include "log.h"
#include "proxy.h"
#include "spare.h"

/* Linux gives the lowest free numbers in order: with 3 to 7 free, five descriptors of one message land there. */
static void check_numbers(const struct received *in)
{
	for (unsigned i = 0; i < MSG_FDS_MAX; i++)
		if (in->fd_count != MSG_FDS_MAX || in->fds[i] != FD_PROXY_ATTACHER + (int)i)
			log_fatal("descriptors did not land on their numbers", -EBADF);
}

static void rename_to(const char *format, unsigned long long slot)
{
	char name[16];

	snprintf(name, sizeof(name), format, slot);
	if (prctl(PR_SET_NAME, name, 0, 0, 0))
		log_fatal("name", -errno);
}

/* Only the log, the loop and the way to the zygote stay: its channel is gone before anything is read. */
static void keep_only(int end)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll < 0 || dup3(epoll, FD_PROXY_EPOLL, O_CLOEXEC) < 0 || dup3(end, FD_SPARE_ZYGOTE, O_CLOEXEC) < 0)
		log_fatal("descriptors", -errno);
	if (close_range(FD_PROXY_ATTACHER, FD_PROXY_EPOLL - 1, 0) || close_range(FD_SPARE_ZYGOTE + 1, ~0U, 0))
		log_fatal("descriptors", -errno);
	if (epoll_ctl(FD_PROXY_EPOLL, EPOLL_CTL_ADD, FD_SPARE_ZYGOTE, &event))
		log_fatal("epoll_ctl", -errno);
}

/* With the zygote goes the attacher: a child that is owned would else hold its pod's network namespace for ever. */
static void end_with(pid_t zygote)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		log_fatal("death signal", -errno);
	if (getppid() != zygote)
		_exit(0);	/* it died before the request stood */
}

/* From here on it has the proxy's own filter; its pages are faulted in now, not while a pod waits. */
static void prepare(int end, const struct sock_fprog *filter, pid_t zygote)
{
	int error;

	end_with(zygote);
	keep_only(end);
	rename_to("lw-dnsspare%.0llu", 0);
	if (packet_warm_up())
		log_fatal("warm up", -EINVAL);
	error = filter_enter(filter);
	if (error)
		log_fatal("filter", error);
}

static void serve(int end, const struct sock_fprog *filter, pid_t zygote) __attribute__((noreturn));
static void serve(int end, const struct sock_fprog *filter, pid_t zygote)
{
	static struct proxy proxy;	/* the child's; the zygote never touches it */
	/* the zygote hands on the attacher's message as it came, so it is checked here once more */
	struct channel channel = { FD_SPARE_ZYGOTE, P_ZYGOTE, P_ATTACHER, ST_READY };
	struct epoll_event event;
	struct received in;
	int got;

	prepare(end, filter, zygote);
	while (!(got = channel_receive(&channel, &in)))
		epoll_wait(FD_PROXY_EPOLL, &event, 1, -1);
	if (got < 0)
		_exit(got == -EPIPE ? 0 : 1);	/* the zygote has gone */
	check_numbers(&in);
	close(FD_SPARE_ZYGOTE);
	rename_to("lw-dns-%llu", in.m.spawn.slot);
	_exit(proxy_run(&proxy, in.m.spawn.slot, in.m.spawn.families));
}

/* 0 or -errno; `fd` is closed either way. */
static int place(int fd, int number)
{
	int error = fd < 0 || dup3(fd, number, O_CLOEXEC) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

int spare_make(struct spare *spare, const struct sock_fprog *child_filter)
{
	pid_t zygote = getpid();
	int ends[2], error = channel_pair(ends);

	if (error)
		return error;
	spare->pid = fork();
	if (!spare->pid)
		serve(ends[1], child_filter, zygote);
	error = spare->pid < 0 ? -errno : 0;
	close(ends[1]);
	if (error)
		spare->pid = 0;
	else	/* it stays ours until it is reaped, so its number can't be another process's */
		error = place((int)syscall(SYS_pidfd_open, spare->pid, 0), FD_SPARE_PIDFD);
	if (error)
		close(ends[0]);
	else
		error = place(ends[0], FD_SPARE);
	if (error)
		spare_forget(spare);	/* the child, if there is one, hears it by its channel */
	return error;
}

int spare_send(const struct spare *spare, const struct msg_spawn *spawn, const int fds[MSG_FDS_MAX])
{
	struct channel channel = { FD_SPARE, P_ATTACHER, P_ZYGOTE, ST_READY };

	return spare->pid ? channel_send(&channel, spawn, fds) : -EPIPE;
}

void spare_forget(struct spare *spare)
{
	if (!spare->pid)
		return;
	close(FD_SPARE);
	close(FD_SPARE_PIDFD);
	spare->pid = 0;
}
