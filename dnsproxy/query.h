/*
 * What a client's message is.  Run by the proxy; the bytes come from a pod and
 * are hostile.  Pure.
 */
#ifndef LW_DNS_QUERY_H
#define LW_DNS_QUERY_H

#include "wire.h"

#define QUERY_MAX 4096		/* a longer question is refused: nobody honest asks one */

enum query_verdict {
	QUERY_SILENT,	/* an answer, or too short for an id: to reply would make us a reflector */
	QUERY_FORMERR,
	QUERY_NOTIMP,	/* another opcode, or a zone transfer */
	QUERY_BARRIER,	/* asks about the barrier's name: answered here, never forwarded */
	QUERY_FORWARD,
};

struct query {
	const uint8_t *bytes;	/* the caller's */
	size_t size;
	struct wire_shape shape;	/* all zero when the question can't be read */
};

enum query_verdict query_read(const uint8_t *bytes, size_t size, struct query *out);

/* The most that this client takes in one UDP datagram. */
size_t query_udp_limit(const struct query *query);

#endif
