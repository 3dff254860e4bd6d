/*
 * Surface tables: what a process may do, as data.  Each process has one table
 * beside its code (surface.c of its folder).  Its seccomp filters are built
 * from it, its reviewers' page (SURFACE.md of the folder) is generated from it, and the
 * tests hold the live process against it.
 */
#ifndef LW_SURFACE_H
#define LW_SURFACE_H

#include <stdint.h>
#include <stdio.h>

enum surface_phase {
	PHASE_STARTUP = 1,	/* from the first filter on; reads nothing hostile yet */
	PHASE_SERVING = 2,	/* a second filter on top: what a peer's bytes can reach */
};

enum surface_compare { ARG_EQ = 1, ARG_NE, ARG_LT, ARG_MASKED_EQ };

/* One rule on one argument.  The rules of a row hold together (AND); two rows of one call are alternatives. */
struct surface_arg {
	enum surface_compare compare;	/* 0: no rule */
	unsigned index;			/* argument, from 0 */
	uint64_t value;
	uint64_t mask;			/* ARG_MASKED_EQ only */
	const char *text;		/* the rule in words, for the page */
};

#define SURFACE_ARGS 3

#define ARG_IS(i, v) { ARG_EQ, i, (uint64_t)(v), 0, "argument " #i " is " #v }
/* No bit of `mask` is set: mmap without PROT_EXEC. */
#define ARG_LACKS(i, mask) { ARG_MASKED_EQ, i, 0, (uint64_t)(mask), "argument " #i " without " #mask }

struct surface_call {
	const char *name;
	unsigned phases;
	const char *why;
	struct surface_arg args[SURFACE_ARGS];
};

struct surface_fd {
	int number;		/* fixed number; SURFACE_FD_ANY for those that come and go */
	const char *kind;	/* as readlink of /proc/PID/fd begins: "socket:", "anon_inode:[eventpoll]", "pipe:", "/dev/null" */
	const char *what;
	int optional;		/* 1: not there all the time */
};

#define SURFACE_FD_ANY (-1)

struct surface {
	const char *process;		/* the program's name; "leitwacht-dnsproxy (child)" for a process without one */
	const char *comm;		/* what /proc/PID/comm begins with */
	unsigned uid;
	uint64_t capabilities;		/* CAP_BIT bits: permitted and effective while serving */
	uint64_t bounding;
	int ambient;			/* 1: `capabilities` are ambient (not uid 0) */
	int chrooted;			/* 1: its root is the image's empty folder */
	const char *reads;		/* what hostile input reaches it */
	const char *never;		/* what it may never do */
	const struct surface_call *calls;
	unsigned call_count;
	const struct surface_fd *fds;
	unsigned fd_count;
};

/*
 * Install the filter of `phase`: what is not in the table ends the process
 * (SIGSYS).  STARTUP lets through the rows of both phases, SERVING its own only.
 * Needs no_new_privs.  0 or -errno.
 */
int surface_enter(const struct surface *surface, enum surface_phase phase);

/* Build the same filter and write it as BPF to `fd` (tests), 0 or -errno. */
int surface_export(const struct surface *surface, enum surface_phase phase, int fd);

/* The reviewers' page, Markdown. */
void surface_page(const struct surface *surface, FILE *out);

/* The same as JSON, for the test that reads /proc. */
void surface_json(const struct surface *surface, FILE *out);

#endif
