/* Messages out of CHUNKs (assembly.h).  Run by the watcher; reads nothing inside them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "assembly.h"

static int make_room(struct assembly *a, size_t wanted)
{
	size_t room = a->room ? a->room : 4096;
	uint8_t *larger;

	if (wanted <= a->room)
		return 0;
	while (room < wanted)
		room *= 2;
	larger = realloc(a->bytes, room);
	if (!larger)
		return -ENOMEM;
	a->bytes = larger;
	a->room = room;
	return 0;
}

static void begin_next(struct assembly *a)
{
	a->length = 0;
	a->skipping = 0;
	a->whole = 0;
}

int assembly_add(struct assembly *a, const uint8_t *bytes, size_t length, int last)
{
	if (a->whole)
		begin_next(a);
	if (!a->skipping && (length > ASSEMBLY_MAX - a->length || make_room(a, a->length + length)))
		a->skipping = 1;
	if (!a->skipping && length) {
		memcpy(a->bytes + a->length, bytes, length);
		a->length += length;
	}
	a->whole = last;
	if (!last)
		return 0;
	return a->skipping ? -EMSGSIZE : 1;
}

void assembly_drop(struct assembly *a)
{
	free(a->bytes);
	*a = (struct assembly){ 0 };
}
