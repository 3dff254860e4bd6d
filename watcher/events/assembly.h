/*
 * Putting a message together again from the gate's CHUNKs.  Pure but for the
 * heap; bounded: a message that grows past the bound is skipped to its end.
 */
#ifndef LW_EVENTS_ASSEMBLY_H
#define LW_EVENTS_ASSEMBLY_H

#include <stddef.h>
#include <stdint.h>

#define ASSEMBLY_MAX (4U << 20)		/* the gate's own bound */

struct assembly {
	uint8_t *bytes;
	size_t length, room;
	int skipping, whole;
};

/* 1: `bytes` is a whole message, until the next call.  0: more is to come.  -EMSGSIZE, once: it was too large. */
int assembly_add(struct assembly *assembly, const uint8_t *bytes, size_t length, int last);

/* Give the memory back. */
void assembly_drop(struct assembly *assembly);

#endif
