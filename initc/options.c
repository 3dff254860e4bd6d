/*
 * Options (options.h).  A word that is not understood is an error: a barrier
 * that runs with another setting than the one that was meant is no barrier.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "options.h"
#include "version.h"

#define DEADLINE_MS 20000
#define POLL_MS 200
#define SECONDS_MAX 86400
#define POLL_MS_MAX 60000

enum { FLAG_DEADLINE = 256, FLAG_POLL, FLAG_MIN_VERSION, FLAG_NO_VERSION_CHECK, FLAG_NO_CANARY, FLAG_VERSION, FLAG_HELP };

static const struct option flags[] = {
	{ "deadline", required_argument, NULL, FLAG_DEADLINE },
	{ "poll", required_argument, NULL, FLAG_POLL },
	{ "min-version", required_argument, NULL, FLAG_MIN_VERSION },
	{ "no-version-check", no_argument, NULL, FLAG_NO_VERSION_CHECK },
	{ "no-canary", no_argument, NULL, FLAG_NO_CANARY },
	{ "version", no_argument, NULL, FLAG_VERSION },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ 0 },
};

void options_help(FILE *out)
{
	fputs("usage: leitwacht-initc [flags]\n"
	      "Waits until egress enforcement of this pod is proven.  Exit 0: attached, 1: not, 2: usage.\n\n"
	      "  --deadline SECONDS   give up after this time (20; fractions allowed)  LEITWACHT_DEADLINE\n"
	      "  --poll MS            time between two questions (200; the first come sooner)  LEITWACHT_POLL\n"
	      "  --min-version V      refuse an agent older than V (" LW_VERSION ", this program's own)\n"
	      "  --no-version-check   take an agent of any version  LEITWACHT_VERSION_CHECK=off\n"
	      "  --no-canary          do not prove the egress program: WEAKENS the barrier  LEITWACHT_CANARY=off\n"
	      "  --version, --help\n\nFlags beat the environment.\n", out);
}

/* Decimal digits up to `max`, the rest of the text in *end; -1 if there are none or too many. */
static long digits(const char *text, long max, const char **end)
{
	long n = 0;

	for (*end = text; **end >= '0' && **end <= '9'; (*end)++) {
		n = n * 10 + (**end - '0');
		if (n > max)
			return -1;
	}
	return *end == text ? -1 : n;
}

unsigned options_seconds(const char *text)
{
	const char *end;
	long ms = digits(text, SECONDS_MAX, &end) * 1000;

	if (ms < 0)
		return 0;
	if (*end == '.') {
		long scale = 100;

		if (end[1] < '0' || end[1] > '9')
			return 0;
		for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10)
			ms += scale * (*end - '0');
	}
	if (*end == 's')
		end++;
	return *end || ms > SECONDS_MAX * 1000L ? 0 : (unsigned)ms;
}

static int bad(FILE *errors, const char *name, const char *value, const char *want)
{
	fprintf(errors, "leitwacht-initc: %s: \"%.64s\" is not %s\n", name, value, want);
	return 0;
}

static int set_deadline(struct options *o, const char *name, const char *value, FILE *errors)
{
	o->deadline_ms = options_seconds(value);
	return o->deadline_ms ? 1 : bad(errors, name, value, "a number of seconds from 0.001 to 86400");
}

static int set_poll(struct options *o, const char *name, const char *value, FILE *errors)
{
	const char *end;
	long ms = digits(value, POLL_MS_MAX, &end);

	if (ms > 0 && !strcmp(end, "ms"))
		end += 2;
	if (ms < 1 || *end)
		return bad(errors, name, value, "a number of milliseconds from 1 to 60000");
	o->poll_ms = (unsigned)ms;
	return 1;
}

static int set_min_version(struct options *o, const char *value, FILE *errors)
{
	if (!semver_valid(value, strlen(value)))
		return bad(errors, "--min-version", value, "a semantic version such as " LW_VERSION);
	memcpy(o->min_version, value, strlen(value) + 1);
	o->version_check = 1;
	return 1;
}

static int set_switch(int *where, const char *name, const char *value, FILE *errors)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return bad(errors, name, value, "on or off");
	*where = !strcmp(value, "on");
	return 1;
}

static int read_environment(struct options *o, FILE *errors)
{
	const char *value;

	if ((value = getenv("LEITWACHT_DEADLINE")) && !set_deadline(o, "LEITWACHT_DEADLINE", value, errors))
		return 0;
	if ((value = getenv("LEITWACHT_POLL")) && !set_poll(o, "LEITWACHT_POLL", value, errors))
		return 0;
	if ((value = getenv("LEITWACHT_VERSION_CHECK")) &&
	    !set_switch(&o->version_check, "LEITWACHT_VERSION_CHECK", value, errors))
		return 0;
	return !(value = getenv("LEITWACHT_CANARY")) || set_switch(&o->canary, "LEITWACHT_CANARY", value, errors);
}

static int set_flag(struct options *o, int flag, const char *value, FILE *errors)
{
	switch (flag) {
	case FLAG_DEADLINE:
		return set_deadline(o, "--deadline", value, errors);
	case FLAG_POLL:
		return set_poll(o, "--poll", value, errors);
	case FLAG_MIN_VERSION:
		return set_min_version(o, value, errors);
	case FLAG_NO_VERSION_CHECK:
		o->version_check = 0;
		return 1;
	case FLAG_NO_CANARY:
		o->canary = 0;
		return 1;
	default:
		return 0;
	}
}

static int is_flag(const char *word)
{
	size_t length = strcspn(word + 2, "=");

	for (const struct option *flag = flags; flag->name; flag++)
		if (strlen(flag->name) == length && !strncmp(word + 2, flag->name, length))
			return 1;
	return 0;
}

/* getopt_long takes "--no-c" for "--no-canary": what weakens the barrier is written out.  No value begins with "--". */
static int whole_names(int argc, char **argv, FILE *errors)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) || is_flag(argv[i]))
			continue;
		fprintf(errors, "leitwacht-initc: \"%.64s\" is no flag (--help lists them)\n", argv[i]);
		return 0;
	}
	return 1;
}

static enum options_verdict read_flags(struct options *o, int argc, char **argv, FILE *errors)
{
	int flag;

	optind = 1;
	opterr = 0;
	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		if (flag == FLAG_HELP || flag == FLAG_VERSION)
			return flag == FLAG_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
		if (flag == '?') {
			fprintf(errors, "leitwacht-initc: \"%.64s\" is no flag, or lacks its value (--help lists them)\n",
				argv[optind - 1]);
			return OPTIONS_BAD;
		}
		if (!set_flag(o, flag, optarg, errors))
			return OPTIONS_BAD;
	}
	if (optind == argc)
		return OPTIONS_RUN;
	fprintf(errors, "leitwacht-initc: \"%.64s\": no arguments are taken\n", argv[optind]);
	return OPTIONS_BAD;
}

enum options_verdict options_read(struct options *options, int argc, char **argv, FILE *errors)
{
	*options = (struct options){ DEADLINE_MS, POLL_MS, 1, 1, LW_VERSION };
	if (!read_environment(options, errors) || !whole_names(argc, argv, errors))
		return OPTIONS_BAD;
	return read_flags(options, argc, argv, errors);
}
