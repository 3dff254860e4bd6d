# The attacher's and launcher's pure parts.
UNIT_cgroup_path := attacher/cgroup_path.c
UNIT_resolv := attacher/launcher_resolv.c common/privs.c
LIBS_UNIT_resolv := -lcap-ng
LIBS_UNIT_log := -ljansson
UNIT_nft_rules := attacher/nft_rules.c
LIBS_UNIT_nft_rules := -lnftnl -lmnl
