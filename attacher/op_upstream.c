/*
 * Upstream sockets.  Run by the attacher in its own netns; the proxy that asks
 * may be owned, so it names a server by its index in the start-up config only.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cleanup.h"
#include "op_upstream.h"

static socklen_t fill(const struct upstream_address *server, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (server->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(server->port);
		memcpy(&v4->sin_addr, server->address, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(server->port);
	memcpy(&v6->sin6_addr, server->address, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

int op_upstream_connect(const struct upstream_address *server, enum upstream_kind kind)
{
	struct sockaddr_storage to;
	socklen_t size = fill(server, &to);
	int type = kind == UPSTREAM_KIND_TCP ? SOCK_STREAM : SOCK_DGRAM;
	autoclose fd = socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, size) && errno != EINPROGRESS))
		return -errno;
	return take_fd(&fd);
}

int op_upstream_plug(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}
