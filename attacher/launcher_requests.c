/*
 * The launcher's rows of the message table.  Gate and attacher may be owned: what
 * they can ask for here is a connected containerd socket (gate; it is the gate's
 * purpose), to keep and forget sockets, and to end proxies (attacher).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "cleanup.h"
#include "launcher.h"
#include "log.h"
#include "privs.h"

#define BURST 16

/* Connected as root: the socket is root:root 0660, and whoever holds it is root on the node. */
static int connect_runtime(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(&fd);
}

static void on_connect(struct launcher *launcher)
{
	struct channel *gate = &launcher->children[CHILD_GATE].channel;
	struct msg_connect_failed failed = MESSAGE(CONNECT_FAILED, connect_failed);
	struct msg_connected connected = MESSAGE(CONNECTED, connected);
	int fd = connect_runtime(launcher->options.containerd_socket);

	if (fd < 0) {
		failed.error = fd;
		channel_send(gate, &failed, NULL);
		return;
	}
	channel_send(gate, &connected, &fd);
	close(fd);
}

static struct kept *kept_row(struct launcher *launcher, const char sandbox[SANDBOX_ID_LENGTH])
{
	for (unsigned i = 0; i < PODS_MAX; i++)
		if (launcher->kept[i].fd >= 0 && !memcmp(launcher->kept[i].sandbox, sandbox, SANDBOX_ID_LENGTH))
			return &launcher->kept[i];
	return NULL;
}

/* Bounded by the table: an attacher gone mad loses its own copies, not our memory. */
static void on_keep(struct launcher *launcher, struct received *in)
{
	struct kept *row = kept_row(launcher, in->m.keep.sandbox);

	for (unsigned i = 0; i < PODS_MAX && !row; i++)
		if (launcher->kept[i].fd < 0)
			row = &launcher->kept[i];
	if (!row) {
		log_event(LOG_WARNING, "no room to keep a pod's netlink socket");
		return;
	}
	drop_fd(&row->fd);
	row->fd = in->fds[0];
	in->fd_count = 0;
	memcpy(row->sandbox, in->m.keep.sandbox, SANDBOX_ID_LENGTH);
}

static void on_forget(struct launcher *launcher, const char sandbox[SANDBOX_ID_LENGTH])
{
	struct kept *row = kept_row(launcher, sandbox);

	if (row)
		drop_fd(&row->fd);
}

/* The gate speaks for the watcher only: the zygote is none of its peers. */
static void on_dismiss(struct launcher *launcher, enum child_index index, uint32_t peer)
{
	if (peer == P_WATCHER)
		children_end(launcher, CHILD_WATCHER);
	else if (peer == P_ZYGOTE && index == CHILD_ATTACHER)
		children_end(launcher, CHILD_ZYGOTE);
}

static void on_ready(struct launcher *launcher, enum child_index index)
{
	struct child *attacher = &launcher->children[CHILD_ATTACHER], *watcher = &launcher->children[CHILD_WATCHER];

	launcher->children[index].channel.state = ST_READY;
	if (index == CHILD_ATTACHER)
		node_scratch_remove(launcher);
	if (attacher->channel.state == ST_READY && watcher->channel.state == ST_READY) {
		log_event(LOG_INFO, "agent ready", log_str("start", launcher->was_ready ? "again" : "first"));
		launcher->was_ready = 1;
	}
}

/*
 * The descriptor may name any process (an owned zygote chose it): so the signal is
 * sent by a child that is nobody but the proxies' own user, and the kernel decides.
 */
static void end_proxy(int pidfd)
{
	if (fork())
		return;		/* reaped with the others; a failed fork leaves the proxy to its channel's end */
	_exit(privs_become(UID_DNSPROXY, 0) || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0));
}

static void handle(struct launcher *launcher, enum child_index index, struct received *in)
{
	switch (in->m.h.type) {
	case MSG_READY:
		on_ready(launcher, index);
		break;
	case MSG_CONNECT:
		on_connect(launcher);
		break;
	case MSG_KEEP:
		on_keep(launcher, in);
		break;
	case MSG_FORGET:
		on_forget(launcher, in->m.forget.sandbox);
		break;
	case MSG_END_PROXY:
		end_proxy(in->fds[0]);
		break;
	case MSG_DISMISS:
		on_dismiss(launcher, index, in->m.dismiss.peer);
		break;
	}
}

void requests_receive(struct launcher *launcher, enum child_index index)
{
	struct received in;
	int n = 1;

	/* a few at a time: a peer that never stops must not keep the signals waiting */
	for (int i = 0; i < BURST && n > 0; i++) {
		n = channel_receive(&launcher->children[index].channel, &in);
		if (n > 0) {
			handle(launcher, index, &in);
			received_drop(&in);
		}
	}
	if (n >= 0)
		return;
	drop_fd(&launcher->children[index].channel.fd);
	children_end(launcher, index);		/* broken or gone: it is started anew */
}

int requests_brief_attacher(struct launcher *launcher)
{
	struct channel *attacher = &launcher->children[CHILD_ATTACHER].channel;
	struct msg_config config = MESSAGE(CONFIG, config);
	struct msg_kept_end end = MESSAGE(KEPT_END, kept_end);
	int error;

	memcpy(config.upstream, launcher->options.upstream, sizeof(config.upstream));
	config.upstreams = launcher->options.upstream_count;
	error = channel_send(attacher, &config, NULL);
	for (unsigned i = 0; i < PODS_MAX && !error; i++) {
		struct msg_kept kept = MESSAGE(KEPT, kept);

		if (launcher->kept[i].fd < 0)
			continue;
		memcpy(kept.sandbox, launcher->kept[i].sandbox, SANDBOX_ID_LENGTH);
		error = channel_send(attacher, &kept, &launcher->kept[i].fd);
	}
	return error ? error : channel_send(attacher, &end, NULL);
}
