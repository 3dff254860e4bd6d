/*
 * The barrier's question and answer on the wire.  Run by leitwacht-initc; the
 * answer is hostile until it has passed here.  Pure: bytes in, struct out.
 */
#ifndef LW_INITC_ANSWER_H
#define LW_INITC_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include "semver.h"

#define BARRIER_TOKEN_LENGTH 16		/* lower-case hex */
#define BARRIER_QUERY_MAX 64
#define BARRIER_ANSWER_MAX 512

enum answer_verdict {
	ANSWER_ATTACHED,	/* version and token are filled in */
	ANSWER_NOT_YET,		/* ours, but SERVFAIL or another error: not attached yet */
	ANSWER_MALFORMED,	/* ours by id and question, and not what an agent says */
	ANSWER_FOREIGN,		/* not an answer to this question: ignore it, go on waiting */
};

struct answer {
	char version[SEMVER_LENGTH_MAX + 1];
	char token[BARRIER_TOKEN_LENGTH];
};

/* Build the question `_leitwacht.attached.local TXT IN`; returns its length. */
size_t barrier_query(uint8_t query[BARRIER_QUERY_MAX], uint16_t id);

/* Judge `bytes` as the answer to that question. */
enum answer_verdict barrier_answer(const uint8_t *bytes, size_t size, const uint8_t *query, size_t query_size,
				   struct answer *out);

/* The text `attached version=V token=T [key=value ...]`; 0 when it is anything else. */
int barrier_text(const char *text, size_t length, struct answer *out);

#endif
