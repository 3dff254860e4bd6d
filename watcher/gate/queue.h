/*
 * What waits for a watcher that does not read.  Used by the gate.  Bounded by
 * bytes and by time: containerd queues without bound for a slow subscriber, so
 * the gate keeps reading, and where this queue is full the connection is cut.
 */
#ifndef LW_GATE_QUEUE_H
#define LW_GATE_QUEUE_H

#include "channel.h"

#define QUEUE_BYTES_MAX (8U << 20)
#define QUEUE_WAIT_NS (5ULL * 1000000000ULL)

struct queue {
	struct queue_item *first, *last;
	size_t bytes;
};

/* Send at once, or keep.  0; -ENOBUFS when the queue is full; -EPIPE when the watcher is gone. */
int queue_send(struct queue *queue, const struct channel *to, const void *message, uint64_t now);

/* Send what can be sent.  0, or -errno of the channel. */
int queue_flush(struct queue *queue, const struct channel *to);

/* Since when the oldest waits, or UINT64_MAX. */
uint64_t queue_oldest_ns(const struct queue *queue);

void queue_drop(struct queue *queue);

#endif
