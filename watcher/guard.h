/* Which namespaces are guarded: the platform's options, nothing that a pod can write.  Used by the watcher; pure. */
#ifndef LW_GUARD_H
#define LW_GUARD_H

#define GUARDS_MAX 64

struct guard {
	const char *namespaces[GUARDS_MAX];
	unsigned count;
	int all;
};

/* 0, or -EINVAL for what can't be a namespace, -ENOSPC for too many. */
int guard_add(struct guard *guard, const char *namespace);

/* A pod without a namespace is none of Kubernetes', so none of ours. */
int guard_covers(const struct guard *guard, const char *namespace);

#endif
