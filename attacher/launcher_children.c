/*
 * Starting, restarting and killing the other processes.  Run by the launcher.
 * A child gets exactly the descriptors of its rows on their fixed numbers, its
 * uid and capabilities, and is exec'ed from the folder the launcher came from.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "clock.h"
#include "launcher.h"
#include "log.h"
#include "privs.h"

#define OURSELVES CHILDREN
#define FIRST_HIGH_FD 64		/* above every fixed number: where ends wait for their place */
#define RESTART_FIRST (20 * NS_PER_MS)
#define RESTART_DOUBLINGS 5		/* 640 ms: a restart always begins within a second */
#define PROXY_FDS 512
#define PROXY_BYTES (32 << 20)
#define SOUND (10 * NS_PER_S)		/* who ran so long starts again at once */
#define ATTACHER_SEND_BYTES (2 << 20)	/* all kept sockets at once, before it reads the first */

/* What a child needs to shut itself in: chroot and an empty bounding set. */
#define CONFINE_CAPS (CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_SETPCAP))
#define ATTACHER_CAPS (CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE))

static const struct {
	const char *program;
	enum process process;
	uid_t uid;
	uint64_t caps;
} programs[CHILDREN] = {
	[CHILD_ATTACHER] = { "leitwacht-attacher", P_ATTACHER, UID_ATTACHER, ATTACHER_CAPS },
	[CHILD_ZYGOTE] = { "leitwacht-dnsproxy", P_ZYGOTE, UID_DNSPROXY, CONFINE_CAPS },
	[CHILD_WATCHER] = { "leitwacht-watcher", P_WATCHER, UID_WATCHER, CONFINE_CAPS },
	[CHILD_GATE] = { "leitwacht-gate", P_GATE, UID_GATE, CONFINE_CAPS },
};

/* Who talks to whom, and on which number each has its end. */
static const struct {
	enum child_index a;
	int fd_a;
	enum child_index b;
	int fd_b;
} pairs[PAIRS] = {
	{ CHILD_ATTACHER, FD_LAUNCHER, OURSELVES, -1 },
	{ CHILD_WATCHER, FD_LAUNCHER, OURSELVES, -1 },
	{ CHILD_GATE, FD_LAUNCHER, OURSELVES, -1 },
	{ CHILD_GATE, FD_GATE_WATCHER, CHILD_WATCHER, FD_WATCHER_GATE },
	{ CHILD_WATCHER, FD_WATCHER_ATTACHER, CHILD_ATTACHER, FD_ATTACHER_WATCHER },
	{ CHILD_ATTACHER, FD_ATTACHER_ZYGOTE, CHILD_ZYGOTE, FD_ZYGOTE_ATTACHER },
};

/* Descriptors on their way to a child: `fd` becomes `number`. */
struct places {
	unsigned count;
	struct { int fd, number, ours; } place[8];	/* ours: the launcher keeps it open */
};

static void put(struct places *places, int fd, int number, int ours)
{
	places->place[places->count].fd = fd;
	places->place[places->count].number = number;
	places->place[places->count++].ours = ours;
}

static void tell_peer(struct launcher *launcher, enum child_index who, enum child_index about, int fd)
{
	struct msg_peer peer = MESSAGE(PEER, peer);
	int error;

	peer.peer = programs[about].process;
	error = channel_send(&launcher->children[who].channel, &peer, &fd);
	if (error)
		children_end(launcher, who);	/* it does not even read: start it anew, with the rest */
}

/* One row for a child that starts: its own end into `places`, the other to where it belongs. */
static int connect_row(struct launcher *launcher, unsigned row, enum child_index index, struct places *places)
{
	int is_a = pairs[row].a == index, number = is_a ? pairs[row].fd_a : pairs[row].fd_b, ends[2], error;
	enum child_index other = is_a ? pairs[row].b : pairs[row].a;
	struct waiting *waiting = &launcher->waiting[row];

	if (waiting->fd >= 0 && waiting->who == index) {
		put(places, take_fd(&waiting->fd), number, 0);
		return 0;
	}
	error = channel_pair(ends);
	if (error)
		return error;
	put(places, ends[0], number, 0);
	if (other == OURSELVES) {
		launcher->children[index].channel = (struct channel){ ends[1], P_LAUNCHER, programs[index].process, ST_NEW };
	} else if (launcher->children[other].pid) {
		tell_peer(launcher, other, index, ends[1]);
		close(ends[1]);
	} else {
		drop_fd(&waiting->fd);
		*waiting = (struct waiting){ ends[1], other };
	}
	return 0;
}

