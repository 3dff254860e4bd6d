/*
 * The shape of a DNS message: where its question ends, whether every record can
 * be walked, what its OPT says.  Run by the proxy on bytes of pods and of
 * upstreams, both hostile.  Pure: no memory, no I/O.
 */
#ifndef LW_DNS_WIRE_H
#define LW_DNS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER 12
#define WIRE_NAME_MAX 255
#define WIRE_QUESTION_MAX (WIRE_HEADER + WIRE_NAME_MAX + 4)
#define WIRE_HOPS_MAX 126		/* pointers in one name: one a label */
#define WIRE_HOPS_ALL 32768	/* in all names of a message: several for each record that 64 KB hold */
#define WIRE_UDP_PLAIN 512	/* what a client without EDNS takes over UDP */

enum wire_type { TYPE_TXT = 16, TYPE_OPT = 41, TYPE_HIP = 55, TYPE_IXFR = 251, TYPE_AXFR = 252 };
enum { CLASS_IN = 1 };
enum wire_rcode { RCODE_NOERROR = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NOTIMP = 4 };

struct wire_shape {
	size_t question_end;	/* offset after the one question */
	uint16_t type, class;	/* of the question */
	uint16_t opts;		/* number of OPT records */
	uint16_t udp_size;	/* of the last OPT */
	uint8_t edns_do;
	uint8_t extended_rcode;	/* of the last OPT: the upper bits */
};

static inline uint16_t wire_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline void wire_put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline uint16_t wire_id(const uint8_t *bytes)
{
	return wire_get16(bytes);
}

static inline int wire_is_answer(const uint8_t *bytes)
{
	return bytes[2] >> 7;
}

static inline unsigned wire_opcode(const uint8_t *bytes)
{
	return bytes[2] >> 3 & 15;
}

/*
 * Exactly one question, with a plain name (no pointer)?  Fills question_end,
 * type and class.  0 or -1.
 */
int wire_question(const uint8_t *bytes, size_t size, struct wire_shape *shape);

/*
 * The question and every record, names in RDATA too, up to the last byte and
 * not one more.  0 or -1.
 */
int wire_walk(const uint8_t *bytes, size_t size, struct wire_shape *shape);

/* Names at the same offset of two messages, `length` bytes, equal but for the case of ASCII letters? */
int wire_same_name(const uint8_t *a, const uint8_t *b, size_t length);

#endif
