/*
 * leitwacht-uninstall: takes away our links, pins and maps.  Run by an operator, as
 * root on the node; never part of the agent, never a message.  It is the only thing
 * that may detach, takes the node's lock, and refuses while a pod cgroup holds a link
 * unless it is told to.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cleanup.h"
#include "version.h"

static const char help[] =
	"usage: leitwacht-uninstall [--bpffs=PATH] [--force]\n"
	"\n"
	"Removes leitwacht's pinned links and maps from a node.  Refuses while an agent runs, and while\n"
	"a pod is still enforced.\n"
	"\n"
	"  --bpffs=PATH  the node's bpffs, default /sys/fs/bpf\n"
	"  --force       also detach from running pods: their egress is then NOT enforced any more\n"
	"  --version, --help\n";

static int die(const char *what, const char *advice)
{
	fprintf(stderr, "leitwacht-uninstall: %s: %s\n%s\n", what, strerror(errno), advice);
	return 1;
}

/* Does this pin hold a link whose cgroup lives? */
static int enforces(const char *name)
{
	autoclose fd = strncmp(name, "link_", 5) ? -1 : bpf_obj_get(name);
	struct bpf_link_info info = { 0 };
	__u32 size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.cgroup.cgroup_id;
}

static int enforced_pods(DIR *folder)
{
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(folder)))
		count += enforces(entry->d_name);
	rewinddir(folder);
	return count;
}

static int remove_pins(DIR *folder)
{
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && !unlink(entry->d_name))
			count++;
	return count;
}

static int uninstall(const char *bpffs, int force)
{
	DIR *folder;
	struct statfs fs;
	int enforced;

	if (chdir(bpffs) || statfs(".", &fs))
		return die(bpffs, "--bpffs=PATH names the node's bpffs");
	if (fs.f_type != BPF_FS_MAGIC) {
		errno = ENOTSUP;
		return die(bpffs, "not a bpffs: --bpffs=PATH names the node's");
	}
	if (chdir("leitwacht"))
		return errno == ENOENT ? (puts("nothing of leitwacht's on this node"), 0) : die("leitwacht/", "run it as root on the node");
	folder = opendir(".");
	if (!folder)
		return die("leitwacht/", "run it as root on the node");
	if (flock(dirfd(folder), LOCK_EX | LOCK_NB))
		return die("the node's lock is held", "an agent runs: delete the DaemonSet first");
	enforced = enforced_pods(folder);
	if (enforced && !force) {
		errno = EBUSY;
		fprintf(stderr, "leitwacht-uninstall: %d pods are still enforced\n", enforced);
		return die("refused", "drain the node first, or --force (these pods then run without enforcement)");
	}
	printf("removed %d pins, %d of them links on running pods\n", remove_pins(folder), enforced);
	closedir(folder);
	return chdir("..") || rmdir("leitwacht") ? die("leitwacht/", "look what is left in it") : 0;
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "bpffs", required_argument, NULL, 'b' }, { "force", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	const char *bpffs = "/sys/fs/bpf";
	int option, force = 0;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (option) {
		case 'b': bpffs = optarg; break;
		case 'f': force = 1; break;
		case 'v': puts("leitwacht-uninstall " LW_VERSION); return 0;
		case 'h': fputs(help, stdout); return 0;
		default: fputs(help, stderr); return 2;
		}
	if (optind < argc)
		return fputs(help, stderr), 2;
	return uninstall(bpffs, force);
}
