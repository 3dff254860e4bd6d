/* Length-prefixed messages (frame.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "frame.h"
#include "wire.h"

#define GROWTH ((size_t)1024)

int frame_reserve(struct frame_buffer *buffer, size_t more)
{
	size_t size = (buffer->used + more + GROWTH - 1) / GROWTH * GROWTH;
	uint8_t *bytes;

	if (buffer->used + more <= buffer->size)
		return 0;
	bytes = realloc(buffer->bytes, size);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->size = size;
	return 0;
}

enum frame_state frame_at(const struct frame_buffer *buffer, size_t at, size_t max, size_t *length)
{
	*length = 0;
	if (buffer->used - at < FRAME_PREFIX)
		return FRAME_INCOMPLETE;
	*length = wire_get16(buffer->bytes + at);
	if (*length > max)
		return FRAME_TOO_LONG;
	return buffer->used - at - FRAME_PREFIX < *length ? FRAME_INCOMPLETE : FRAME_COMPLETE;
}

int frame_append(struct frame_buffer *buffer, const uint8_t *bytes, size_t size)
{
	if (size > FRAME_MAX || frame_reserve(buffer, FRAME_PREFIX + size))
		return -ENOMEM;
	wire_put16(buffer->bytes + buffer->used, (uint16_t)size);
	memcpy(buffer->bytes + buffer->used + FRAME_PREFIX, bytes, size);
	buffer->used += FRAME_PREFIX + size;
	return 0;
}

void frame_consume(struct frame_buffer *buffer, size_t count)
{
	if (!count)
		return;
	buffer->used -= count;
	if (buffer->used)
		memmove(buffer->bytes, buffer->bytes + count, buffer->used);
	else
		frame_free(buffer);
}

void frame_free(struct frame_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct frame_buffer){ 0 };
}
