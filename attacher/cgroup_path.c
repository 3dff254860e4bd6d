/*
 * Which cgroup is the pod's?  Run by the attacher; the text is the kernel's, the
 * sandbox id is a claim.  Pure: no file is opened here.
 *
 * Forms (containerd):
 *   cgroupfs  /kubepods[/QOS]/podUID/ID
 *   systemd   /kubepods.slice[/kubepods-QOS.slice]/kubepods[-QOS]-podUID.slice/cri-containerd-ID.scope
 *   kind      /kubelet or /kubelet.slice in front, "kubelet-" before kubepods
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "cgroup_path.h"

#define RUNTIME_PREFIX "cri-containerd-"
#define SCOPE_SUFFIX ".scope"

static int starts(const char *text, size_t length, const char *prefix)
{
	size_t n = strlen(prefix);

	return length >= n && !memcmp(text, prefix, n);
}

/* [cri-containerd-]ID[.scope] */
static int names_sandbox(const char *component, size_t length, const char *sandbox)
{
	if (starts(component, length, RUNTIME_PREFIX)) {
		component += strlen(RUNTIME_PREFIX);
		length -= strlen(RUNTIME_PREFIX);
	}
	if (length < SANDBOX_ID_LENGTH || memcmp(component, sandbox, SANDBOX_ID_LENGTH))
		return 0;
	length -= SANDBOX_ID_LENGTH;
	return length == 0 || (length == strlen(SCOPE_SUFFIX) && !memcmp(component + SANDBOX_ID_LENGTH, SCOPE_SUFFIX, length));
}

static int is_kubepods_root(const char *c, size_t n)
{
	return (n == 8 && starts(c, n, "kubepods")) || (n == 14 && starts(c, n, "kubepods.slice")) ||
	       (n == 22 && starts(c, n, "kubelet-kubepods.slice"));
}

static int is_kind_prefix(const char *c, size_t n)
{
	return (n == 7 && starts(c, n, "kubelet")) || (n == 13 && starts(c, n, "kubelet.slice"));
}

/* podUID, or PARENT-podUID.slice whose parent's name comes first */
static int is_pod(const char *c, size_t n)
{
	static const char slice_mark[] = "-pod";

	if (starts(c, n, "pod"))
		return 1;
	if (!starts(c, n, "kubepods-") && !starts(c, n, "kubelet-kubepods-"))
		return 0;
	return memmem(c, n, slice_mark, strlen(slice_mark)) != NULL;
}

/* The path of the "0::" line, or NULL. */
static const char *unified_line(const char *text, size_t *length)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, "0::/", 4)) {
			*length = strcspn(line + 3, "\n");
			return line + 3;
		}
	return NULL;
}

int cgroup_path_pod(const char *text, const char sandbox[SANDBOX_ID_LENGTH], char pod[CGROUP_PATH_MAX])
{
	size_t length, depth = 0, previous = 0, at = 1;
	const char *path = unified_line(text, &length);
	int below_root = 0, above_is_pod = 0;

	if (!path)
		return -ENOENT;
	if (length >= CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	for (; at < length; depth++) {
		const char *component = path + at;
		size_t n = strcspn(component, "/\n");

		if (below_root && above_is_pod && names_sandbox(component, n, sandbox)) {
			memcpy(pod, path + 1, previous - 1);
			pod[previous - 1] = '\0';
			return 0;
		}
		if (n == 0 || component[0] == '.')		/* "..": outside of our cgroup namespace */
			return -EINVAL;
		if (above_is_pod)	/* below the pod a container may call its cgroups what it likes */
			return -EINVAL;
		if (is_kubepods_root(component, n) && (depth == 0 || depth == 1))
			below_root = 1;
		else if (!below_root && !is_kind_prefix(component, n))
			return -EINVAL;
		above_is_pod = below_root && is_pod(component, n);
		at += n;
		previous = at++;
	}
	return -EINVAL;
}
