/*
 * The messages between the processes (messages.def is the table).
 *
 * Fixed size, no pointers, no paths; a descriptor travels beside a message.
 * No implicit padding: the compiler is told to refuse it.  Every byte that
 * comes from a peer is checked in message_check() once, in this order: size,
 * type, sender and receiver, state, number of descriptors, padding.  Ranges
 * are checked by the handler, which knows what a value means.
 */
#ifndef LW_MESSAGE_H
#define LW_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include "process.h"

#define MSG_FDS_MAX 5
#define SANDBOX_ID_LENGTH 64		/* lower-case hex, no terminating zero on the wire */
#define CONTAINER_ID_MAX 76		/* containerd's own bound for any container's id */
#define TOKEN_LENGTH 16			/* lower-case hex */
#define UPSTREAM_BATCH 4		/* connected UDP sockets in one UPSTREAM_UDP */
#define UPSTREAMS_MAX 3
#define CHUNK_BYTES 4040
#define PODS_MAX 512			/* pods that one attacher holds */

/* State of the end that receives. */
enum channel_state {
	ST_NEW = 1,	/* attacher: before its READY; a proxy: mute, before LIVE; launcher: peer not READY */
	ST_READY = 2,	/* serving */
};

enum attach_stage {	/* in the order of an attach; STAGES is their number */
	STAGE_VERIFY, STAGE_ENTRY, STAGE_LINK, STAGE_NFT, STAGE_LISTEN, STAGE_PROXY, STAGE_READBACK, STAGES,
};

enum attach_outcome {
	OUTCOME_LIVE,		/* this START led to LIVE */
	OUTCOME_ALREADY,	/* was LIVE, read back again, still is */
	OUTCOME_FAILED,		/* stage and error say why; START may be repeated */
	OUTCOME_REFUSED,	/* never: stage VERIFY, error says why (EPERM: hostNetwork) */
	OUTCOME_GONE,		/* the claim's process or cgroup is no more */
};

enum call_method {	/* the gate's fixed requests that the watcher may ask for */
	METHOD_VERSION = 1,
	METHOD_CONTAINER_GET = 2,
	METHOD_CONTAINER_LIST = 3,	/* ListStream, kind=sandbox */
	METHOD_TASK_GET = 4,
	/* no Tasks/List: one hung shim holds its answer up for 2 s, Tasks/Get harms one pod */
	METHOD_EVENTS = 6,		/* only as the kind of a CHUNK: the subscription */
};

enum upstream_kind { UPSTREAM_KIND_UDP = 1, UPSTREAM_KIND_TCP = 2 };

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

struct msg_header {
	uint16_t type;
	uint16_t zero16;
	uint32_t zero32;
};

struct upstream_address {
	uint8_t address[16];		/* network order; IPv4 in the first four */
	uint16_t port;			/* host order */
	uint16_t family;		/* 4 or 6 */
	uint8_t pad[4];
};
/* What the launcher read from its options and resolv.conf; the first message of all. */
struct msg_config { struct msg_header h; struct upstream_address upstream[UPSTREAMS_MAX]; uint32_t upstreams; uint8_t pad[4]; };

/* An owner's netlink socket of an earlier attacher, named by the sandbox it belongs to. */
struct msg_kept { struct msg_header h; char sandbox[SANDBOX_ID_LENGTH]; };
struct msg_kept_end { struct msg_header h; };
struct msg_ready { struct msg_header h; };
struct msg_keep { struct msg_header h; char sandbox[SANDBOX_ID_LENGTH]; };
struct msg_forget { struct msg_header h; char sandbox[SANDBOX_ID_LENGTH]; };
/* The pidfd of a proxy that did not end when its channel was closed. */
struct msg_end_proxy { struct msg_header h; };
/* `peer` (watcher or zygote) broke the contract or hangs: end it, a new one gets a new channel. */
struct msg_dismiss { struct msg_header h; uint32_t peer; uint8_t pad[4]; };
/* The new channel to `peer` (one of enum process). */
struct msg_peer { struct msg_header h; uint32_t peer; uint8_t pad[4]; };

struct msg_connect { struct msg_header h; };
struct msg_connected { struct msg_header h; };
struct msg_connect_failed { struct msg_header h; int32_t error; uint8_t pad[4]; };

