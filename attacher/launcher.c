/*
 * leitwacht: the launcher, the most privileged process.  Runs as root with the
 * container's capabilities, under its surface table, and keeps root because it must start
 * the others again and hand over the containerd socket.
 *
 * Reads its options, exits of its children, and its rows of the message table
 * (fixed size).  It may never parse anything else from outside, or talk to a network.
 * Dead children are started again; what they left in the kernel enforces meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "cleanup.h"
#include "launcher.h"
#include "launcher_surface.h"
#include "log.h"
#include "privs.h"
#include "version.h"

static struct launcher self;

static void must(int error, const char *what)
{
	if (!error)
		return;
	log_event(LOG_ERROR, "leitwacht cannot start", log_str("what", what), log_errno(error));
	_exit(1);
}

/* The other programs lie beside this one. */
static int program_folder(void)
{
	char path[256];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;
	int fd;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash || slash == path)
		return -ENOENT;
	*slash = '\0';
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* stdin is of no use; a log reader that stops reading must not stop us. */
static int standard_descriptors(void)
{
	autoclose null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	signal(SIGPIPE, SIG_IGN);	/* inherited by all: a log that nobody reads ends no process */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || flags < 0 || fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

static int signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void on_signal(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			children_reap(&self);
			continue;
		}
		log_event(LOG_INFO, "stopping; pinned links go on enforcing");
		children_stop_all(&self);
		_exit(0);
	}
}

static void serve(int signal_fd) __attribute__((noreturn));
static void serve(int signal_fd)
{
	static const enum child_index talkers[] = { CHILD_ATTACHER, CHILD_WATCHER, CHILD_GATE };
	struct pollfd p[1 + ARRAY_SIZE(talkers)];

	for (;;) {
		int wait_ms = children_run_due(&self);

		p[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		for (unsigned i = 0; i < ARRAY_SIZE(talkers); i++)
			p[1 + i] = (struct pollfd){ .fd = self.children[talkers[i]].channel.fd, .events = POLLIN };
		if (poll(p, ARRAY_SIZE(p), wait_ms) < 0 && errno != EINTR)
			log_fatal("poll", -errno);
		for (unsigned i = 0; i < ARRAY_SIZE(talkers); i++)
			if (p[1 + i].revents && self.children[talkers[i]].channel.fd == p[1 + i].fd)
				requests_receive(&self, talkers[i]);
		if (p[0].revents)
			on_signal(signal_fd);
	}
}

int main(int argc, char **argv)
{
	int signal_fd;

	options_parse(argc, argv, &self.options);
	log_open("launcher");
	log_event(LOG_INFO, "starting", log_str("version", LW_VERSION));
	for (unsigned i = 0; i < PODS_MAX; i++)
		self.kept[i].fd = -1;
	for (unsigned i = 0; i < CHILDREN; i++)
		self.children[i].channel.fd = -1;
	self.scratch_cgroup = -1;
	must(standard_descriptors(), "stdin, stderr");
	node_check_capabilities();
	must(resolv_read(&self.options), "no DNS server in /etc/resolv.conf: dnsPolicy ClusterFirstWithHostNet, or --upstream");
	self.program_folder = program_folder();
	must(self.program_folder < 0 ? self.program_folder : 0, "the folder of the programs");
	node_open(&self);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0, "prctl");
	signal_fd = signals();
	must(signal_fd < 0 ? signal_fd : 0, "signalfd");
	must(surface_enter(&launcher_surface, PHASE_SERVING), "seccomp filter");
	children_start(&self);
	serve(signal_fd);
}