static int gather(struct launcher *launcher, enum child_index index, struct places *places)
{
	int error = 0;

	for (unsigned row = 0; row < PAIRS && !error; row++)
		if (pairs[row].a == index || pairs[row].b == index)
			error = connect_row(launcher, row, index, places);
	if (index != CHILD_ATTACHER || error)
		return error;
	error = node_scratch_make(launcher);
	if (error) {
		log_event(LOG_ERROR, "scratch cgroup for the self-test", log_errno(error),
			  log_str("advice", "the node's cgroup2 tree, mounted read-write"));
		return error;
	}
	put(places, launcher->cgroup_root, FD_ATTACHER_CGROUP, 1);
	put(places, launcher->scratch_cgroup, FD_ATTACHER_SCRATCH, 1);
	return 0;
}

/* Between fork and exec.  Everything not in `places` is closed by the exec. */
static int take_places(const struct places *places)
{
	int high[8];

	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC))
		return -errno;
	for (unsigned i = 0; i < places->count; i++) {
		high[i] = fcntl(places->place[i].fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
		if (high[i] < 0)
			return -errno;
	}
	for (unsigned i = 0; i < places->count; i++)
		if (dup2(high[i], places->place[i].number) < 0)
			return -errno;
	return 0;
}

/* argv of the watcher: the guarded namespaces; the others take no options. */
static void arguments(const struct options *options, enum child_index index, char storage[GUARDS_MAX][80], char **argv)
{
	unsigned count = 0;

	argv[count++] = (char *)(uintptr_t)programs[index].program;
	for (unsigned i = 0; index == CHILD_WATCHER && i < options->guard_count; i++) {
		snprintf(storage[i], sizeof(storage[i]), "--guard=%s", options->guards[i]);
		argv[count++] = storage[i];
	}
	argv[count] = NULL;
}

static void become(struct launcher *launcher, enum child_index index, const struct places *places, pid_t parent)
	__attribute__((noreturn));
