/*
 * leitwacht-dnsproxy: start.  Run by the launcher as a uid of its own with
 * SYS_CHROOT and SETPCAP, which it gives up before it reads anything; its
 * working directory holds the folder `empty`.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "filter.h"
#include "log.h"
#include "packet.h"
#include "privs.h"
#include "version.h"
#include "zygote.h"

struct filters {
	struct sock_fprog startup, serving, child;
};

static void or_die(const char *what, int error)
{
	if (error)
		log_fatal(what, error);
}

/* All three while nothing is restricted yet; each comes on at its own time. */
static void build_filters(struct filters *filters)
{
	or_die("filter", filter_build(&zygote_surface, PHASE_STARTUP, &filters->startup));
	or_die("filter", filter_build(&zygote_surface, PHASE_SERVING, &filters->serving));
	or_die("filter", filter_build(&proxy_surface, PHASE_SERVING, &filters->child));
}

int main(int argc, char **argv)
{
	struct filters filters;

	if (argc > 1) {
		if (strcmp(argv[1], "--version"))
			fputs("leitwacht-dnsproxy is started by leitwacht\n", stderr);
		else
			puts("leitwacht-dnsproxy " LW_VERSION);
		return strcmp(argv[1], "--version") ? 2 : 0;
	}
	signal(SIGPIPE, SIG_IGN);	/* a stderr that nobody reads ends no process */
	log_open("dnsproxy");
	or_die("name", prctl(PR_SET_NAME, "lw-dnsproxy", 0, 0, 0) ? -errno : 0);
	or_die("settle", privs_settle(getppid()));
	build_filters(&filters);
	or_die("filter (start-up)", filter_enter(&filters.startup));
	or_die("confine", privs_confine("empty"));
	or_die("warm up", packet_warm_up() ? -EINVAL : 0);
	or_die("filter (serving)", filter_enter(&filters.serving));
	return zygote_run(&filters.child);
}
