/*
 * A channel: one end of a SOCK_SEQPACKET pair between two of our processes.
 * Everybody uses it.  What comes in is hostile: the peer may be owned.
 */
#ifndef LW_CHANNEL_H
#define LW_CHANNEL_H

#include "message.h"

struct channel {
	int fd;				/* -1: no peer */
	enum process self, peer;
	enum channel_state state;	/* ours, as the receiver */
};

struct received {
	union message m;
	int fds[MSG_FDS_MAX];		/* owned by the caller: take them or received_drop() */
	unsigned fd_count;
};

/* A pair of close-on-exec, non-blocking ends.  0 or -errno. */
int channel_pair(int ends[2]);

/*
 * Send one message; its header must be set (MESSAGE()), its size and number
 * of fds are the row's.  The fds stay the caller's.  0; -EAGAIN when the peer
 * does not read; -EPIPE when it is gone; else -errno.
 */
int channel_send(const struct channel *channel, const void *message, const int *fds);

/*
 * Receive one message without waiting.  1: `in` holds a message that passed
 * message_check().  0: nothing there.  -EPIPE: the peer has gone.  -EBADMSG:
 * the peer broke the contract (logged here; descriptors that came are closed):
 * the caller closes the channel, and the peer's death is the launcher's work.
 */
int channel_receive(const struct channel *channel, struct received *in);

/* Close the descriptors of a message that nobody took. */
void received_drop(struct received *in);

/* Start a message: header set, everything else zero. */
#define MESSAGE(NAME, name) ((struct msg_##name){ .h = { .type = MSG_##NAME } })

#endif
