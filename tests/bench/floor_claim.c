/* The calls of an attach around the claim's process: checking it, watching its pod cgroup, handing descriptors over. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "floor.h"

static int cgroup_root, epoll;
static int peer[2];			/* stands for launcher and zygote: what is sent here is read after the round */

void floor_claim_prepare(void)
{
	cgroup_root = floor_must(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "/sys/fs/cgroup");
	epoll = floor_must(epoll_create1(EPOLL_CLOEXEC), "epoll");
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	floor_must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void read_cgroup(uint32_t pid)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	fd = floor_must(open(path, O_RDONLY | O_CLOEXEC), path);
	floor_must((int)read(fd, text, sizeof(text) - 1), path);
	close(fd);
}

void floor_claim(struct round *round)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	struct claimed *claim = &round->claim;
	struct pollfd alive;
	char path[64];
	struct stat st;

	claim->pidfd = floor_must((int)syscall(SYS_pidfd_open, round->pid, 0), "pidfd");
	read_cgroup(round->pid);
	claim->cgroup_fd = floor_must((int)syscall(SYS_openat2, cgroup_root, round->path, &how, sizeof(how)), round->path);
	floor_must(fstat(claim->cgroup_fd, &st), "pod cgroup");
	round->cgroup_id = st.st_ino;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", round->pid);
	floor_must(stat(path, &st), path);
	alive = (struct pollfd){ .fd = claim->pidfd, .events = POLLIN };
	errno = ESRCH;
	if (poll(&alive, 1, 0))
		floor_fail("the pod's process");
}

void floor_claim_close(struct claimed *claim)
{
	close(claim->pidfd);
	close(claim->cgroup_fd);
}

void floor_watch_cgroup(struct round *round)
{
	round->events_fd = floor_must(openat(round->claim.cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC), "cgroup.events");
	watch(round->events_fd, EPOLLPRI);
}

void floor_hand_prepare(void)
{
	floor_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, peer), "socketpair");
}

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * (1 + FLOOR_LISTENERS))];
};

static void send_fds(const void *message, size_t size, const int *fds, size_t count)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)message, .iov_len = size };
	union control control = { 0 };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	floor_must((int)sendmsg(peer[0], &header, MSG_NOSIGNAL | MSG_DONTWAIT), "sendmsg");
}

void floor_hand_over(struct round *round)
{
	struct msg_keep keep = { 0 };
	struct msg_spawn spawn = { 0 };
	int ends[2], fds[1 + FLOOR_LISTENERS];

	send_fds(&keep, sizeof(keep), &round->owner_fd, 1);
	floor_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), "socketpair");
	fds[0] = ends[1];
	memcpy(fds + 1, round->listeners, sizeof(round->listeners));
	send_fds(&spawn, sizeof(spawn), fds, 1 + FLOOR_LISTENERS);
	close(ends[1]);
	round->proxy_fd = ends[0];
	watch(round->proxy_fd, EPOLLIN);
}

/* Too little room for the descriptors: the kernel closes them. */
void floor_hand_undo(struct round *round)
{
	char message[256];

	while (recv(peer[1], message, sizeof(message), 0) > 0)
		;
	close(round->proxy_fd);
}
