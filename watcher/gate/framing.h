/*
 * gRPC's framing: a prefix of five bytes, then so many bytes of message.  Used
 * by the gate; pure.  It finds where a message begins and ends and reads
 * nothing inside it.
 */
#ifndef LW_GATE_FRAMING_H
#define LW_GATE_FRAMING_H

#include <stddef.h>
#include <stdint.h>

/* Larger messages are skipped; the connection lives on.  A pod's spec is bounded by etcd's 1.5 MiB. */
#define FRAMING_MESSAGE_MAX (4U << 20)

struct framing {
	uint8_t prefix[5];
	unsigned have;			/* bytes of the prefix */
	int skipping;
	uint32_t left;			/* bytes of the message that are still to come */
	uint64_t received_ns;		/* when its first byte came */
};

/* Some bytes of a message; `last` ends it.  0, or -errno, which ends the feeding. */
typedef int framing_piece(void *context, const struct framing *framing, const uint8_t *bytes, size_t length, int last);

/* Take what came on a stream.  `skipped` counts messages that were too large or compressed.  0 or the piece's error. */
int framing_feed(struct framing *framing, const uint8_t *bytes, size_t length, uint64_t now, framing_piece *piece,
		 void *context, unsigned *skipped);

#endif
