/*
 * The barrier's question and answer (answer.h).  Every offset is checked against
 * the size before it is read; nothing is followed but one pointer to our own
 * question, which is compared, not walked.
 */
#include <string.h>
#include "answer.h"

#define HEADER_BYTES 12
#define TYPE_TXT 16
#define CLASS_IN 1

static const uint8_t barrier_name[] = "\012_leitwacht\010attached\005local";	/* ends with the root's zero */

static unsigned get16(const uint8_t *bytes)
{
	return (unsigned)(bytes[0] << 8 | bytes[1]);
}

size_t barrier_query(uint8_t query[BARRIER_QUERY_MAX], uint16_t id)
{
	static const uint8_t rest[] = { 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0 };	/* RD, one question */
	static const uint8_t type_class[] = { 0, TYPE_TXT, 0, CLASS_IN };
	uint8_t *p = query;

	*p++ = (uint8_t)(id >> 8);
	*p++ = (uint8_t)id;
	memcpy(p, rest, sizeof(rest));
	p += sizeof(rest);
	memcpy(p, barrier_name, sizeof(barrier_name));
	p += sizeof(barrier_name);
	memcpy(p, type_class, sizeof(type_class));
	return (size_t)(p - query) + sizeof(type_class);
}

/* The value of `key=`, if the word has this key and a value. */
static const char *value_of(const char *word, size_t length, const char *key, size_t *value_length)
{
	size_t key_length = strlen(key);

	if (length <= key_length || memcmp(word, key, key_length))
		return NULL;
	*value_length = length - key_length;
	return word + key_length;
}

static int take_version(const char *value, size_t length, struct answer *out)
{
	if (out->version[0] || !semver_valid(value, length))	/* twice is as wrong as bad */
		return 0;
	memcpy(out->version, value, length);
	out->version[length] = '\0';
	return 1;
}

static int take_token(const char *value, size_t length, struct answer *out)
{
	if (out->token[0] || length != BARRIER_TOKEN_LENGTH)
		return 0;
	for (size_t i = 0; i < length; i++)
		if (!memchr("0123456789abcdef", value[i], 16))
			return 0;
	memcpy(out->token, value, length);
	return 1;
}

static int take_word(const char *word, size_t length, struct answer *out)
{
	size_t value_length;
	const char *value = value_of(word, length, "version=", &value_length);

	if (value)
		return take_version(value, value_length, out);
	value = value_of(word, length, "token=", &value_length);
	if (value)
		return take_token(value, value_length, out);
	return memchr(word, '=', length) != NULL;	/* a later agent's word: not ours to judge */
}

int barrier_text(const char *text, size_t length, struct answer *out)
{
	static const char first[] = "attached ";
	size_t at = sizeof(first) - 1;

	memset(out, 0, sizeof(*out));
	if (length < at || memcmp(text, first, at))
		return 0;
	while (at < length) {
		const char *space = memchr(text + at, ' ', length - at);
		size_t word = space ? (size_t)(space - text) - at : length - at;

		if (!word || !take_word(text + at, word, out))
			return 0;
		at += word + 1;
	}
	return out->version[0] && out->token[0];
}

/* Ours: id, QR, QUERY, and our question byte for byte. */
static int is_ours(const uint8_t *bytes, size_t size, const uint8_t *query, size_t query_size)
{
	if (size < query_size || memcmp(bytes, query, 2))
		return 0;
	if ((bytes[2] & 0xf8) != 0x80 || get16(bytes + 4) != 1)
		return 0;
	return !memcmp(bytes + HEADER_BYTES, query + HEADER_BYTES, query_size - HEADER_BYTES);
}

/* Length of the owner name at `bytes` if it is the barrier's, plain or as a pointer to the question; else 0. */
static size_t owner(const uint8_t *bytes, size_t left)
{
	if (left >= 2 && bytes[0] == 0xc0 && bytes[1] == HEADER_BYTES)
		return 2;
	if (left >= sizeof(barrier_name) && !memcmp(bytes, barrier_name, sizeof(barrier_name)))
		return sizeof(barrier_name);
	return 0;
}

/* One TXT record with one string: the agent sends no other form. */
static enum answer_verdict record(const uint8_t *bytes, size_t left, struct answer *out)
{
	size_t at = owner(bytes, left), length;

	if (!at || left - at < 11)
		return ANSWER_MALFORMED;
	bytes += at;
	left -= at;
	length = get16(bytes + 8);
	if (get16(bytes) != TYPE_TXT || get16(bytes + 2) != CLASS_IN || left - 10 < length)
		return ANSWER_MALFORMED;
	if (length < 1 || bytes[10] != length - 1)
		return ANSWER_MALFORMED;
	return barrier_text((const char *)bytes + 11, length - 1, out) ? ANSWER_ATTACHED : ANSWER_MALFORMED;
}

enum answer_verdict barrier_answer(const uint8_t *bytes, size_t size, const uint8_t *query, size_t query_size,
				   struct answer *out)
{
	if (!is_ours(bytes, size, query, query_size))
		return ANSWER_FOREIGN;
	if (bytes[3] & 0x0f)
		return ANSWER_NOT_YET;
	if (bytes[2] & 0x02 || get16(bytes + 6) != 1)	/* cut short, or not exactly one record */
		return ANSWER_MALFORMED;
	return record(bytes + query_size, size - query_size, out);
}
