/*
 * A bound on how often something may happen: so many a second, after a burst.
 * Used by the gate; pure.
 */
#ifndef LW_GATE_RATE_H
#define LW_GATE_RATE_H

#include <stdint.h>

struct rate {
	uint64_t paid_ns;	/* what was taken is paid for until then */
};

/* Take one.  1, or 0 where it would be one too many. */
int rate_take(struct rate *rate, unsigned per_second, unsigned burst, uint64_t now);

#endif
