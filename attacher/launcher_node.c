/*
 * The launcher looks at what it was given: capabilities, the node's bpffs and
 * cgroup2, limits.  Run once at start, as root, before any child exists.  Each thing
 * that is missing is one line that says what to do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cleanup.h"
#include "launcher.h"
#include "launcher_surface.h"
#include "log.h"
#include "privs.h"

#define PIN_FOLDER "leitwacht"
#define FDS_A_POD 8			/* attacher: owner, proxy, pidfd, cgroup.events, listeners in flight */
#define FDS_FIXED 128

static void cannot(const char *what, int error, const char *advice) __attribute__((noreturn));
static void cannot(const char *what, int error, const char *advice)
{
	log_event(LOG_ERROR, "leitwacht cannot start", log_str("what", what), log_errno(error), log_str("advice", advice));
	_exit(1);
}

void node_check_capabilities(void)
{
	uint64_t have = privs_effective();
	char text[64];

	for (unsigned c = 0; c < 64; c++) {
		if (!(launcher_surface.capabilities & CAP_BIT(c)) || (have & CAP_BIT(c)))
			continue;
		snprintf(text, sizeof(text), "capability CAP_%s is missing", privs_name(c));
		for (char *p = text; *p; p++)
			if (p > text + 14 && *p >= 'a' && *p <= 'z' && p < text + 15 + strlen(privs_name(c)))
				*p = (char)(*p - 'a' + 'A');
		cannot(text, -EPERM, "add it to securityContext.capabilities.add, as in k8s/daemonset.yaml");
	}
	if (getuid())
		cannot("not started as root", -EPERM, "runAsUser: 0");
}

static int open_folder(const char *path, long magic, const char *option, const char *advice)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs))
		cannot(option, -errno, advice);
	if (fs.f_type != magic)
		cannot(option, -ENOTSUP, advice);
	return fd;
}

/* Inside a container, /proc/PID/cgroup of other pods reads "/../..": join the node's view. */
static void join_cgroup_namespace(unsigned node_pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/ns/cgroup", node_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWCGROUP))
		cannot("the node's cgroup namespace (--node-pid)", -errno, "hostPID: true, and capabilities SYS_PTRACE, SYS_ADMIN");
	close(fd);
}

static int make_pin_folder(int bpffs)
{
	struct stat st;
	int fd;

	if (fstat(bpffs, &st) || st.st_uid != 0)
		cannot("the bpffs belongs to another user than root", -EPERM, "mount the node's own bpffs, owned by root");
	if (!mkdirat(bpffs, PIN_FOLDER, 0700)) {
		if (fchownat(bpffs, PIN_FOLDER, UID_ATTACHER, UID_ATTACHER, AT_SYMLINK_NOFOLLOW))
			cannot("pin folder: chown", -errno, "capability CHOWN");
	} else if (errno != EEXIST) {
		cannot("pin folder: mkdir", -errno, "the node's bpffs, mounted read-write; AppArmor unconfined");
	}
	fd = openat(bpffs, PIN_FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		cannot("pin folder", -errno, "the node's bpffs");
	if (st.st_uid != UID_ATTACHER || (st.st_mode & 07777) != 0700)
		cannot("pin folder of the wrong owner or mode: someone else made it", -EPERM,
		       "look who did; then leitwacht-uninstall, or remove it, and start again");
	return fd;
}

static void raise_fd_limit(void)
{
	struct rlimit limit;
	rlim_t need = PODS_MAX * FDS_A_POD + FDS_FIXED;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max < need)
		cannot("RLIMIT_NOFILE is too low for the pods of a node", -EMFILE, "a hard limit of 4224 or more for the container");
	limit.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		cannot("RLIMIT_NOFILE", -errno, "a hard limit of 4224 or more for the container");
}

void node_open(struct launcher *launcher)
{
	const struct options *o = &launcher->options;
	autoclose bpffs = open_folder(o->bpffs, BPF_FS_MAGIC, "--bpffs is not a bpffs",
				      "mount the node's /sys/fs/bpf by hostPath");

	launcher->cgroup_root = open_folder(o->cgroup, CGROUP2_SUPER_MAGIC, "--cgroup is not a cgroup2 tree: cgroup v1 nodes "
					    "have no per-pod cgroup to attach to", "a node on pure cgroup v2; mount its /sys/fs/cgroup by hostPath");
	raise_fd_limit();
	join_cgroup_namespace(o->node_pid);
	launcher->pin_folder = make_pin_folder(bpffs);
}

int node_scratch_make(struct launcher *launcher)
{
	static unsigned count;

	node_scratch_remove(launcher);
	/* a new one each time: an attachment to a used one would read its old slot */
	snprintf(launcher->scratch_name, sizeof(launcher->scratch_name), "leitwacht-selftest-%d-%u", getpid(), count++);
	if (mkdirat(launcher->cgroup_root, launcher->scratch_name, 0755))
		return -errno;
	launcher->scratch_cgroup = openat(launcher->cgroup_root, launcher->scratch_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return launcher->scratch_cgroup < 0 ? -errno : 0;
}

void node_scratch_remove(struct launcher *launcher)
{
	drop_fd(&launcher->scratch_cgroup);
	if (launcher->scratch_name[0])
		unlinkat(launcher->cgroup_root, launcher->scratch_name, AT_REMOVEDIR);
	launcher->scratch_name[0] = '\0';
}
