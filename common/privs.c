/*
 * Giving up privileges (privs.h).  Run by the launcher's children between fork
 * and exec, and by the unprivileged processes at start, before they read
 * anything.  Never gains.
 */
#define _GNU_SOURCE
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "privs.h"

static int select_caps(uint64_t caps, capng_type_t sets)
{
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if ((caps & CAP_BIT(c)) && capng_update(CAPNG_ADD, sets, c))
			return -EINVAL;
	return 0;
}

static uint64_t bounding(void)
{
	uint64_t set = 0;

	for (unsigned c = 0; c < 64; c++)
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1)
			set |= CAP_BIT(c);
	return set;
}

static int read_sets(uint64_t *permitted, uint64_t *effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data))
		return -errno;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	return 0;
}

/* The kernel's word that exactly `caps` is left and that nobody is root by accident. */
static int verify(uid_t uid, uint64_t caps)
{
	uint64_t permitted, effective;
	uid_t r, e, s;
	int error = read_sets(&permitted, &effective);

	if (error)
		return error;
	if (getresuid(&r, &e, &s) || r != uid || e != uid || s != uid)
		return -EPERM;
	return permitted == caps && effective == caps && bounding() == caps ? 0 : -EPERM;
}

int privs_become(uid_t uid, uint64_t caps)
{
	int error;

	capng_clear(CAPNG_SELECT_ALL);
	error = select_caps(caps, CAPNG_BOUNDING_SET);
	if (error)
		return error;
	/* the drop needs SETPCAP, so it comes while we are still root with all we were given */
	if (capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	error = select_caps(caps, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE);
	if (error)
		return error;
	/* not capng_change_id(): it takes SETPCAP away, which privs_confine() needs in the child */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	if (capng_apply(CAPNG_SELECT_CAPS) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
		return -EPERM;
	error = select_caps(caps, CAPNG_AMBIENT);
	if (error || (caps && capng_apply(CAPNG_SELECT_AMBIENT)))
		return error ? error : -EPERM;
	return verify(uid, caps);
}

int privs_settle(pid_t parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;	/* it died before the request stood */
}

int privs_confine(const char *empty_folder)
{
	if (chdir(empty_folder) || chroot(".") || chdir("/"))
		return -errno;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) || capng_apply(CAPNG_SELECT_AMBIENT) || capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return verify(getuid(), 0);
}

uint64_t privs_effective(void)
{
	uint64_t permitted, effective;

	return read_sets(&permitted, &effective) ? 0 : effective;
}

const char *privs_name(unsigned capability)
{
	return capng_capability_to_name(capability);
}
