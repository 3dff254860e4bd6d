/* gRPC's framing (framing.h).  Run by the gate on containerd's bytes; opens nothing. */
#include "framing.h"

/* The prefix is complete: what follows?  We asked for no compression, so such a message is not one for us. */
static void begin_message(struct framing *f, unsigned *skipped)
{
	f->left = (uint32_t)f->prefix[1] << 24 | (uint32_t)f->prefix[2] << 16 | (uint32_t)f->prefix[3] << 8 | f->prefix[4];
	f->skipping = f->left > FRAMING_MESSAGE_MAX || f->prefix[0] != 0;
	*skipped += (unsigned)f->skipping;
}

static size_t feed_prefix(struct framing *f, const uint8_t *bytes, size_t length, uint64_t now, unsigned *skipped)
{
	size_t used = 0;

	if (f->have == 0)
		f->received_ns = now;
	while (f->have < sizeof(f->prefix) && used < length)
		f->prefix[f->have++] = bytes[used++];
	if (f->have == sizeof(f->prefix))
		begin_message(f, skipped);
	return used;
}

int framing_feed(struct framing *f, const uint8_t *bytes, size_t length, uint64_t now, framing_piece *piece,
		 void *context, unsigned *skipped)
{
	while (length) {
		size_t part;
		int error;

		if (f->have < sizeof(f->prefix)) {
			part = feed_prefix(f, bytes, length, now, skipped);
			bytes += part;
			length -= part;
			if (f->have < sizeof(f->prefix))
				return 0;
		}
		part = length < f->left ? length : f->left;	/* 0 for a message without a byte: it ends at once */
		if (!part && f->left)
			return 0;
		f->left -= (uint32_t)part;
		if (!f->left)
			f->have = 0;
		error = f->skipping ? 0 : piece(context, f, bytes, part, !f->left);
		if (error)
			return error;
		bytes += part;
		length -= part;
	}
	return 0;
}
