/* The ring of known containers (known.h).  Run by the watcher. */
#include <string.h>
#include "known.h"

void known_put(struct known_ring *ring, const struct known *known)
{
	ring->ring[ring->next] = *known;
	ring->next = (ring->next + 1) % KNOWN_MAX;
}

const struct known *known_take(struct known_ring *ring, const char *container)
{
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		struct known *known = &ring->ring[i];

		if (known->kind == KNOWN_FREE || strcmp(known->container, container) != 0)
			continue;
		known->container[0] = 0;	/* no id is empty: it is not found again */
		return known;
	}
	return NULL;
}

void known_clear(struct known_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}
