/* DNS servers from resolv.conf and --upstream. */
#include <errno.h>
#include <string.h>
#include "launcher.h"
#include "unit.h"

static struct upstream_address servers[UPSTREAMS_MAX];

START_TEST(kubelets_file)
{
	static const uint8_t want[] = { 10, 96, 0, 10 };

	ck_assert_uint_eq(resolv_parse("search a.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n", servers), 1);
	ck_assert_int_eq(servers[0].family, 4);
	ck_assert_int_eq(servers[0].port, 53);
	ck_assert_mem_eq(servers[0].address, want, sizeof(want));
}
END_TEST

START_TEST(several_and_both_families)
{
	ck_assert_uint_eq(resolv_parse("nameserver 192.0.2.1\n\tnameserver\t2001:db8::1  # x\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
				       servers), UPSTREAMS_MAX);
	ck_assert_int_eq(servers[1].family, 6);
	ck_assert_int_eq(servers[2].address[3], 3);
}
END_TEST

START_TEST(what_is_no_server)
{
	ck_assert_uint_eq(resolv_parse("", servers), 0);
	ck_assert_uint_eq(resolv_parse("nameserver\nnameserver \nnameserver x.test\nnameserver 1.2.3\nnameservers 192.0.2.1\n"
				       "#nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 192.0.2.1@5\n", servers), 0);
	ck_assert_uint_eq(resolv_parse("nameserver 192.0.2.1", servers), 1);	/* no newline at the end */
}
END_TEST

START_TEST(addresses_with_ports)
{
	struct upstream_address a;

	ck_assert_int_eq(resolv_address("192.0.2.1@5353", &a), 0);
	ck_assert_int_eq(a.port, 5353);
	ck_assert_int_eq(resolv_address("2001:db8::1@1", &a), 0);
	ck_assert_int_eq(a.family, 6);
	ck_assert_int_eq(resolv_address("192.0.2.1@", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("192.0.2.1@0", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("192.0.2.1@65536", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("192.0.2.1@5x", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("dns.example", &a), -EINVAL);
	ck_assert_int_eq(resolv_address("111111111111111111111111111111111111111111111111111111", &a), -EINVAL);
}
END_TEST

UNIT_MAIN("resolv", kubelets_file, several_and_both_families, what_is_no_server, addresses_with_ports)
