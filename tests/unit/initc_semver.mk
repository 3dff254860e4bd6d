UNIT_initc_semver := initc/semver.c
