/*
 * Prints the flow records of the pinned ring, one JSON line each, until it is
 * killed: usage: flows PIN.  Says "ready" first.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include "lw_abi.h"

static int print_flow(void *context, void *data, size_t size)
{
	const struct lw_flow *flow = data;
	char address[INET6_ADDRSTRLEN];

	(void)context;
	if (size != sizeof(*flow))
		return printf("{\"size\":%zu}\n", size) < 0;
	inet_ntop(AF_INET6, flow->key.address, address, sizeof(address));
	printf("{\"slot\":%llu,\"address\":\"%s\",\"port\":%u,\"source_port\":%u,\"protocol\":%u,"
	       "\"bundle\":%u,\"generation\":%u,\"interface\":%u,\"verdict\":%u,\"time_ns\":%llu}\n",
	       flow->key.slot, address, flow->key.port, flow->key.source_port, flow->key.protocol, flow->bundle,
	       flow->generation, flow->interface, flow->verdict, flow->time_ns);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? bpf_obj_get(argv[1]) : -1;
	struct ring_buffer *ring = fd >= 0 ? ring_buffer__new(fd, print_flow, NULL, NULL) : NULL;

	if (!ring) {
		fputs("usage: flows PIN (of the map lw_flows)\n", stderr);
		return 2;
	}
	puts("ready");
	fflush(stdout);
	while (ring_buffer__poll(ring, -1) >= 0)
		;
	return 1;
}
