/*
 * Generator: prints the surface tables of one folder.  Built once a folder with
 * that folder's surface.c; runs at build time only.
 *   surface-FOLDER page | json | filter INDEX PHASE
 */
#include <stdlib.h>
#include <string.h>
#include "surface.h"

/* Each folder's surface.c ends with this list of its tables. */
extern const struct surface *const surface_tables[];

static int usage(void)
{
	fputs("usage: surface-FOLDER page | json | filter INDEX startup|serving (BPF to stdout)\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "filter"))
		return surface_export(surface_tables[atoi(argv[2])],
				      strcmp(argv[3], "startup") ? PHASE_SERVING : PHASE_STARTUP, 1) ? 1 : 0;
	if (argc != 2 || (strcmp(argv[1], "page") && strcmp(argv[1], "json")))
		return usage();
	if (!strcmp(argv[1], "page"))
		puts("<!-- generated from surface.c by `make surface`; tests hold it against the table -->\n\n# Surface\n");
	for (unsigned i = 0; surface_tables[i]; i++)
		(strcmp(argv[1], "page") ? surface_json : surface_page)(surface_tables[i], stdout);
	return 0;
}
