/*
 * Someone else's programs on a cgroup: usage: cgroupprog CGROUP KIND COUNT
 *
 * Attaches COUNT egress programs (allow, deny, or canary: deny UDP to port 15354
 * only) by links, says "ready", and holds them until it is killed.  COUNT 64
 * fills the cgroup: the kernel then refuses one more (E2BIG).
 *
 *   cgroupprog PIN update     swaps the program of a pinned link for "allow"
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(CODE, DST, SRC, OFF, IMM) \
	((struct bpf_insn){ .code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM) })
#define MOV_IMM(DST, IMM) INSN(BPF_ALU64 | BPF_MOV | BPF_K, DST, 0, 0, IMM)
#define MOV_REG(DST, SRC) INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define ADD_IMM(DST, IMM) INSN(BPF_ALU64 | BPF_ADD | BPF_K, DST, 0, 0, IMM)
#define CALL(FUNC) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, FUNC)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* An IPv4 header without options, then UDP: the destination port. */
#define PORT_AT 22
#define CANARY_PORT_SWAPPED 0xfa3b	/* 15354 as a little-endian load of network order */

static const struct bpf_insn allow_all[] = { MOV_IMM(BPF_REG_0, 1), EXIT };
static const struct bpf_insn deny_all[] = { MOV_IMM(BPF_REG_0, 0), EXIT };
static const struct bpf_insn deny_canary[] = {
	INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
	MOV_IMM(BPF_REG_2, PORT_AT),
	MOV_REG(BPF_REG_3, BPF_REG_10),
	ADD_IMM(BPF_REG_3, -4),
	MOV_IMM(BPF_REG_4, 2),
	CALL(BPF_FUNC_skb_load_bytes),
	INSN(BPF_LDX | BPF_MEM | BPF_H, BPF_REG_1, BPF_REG_10, -4, 0),
	MOV_IMM(BPF_REG_0, 1),
	INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 1, CANARY_PORT_SWAPPED),
	MOV_IMM(BPF_REG_0, 0),
	EXIT,
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *code, size_t count)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SKB,
		.expected_attach_type = BPF_CGROUP_INET_EGRESS,
		.insns = (uintptr_t)code,
		.insn_cnt = (uint32_t)count,
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int load_kind(const char *kind)
{
	if (!strcmp(kind, "allow"))
		return load(allow_all, sizeof(allow_all) / sizeof(*allow_all));
	if (!strcmp(kind, "deny"))
		return load(deny_all, sizeof(deny_all) / sizeof(*deny_all));
	return load(deny_canary, sizeof(deny_canary) / sizeof(*deny_canary));
}

static int fail(const char *what)
{
	fprintf(stderr, "cgroupprog: %s: %s\n", what, strerror(errno));
	return 1;
}

static int attach(const char *path, const char *kind, int count)
{
	int cgroup = open(path, O_RDONLY | O_DIRECTORY), program = load_kind(kind);

	if (cgroup < 0 || program < 0)
		return fail("open or load");
	for (int i = 0; i < count; i++) {
		union bpf_attr attr = { .link_create = { .prog_fd = (uint32_t)program,
							 .target_fd = (uint32_t)cgroup,
							 .attach_type = BPF_CGROUP_INET_EGRESS } };

		if (bpf(BPF_LINK_CREATE, &attr) < 0)
			return fail("link");
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static int update(const char *pin)
{
	union bpf_attr get = { .pathname = (uintptr_t)pin };
	int link = bpf(BPF_OBJ_GET, &get), program = load_kind("allow");
	union bpf_attr attr = { .link_update = { .link_fd = (uint32_t)link, .new_prog_fd = (uint32_t)program } };

	if (link < 0 || program < 0 || bpf(BPF_LINK_UPDATE, &attr) < 0)
		return fail("update");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[2], "update"))
		return update(argv[1]);
	if (argc == 4)
		return attach(argv[1], argv[2], atoi(argv[3]));
	fputs("usage: cgroupprog CGROUP allow|deny|canary COUNT\n       cgroupprog PIN update\n", stderr);
	return 2;
}
