/* Unpredictable numbers from the kernel, a few at a time.  Run by the proxy's child only: a stock is never forked. */
#ifndef LW_DNS_RANDOM_H
#define LW_DNS_RANDOM_H

#include <stdint.h>

struct random_stock {
	uint16_t numbers[32];
	unsigned left;
};

uint16_t random_16(struct random_stock *stock);

/* Uniform in 0 .. below - 1; below is at least 1. */
unsigned random_below(struct random_stock *stock, unsigned below);

#endif
