/*
 * The walker (wire.h).  Every offset is compared with the size before it is
 * read; a pointer may only lead further back than the last one, so every name
 * ends.  The pointers that are followed are counted: ldns walks every name
 * after us, those in RDATA too, and 64 KB can hold millions of steps.
 */
#include "wire.h"

#define RECORD_FIXED 10		/* type, class, TTL, length */

/* One message, and how many pointers it may still make us follow. */
struct walk {
	const uint8_t *bytes;
	size_t size;
	unsigned hops;
};

/* Where ldns reads names in RDATA: behind `skip` bytes and `strings` strings.  test_dns_wire holds it against ldns. */
static const struct names {
	uint16_t type;
	uint8_t skip, strings, count;
} names_of[] = {
	{ 2, 0, 0, 1 },		/* NS */
	{ 3, 0, 0, 1 },		/* MD */
	{ 4, 0, 0, 1 },		/* MF */
	{ 5, 0, 0, 1 },		/* CNAME */
	{ 6, 0, 0, 2 },		/* SOA */
	{ 7, 0, 0, 1 },		/* MB */
	{ 8, 0, 0, 1 },		/* MG */
	{ 9, 0, 0, 1 },		/* MR */
	{ 12, 0, 0, 1 },	/* PTR */
	{ 14, 0, 0, 2 },	/* MINFO */
	{ 15, 2, 0, 1 },	/* MX */
	{ 17, 0, 0, 2 },	/* RP */
	{ 18, 2, 0, 1 },	/* AFSDB */
	{ 21, 2, 0, 1 },	/* RT */
	{ 24, 18, 0, 1 },	/* SIG */
	{ 26, 2, 0, 2 },	/* PX */
	{ 30, 0, 0, 1 },	/* NXT */
	{ 33, 6, 0, 1 },	/* SRV */
	{ 35, 4, 3, 1 },	/* NAPTR */
	{ 36, 2, 0, 1 },	/* KX */
	{ 39, 0, 0, 1 },	/* DNAME */
	{ 46, 18, 0, 1 },	/* RRSIG */
	{ 47, 0, 0, 1 },	/* NSEC */
	{ TYPE_HIP, 0, 0, 255 },	/* its servers, see rdata_sound() */
	{ 58, 0, 0, 2 },	/* TALINK */
	{ 64, 2, 0, 1 },	/* SVCB */
	{ 65, 2, 0, 1 },	/* HTTPS */
	{ 107, 2, 0, 1 },	/* LP */
	{ 249, 0, 0, 1 },	/* TKEY */
	{ 250, 0, 0, 1 },	/* TSIG */
};

/* Where the pointer at `at` leads; 0 if it may not, or one too many was followed. */
static size_t pointer_target(struct walk *w, size_t at, size_t limit)
{
	size_t target;

	if (!w->hops || w->size - at < 2)
		return 0;
	w->hops--;
	target = wire_get16(w->bytes + at) & 0x3fff;
	return target < WIRE_HEADER || target >= limit ? 0 : target;
}

/* Offset after the name at `at`, 0 for a bad one, or one with more than `hops` pointers. */
static size_t name_end(struct walk *w, size_t at, unsigned hops)
{
	size_t end = 0, limit = at, total = 0;

	while (at < w->size) {
		unsigned length = w->bytes[at];

		if ((length & 0xc0) == 0xc0) {
			size_t target = hops ? pointer_target(w, at, limit) : 0;

			if (!target)
				return 0;
			hops--;
			end = end ? end : at + 2;
			limit = at = target;
			continue;
		}
		total += length + 1;
		if (length & 0xc0 || total > WIRE_NAME_MAX)
			return 0;
		at += length + 1;
		if (!length)
			return end ? end : at;
	}
	return 0;
}

int wire_question(const uint8_t *bytes, size_t size, struct wire_shape *shape)
{
	struct walk walk = { bytes, size, 0 };
	size_t end;

	if (size < WIRE_HEADER || wire_get16(bytes + 4) != 1)
		return -1;
	end = name_end(&walk, WIRE_HEADER, 0);
	if (!end || size - end < 4)
		return -1;
	*shape = (struct wire_shape){ .question_end = end + 4, .type = wire_get16(bytes + end),
				      .class = wire_get16(bytes + end + 2) };
	return 0;
}

static void note_opt(const uint8_t *fixed, struct wire_shape *shape)
{
	shape->opts++;
	shape->udp_size = wire_get16(fixed + 2);
	shape->extended_rcode = fixed[4];
	shape->edns_do = fixed[6] >> 7;
}

static const struct names *names_in(uint16_t type)
{
	for (size_t i = 0; i < sizeof(names_of) / sizeof(names_of[0]); i++)
		if (names_of[i].type == type)
			return &names_of[i];
	return NULL;
}

/* Every name that ldns will read in the RDATA from `at` to `end`: as bounded as an owner's, and inside. */
static int rdata_sound(struct walk *w, size_t at, size_t end, uint16_t type)
{
	const struct names *names = names_in(type);

	if (!names)
		return 1;
	if (type == TYPE_HIP)	/* two lengths, then what they say, then names up to the end */
		at += end - at < 4 ? 4 : 4u + w->bytes[at] + wire_get16(w->bytes + at + 2);
	at += names->skip;
	for (unsigned i = 0; i < names->strings && at < end; i++)
		at += 1u + w->bytes[at];
	/* where RDATA ends early ldns stops too */
	for (unsigned i = 0; i < names->count && at < end; i++) {
		at = name_end(w, at, WIRE_HOPS_MAX);
		if (!at || at > end)
			return 0;
	}
	return names->count < 255 || at >= end;
}

/* Offset after the record at `at`, 0 for a bad one. */
static size_t record_end(struct walk *w, size_t at, struct wire_shape *shape)
{
	size_t fixed = name_end(w, at, WIRE_HOPS_MAX), length;
	uint16_t type;

	if (!fixed || w->size - fixed < RECORD_FIXED)
		return 0;
	type = wire_get16(w->bytes + fixed);
	length = wire_get16(w->bytes + fixed + 8);
	if (w->size - fixed - RECORD_FIXED < length)
		return 0;
	if (type == TYPE_OPT)
		note_opt(w->bytes + fixed, shape);
	fixed += RECORD_FIXED;
	return rdata_sound(w, fixed, fixed + length, type) ? fixed + length : 0;
}

int wire_walk(const uint8_t *bytes, size_t size, struct wire_shape *shape)
{
	struct walk walk = { bytes, size, WIRE_HOPS_ALL };
	unsigned records;
	size_t at;

	if (wire_question(bytes, size, shape))
		return -1;
	records = (unsigned)wire_get16(bytes + 6) + wire_get16(bytes + 8) + wire_get16(bytes + 10);
	for (at = shape->question_end; records; records--) {
		at = record_end(&walk, at, shape);
		if (!at)
			return -1;
	}
	return at == size ? 0 : -1;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

int wire_same_name(const uint8_t *a, const uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (lower(a[i]) != lower(b[i]))
			return 0;
	return 1;
}
