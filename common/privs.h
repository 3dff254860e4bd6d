/*
 * Giving up privileges, in an order that works: bounding set while SETPCAP is
 * held, then the uid, then the sets that are left, then no_new_privs.  Every
 * return is checked and the result is read back from the kernel.
 */
#ifndef LW_PRIVS_H
#define LW_PRIVS_H

#include <stdint.h>
#include <sys/types.h>

#define CAP_BIT(c) (1ULL << (c))

/*
 * Become `uid` (gid the same, no supplementary groups) with exactly `caps`
 * (CAP_BIT) as permitted, effective, inheritable, ambient and bounding set, so
 * that they survive one exec.  The caller is root with SETUID, SETGID, SETPCAP.
 * 0 or -errno; after an error the caller must end.
 */
int privs_become(uid_t uid, uint64_t caps);

/*
 * For a process that needs no privilege at all: take `empty_folder` (of the
 * image) as root folder, then drop every capability.  The caller still has
 * SYS_CHROOT and SETPCAP.  0 or -errno; after an error the caller must end.
 */
int privs_confine(const char *empty_folder);

/* no_new_privs, not dumpable, death with the parent `parent`.  0 or -errno. */
int privs_settle(pid_t parent);

/* Capabilities of the calling process's effective set, as CAP_BIT bits; 0 on error. */
uint64_t privs_effective(void);

/* "net_admin": the name of a capability without its prefix, or NULL. */
const char *privs_name(unsigned capability);

#endif
