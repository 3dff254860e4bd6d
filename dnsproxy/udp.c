/*
 * UDP clients.  Run by the proxy's child; every datagram comes from the pod and
 * is hostile.  An answer leaves from the very address that was asked, which
 * the listener's packet information says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "proxy.h"

#define DATAGRAMS_A_TURN 32	/* then the other sources have their turn */

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static int fd_of(enum client_kind kind)
{
	return kind == CLIENT_UDP4 ? FD_PROXY_UDP4 : FD_PROXY_UDP6;
}

/* The source address for the answer.  An interface is named only where the address alone is not enough. */
static void take_asked(struct client *client, struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			client->asked.v4 = (struct in_pktinfo){ .ipi_spec_dst = info.ipi_addr };
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&client->asked.v6, CMSG_DATA(c), sizeof(client->asked.v6));
			if (!IN6_IS_ADDR_LINKLOCAL(&client->asked.v6.ipi6_addr))
				client->asked.v6.ipi6_ifindex = 0;
		}
	}
}

static ssize_t receive(struct proxy *p, enum client_kind kind, struct client *client)
{
	struct iovec iov = { .iov_base = p->packet, .iov_len = QUERY_MAX + 1 };
	union control control;
	struct msghdr header = { .msg_name = &client->from, .msg_namelen = sizeof(client->from), .msg_iov = &iov,
				 .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	ssize_t size;

	*client = (struct client){ .kind = kind };
	size = recvmsg(fd_of(kind), &header, MSG_DONTWAIT);
	if (size >= 0)
		take_asked(client, &header);
	return size;
}

void udp_readable(struct proxy *p, enum client_kind kind)
{
	struct client client;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t size = receive(p, kind, &client);

		if (size < 0)
			return;
		relay_query(p, &client, p->packet, (size_t)size);
	}
}

static void put_asked(struct msghdr *header, union control *control, const struct client *client)
{
	int v4 = client->kind == CLIENT_UDP4;
	size_t size = v4 ? sizeof(client->asked.v4) : sizeof(client->asked.v6);
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	header->msg_control = control->space;
	header->msg_controllen = CMSG_SPACE(size);
	c = CMSG_FIRSTHDR(header);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), v4 ? (const void *)&client->asked.v4 : (const void *)&client->asked.v6, size);
}

void udp_answer(struct proxy *p, const struct client *client, const uint8_t *bytes, size_t size)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct client to = *client;
	union control control;
	struct msghdr header = { .msg_name = &to.from, .msg_iov = &iov, .msg_iovlen = 1 };

	header.msg_namelen = client->kind == CLIENT_UDP4 ? sizeof(to.from.v4) : sizeof(to.from.v6);
	put_asked(&header, &control, client);
	if (sendmsg(fd_of(client->kind), &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		p->count.dropped++;	/* the pod's own buffer is full, or the asker's address is gone */
}
