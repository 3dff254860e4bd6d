UNIT_initc_answer := initc/answer.c initc/semver.c
