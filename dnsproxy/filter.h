/* Seccomp filters built from the surface tables once, and put on when their time comes. */
#ifndef LW_DNS_FILTER_H
#define LW_DNS_FILTER_H

#include <linux/filter.h>
#include "surface.h"

extern const struct surface zygote_surface, proxy_surface;

/* The filter that surface_enter() would put on.  0 or -errno. */
int filter_build(const struct surface *surface, enum surface_phase phase, struct sock_fprog *program);

/* Needs no_new_privs.  0 or -errno. */
int filter_enter(const struct sock_fprog *program);

#endif
