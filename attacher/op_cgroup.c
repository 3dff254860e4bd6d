/*
 * Checking claims against the kernel.  Run by the attacher; the pid and the
 * sandbox id come from the watcher, which may be owned.  Safe all the same: the
 * cgroup's path is the kernel's word, it must name the claimed sandbox below
 * kubepods, it is opened beneath the cgroup2 root without following links,
 * and the process must still live after all of it, so the pid was not reused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cgroup_path.h"
#include "cleanup.h"
#include "op_cgroup.h"

#define PID_MAX (1 << 22)		/* PID_MAX_LIMIT, include/linux/threads.h */
#define PROC_TEXT_MAX 4096

static int read_text(int at, const char *path, char *text, size_t size)
{
	autoclose fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return (size_t)n == size - 1 ? -ENAMETOOLONG : 0;	/* cut short: the id may stand in what is missing */
}

uint64_t op_cgroup_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

static int open_pod(const char *path, struct claim *claim)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	struct stat st;

	claim->cgroup_fd = (int)syscall(SYS_openat2, FD_ATTACHER_CGROUP, path, &how, sizeof(how));
	if (claim->cgroup_fd < 0 || fstat(claim->cgroup_fd, &st))
		return errno == ENOENT ? -ESRCH : -errno;
	claim->cgroup_id = st.st_ino;
	return 0;
}

static int check(const char *sandbox, uint32_t pid, uint64_t own_netns, struct claim *claim)
{
	char path[64], text[PROC_TEXT_MAX], pod[CGROUP_PATH_MAX];
	int error;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	error = read_text(AT_FDCWD, path, text, sizeof(text));
	if (error)
		return error == -ENOENT ? -ESRCH : error;
	error = cgroup_path_pod(text, sandbox, pod);
	if (!error)
		error = open_pod(pod, claim);
	if (error)
		return error;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	claim->netns = op_cgroup_inode(path);
	if (!claim->netns)
		return errno == ENOENT ? -ESRCH : -errno;
	if (claim->netns == own_netns)
		return -EPERM;
	return op_cgroup_alive(claim);
}

int op_cgroup_claim(const char sandbox[SANDBOX_ID_LENGTH], uint32_t pid, uint64_t own_netns, struct claim *claim)
{
	int error;

	*claim = (struct claim){ .pidfd = -1, .cgroup_fd = -1 };
	if (!sandbox_id_valid(sandbox) || pid < 2 || pid > PID_MAX)
		return -EINVAL;
	claim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (claim->pidfd < 0)
		return -errno;
	error = check(sandbox, pid, own_netns, claim);
	if (error)
		claim_close(claim);
	return error;
}

void claim_close(struct claim *claim)
{
	drop_fd(&claim->pidfd);
	drop_fd(&claim->cgroup_fd);
}

int op_cgroup_alive(const struct claim *claim)
{
	struct pollfd p = { .fd = claim->pidfd, .events = POLLIN };
	int n = poll(&p, 1, 0);

	return n < 0 ? -errno : n ? -ESRCH : 0;
}

int op_cgroup_events(int cgroup_fd)
{
	int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int op_cgroup_populated(int events_fd)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}
