/* Questions in flight (flight.h). */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "flight.h"
#include "wire.h"

static struct flight *take_slot(struct flights *flights)
{
	struct flight *flight;

	if (flights->first_free) {
		flight = &flights->all[flights->first_free - 1];
		flights->first_free = flight->next_free;
		return flight;
	}
	return flights->highest < FLIGHTS_MAX ? &flights->all[flights->highest++] : NULL;
}

struct flight *flight_new(struct flights *flights, enum flight_kind kind, const uint8_t *query, size_t size)
{
	uint8_t *copy = malloc(size);
	struct flight *flight = copy ? take_slot(flights) : NULL;

	if (!flight) {
		free(copy);
		return NULL;
	}
	memcpy(copy, query, size);
	*flight = (struct flight){ .used = 1, .kind = (uint8_t)kind, .query = copy, .size = (uint16_t)size,
				   .client_id = wire_id(query) };
	flights->count++;
	return flight;
}

void flight_free(struct flights *flights, struct flight *flight)
{
	for (unsigned i = 0; i < FLIGHT_TRIES; i++)
		flight_attempt_end(flights, flight, &flight->attempts[i]);
	free(flight->query);
	flight->query = NULL;
	flight->used = 0;
	flight->next_free = flights->first_free;
	flights->first_free = (uint16_t)(flight - flights->all + 1);
	flights->count--;
}

static struct attempt *numbered(struct flights *flights, unsigned number)
{
	return &flights->all[number / FLIGHT_TRIES].attempts[number % FLIGHT_TRIES];
}

uint16_t flight_unused_id(const struct flights *flights, struct random_stock *stock)
{
	for (;;) {
		uint16_t id = random_16(stock), n = flights->buckets[id % FLIGHT_BUCKETS];

		while (n) {
			const struct attempt *a =
				&flights->all[(n - 1) / FLIGHT_TRIES].attempts[(n - 1) % FLIGHT_TRIES];

			if (a->id == id)
				break;
			n = a->next;
		}
		if (!n)
			return id;
	}
}

void flight_sent(struct flights *flights, struct flight *flight, unsigned server, unsigned socket, uint16_t id, uint64_t now)
{
	unsigned number = (unsigned)(flight - flights->all) * FLIGHT_TRIES;
	uint16_t *bucket = &flights->buckets[id % FLIGHT_BUCKETS];
	unsigned i = 0;

	while (i < FLIGHT_TRIES - 1 && flight->attempts[i].live)
		i++;
	flight->attempts[i] = (struct attempt){ .live = 1, .server = (uint8_t)server, .id = id, .socket = (uint16_t)socket,
						.next = *bucket, .sent_ns = now };
	*bucket = (uint16_t)(number + i + 1);
}

void flight_attempt_end(struct flights *flights, struct flight *flight, struct attempt *attempt)
{
	uint16_t number = (uint16_t)((unsigned)(flight - flights->all) * FLIGHT_TRIES +
				     (unsigned)(attempt - flight->attempts) + 1);
	uint16_t *link = &flights->buckets[attempt->id % FLIGHT_BUCKETS];

	if (!attempt->live)
		return;
	while (*link != number)
		link = &numbered(flights, *link - 1u)->next;
	*link = attempt->next;
	attempt->live = 0;
}

struct flight *flight_find(struct flights *flights, enum flight_kind kind, unsigned socket, uint16_t id,
			   struct attempt **attempt)
{
	uint16_t n = flights->buckets[id % FLIGHT_BUCKETS];

	while (n) {
		struct flight *flight = &flights->all[(n - 1) / FLIGHT_TRIES];

		*attempt = numbered(flights, n - 1u);
		if ((*attempt)->id == id && (*attempt)->socket == socket && flight->kind == kind)
			return flight;
		n = (*attempt)->next;
	}
	return NULL;
}
