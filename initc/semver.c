/*
 * Semantic versions (semver.h).  Numbers are compared as digits, so that no
 * length of a number overflows anything.
 */
#include <string.h>
#include "semver.h"

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_identifier(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static int all_digits(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_digit(text[i]))
			return 0;
	return length > 0;
}

/* Length of the identifier at `at`; 0 if there is none or it is a number with a leading zero. */
static size_t identifier(const char *text, size_t at, size_t end, int zeros_allowed)
{
	size_t length = 0;

	while (at + length < end && is_identifier(text[at + length]))
		length++;
	if (!zeros_allowed && length > 1 && text[at] == '0' && all_digits(text + at, length))
		return 0;
	return length;
}

/* Identifiers with dots between them, from `at` on: where they end, or 0 for a bad one. */
static size_t identifiers(const char *text, size_t at, size_t end, int zeros_allowed)
{
	for (;;) {
		size_t length = identifier(text, at, end, zeros_allowed);

		if (!length)
			return 0;
		at += length;
		if (at == end || text[at] != '.')
			return at;
		at++;
	}
}

static size_t core(const char *text, size_t end)
{
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		size_t length = 0;

		while (at + length < end && is_digit(text[at + length]))
			length++;
		if (!length || (length > 1 && text[at] == '0'))
			return 0;
		at += length;
		if (part < 2 && (at == end || text[at++] != '.'))
			return 0;
	}
	return at;
}

int semver_valid(const char *text, size_t length)
{
	size_t at;

	if (length > SEMVER_LENGTH_MAX)
		return 0;
	at = core(text, length);
	if (at && at < length && text[at] == '-')
		at = identifiers(text, at + 1, length, 0);
	if (at && at < length && text[at] == '+')
		at = identifiers(text, at + 1, length, 1);
	return at && at == length;
}

static int compare_numbers(const char *a, size_t a_length, const char *b, size_t b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return memcmp(a, b, a_length);
}

static int compare_text(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_identifier(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int a_number = all_digits(a, a_length), b_number = all_digits(b, b_length);

	if (a_number && b_number)
		return compare_numbers(a, a_length, b, b_length);
	if (a_number != b_number)
		return a_number ? -1 : 1;
	return compare_text(a, a_length, b, b_length);
}

/* Both at the first byte of a list of identifiers; one list may be the longer. */
static int compare_lists(const char *a, const char *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t a_length = strcspn(a, ".-+"), b_length = strcspn(b, ".-+");
		int order = compare_numbers(a, a_length, b, b_length);

		if (order)
			return order;
		a += a_length + 1;
		b += b_length + 1;
	}
	return 0;
}

static const char *prerelease(const char *text, size_t *length)
{
	size_t core_length = strcspn(text, "-+");

	*length = 0;
	if (text[core_length] != '-')
		return NULL;
	text += core_length + 1;
	*length = strcspn(text, "+");
	return text;
}

static int compare_prerelease(const char *a, size_t a_length, const char *b, size_t b_length)
{
	for (;;) {
		const char *a_dot = memchr(a, '.', a_length), *b_dot = memchr(b, '.', b_length);
		size_t a_part = a_dot ? (size_t)(a_dot - a) : a_length, b_part = b_dot ? (size_t)(b_dot - b) : b_length;
		int order = compare_identifier(a, a_part, b, b_part);

		if (order || !a_dot || !b_dot)
			return order ? order : !!a_dot - !!b_dot;
		a_length -= a_part + 1;
		b_length -= b_part + 1;
		a = a_dot + 1;
		b = b_dot + 1;
	}
}

int semver_compare(const char *a, const char *b)
{
	size_t a_length, b_length;
	int order = compare_lists(a, b, 3);

	if (order)
		return order;
	a = prerelease(a, &a_length);
	b = prerelease(b, &b_length);
	if (!a || !b)
		return (a ? -1 : 0) + (b ? 1 : 0);
	return compare_prerelease(a, a_length, b, b_length);
}
