/*
 * The table's owner on a kernel before 6.9, which has no flag PERSIST: what README.md
 * ("What is not covered") and SECURITY.md say of it, as "ok"/"not ok" lines.  Run as root by
 * tests/vm/init; status 1 if a line is "not ok".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#include "op_nft.h"
#include "op_nft_wire.h"

static const uint32_t uplinks[LW_UPLINKS] = { 2 }, other_uplinks[LW_UPLINKS] = { 3 };
static int failed;

static void expect(int got, int want, const char *what)
{
	printf("%s - owner: %s\n", got == want ? "ok" : "not ok", what);
	if (got == want)
		return;
	printf("# got %d, expected %d\n", got, want);
	failed = 1;
}

static void builds(int owner)
{
	expect(op_nft_build(owner, uplinks), 0, "the table is built");
	/* the flags that the kernel took; the read-back compares them with the table's */
	expect((int)op_nft_table_flags(), NFT_TABLE_F_OWNER, "its flags are OWNER without PERSIST");
	expect(op_nft_read_back(owner, uplinks), 0, "the table reads back");
	expect(op_nft_read_back(owner, other_uplinks), -EBADE, "another table would not read back");
}

static void belongs_to(int owner, int stranger)
{
	expect(op_nft_delete(stranger), -EPERM, "another socket's delete gets EPERM");
	expect(op_nft_build(stranger, uplinks), -EPERM, "another socket can't take the table");
	expect(op_nft_read_back(owner, uplinks), 0, "the table is still whole");
}

/* As the launcher keeps a copy over the attacher's death; without PERSIST the last copy takes the table along. */
static void ends_with_the_last_copy(int owner, int stranger)
{
	int copy = dup(owner);

	close(owner);
	expect(op_nft_read_back(copy, uplinks), 0, "a copy of the socket keeps the table");
	expect(op_nft_delete(stranger), -EPERM, "and keeps it from others");
	close(copy);
	expect(op_nft_read_back(stranger, uplinks), -ENOENT, "the table is gone with the last copy");
}

int main(void)
{
	int owner, stranger;

	setvbuf(stdout, NULL, _IOLBF, 0);
	expect(unshare(CLONE_NEWNET), 0, "a fresh network namespace");
	owner = op_nft_socket();
	stranger = op_nft_socket();
	expect(owner < 0 || stranger < 0, 0, "two sockets");
	builds(owner);
	op_nft_settle();
	belongs_to(owner, stranger);
	ends_with_the_last_copy(owner, stranger);
	return failed;
}
