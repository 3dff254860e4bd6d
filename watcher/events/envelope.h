/*
 * containerd's events: bytes of an envelope in, one small struct out.  Pure.
 * The bytes are hostile.
 */
#ifndef LW_EVENTS_ENVELOPE_H
#define LW_EVENTS_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_ID_MAX 76

enum event_kind {
	EVENT_TASK_CREATE,	/* about to start: time to look at its container */
	EVENT_TASK_START,
	EVENT_TASK_END,		/* exit or delete of a container's own process, not of an exec */
	EVENT_PROBE,		/* our own, with `nonce` */
	EVENT_OTHER,		/* well formed, nothing for us */
};

struct event {
	enum event_kind kind;
	char container[EVENT_ID_MAX + 1];
	uint32_t pid;
	uint64_t nonce;
};

/* 0; -EBADMSG for bytes that are no envelope of the kind that its type names. */
int envelope_parse(const uint8_t *bytes, size_t size, struct event *out);

/* Is it an identifier as containerd defines it?  The gate sends no other. */
int event_id_valid(const char *id);

#endif
