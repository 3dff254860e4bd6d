/*
 * Entering a pod's network namespace and making our sockets there.  Run by the
 * attacher; what the pod may hold there (a taken port, strange interfaces) is
 * hostile and only ever makes this pod's attach fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include "cleanup.h"
#include "log.h"
#include "op_netns.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71		/* linux 5.14 */
#endif

#define LISTEN_BACKLOG 64
#define LISTEN_BUFFER (1 << 20)		/* some thousand small queries; the default drops a burst of 300 */
#define LINK_DUMP_BYTES 32768

static int own_fd = -1;
static uint64_t own_inode;

int op_netns_remember(void)
{
	struct stat st;

	own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0 || fstat(own_fd, &st))
		return -errno;
	own_inode = st.st_ino;
	return 0;
}

uint64_t op_netns_own(void)
{
	return own_inode;
}

int op_netns_enter(int pidfd)
{
	return setns(pidfd, CLONE_NEWNET) ? -errno : 0;
}

void op_netns_leave(void)
{
	if (setns(own_fd, CLONE_NEWNET))
		log_fatal("cannot leave a pod's network namespace", -errno);
}

int op_netns_scratch(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

static int on_link(const struct nlmsghdr *h, void *context)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	uint32_t *uplinks = context;

	if ((link->ifi_flags & IFF_LOOPBACK) || !(link->ifi_flags & IFF_UP))
		return MNL_CB_OK;
	for (unsigned i = 0; i < LW_UPLINKS; i++)
		if (!uplinks[i]) {
			uplinks[i] = (uint32_t)link->ifi_index;
			return MNL_CB_OK;
		}
	errno = E2BIG;
	return MNL_CB_ERROR;
}

int op_netns_uplinks(uint32_t uplinks[LW_UPLINKS])
{
	char bytes[LINK_DUMP_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	autoclose fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t size;
	int more = MNL_CB_OK;

	memset(uplinks, 0, sizeof(uplinks[0]) * LW_UPLINKS);
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	/* connected: nobody but the kernel can send to it (as op_nft_socket()) */
	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) || send(fd, bytes, request->nlmsg_len, 0) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		size = recv(fd, bytes, sizeof(bytes), 0);
		if (size < 0)
			return -errno;
		more = mnl_cb_run(bytes, (size_t)size, 1, 0, on_link, uplinks);
	}
	return more == MNL_CB_ERROR ? -errno : 0;
}

static int set(int fd, int level, int option)
{
	static const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) ? -errno : 0;
}

/* Answers must leave from the address that was asked, so the asked address is delivered (ip(7), IP_PKTINFO). */
static int listener_options(int fd, int family, int type)
{
	static const int burst = LISTEN_BUFFER;
	int error = 0;

	if (family == AF_INET6)
		error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (!error && type == SOCK_DGRAM)
		error = family == AF_INET6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) : set(fd, IPPROTO_IP, IP_PKTINFO);
	if (!error && type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &burst, sizeof(burst)))
		error = -errno;
	if (!error && type == SOCK_STREAM)
		error = set(fd, SOL_SOCKET, SO_REUSEADDR);	/* an earlier proxy's connections in TIME_WAIT */
	return error;
}

static int bind_wildcard(int fd, int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(LW_DNS_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(LW_DNS_PORT) };

	if (family == AF_INET6)
		return bind(fd, (struct sockaddr *)&v6, sizeof(v6)) ? -errno : 0;
	return bind(fd, (struct sockaddr *)&v4, sizeof(v4)) ? -errno : 0;
}

static int listener(int family, int type)
{
	autoclose fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = listener_options(fd, family, type);
	if (!error)
		error = bind_wildcard(fd, family);
	if (!error && type == SOCK_STREAM && listen(fd, LISTEN_BACKLOG))
		error = -errno;
	return error ? error : take_fd(&fd);
}

int op_netns_listen(int fds[LISTENERS])
{
	static const struct { int family, type; } kinds[LISTENERS] = {
		{ AF_INET, SOCK_DGRAM }, { AF_INET, SOCK_STREAM }, { AF_INET6, SOCK_DGRAM }, { AF_INET6, SOCK_STREAM },
	};

	for (int i = 0; i < LISTENERS; i++)
		fds[i] = -1;
	for (int i = 0; i < LISTENERS; i++) {
		int fd = listener(kinds[i].family, kinds[i].type);

		if (fd < 0 && kinds[i].family == AF_INET6 && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
			continue;	/* no IPv6 in this namespace */
		if (fd < 0) {
			op_netns_close(fds);
			return fd;
		}
		fds[i] = fd;
	}
	return 0;
}

void op_netns_close(int fds[LISTENERS])
{
	for (int i = 0; i < LISTENERS; i++)
		drop_fd(&fds[i]);
}

static uint64_t netns_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) ? 0 : cookie;
}

static int is_listening(int fd, int is_tcp)
{
	struct sockaddr_in6 address = { 0 };	/* sin_port and sin6_port lie at the same place */
	socklen_t size = sizeof(address), flag_size = sizeof(int);
	int accepting = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &size) || address.sin6_port != htons(LW_DNS_PORT))
		return 0;
	return !is_tcp || (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &flag_size) && accepting);
}

int op_netns_listen_read_back(const int fds[LISTENERS], int owner_fd)
{
	uint64_t cookie = netns_cookie(owner_fd);

	for (int i = 0; i < LISTENERS; i++) {
		int is_tcp = i == LISTEN_TCP4 || i == LISTEN_TCP6;

		if (fds[i] < 0 && i >= LISTEN_UDP6)
			continue;
		if (fds[i] < 0 || !cookie || netns_cookie(fds[i]) != cookie || !is_listening(fds[i], is_tcp))
			return -EBADE;
	}
	return 0;
}
