/* The launcher's surface table (surface.h says what that is). */
#ifndef LW_LAUNCHER_SURFACE_H
#define LW_LAUNCHER_SURFACE_H

#include "surface.h"

extern const struct surface launcher_surface;

#endif
