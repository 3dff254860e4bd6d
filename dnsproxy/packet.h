/*
 * The full grammar of DNS messages: everything that ldns does for us.  Run by
 * the proxy.  No I/O; memory of each call is freed before it returns.
 */
#ifndef LW_DNS_PACKET_H
#define LW_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

struct query;

#define PACKET_LOCAL_MAX 512	/* an answer of our own is never longer */
#define PACKET_TEXT_MAX 128

/* Can ldns decode every record?  Hostile bytes. */
int packet_walkable(const uint8_t *bytes, size_t size);

/*
 * An answer of our own: `rcode`, the client's id and question, and one TXT
 * record `text` with TTL 0 unless it is NULL.  Returns its size, 0 when memory
 * is out.  A question that could not be read is left out.
 */
size_t packet_answer(uint8_t out[PACKET_LOCAL_MAX], const struct query *query, unsigned rcode, const char *text);

/* Decode and encode once, so that what ldns and libcrypto set up is shared by every child.  0 or -1. */
int packet_warm_up(void);

#endif
