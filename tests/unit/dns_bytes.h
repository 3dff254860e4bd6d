/* Messages for the proxy's unit tests: literal bytes, handed over in a heap block of exactly their size. */
#ifndef LW_TEST_DNS_BYTES_H
#define LW_TEST_DNS_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADER(id, flags, qd, an, ns, ar) id flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\3www\7example\3com\0\0\1\0\1"
#define OPT "\0\0\x29\x04\xd0\0\0\x80\0\0\0"
#define A_RECORD "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
#define QUERY HEADER("\x12\x34", "\1\0", "\1", "\0", "\0", "\0") QUESTION
#define ANSWER HEADER("\x12\x34", "\x81\x80", "\1", "\1", "\0", "\1") QUESTION A_RECORD OPT

struct bytes {
	uint8_t *at;
	size_t size;
};

static inline struct bytes bytes_copy(const void *from, size_t size)
{
	struct bytes b = { malloc(size ? size : 1), size };

	memcpy(b.at, from, size);
	return b;
}

#define BYTES(literal) bytes_copy(literal, sizeof(literal) - 1)

/* A few changes at random, and perhaps a shorter message. */
static inline struct bytes bytes_spoilt(const void *from, size_t size)
{
	struct bytes b = bytes_copy(from, size);

	for (long changes = random() % 6; changes >= 0; changes--)
		b.at[(size_t)random() % size] = (uint8_t)random();
	if (random() % 4 == 0)
		b.size = (size_t)random() % (size + 1);
	if (b.size < size) {
		struct bytes shorter = bytes_copy(b.at, b.size);

		free(b.at);
		return shorter;
	}
	return b;
}

#endif
