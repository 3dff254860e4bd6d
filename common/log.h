/*
 * JSON lines on stderr, one write(2) a line.  Values may come from outside:
 * they are escaped and cut, never interpreted.
 */
#ifndef LW_LOG_H
#define LW_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *key;
	enum { LOG_FIELD_STRING, LOG_FIELD_BYTES, LOG_FIELD_INT, LOG_FIELD_MS } kind;
	const char *string;	/* STRING: zero-terminated; BYTES: `number` bytes */
	int64_t number;		/* INT: as it is; MS: nanoseconds */
};

#define log_str(k, s) ((struct log_field){ .key = (k), .kind = LOG_FIELD_STRING, .string = (s) })
#define log_bytes(k, s, n) ((struct log_field){ .key = (k), .kind = LOG_FIELD_BYTES, .string = (s), .number = (int64_t)(n) })
#define log_int(k, n) ((struct log_field){ .key = (k), .kind = LOG_FIELD_INT, .number = (int64_t)(n) })
/* Nanoseconds, printed as milliseconds with three decimals. */
#define log_ms(k, ns) ((struct log_field){ .key = (k), .kind = LOG_FIELD_MS, .number = (int64_t)(ns) })
/* A negative errno with its name: "error": "EPERM: Operation not permitted". */
#define log_errno(e) ((struct log_field){ .key = "error", .kind = LOG_FIELD_STRING, .string = log_errno_text(e) })

/* Name this process; everything of libc's that would open a file later is done now. */
void log_open(const char *process);

/* One line.  A full or closed stderr loses the line, never blocks. */
#define log_event(level, msg, ...) \
	log_write(level, msg, (const struct log_field[]){ { .key = 0 }, __VA_ARGS__ }, \
		  sizeof((const struct log_field[]){ { .key = 0 }, __VA_ARGS__ }) / sizeof(struct log_field))

/* fields[0] is a placeholder, so that a line may have none. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, unsigned count);

/* Format into `line` (pure, for tests): how many bytes, without a terminating zero; always ends in "}\n". */
unsigned log_format(char *line, unsigned size, int64_t realtime_ns, const char *process, enum log_level level,
		    const char *msg, const struct log_field *fields, unsigned count);

/* Text of a negative errno, in a static buffer. */
const char *log_errno_text(int error);

/* Our own bug or a state in which going on would be unsafe: log it, exit 70 (EX_SOFTWARE). */
void log_fatal(const char *what, int error) __attribute__((noreturn));

#endif
