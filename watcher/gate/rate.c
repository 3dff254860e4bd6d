/* Rate bounds (rate.h).  Run by the gate. */
#include "clock.h"
#include "rate.h"

int rate_take(struct rate *rate, unsigned per_second, unsigned burst, uint64_t now)
{
	uint64_t price = NS_PER_S / per_second;

	if (rate->paid_ns < now)
		rate->paid_ns = now;
	if (rate->paid_ns + price > now + burst * price)
		return 0;
	rate->paid_ns += price;
	return 1;
}
