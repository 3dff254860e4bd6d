/* Guarded namespaces (guard.h). */
#include <errno.h>
#include <string.h>
#include "guard.h"

int guard_add(struct guard *guard, const char *namespace)
{
	size_t length = strlen(namespace);

	if (!strcmp(namespace, "*")) {
		guard->all = 1;
		return 0;
	}
	if (!length || length > 63 || strspn(namespace, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
		return -EINVAL;
	if (guard->count == GUARDS_MAX)
		return -ENOSPC;
	guard->namespaces[guard->count++] = namespace;
	return 0;
}

int guard_covers(const struct guard *guard, const char *namespace)
{
	if (guard->all)
		return *namespace != 0;
	for (unsigned i = 0; i < guard->count; i++)
		if (!strcmp(guard->namespaces[i], namespace))
			return 1;
	return 0;
}
