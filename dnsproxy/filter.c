/*
 * The child's seccomp filter, ready made.  filter_build() runs at the zygote's
 * start, before anything hostile is read; filter_enter() in each child.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cleanup.h"
#include "surface.h"
#include "zygote.h"

extern const struct surface proxy_surface;

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
	return pread(fd, program->filter, size, 0) == (ssize_t)size ? 0 : -EIO;
}

int filter_build(struct sock_fprog *program)
{
	autoclose fd = memfd_create("filter", MFD_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = surface_export(&proxy_surface, PHASE_SERVING, fd);
	return error ? error : load(fd, program);
}

int filter_enter(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) ? -errno : 0;
}
