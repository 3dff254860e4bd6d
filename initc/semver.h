/*
 * Semantic versions (semver.org 2.0.0), compared.  Run by leitwacht-initc on
 * the version in an answer, which is hostile.  Pure: bytes in, order out.
 */
#ifndef LW_INITC_SEMVER_H
#define LW_INITC_SEMVER_H

#include <stddef.h>

#define SEMVER_LENGTH_MAX 64

/* Is text[0..length) a semantic version of at most SEMVER_LENGTH_MAX bytes? */
int semver_valid(const char *text, size_t length);

/*
 * Order of two valid, zero-terminated versions: <0, 0, >0.  A pre-release is
 * older than its release; build metadata doesn't count.
 */
int semver_compare(const char *a, const char *b);

#endif
