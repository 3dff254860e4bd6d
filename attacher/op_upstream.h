/* Upstream sockets: made and connected in the agent's own network, handed to a proxy. */
#ifndef LW_OP_UPSTREAM_H
#define LW_OP_UPSTREAM_H

#include "message.h"

/* A connected, non-blocking socket to the configured server (never to an address of a peer's). fd or -errno. */
int op_upstream_connect(const struct upstream_address *server, enum upstream_kind kind);

/* Plug for an unused descriptor number: leads nowhere.  fd or -errno. */
int op_upstream_plug(void);

#endif
