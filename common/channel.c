/*
 * Sending and receiving messages with descriptors.  Run by every process; the
 * bytes that come in are hostile and are checked here, once, before a handler
 * sees them.  Never blocks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "channel.h"
#include "cleanup.h"
#include "log.h"

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
};

int channel_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ? -errno : 0;
}

static void put_fds(struct msghdr *header, union control *control, const int *fds, unsigned count)
{
	struct cmsghdr *cmsg;

	memset(control, 0, sizeof(*control));
	header->msg_control = control->space;
	header->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	cmsg = CMSG_FIRSTHDR(header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
}

int channel_send(const struct channel *channel, const void *message, const int *fds)
{
	const struct message_row *row = message_row(((const struct msg_header *)message)->type);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)message };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;

	if (!row || !(row->senders & channel->self) || !(row->receivers & channel->peer))
		return -EINVAL;
	if (channel->fd < 0)
		return -EPIPE;
	iov.iov_len = row->size;
	if (row->fds)
		put_fds(&header, &control, fds, row->fds);
	if (row->fds ? sendmsg(channel->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
		     : send(channel->fd, message, row->size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* Collect the descriptors that came; how many were beyond what any message takes (closed here). */
static unsigned get_fds(struct msghdr *header, struct received *in)
{
	unsigned beyond = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (in->fd_count < MSG_FDS_MAX) {
				in->fds[in->fd_count++] = fd;
			} else {
				close(fd);
				beyond++;
			}
		}
	}
	return beyond;
}

static int broken(const struct channel *channel, struct received *in, const char *why)
{
	received_drop(in);
	log_event(LOG_ERROR, "peer broke the message contract", log_str("check", why),
		  log_int("type", in->m.h.type), log_int("peer", channel->peer));
	return -EBADMSG;
}

int channel_receive(const struct channel *channel, struct received *in)
{
	struct iovec iov = { .iov_base = &in->m, .iov_len = sizeof(in->m) };
	union control control;
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
				 .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	const char *why;
	unsigned beyond;
	ssize_t size;

	in->fd_count = 0;
	in->m.h = (struct msg_header){ 0 };
	if (channel->fd < 0)
		return -EPIPE;
	size = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno == ECONNRESET ? -EPIPE : -errno;
	beyond = get_fds(&header, in);
	if (size == 0) {	/* end of file; no message of ours is empty */
		received_drop(in);
		return -EPIPE;
	}
	if (beyond || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return broken(channel, in, "truncated");
	if (message_check(&in->m, (size_t)size, in->fd_count, channel->peer, channel->self, channel->state, &why))
		return broken(channel, in, why);
	return 1;
}

void received_drop(struct received *in)
{
	for (unsigned i = 0; i < in->fd_count; i++)
		drop_fd(&in->fds[i]);
	in->fd_count = 0;
}
