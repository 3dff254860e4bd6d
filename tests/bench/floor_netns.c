/* The calls of an attach that look at the claim's process and that work in its network namespace. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "floor.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71		/* linux 5.14 */
#endif

static int own_netns;
static const struct sockaddr_in v4 = { .sin_family = AF_INET };
static const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

void floor_netns_prepare(void)
{
	own_netns = floor_must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "own network namespace");
}

void floor_netns_enter(int pidfd)
{
	floor_must(setns(pidfd, CLONE_NEWNET), "setns");
}

void floor_netns_leave(void)
{
	floor_must(setns(own_netns, CLONE_NEWNET), "setns back");
}

static void find_uplink(const struct nlmsghdr *h, uint32_t *uplink)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);

	if (!(link->ifi_flags & IFF_LOOPBACK) && (link->ifi_flags & IFF_UP) && !*uplink)
		*uplink = (uint32_t)link->ifi_index;
}

uint32_t floor_netns_uplink(void)
{
	struct { struct nlmsghdr h; struct ifinfomsg link; } request = {
		.h = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	char reply[32768];
	int fd = floor_must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "route socket");
	uint32_t uplink = 0;
	int ended = 0;

	floor_must((int)send(fd, &request, sizeof(request), 0), "links asked for");
	while (!ended) {
		int left = floor_must((int)recv(fd, reply, sizeof(reply), 0), "links");

		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			ended |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == RTM_NEWLINK)
				find_uplink(h, &uplink);
		}
	}
	close(fd);
	return uplink;
}

static void on(int fd, int level, int option)
{
	static const int one = 1;

	floor_must(setsockopt(fd, level, option, &one, sizeof(one)), "socket option");
}

static int listener(int family, int type)
{
	struct sockaddr_in address4 = v4;
	struct sockaddr_in6 address6 = v6;
	int fd = floor_must(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "listener");

	address4.sin_port = address6.sin6_port = htons(LW_DNS_PORT);
	if (family == AF_INET6)
		on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (type == SOCK_DGRAM)
		on(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, family == AF_INET6 ? IPV6_RECVPKTINFO : IP_PKTINFO);
	else
		on(fd, SOL_SOCKET, SO_REUSEADDR);
	floor_must(family == AF_INET6 ? bind(fd, (struct sockaddr *)&address6, sizeof(address6))
				      : bind(fd, (struct sockaddr *)&address4, sizeof(address4)), "bind");
	if (type == SOCK_STREAM)
		floor_must(listen(fd, 64), "listen");
	return fd;
}

void floor_netns_listen(int fds[FLOOR_LISTENERS])
{
	fds[0] = listener(AF_INET, SOCK_DGRAM);
	fds[1] = listener(AF_INET, SOCK_STREAM);
	fds[2] = listener(AF_INET6, SOCK_DGRAM);
	fds[3] = listener(AF_INET6, SOCK_STREAM);
}

static void get(int fd, int option, void *value, socklen_t size)
{
	floor_must(getsockopt(fd, SOL_SOCKET, option, value, &size), "socket option read");
}

void floor_netns_read_back(const int fds[FLOOR_LISTENERS], int owner_fd)
{
	uint64_t cookie;
	int accepting;

	get(owner_fd, SO_NETNS_COOKIE, &cookie, sizeof(cookie));
	for (int i = 0; i < FLOOR_LISTENERS; i++) {
		struct sockaddr_in6 address;
		socklen_t size = sizeof(address);

		get(fds[i], SO_NETNS_COOKIE, &cookie, sizeof(cookie));
		floor_must(getsockname(fds[i], (struct sockaddr *)&address, &size), "listener's address");
		if (i % 2)
			get(fds[i], SO_ACCEPTCONN, &accepting, sizeof(accepting));
	}
}
