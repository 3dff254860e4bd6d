/*
 * Seccomp filters ready made.  filter_build() runs at the zygote's start,
 * before anything hostile is read, and lets a process of its own do the work:
 * libseccomp would leave the heap in pieces, and each child would pay for that
 * with private pages.  filter_enter() runs in the zygote and in each child.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "filter.h"

static int load(int fd, struct sock_fprog *program)
{
	struct stat status;
	size_t size;

	if (fstat(fd, &status))
		return -errno;
	size = (size_t)status.st_size;
	program->len = (unsigned short)(size / sizeof(struct sock_filter));
	program->filter = malloc(size);
	if (!program->filter)
		return -ENOMEM;
	return size && pread(fd, program->filter, size, 0) == (ssize_t)size ? 0 : -EIO;
}

int filter_build(const struct surface *surface, enum surface_phase phase, struct sock_fprog *program)
{
	autoclose fd = memfd_create("filter", MFD_CLOEXEC);
	int status;
	pid_t pid;

	if (fd < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(surface_export(surface, phase, fd) ? 1 : 0);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EINVAL : load(fd, program);
}

int filter_enter(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) ? -errno : 0;
}
