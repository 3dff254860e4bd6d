/* From /proc/PID/cgroup to the pod cgroup: both drivers' forms, kind's prefix, and what must be refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cgroup_path.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "6c2d9e8b-9d5c-4a52-8f5f-0d2f6c1e7a11"
#define UID_ "6c2d9e8b_9d5c_4a52_8f5f_0d2f6c1e7a11"
#define SYSTEMD_POD "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"

static int pod_of(const char *text, char *pod)
{
	memset(pod, 0, CGROUP_PATH_MAX);
	return cgroup_path_pod(text, ID, pod);
}

static void expect(const char *text, const char *want)
{
	char pod[CGROUP_PATH_MAX];

	ck_assert_int_eq(pod_of(text, pod), 0);
	ck_assert_str_eq(pod, want);
}

static void refuse(const char *text, int error)
{
	char pod[CGROUP_PATH_MAX];

	ck_assert_int_eq(pod_of(text, pod), error);
}

START_TEST(cgroupfs_driver)
{
	expect("0::/kubepods/burstable/pod" UID "/" ID "\n", "kubepods/burstable/pod" UID);
	expect("0::/kubepods/pod" UID "/" ID "\n", "kubepods/pod" UID);		/* guaranteed */
	expect("0::/kubepods/besteffort/pod" UID "/" ID, "kubepods/besteffort/pod" UID);
}
END_TEST

START_TEST(systemd_driver)
{
	expect("0::/" SYSTEMD_POD "/cri-containerd-" ID ".scope\n", SYSTEMD_POD);
	expect("0::/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope\n",
	       "kubepods.slice/kubepods-pod" UID_ ".slice");
}
END_TEST

START_TEST(kind_prefix)
{
	expect("0::/kubelet/kubepods/burstable/pod" UID "/" ID "\n", "kubelet/kubepods/burstable/pod" UID);
	expect("0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_
	       ".slice/cri-containerd-" ID ".scope\n",
	       "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ ".slice");
}
END_TEST

START_TEST(hybrid_lines_before_the_unified_one)
{
	expect("12:cpu:/kubepods/pod" UID "/" OTHER "\n1:name=systemd:/x\n0::/kubepods/pod" UID "/" ID "\n", "kubepods/pod" UID);
}
END_TEST

/* Somebody in the pod made components that look like a pod below the real one: the first match counts. */
START_TEST(first_match_from_the_top)
{
	expect("0::/kubepods/pod" UID "/" ID "/kubepods/podfake/" ID "\n", "kubepods/pod" UID);
	expect("0::/kubepods/pod" UID "/" ID "/init\n", "kubepods/pod" UID);
}
END_TEST

START_TEST(another_sandbox_is_refused)
{
	refuse("0::/kubepods/burstable/pod" UID "/" OTHER "\n", -EINVAL);
	refuse("0::/kubepods/burstable/pod" UID "/cri-containerd-" OTHER ".scope\n", -EINVAL);
	refuse("0::/kubepods/burstable/pod" UID "/" ID "x\n", -EINVAL);
	refuse("0::/kubepods/burstable/pod" UID "/" ID ".scopes\n", -EINVAL);
	refuse("0::/kubepods/burstable/pod" UID "/crio-" ID "\n", -EINVAL);
}
END_TEST

START_TEST(outside_of_kubepods_is_refused)
{
	refuse("0::/system.slice/pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/a/b/kubepods/pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/user.slice/kubepods/pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/kubepods/" ID "\n", -EINVAL);			/* no pod above it */
	refuse("0::/kubepods/burstable/" ID "\n", -EINVAL);
	refuse("0::/kubepodsx/pod" UID "/" ID "\n", -EINVAL);
}
END_TEST

START_TEST(other_cgroup_namespace_is_refused)
{
	refuse("0::/../../pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/kubepods/../kubepods/pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/kubepods//pod" UID "/" ID "\n", -EINVAL);
	refuse("0::/\n", -EINVAL);
}
END_TEST

START_TEST(cgroup_v1_node)
{
	refuse("12:cpu:/kubepods/pod" UID "/" ID "\n", -ENOENT);
	refuse("", -ENOENT);
}
END_TEST

START_TEST(too_long)
{
	char text[CGROUP_PATH_MAX + 64] = "0::/kubepods/pod";

	memset(text + strlen(text), 'a', CGROUP_PATH_MAX);
	refuse(text, -ENAMETOOLONG);
}
END_TEST

UNIT_MAIN("cgroup_path", cgroupfs_driver, systemd_driver, kind_prefix, hybrid_lines_before_the_unified_one,
	  first_match_from_the_top, another_sandbox_is_refused, outside_of_kubepods_is_refused,
	  other_cgroup_namespace_is_refused, cgroup_v1_node, too_long)
