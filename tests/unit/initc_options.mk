UNIT_initc_options := initc/options.c initc/semver.c
