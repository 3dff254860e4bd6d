/*
 * Options of leitwacht-initc: flags beat environment, environment beats the
 * defaults.  They come from whoever wrote the pod's spec: trusted, but checked.
 */
#ifndef LW_INITC_OPTIONS_H
#define LW_INITC_OPTIONS_H

#include <stdio.h>
#include "semver.h"

enum options_verdict { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

struct options {
	unsigned deadline_ms;
	unsigned poll_ms;
	int version_check;
	int canary;
	char min_version[SEMVER_LENGTH_MAX + 1];	/* an older agent is refused */
};

/* What is wrong is written to `errors` as one line. */
enum options_verdict options_read(struct options *options, int argc, char **argv, FILE *errors);

void options_help(FILE *out);

/* "20", "0.5", "20s": seconds as milliseconds, 1 .. 86400000; 0 for anything else. */
unsigned options_seconds(const char *text);

#endif
