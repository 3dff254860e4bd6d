/*
 * Cleanup attributes: what was opened is closed on every path out of a scope.
 * Everybody uses it; it reads nothing from outside.
 */
#ifndef LW_CLEANUP_H
#define LW_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_heap(void *where)
{
	free(*(void **)where);
}

#define autoclose __attribute__((cleanup(cleanup_fd))) int
#define autofree __attribute__((cleanup(cleanup_heap)))

/* Hand a descriptor on: the caller of the scope now owns it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Close what is open and remember that it is not. */
static inline void drop_fd(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