static void become(struct launcher *launcher, enum child_index index, const struct places *places, pid_t parent)
{
	static char storage[GUARDS_MAX][80];
	static const struct rlimit proxy_fds = { PROXY_FDS, PROXY_FDS }, proxy_data = { PROXY_BYTES, PROXY_BYTES };
	char *argv[GUARDS_MAX + 2], *environment[] = { NULL };
	/* moved out of the way of the fixed numbers */
	int program = fcntl(launcher->program_folder, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
	int folder = index != CHILD_ATTACHER ? program : fcntl(launcher->pin_folder, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
	sigset_t none;
	int error;

	arguments(&launcher->options, index, storage, argv);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	error = take_places(places);
	if (!error)
		error = privs_become(programs[index].uid, programs[index].caps);
	if (!error && fchdir(folder))		/* as the attacher: root without DAC_OVERRIDE can't enter its folder */
		error = -errno;
	/* an owned proxy holds so many upstream ports, and so much memory, and no more */
	if (!error && index == CHILD_ZYGOTE && (setrlimit(RLIMIT_NOFILE, &proxy_fds) || setrlimit(RLIMIT_DATA, &proxy_data)))
		error = -errno;
	if (!error && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		error = -errno;
	if (!error && getppid() != parent)
		error = -ESRCH;
	if (!error) {
		syscall(SYS_execveat, program, programs[index].program, argv, environment, 0);
		error = -errno;
	}
	log_event(LOG_ERROR, "cannot start a process", log_str("program", programs[index].program), log_errno(error));
	_exit(72);
}

static void on_exit_of(struct launcher *launcher, enum child_index index, int status)
{
	struct child *child = &launcher->children[index];
	unsigned doublings;

	log_event(launcher->was_ready && !launcher->stopping ? LOG_ERROR : LOG_INFO, "process ended", log_str("program", programs[index].program),
		  log_int("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		  log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		  log_str("signal_name", WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : ""));
	child->pid = 0;
	drop_fd(&child->channel.fd);
	for (unsigned row = 0; row < PAIRS; row++)	/* what it had made for others leads nowhere now */
		if ((pairs[row].a == index || pairs[row].b == index) && launcher->waiting[row].who != index)
			drop_fd(&launcher->waiting[row].fd);
	if (clock_ns() - child->began_ns > SOUND)
		child->failures = 0;
	doublings = child->failures < RESTART_DOUBLINGS ? child->failures : RESTART_DOUBLINGS;
	child->failures++;
	child->due_ns = clock_ns() + (RESTART_FIRST << doublings);
}

static void start(struct launcher *launcher, enum child_index index)
{
	struct child *child = &launcher->children[index];
	struct places places = { 0 };
	pid_t self = getpid();
	int error = gather(launcher, index, &places), bytes = ATTACHER_SEND_BYTES;

	child->due_ns = 0;
	child->began_ns = clock_ns();
	child->pid = error ? -1 : fork();
	if (child->pid == 0)
		become(launcher, index, &places, self);
	for (unsigned i = 0; i < places.count; i++)
		if (!places.place[i].ours)
			close(places.place[i].fd);
	if (child->pid < 0) {		/* as if it had ended: again after the back-off */
		on_exit_of(launcher, index, 0);
		return;
	}
	if (index != CHILD_ATTACHER)
		return;
	setsockopt(child->channel.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	error = requests_brief_attacher(launcher);
	if (error)
		children_end(launcher, CHILD_ATTACHER);
}

void children_start(struct launcher *launcher)
{
	for (unsigned row = 0; row < PAIRS; row++)
		launcher->waiting[row].fd = -1;
	for (int i = 0; i < CHILDREN; i++)
		start(launcher, (enum child_index)i);
}

void children_end(struct launcher *launcher, enum child_index index)
{
	if (launcher->children[index].pid > 0)
		kill(launcher->children[index].pid, SIGKILL);
}

void children_reap(struct launcher *launcher)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)	/* also proxies whose zygote died before them */
		for (int i = 0; i < CHILDREN; i++)
			if (launcher->children[i].pid == pid)
				on_exit_of(launcher, (enum child_index)i, status);
	if (!launcher->was_ready && !launcher->stopping && !launcher->children[CHILD_ATTACHER].pid) {
		log_event(LOG_INFO, "stopping: the attacher could not start, its own line says why");
		children_stop_all(launcher);
		_exit(1);
	}
	if (!launcher->children[CHILD_ATTACHER].pid && launcher->children[CHILD_ZYGOTE].pid > 0) {
		/* its channel led to the dead attacher; a new pair starts together */
		pid = launcher->children[CHILD_ZYGOTE].pid;
		children_end(launcher, CHILD_ZYGOTE);
		if (waitpid(pid, &status, 0) == pid)
			on_exit_of(launcher, CHILD_ZYGOTE, status);
	}
}

int children_run_due(struct launcher *launcher)
{
	uint64_t now = clock_ns(), next = UINT64_MAX;

	for (int i = 0; i < CHILDREN && !launcher->stopping; i++) {
		struct child *child = &launcher->children[i];

		if (child->due_ns && child->due_ns <= now)
			start(launcher, (enum child_index)i);
		if (child->due_ns && child->due_ns < next)
			next = child->due_ns;
	}
	return next == UINT64_MAX ? -1 : next <= now ? 0 : (int)((next - now) / NS_PER_MS) + 1;
}

void children_stop_all(struct launcher *launcher)
{
	launcher->stopping = 1;
	for (int i = 0; i < CHILDREN; i++)
		children_end(launcher, (enum child_index)i);
	for (int i = 0; i < CHILDREN; i++)
		if (launcher->children[i].pid > 0)
			waitpid(launcher->children[i].pid, NULL, 0);
	node_scratch_remove(launcher);
}
