/*
 * Undoes nftables acts of the attacher over the attacher's own socket, which nobody
 * but root in the machine can take from it (pidfd_getfd): the table is owned, and
 * everyone else's socket gets EPERM.
 *
 *   nftundo PID NETNS flush CHAIN     deletes the chain's rules
 *   nftundo PID NETNS table           deletes the table
 *
 * PID holds the owner socket of network namespace NETNS (a path).  No acknowledgement
 * is asked for: it would arrive at the attacher.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TABLE "leitwacht"

static int is_owner_socket(int fd, const struct stat *netns)
{
	int domain = 0, protocol = 0, namespace;
	socklen_t size = sizeof(int);
	struct stat of_socket;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) || protocol != NETLINK_NETFILTER)
		return 0;
	namespace = ioctl(fd, SIOCGSKNS);
	if (namespace < 0 || fstat(namespace, &of_socket))
		return 0;
	close(namespace);
	return of_socket.st_ino == netns->st_ino;
}

/* A copy of the process's owner socket for that namespace, or -1. */
static int take_socket(pid_t pid, const struct stat *netns)
{
	char path[64];
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		int fd = (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);

		if (fd >= 0 && is_owner_socket(fd, netns))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static struct nlmsghdr *put(struct mnl_nlmsg_batch *batch, uint16_t type, uint8_t family, uint16_t subsystem)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	struct nfgenmsg *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	general->nfgen_family = family;
	general->version = NFNETLINK_V0;
	general->res_id = htons(subsystem);
	return message;
}

static int send_deletion(int fd, const char *chain)
{
	char buffer[4096];
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof(buffer) / 2);
	struct nlmsghdr *message;
	ssize_t sent;

	put(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	mnl_nlmsg_batch_next(batch);
	message = put(batch, NFNL_SUBSYS_NFTABLES << 8 | (chain ? NFT_MSG_DELRULE : NFT_MSG_DELTABLE), NFPROTO_INET, 0);
	mnl_attr_put_strz(message, chain ? NFTA_RULE_TABLE : NFTA_TABLE_NAME, TABLE);
	if (chain)
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	mnl_nlmsg_batch_next(batch);
	put(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	mnl_nlmsg_batch_next(batch);
	sent = sendto(fd, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch), 0, (struct sockaddr *)&kernel,
		      sizeof(kernel));
	mnl_nlmsg_batch_stop(batch);
	return sent < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct stat netns;
	int fd;

	if (argc < 4 || stat(argv[2], &netns) || (!strcmp(argv[3], "flush") && argc != 5)) {
		fputs("usage: nftundo PID NETNS flush CHAIN | table\n", stderr);
		return 2;
	}
	fd = take_socket((pid_t)atoi(argv[1]), &netns);
	if (fd < 0) {
		fputs("nftundo: that process holds no owner socket of that namespace\n", stderr);
		return 1;
	}
	return send_deletion(fd, strcmp(argv[3], "flush") ? NULL : argv[4]) ? 1 : 0;
}
