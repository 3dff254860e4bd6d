/*
 * The gate's gRPC requests: all that it can ever say to containerd.  Used by
 * the gate; pure.  The watcher chooses a method, one id and a nonce (hostile);
 * everything else is fixed here, so that an owned watcher has no words to say
 * "create", "exec" or "delete" with.
 */
#ifndef LW_GATE_REQUEST_H
#define LW_GATE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX 384		/* the longest is Subscribe's, with its five filters */

struct request {
	const char *path;		/* HTTP/2 :path, one of a handful of literals */
	const char *namespace;		/* header containerd-namespace */
	size_t length;
	uint8_t body[REQUEST_MAX];	/* with gRPC's five-byte prefix */
};

/* The subscription: tasks' creations, starts, exits and deletes of Kubernetes' namespace, and our probe. */
void request_subscribe(struct request *request);

/* Publish the probe event that carries `nonce`, under a namespace and topic of our own. */
void request_probe(struct request *request, uint64_t nonce);

/*
 * One of the calls that the watcher may ask for.  `id` is not zero-terminated;
 * methods that take none want length 0.  0, or -EINVAL.
 */
int request_call(struct request *request, uint32_t method, const char *id, size_t id_length);

/* Is it an identifier as containerd defines it: 1 to 76 of [A-Za-z0-9._-]? */
int request_id_valid(const char *id, size_t length);

#endif
