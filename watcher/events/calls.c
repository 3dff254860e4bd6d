/* The table of calls (calls.h).  Run by the watcher; pure but for the channel. */
#include <errno.h>
#include <string.h>
#include "calls.h"
#include "clock.h"

#define HOLD_NS (10 * NS_PER_MS)	/* the gate lets one more through every 5 ms */

static struct call *free_place(struct calls *calls)
{
	for (unsigned i = 0; i < calls->high; i++)
		if (calls->table[i].purpose == CALL_FREE)
			return &calls->table[i];
	return calls->high < CALLS_MAX ? &calls->table[calls->high++] : NULL;
}

struct call *calls_add(struct calls *calls, enum call_purpose purpose, uint32_t method, const char *id)
{
	struct call *call = free_place(calls);

	if (!call)
		return NULL;
	memset(call, 0, sizeof(*call));
	call->purpose = purpose;
	call->method = method;
	call->number = ++calls->last_number;
	strcpy(call->id, id);
	calls->waiting++;
	return call;
}

void calls_end(struct calls *calls, struct call *call)
{
	if (call->sent)
		calls->under_way--;
	else
		calls->waiting--;
	assembly_drop(&call->assembly);
	call->purpose = CALL_FREE;
	while (calls->high && calls->table[calls->high - 1].purpose == CALL_FREE)
		calls->high--;
}

void calls_end_all(struct calls *calls)
{
	for (unsigned i = calls->high; i-- > 0;)
		if (calls->table[i].purpose != CALL_FREE)
			calls_end(calls, &calls->table[i]);
	calls->hold_ns = 0;
}

int calls_again(struct calls *calls, struct call *call, uint64_t now)
{
	if (call->again == CALLS_AGAIN_MAX)
		return -EBUSY;
	call->again++;
	call->sent = 0;
	assembly_drop(&call->assembly);
	calls->under_way--;
	calls->waiting++;
	calls->hold_ns = now + HOLD_NS;
	return 0;
}

uint64_t calls_oldest_ns(const struct calls *calls)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < calls->high; i++) {
		const struct call *call = &calls->table[i];

		if (call->purpose != CALL_FREE && call->purpose != CALL_LIST && call->sent && call->sent_ns < oldest)
			oldest = call->sent_ns;
	}
	return oldest;
}

struct call *calls_find(struct calls *calls, uint64_t number)
{
	for (unsigned i = 0; i < calls->high; i++)
		if (calls->table[i].purpose != CALL_FREE && calls->table[i].number == number)
			return &calls->table[i];
	return NULL;
}

struct call *calls_find_created(struct calls *calls, const char *id)
{
	for (unsigned i = 0; i < calls->high; i++)
		if (calls->table[i].purpose == CALL_CREATED && !strcmp(calls->table[i].id, id))
			return &calls->table[i];
	return NULL;
}

/* In the order of enum call_purpose: a pod waits for what an event brought. */
static int goes_before(const struct call *a, const struct call *b)
{
	return a->purpose != b->purpose ? a->purpose < b->purpose : a->number < b->number;
}

static struct call *next_waiting(struct calls *calls)
{
	struct call *next = NULL;

	for (unsigned i = 0; i < calls->high; i++) {
		struct call *call = &calls->table[i];

		if (call->purpose != CALL_FREE && !call->sent && (!next || goes_before(call, next)))
			next = call;
	}
	return next;
}

static int send_call(const struct call *call, const struct channel *gate, uint32_t epoch)
{
	struct msg_call m = MESSAGE(CALL, call);

	m.call = call->number;
	m.epoch = epoch;
	m.method = call->method;
	m.id_length = (uint32_t)strlen(call->id);
	memcpy(m.id, call->id, m.id_length);
	return channel_send(gate, &m, NULL);
}

int calls_send(struct calls *calls, const struct channel *gate, uint32_t epoch, uint64_t now)
{
	if (now < calls->hold_ns)
		return 0;
	calls->hold_ns = 0;
	while (calls->waiting) {
		struct call *call = next_waiting(calls);
		int error;

		if (calls->under_way >= (call->purpose < CALL_LIST ? CALLS_UNDER_WAY : CALLS_OF_LISTS))
			return 0;
		error = send_call(call, gate, epoch);
		if (error)
			return error;
		call->sent = 1;
		call->sent_ns = now;
		calls->waiting--;
		calls->under_way++;
	}
	return 0;
}
