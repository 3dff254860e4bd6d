/*
 * The log: JSON lines.  Run by every process; strings may be hostile (names of
 * pods, bytes of a peer) and are escaped here.  Opens nothing after log_open().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

#define LINE_MAX_BYTES 2048
#define VALUE_MAX_BYTES 512	/* a longer value is cut, so that one field can't push out the others */

static const char *process_name = "leitwacht";

struct out {
	char *line;
	unsigned size, used;
};

/* Room for the closing `"}\n` is always kept. */
static void put(struct out *out, char c)
{
	if (out->used + 4 < out->size)
		out->line[out->used++] = c;
}

static void put_text(struct out *out, const char *text)
{
	while (*text)
		put(out, *text++);
}

/* Everything but printable ASCII as \u00XX: safe in JSON, in a terminal and in a log pipeline. */
static void put_string(struct out *out, const char *bytes, size_t length)
{
	char code[8];

	if (length > VALUE_MAX_BYTES)
		length = VALUE_MAX_BYTES;
	put(out, '"');
	for (size_t i = 0; i < length && out->used + 16 < out->size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '"' || c == '\\') {
			put(out, '\\');
			put(out, (char)c);
		} else if (c >= 0x20 && c < 0x7f) {
			put(out, (char)c);
		} else {
			snprintf(code, sizeof(code), "\\u%04x", c);
			put_text(out, code);
		}
	}
	put(out, '"');
}

static void put_field(struct out *out, const struct log_field *f)
{
	char number[32];
	const char *s = f->string ? f->string : "";
	int64_t n = f->number;

	if (out->used + strlen(f->key) + 48 > out->size)
		return;		/* a field that can't stand whole is left out */
	put(out, ',');
	put_string(out, f->key, strlen(f->key));
	put(out, ':');
	switch (f->kind) {
	case LOG_FIELD_STRING:
		put_string(out, s, strlen(s));
		return;
	case LOG_FIELD_BYTES:
		put_string(out, s, (size_t)n);
		return;
	case LOG_FIELD_INT:
		snprintf(number, sizeof(number), "%" PRId64, n);
		break;
	case LOG_FIELD_MS:
		snprintf(number, sizeof(number), "%" PRId64 ".%03d", n / 1000000, (int)(n / 1000 % 1000));
		break;
	}
	put_text(out, number);
}

unsigned log_format(char *line, unsigned size, int64_t realtime_ns, const char *process, enum log_level level,
		    const char *msg, const struct log_field *fields, unsigned count)
{
	static const char *const levels[] = { "debug", "info", "warning", "error" };
	struct out out = { line, size, 0 };
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	char stamp[48], date[24];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "{\"time\":\"%s.%06dZ\"", date, (int)(realtime_ns / 1000 % 1000000));
	put_text(&out, stamp);
	put_field(&out, &log_str("level", levels[level]));
	put_field(&out, &log_str("process", process));
	put_field(&out, &log_str("msg", msg));
	for (unsigned i = 1; i < count; i++)
		put_field(&out, &fields[i]);
	out.line[out.used++] = '}';
	out.line[out.used++] = '\n';
	return out.used;
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, unsigned count)
{
	char line[LINE_MAX_BYTES];
	struct timespec now;
	unsigned used;

	clock_gettime(CLOCK_REALTIME, &now);
	used = log_format(line, sizeof(line), now.tv_sec * 1000000000LL + now.tv_nsec, process_name, level, msg,
			  fields, count);
	if (write(STDERR_FILENO, line, used) < 0)
		return;		/* nobody reads, or the disk is full: the work goes on */
}

void log_open(const char *process)
{
	char line[256];

	process_name = process;
	log_format(line, sizeof(line), 0, process, LOG_DEBUG, "", NULL, 0);	/* libc reads its time zone here */
}

const char *log_errno_text(int error)
{
	static char text[96];
	const char *name = strerrorname_np(-error), *description = strerrordesc_np(-error);

	snprintf(text, sizeof(text), "%s: %s", name ? name : "unknown", description ? description : "");
	return text;
}

void log_fatal(const char *what, int error)
{
	log_event(LOG_ERROR, what, log_errno(error), log_str("consequence", "this process ends"));
	_exit(70);
}
