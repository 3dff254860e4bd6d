/*
 * leitwacht-dnsproxy: start.  Run by the launcher as a uid of its own with
 * SYS_CHROOT and SETPCAP, which it gives up before it reads anything; its
 * working directory holds the folder `empty`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "log.h"
#include "packet.h"
#include "privs.h"
#include "surface.h"
#include "version.h"
#include "zygote.h"

extern const struct surface zygote_surface;

static void or_die(const char *what, int error)
{
	if (error)
		log_fatal(what, error);
}

static void confine(void)
{
	or_die("settle", privs_settle(getppid()));
	or_die("filter (start-up)", surface_enter(&zygote_surface, PHASE_STARTUP));
	or_die("confine", privs_confine("empty"));
}

int main(int argc, char **argv)
{
	struct sock_fprog child_filter;

	if (argc > 1) {
		if (strcmp(argv[1], "--version"))
			fputs("leitwacht-dnsproxy is started by leitwacht\n", stderr);
		else
			puts("leitwacht-dnsproxy " LW_VERSION);
		return strcmp(argv[1], "--version") ? 2 : 0;
	}
	log_open("dnsproxy");
	or_die("name", prctl(PR_SET_NAME, "lw-dnsproxy", 0, 0, 0) ? -errno : 0);
	confine();
	or_die("warm up", packet_warm_up() ? -EINVAL : 0);
	or_die("child's filter", filter_build(&child_filter));
	or_die("filter (serving)", surface_enter(&zygote_surface, PHASE_SERVING));
	return zygote_run(&child_filter);
}