/* `epoch` numbers the gate's connections: what speaks of another one is stale and dropped. */
struct msg_stream_up { struct msg_header h; uint32_t epoch; uint8_t pad[4]; };
struct msg_stream_down { struct msg_header h; uint32_t epoch; int32_t reason; };
/* A piece of one gRPC message; `last` ends the message.  `bytes` beyond `length` are zero. */
struct msg_chunk {
	struct msg_header h;
	uint64_t received_ns;		/* CLOCK_MONOTONIC at the gate, when the message's first byte came */
	uint64_t call;			/* the watcher's number of the call, 0 for events */
	uint32_t epoch;
	uint32_t method;		/* enum call_method */
	uint32_t length;
	uint32_t last;			/* 0 or 1 */
	uint8_t bytes[CHUNK_BYTES];
};
struct msg_call_end { struct msg_header h; uint64_t call; uint32_t epoch; int32_t grpc_status; uint32_t method; uint8_t pad[4]; };
struct msg_call { struct msg_header h; uint64_t call; uint32_t epoch; uint32_t method; uint32_t id_length; char id[CONTAINER_ID_MAX]; };
struct msg_probe { struct msg_header h; uint64_t nonce; uint32_t epoch; uint8_t pad[4]; };

struct msg_start { struct msg_header h; char sandbox[SANDBOX_ID_LENGTH]; uint32_t pid; uint32_t bundle; };
struct msg_started {
	struct msg_header h;
	char sandbox[SANDBOX_ID_LENGTH];
	uint64_t live_ns;		/* CLOCK_MONOTONIC when LIVE was sent, 0 if it was not */
	uint64_t slot;
	uint32_t outcome;		/* enum attach_outcome */
	uint32_t stage;			/* enum attach_stage where it failed */
	int32_t error;			/* -errno */
	uint32_t stage_us[STAGES];	/* microseconds, 0 for a stage not reached */
};
struct msg_end { struct msg_header h; char sandbox[SANDBOX_ID_LENGTH]; };

/* families: bit 0 IPv4, bit 1 IPv6 listeners are real, the others are plugs */
struct msg_spawn { struct msg_header h; uint64_t slot; uint32_t families; uint32_t attempt; };
/* attempt: the SPAWN's, so that a late answer is not taken for the next attempt's. */
struct msg_spawned { struct msg_header h; uint64_t slot; uint32_t pid; uint32_t attempt; };
struct msg_spawn_failed { struct msg_header h; uint64_t slot; int32_t error; uint32_t attempt; };

struct msg_hello { struct msg_header h; };
/* upstreams: how many servers UPSTREAM_ASK may name */
struct msg_live { struct msg_header h; char token[TOKEN_LENGTH]; uint32_t bundle; uint32_t generation; uint32_t upstreams; uint8_t pad[4]; };
/* `server` counts from 0 in the start-up config's list. */
struct msg_upstream_ask { struct msg_header h; uint8_t kind; uint8_t server; uint8_t pad[6]; };
struct msg_upstream_udp { struct msg_header h; uint8_t server; uint8_t pad[7]; };
struct msg_upstream_tcp { struct msg_header h; uint8_t server; uint8_t pad[7]; };
struct msg_upstream_none { struct msg_header h; int32_t error; uint8_t kind; uint8_t server; uint8_t pad[2]; };

#pragma GCC diagnostic pop

enum message_type {
	MSG_NONE = 0,
#define MSG(NAME, name, number, ...) MSG_##NAME = number,
#include "messages.def"
#undef MSG
};

union message {
	struct msg_header h;
#define MSG(NAME, name, ...) struct msg_##name name;
#include "messages.def"
#undef MSG
};

struct message_row {
	const char *name;
	uint16_t type;
	uint16_t size;
	uint8_t senders, receivers, states, fds, pad;
	uint16_t reply;
};

extern const struct message_row message_rows[];
extern const size_t message_row_count;

/* The row of a type, or NULL. */
const struct message_row *message_row(uint16_t type);

/*
 * Is this datagram a message that `sender` may send to `receiver` in `state`?
 * bytes, size: what recvmsg gave, hostile.  fds: how many descriptors came.
 * 0, or -EBADMSG; `why` (may be NULL) then names the check that failed.
 */
int message_check(const void *bytes, size_t size, unsigned fds, enum process sender, enum process receiver,
		  enum channel_state state, const char **why);

/* Is it exactly 64 lower-case hex digits?  Used wherever an id comes from a peer. */
int sandbox_id_valid(const char id[SANDBOX_ID_LENGTH]);

#endif
