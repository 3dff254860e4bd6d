/* The attacher's surface table (surface.h says what that is). */
#ifndef LW_ATTACHER_SURFACE_H
#define LW_ATTACHER_SURFACE_H

#include "surface.h"

extern const struct surface attacher_surface;

#endif
