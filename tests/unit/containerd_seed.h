/* Real answers and events, captured from containerd 1.6 (seeds/containerd).  `make unit` runs in the project's root. */
#ifndef CONTAINERD_SEED_H
#define CONTAINERD_SEED_H

#include <stdint.h>
#include <stdio.h>
#include "unit.h"

#define SEED_MAX 65536

static inline size_t seed_read(const char *name, uint8_t *into)
{
	char path[256];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "tests/unit/seeds/containerd/%s.bin", name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	size = fread(into, 1, SEED_MAX, file);
	fclose(file);
	ck_assert_uint_gt(size, 0);
	return size;
}

/* A small generator, the same sequence each run, so that a failure can be repeated. */
static inline uint32_t seed_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

#endif
