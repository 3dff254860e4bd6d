/* The bounded queue to the watcher (queue.h).  Run by the gate; carries payloads and reads none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "queue.h"

struct queue_item {
	struct queue_item *next;
	uint64_t since_ns;
	size_t size;			/* of `bytes`: a message without its trailing zeros */
	uint8_t bytes[];
};

/* A chunk is as long as the largest one; what is kept is as long as what came. */
static size_t kept_size(const union message *m)
{
	if (m->h.type == MSG_CHUNK)
		return offsetof(struct msg_chunk, bytes) + m->chunk.length;
	return message_row(m->h.type)->size;
}

static int keep(struct queue *queue, const void *message, uint64_t now)
{
	size_t size = kept_size(message);
	struct queue_item *item;

	if (queue->bytes + sizeof(*item) + size > QUEUE_BYTES_MAX)
		return -ENOBUFS;
	item = malloc(sizeof(*item) + size);
	if (!item)
		return -ENOBUFS;
	item->next = NULL;
	item->since_ns = now;
	item->size = size;
	memcpy(item->bytes, message, size);
	if (queue->last)
		queue->last->next = item;
	else
		queue->first = item;
	queue->last = item;
	queue->bytes += sizeof(*item) + size;
	return 0;
}

static void drop_first(struct queue *queue)
{
	struct queue_item *item = queue->first;

	queue->first = item->next;
	if (!queue->first)
		queue->last = NULL;
	queue->bytes -= sizeof(*item) + item->size;
	free(item);
}

int queue_send(struct queue *queue, const struct channel *to, const void *message, uint64_t now)
{
	int error = queue->first ? -EAGAIN : channel_send(to, message, NULL);

	return error == -EAGAIN ? keep(queue, message, now) : error;
}

int queue_flush(struct queue *queue, const struct channel *to)
{
	while (queue->first) {
		union message m;
		int error;

		memset(&m, 0, sizeof(m));
		memcpy(&m, queue->first->bytes, queue->first->size);
		error = channel_send(to, &m, NULL);
		if (error)
			return error == -EAGAIN ? 0 : error;
		drop_first(queue);
	}
	return 0;
}

uint64_t queue_oldest_ns(const struct queue *queue)
{
	return queue->first ? queue->first->since_ns : UINT64_MAX;
}

void queue_drop(struct queue *queue)
{
	while (queue->first)
		drop_first(queue);
}
