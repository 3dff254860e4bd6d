/*
 * All uses of bpf(2).  Run by the attacher; numbers come from the kernel or from
 * our own tables, never from a peer.  Maps are made at start only: the serving
 * filter has no BPF_MAP_CREATE and no BPF_PROG_LOAD.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "log.h"
#include "lw.skel.h"
#include "op_bpf.h"

#define MAP_IDS_MAX 16

static struct {
	struct lw *skeleton;
	int program, meta, slot, pods, count;
	struct bpf_prog_info info;		/* of our program: the tag names this build */
	uint32_t map_ids[MAP_IDS_MAX];
} kernel;

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[256];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(LOG_WARNING, text);
	return 0;
}

/* map_ids (MAP_IDS_MAX) may be NULL. */
static int program_info(int fd, struct bpf_prog_info *info, uint32_t *map_ids)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (map_ids) {
		info->map_ids = (uintptr_t)map_ids;
		info->nr_map_ids = MAP_IDS_MAX;
	}
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

static int check_meta(void)
{
	uint64_t slot = LW_SLOT_NONE;
	uint32_t zero = 0;
	struct lw_meta meta;

	if (bpf_map_lookup_elem(kernel.meta, &zero, &meta))
		return -errno;
	if (meta.version == LW_ABI_VERSION)
		return 0;
	if (meta.version)
		return -EPROTONOSUPPORT;
	if (!op_bpf_next_slot(&slot))
		return -EUCLEAN;	/* its pin was taken away while pods are held: numbers would be given out twice */
	meta = (struct lw_meta){ .version = LW_ABI_VERSION, .next_slot = LW_SLOT_NONE + 1 };
	return bpf_map_update_elem(kernel.meta, &zero, &meta, BPF_ANY) ? -errno : 0;
}

static int count_slot(uint64_t slot)
{
	int processors = libbpf_num_possible_cpus();
	struct lw_count zero[processors > 0 ? processors : 1];

	memset(zero, 0, sizeof(zero));
	if (bpf_map_update_elem(kernel.count, &slot, zero, BPF_NOEXIST) && errno != EEXIST)
		return -errno;
	return 0;
}

int op_bpf_load(void)
{
	struct bpf_map *map;
	int error;

	libbpf_set_print(say);
	kernel.skeleton = lw__open();
	if (!kernel.skeleton)
		return -errno;
	bpf_object__for_each_map(map, kernel.skeleton->obj)
		if (bpf_map__set_pin_path(map, bpf_map__name(map)))	/* reused where it is there already */
			return -errno;
	error = lw__load(kernel.skeleton);
	if (error)
		return error;
	kernel.program = bpf_program__fd(kernel.skeleton->progs.lw_egress);
	kernel.meta = bpf_map__fd(kernel.skeleton->maps.lw_meta);
	kernel.slot = bpf_map__fd(kernel.skeleton->maps.lw_slot);
	kernel.pods = bpf_map__fd(kernel.skeleton->maps.lw_pods);
	kernel.count = bpf_map__fd(kernel.skeleton->maps.lw_count);
	error = program_info(kernel.program, &kernel.info, kernel.map_ids);
	if (!error)
		error = check_meta();
	return error ? error : count_slot(LW_SLOT_NONE);
}

int op_bpf_new_slot(uint64_t *slot)
{
	uint32_t zero = 0;
	struct lw_meta meta;

	if (bpf_map_lookup_elem(kernel.meta, &zero, &meta))
		return -errno;
	*slot = meta.next_slot++;
	return bpf_map_update_elem(kernel.meta, &zero, &meta, BPF_ANY) ? -errno : 0;
}

int op_bpf_put_pod(uint64_t slot, const struct lw_pod *pod)
{
	int error = count_slot(slot);

	if (!error && bpf_map_update_elem(kernel.pods, &slot, pod, BPF_ANY))
		error = -errno;
	return error;
}

int op_bpf_get_pod(uint64_t slot, struct lw_pod *pod)
{
	return bpf_map_lookup_elem(kernel.pods, &slot, pod) ? -errno : 0;
}

