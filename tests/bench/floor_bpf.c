/* The bpf(2) calls of an attach.  The object is loaded before any clock runs, with maps of its own and no pins of theirs. */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "floor.h"

#define MAP_IDS_MAX 16

static int program, meta_map, slot_map, pods_map, count_map;
static void *no_counts;			/* a zero value a processor */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int element(enum bpf_cmd command, int map, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = flags };

	return bpf(command, &attr);
}

static int map_of(struct bpf_object *object, const char *name)
{
	return floor_must(bpf_object__find_map_fd_by_name(object, name), name);
}

void floor_bpf_prepare(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int processors = libbpf_num_possible_cpus();

	if (!object || bpf_object__load(object))
		floor_fail(path);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "lw_egress"));
	meta_map = map_of(object, "lw_meta");
	slot_map = map_of(object, "lw_slot");
	pods_map = map_of(object, "lw_pods");
	count_map = map_of(object, "lw_count");
	no_counts = calloc((size_t)floor_must(processors, "processors"), sizeof(struct lw_count));
	if (!no_counts)
		floor_fail("memory");
}

void floor_bpf_put(const struct round *round)
{
	if (element(BPF_MAP_UPDATE_ELEM, count_map, &round->slot, no_counts, BPF_NOEXIST) && errno != EEXIST)
		floor_fail("counters");
	floor_must(element(BPF_MAP_UPDATE_ELEM, pods_map, &round->slot, &round->entry, BPF_ANY), "pod entry");
}

void floor_bpf_entry(struct round *round)
{
	struct lw_meta meta;
	uint32_t zero = 0;

	floor_must(element(BPF_MAP_LOOKUP_ELEM, meta_map, &zero, &meta, 0), "lw_meta");
	round->slot = ++meta.next_slot;
	floor_must(element(BPF_MAP_UPDATE_ELEM, meta_map, &zero, &meta, BPF_ANY), "lw_meta");
	if (getrandom(round->entry.token, LW_TOKEN_BYTES / 2, 0) < 0)
		floor_fail("getrandom");
	floor_bpf_put(round);
}

static void pin_name(const struct round *round, char name[32])
{
	snprintf(name, 32, "floor_%016" PRIx64, round->cgroup_id);
}

static int pinned(const char *name)
{
	union bpf_attr attr = { .pathname = (uintptr_t)name };

	return bpf(BPF_OBJ_GET, &attr);
}

void floor_bpf_link(const struct round *round)
{
	union bpf_attr create = { .link_create = { .prog_fd = (uint32_t)program,
		.target_fd = (uint32_t)round->claim.cgroup_fd, .attach_type = BPF_CGROUP_INET_EGRESS } };
	union bpf_attr pin = { 0 };
	char name[32];

	pin_name(round, name);
	if (pinned(name) >= 0)
		floor_fail("a pin of an earlier round");
	pin.pathname = (uintptr_t)name;
	pin.bpf_fd = (uint32_t)floor_must(bpf(BPF_LINK_CREATE, &create), "link");
	floor_must(bpf(BPF_OBJ_PIN, &pin), "pin");
	close((int)pin.bpf_fd);
	floor_must(element(BPF_MAP_UPDATE_ELEM, slot_map, &round->cgroup_id, &round->slot, BPF_EXIST), "slot");
}

static void info(int fd, void *buffer, size_t size)
{
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = (uint32_t)size, .info = (uintptr_t)buffer } };

	floor_must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), "info");
}

static void read_link(const struct round *round)
{
	uint32_t map_ids[MAP_IDS_MAX];
	struct bpf_prog_info program_info = { .nr_map_ids = MAP_IDS_MAX, .map_ids = (uintptr_t)map_ids };
	struct bpf_link_info link_info = { 0 };
	struct bpf_map_info map_info[2] = { { 0 }, { 0 } };
	union bpf_attr by_id = { 0 };
	char name[32];
	int link, fd;

	pin_name(round, name);
	link = floor_must(pinned(name), "pinned link");
	info(link, &link_info, sizeof(link_info));
	by_id.prog_id = link_info.prog_id;
	fd = floor_must(bpf(BPF_PROG_GET_FD_BY_ID, &by_id), "program");
	info(fd, &program_info, sizeof(program_info));
	info(slot_map, &map_info[0], sizeof(map_info[0]));
	info(pods_map, &map_info[1], sizeof(map_info[1]));
	close(fd);
	close(link);
}

void floor_bpf_read_back(const struct round *round)
{
	struct lw_pod entry;
	uint64_t slot;

	read_link(round);
	floor_must(element(BPF_MAP_LOOKUP_ELEM, slot_map, &round->cgroup_id, &slot, 0), "slot read");
	floor_must(element(BPF_MAP_LOOKUP_ELEM, pods_map, &round->slot, &entry, 0), "entry read");
}

void floor_bpf_undo(const struct round *round)
{
	char name[32];

	pin_name(round, name);
	floor_must(unlink(name), "unpin");		/* the last reference: the link goes */
	element(BPF_MAP_DELETE_ELEM, pods_map, &round->slot, NULL, 0);
	element(BPF_MAP_DELETE_ELEM, count_map, &round->slot, NULL, 0);
}
