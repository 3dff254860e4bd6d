/*
 * Runs rounds.  Standard input, a line a round: "PID POD-CGROUP-PATH", both as
 * the node has them.  Standard output, a line a round: its stages in ms as JSON.
 *
 * usage: floor BPF-OBJECT PIN-FOLDER    (as root, in a node's namespaces)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "floor.h"

static const char *const stage_names[STAGES] = { "verify", "entry", "link", "nft", "listen", "proxy", "readback" };

void floor_fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

int floor_must(int value, const char *what)
{
	if (value < 0)
		floor_fail(what);
	return value;
}

static void mark(struct round *round, enum attach_stage stage)
{
	uint64_t now = clock_ns();

	round->stage_ns[stage] = now - round->mark_ns;
	round->mark_ns = now;
}

/* What attach.c and attach_steps.c do, without their decisions. */
static void attach(struct round *round)
{
	round->mark_ns = clock_ns();
	floor_claim(round);
	floor_watch_cgroup(round);
	mark(round, STAGE_VERIFY);
	floor_bpf_entry(round);
	mark(round, STAGE_ENTRY);
	floor_bpf_link(round);
	mark(round, STAGE_LINK);
	floor_netns_enter(round->claim.pidfd);
	floor_nft_build(round);
	mark(round, STAGE_NFT);
	floor_netns_listen(round->listeners);
	floor_netns_leave();
	mark(round, STAGE_LISTEN);
	floor_hand_over(round);
	floor_claim_close(&round->claim);
	mark(round, STAGE_PROXY);
	floor_claim(round);
	floor_bpf_read_back(round);
	floor_nft_read_back(round);
	floor_netns_read_back(round->listeners, round->owner_fd);
	floor_claim_close(&round->claim);
	mark(round, STAGE_READBACK);
}

static void undo(struct round *round)
{
	floor_hand_undo(round);
	floor_nft_undo(round);
	close(round->owner_fd);
	for (int i = 0; i < FLOOR_LISTENERS; i++)
		close(round->listeners[i]);
	close(round->events_fd);
	floor_bpf_undo(round);
}

static void report(const struct round *round)
{
	printf("{\"prepared_anew\": %s", round->prepared_anew ? "true" : "false");
	for (int i = 0; i < STAGES; i++)
		printf(", \"%s\": %.4f", stage_names[i], (double)round->stage_ns[i] / (double)NS_PER_MS);
	puts("}");
	fflush(stdout);
}

static void run(uint32_t pid, const char *path)
{
	struct round round = { .pid = pid, .path = path };

	attach(&round);
	undo(&round);
	report(&round);
}

int main(int argc, char **argv)
{
	char line[512], path[sizeof(line)];
	uint32_t pid;

	if (argc != 3) {
		fputs("usage: floor BPF-OBJECT PIN-FOLDER\n", stderr);
		return 2;
	}
	floor_bpf_prepare(argv[1]);
	if ((mkdir(argv[2], 0700) && errno != EEXIST) || chdir(argv[2]))
		floor_fail(argv[2]);
	floor_claim_prepare();
	floor_netns_prepare();
	floor_nft_prepare(2);		/* a CNI's interface comes after lo */
	floor_hand_prepare();
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (sscanf(line, "%u %s", &pid, path) == 2)
			run(pid, path);
	return rmdir(argv[2]) ? 1 : 0;
}