void op_bpf_free_slot(uint64_t slot)
{
	bpf_map_delete_elem(kernel.pods, &slot);
	bpf_map_delete_elem(kernel.count, &slot);
}

int op_bpf_next_slot(uint64_t *slot)
{
	return bpf_map_get_next_key(kernel.pods, *slot ? slot : NULL, slot) ? -errno : 0;
}

static const char *pin_name(uint64_t cgroup_id, char name[32])
{
	snprintf(name, 32, LINK_PIN_PREFIX "%016" PRIx64, cgroup_id);
	return name;
}

int op_bpf_link(int cgroup_fd, uint64_t cgroup_id)
{
	char name[32];
	autoclose link = bpf_link_create(kernel.program, cgroup_fd, BPF_CGROUP_INET_EGRESS, NULL);

	if (link < 0)
		return -errno;
	return bpf_obj_pin(link, pin_name(cgroup_id, name)) ? -errno : 0;
}

static int same_program(const struct bpf_prog_info *info, const uint32_t *map_ids)
{
	return info->nr_map_ids == kernel.info.nr_map_ids &&
	       !memcmp(map_ids, kernel.map_ids, info->nr_map_ids * sizeof(map_ids[0])) &&
	       !memcmp(info->tag, kernel.info.tag, sizeof(info->tag));
}

static int uses_map(const struct bpf_prog_info *info, const uint32_t *map_ids, int map)
{
	struct bpf_map_info facts = { 0 };
	uint32_t size = sizeof(facts);

	if (bpf_obj_get_info_by_fd(map, &facts, &size))
		return 0;
	for (uint32_t i = 0; i < info->nr_map_ids; i++)
		if (map_ids[i] == facts.id)
			return 1;
	return 0;
}

int op_bpf_link_facts(uint64_t cgroup_id, struct link_facts *facts)
{
	char name[32];
	autoclose link = bpf_obj_get(pin_name(cgroup_id, name));
	struct bpf_link_info info = { 0 };
	struct bpf_prog_info program;
	uint32_t size = sizeof(info), map_ids[MAP_IDS_MAX];
	autoclose fd = -1;

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	if (info.type != BPF_LINK_TYPE_CGROUP)
		return -EINVAL;
	facts->cgroup_id = info.cgroup.cgroup_id;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (fd < 0 || program_info(fd, &program, map_ids))
		return -errno;
	facts->egress = info.cgroup.attach_type == BPF_CGROUP_INET_EGRESS;
	facts->same_program = same_program(&program, map_ids);
	facts->our_maps = uses_map(&program, map_ids, kernel.slot) && uses_map(&program, map_ids, kernel.pods);
	return 0;
}

int op_bpf_link_update(uint64_t cgroup_id)
{
	char name[32];
	autoclose link = bpf_obj_get(pin_name(cgroup_id, name));

	if (link < 0)
		return -errno;
	return bpf_link_update(link, kernel.program, NULL) ? -errno : 0;
}

int op_bpf_unpin(uint64_t cgroup_id)
{
	char name[32];

	return unlink(pin_name(cgroup_id, name)) ? -errno : 0;
}

int op_bpf_store_slot(uint64_t cgroup_id, uint64_t slot)
{
	return bpf_map_update_elem(kernel.slot, &cgroup_id, &slot, BPF_EXIST) ? -errno : 0;
}

int op_bpf_read_slot(uint64_t cgroup_id, uint64_t *slot)
{
	return bpf_map_lookup_elem(kernel.slot, &cgroup_id, slot) ? -errno : 0;
}

int op_bpf_each_link(void (*each)(uint64_t cgroup_id, void *context), void *context)
{
	DIR *folder = opendir(".");
	struct dirent *entry;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		uint64_t cgroup_id;

		if (sscanf(entry->d_name, LINK_PIN_PREFIX "%16" SCNx64, &cgroup_id) == 1)
			each(cgroup_id, context);
	}
	closedir(folder);
	return 0;
}
