/* The tables of this folder, for the generator of SURFACE.md (build time only). */
#include <stddef.h>
#include "attacher_surface.h"
#include "launcher_surface.h"

extern const struct surface *const surface_tables[];
const struct surface *const surface_tables[] = { &launcher_surface, &attacher_surface, NULL };
