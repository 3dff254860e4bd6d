/* Unpredictable numbers (random.h). */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "log.h"
#include "random.h"

static void refill(struct random_stock *stock)
{
	if (getrandom(stock->numbers, sizeof(stock->numbers), 0) != sizeof(stock->numbers))
		log_fatal("getrandom", errno ? -errno : -EIO);	/* predictable ids would be worse than no DNS */
	stock->left = sizeof(stock->numbers) / sizeof(stock->numbers[0]);
}

uint16_t random_16(struct random_stock *stock)
{
	uint16_t number;

	if (!stock->left)
		refill(stock);
	number = stock->numbers[--stock->left];
	stock->numbers[stock->left] = 0;	/* what was used can't be read back later */
	return number;
}

unsigned random_below(struct random_stock *stock, unsigned below)
{
	unsigned bound = 65536 - 65536 % below, number;

	do
		number = random_16(stock);
	while (number >= bound);
	return number % below;
}
