/*
 * DNS over TCP: messages with two bytes of length before them, in a buffer that
 * grows to what one message needs.  Run by the proxy on bytes of pods and
 * upstreams, both hostile.  Memory only, no I/O.
 */
#ifndef LW_DNS_FRAME_H
#define LW_DNS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_PREFIX 2
#define FRAME_MAX 65535

struct frame_buffer {
	uint8_t *bytes;
	size_t used, size;
};

enum frame_state { FRAME_INCOMPLETE, FRAME_COMPLETE, FRAME_TOO_LONG };

/* Make room for at least `more` bytes behind what is used.  0 or -ENOMEM. */
int frame_reserve(struct frame_buffer *buffer, size_t more);

/* Is there a whole message at `at`?  *length is its length without the prefix; longer than `max` is too long. */
enum frame_state frame_at(const struct frame_buffer *buffer, size_t at, size_t max, size_t *length);

/* Append a message with its prefix.  0 or -ENOMEM. */
int frame_append(struct frame_buffer *buffer, const uint8_t *bytes, size_t size);

/* Forget the first `count` bytes; an empty buffer gives its memory back. */
void frame_consume(struct frame_buffer *buffer, size_t count);

void frame_free(struct frame_buffer *buffer);

#endif
