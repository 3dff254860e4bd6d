/*
 * What an upstream's message is, and what of it a client gets.  Run by the
 * proxy; upstreams, and whoever spoofs them, are hostile.  Pure.
 */
#ifndef LW_DNS_REPLY_H
#define LW_DNS_REPLY_H

#include "wire.h"

/*
 * Is it the answer to the question that was sent (`query` with `id`)?  An id,
 * QR, the opcode, and one question equal to ours but for the case of letters.
 */
int reply_matches(const uint8_t *bytes, size_t size, const uint8_t *query, size_t question_end, uint16_t id);

/* Only a header with our id and an error: how servers answer what they can't read.  It answers nothing. */
int reply_refuses(const uint8_t *bytes, size_t size, uint16_t id);

/* Can every byte of it be walked, and is there at most one OPT? */
int reply_sound(const uint8_t *bytes, size_t size);

/* Put the client's own id and question (with its case) in the place of ours. */
void reply_restore(uint8_t *bytes, const uint8_t *query, size_t question_end, uint16_t client_id);

/* Over UDP: a sound answer longer than `limit` becomes an honest "truncated", with its OPT.  Returns the size to send. */
size_t reply_fit(uint8_t *bytes, size_t size, size_t question_end, size_t limit);

#endif
