/*
 * leitwacht-initc: the pod's init container.  Run by the pod's own non-root
 * user with no capability, no mount, a read-only root.  Exits 0 only when this
 * pod's egress is proven to be enforced; until its exit kubelet starts no
 * container of the job.  Never reads a file, never sends beyond loopback.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "options.h"
#include "prove.h"
#include "version.h"

#define FIRST_POLL_MS 10
#define ANSWER_WAIT_MS 100	/* least time that a loaded node is given to answer */

enum { EXIT_ATTACHED = 0, EXIT_NOT_ATTACHED = 1, EXIT_USAGE = 2 };

struct wait {
	const struct options *options;
	struct attempt attempt;
	enum proof last;	/* PROOF_ATTACHED (0) before the first attempt */
	unsigned counts[PROOFS];
	unsigned pause_ms;
	uint64_t start_ms, end_ms;
};

/* As pid 1 of the container no signal has a default action: kubelet would wait for its whole grace period. */
static void on_signal(int number)
{
	(void)number;
	_exit(EXIT_NOT_ATTACHED);
}

static void end_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	signal(SIGPIPE, SIG_IGN);	/* the exit status says it all, also when nobody reads the line */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static void sleep_ms(uint64_t ms)
{
	struct timespec time = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

/* Short at first, and short again once the proxy answers at all: the rest of an attach takes a few milliseconds. */
static unsigned next_pause(const struct wait *wait, enum proof before)
{
	unsigned pause = wait->pause_ms * 2;

	if (wait->last == PROOF_NOT_YET && before != PROOF_NOT_YET && wait->counts[PROOF_NOT_YET] == 1)
		pause = FIRST_POLL_MS;
	return pause < wait->options->poll_ms ? pause : wait->options->poll_ms;
}

static void attempt_once(struct wait *wait, uint64_t now)
{
	unsigned patience = wait->options->poll_ms > ANSWER_WAIT_MS ? wait->options->poll_ms : ANSWER_WAIT_MS;
	uint64_t left = wait->end_ms - now;
	enum proof before = wait->last;
	enum proof proof = prove(wait->options, (int)(left < patience ? left : patience), &wait->attempt);

	wait->counts[proof]++;
	/* an attempt that the deadline cut short says nothing new */
	if (proof != PROOF_NO_ANSWER || left >= patience || before == PROOF_ATTACHED)
		wait->last = proof;
	wait->pause_ms = next_pause(wait, before);
}

static int wait_for_agent(struct wait *wait)
{
	uint64_t now;

	while ((now = monotonic_ms()) < wait->end_ms) {
		attempt_once(wait, now);
		if (wait->counts[PROOF_ATTACHED])
			return 1;
		now = monotonic_ms();
		if (now < wait->end_ms)
			sleep_ms(wait->end_ms - now < wait->pause_ms ? wait->end_ms - now : wait->pause_ms);
	}
	return 0;
}

static unsigned polls(const struct wait *wait)
{
	unsigned sum = 0;

	for (int i = 0; i < PROOFS; i++)
		sum += wait->counts[i];
	return sum;
}

/* Whatever weakens the proof stands in the line. */
static void report_attached(const struct wait *wait)
{
	printf("leitwacht attached version=%s waited_ms=%u polls=%u%s%s\n", wait->attempt.answer.version,
	       (unsigned)(monotonic_ms() - wait->start_ms), polls(wait),
	       wait->options->canary ? "" : " WEAKENED: canary=off",
	       wait->options->version_check ? "" : " version_check=off");
}

static void put_time(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	char seconds[24];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06dZ", seconds, (int)(now.tv_nsec / 1000));
}

/* One JSON line in the form of the agent's log.  Only checked bytes are printed: versions hold no character to escape. */
static void report_not_attached(const struct wait *wait)
{
	char line[1024], time[48];
	int used;

	put_time(time, sizeof(time));
	used = snprintf(line, sizeof(line),
			"{\"time\":\"%s\",\"level\":\"error\",\"process\":\"leitwacht-initc\","
			"\"msg\":\"leitwacht did not attach within deadline\",\"reason\":\"%s\",\"error\":\"%s\","
			"\"deadline_s\":%u.%03u,\"version\":\"%s\",\"min_version\":\"%s\",\"agent_version\":\"%s\","
			"\"canary\":\"%s\",\"version_check\":\"%s\",\"polls\":%u",
			time, proof_reasons[wait->last], wait->attempt.error ? strerror(wait->attempt.error) : "",
			wait->options->deadline_ms / 1000, wait->options->deadline_ms % 1000, LW_VERSION,
			wait->options->min_version, wait->attempt.answer.version, wait->options->canary ? "on" : "off",
			wait->options->version_check ? "on" : "off", polls(wait));
	for (int i = PROOF_ATTACHED + 1; i < PROOFS; i++)
		used += snprintf(line + used, sizeof(line) - (size_t)used, "%s\"%s\":%u",
				 i == PROOF_ATTACHED + 1 ? ",\"counts\":{" : ",", proof_reasons[i], wait->counts[i]);
	used += snprintf(line + used, sizeof(line) - (size_t)used, "}}\n");
	if (write(STDERR_FILENO, line, (size_t)used) < 0)
		return;		/* the exit status still says it */
}

static int run(const struct options *options)
{
	struct wait wait = { .options = options, .pause_ms = FIRST_POLL_MS / 2 };
	int attached;

	end_on_signals();
	wait.start_ms = monotonic_ms();
	wait.end_ms = wait.start_ms + options->deadline_ms;
	attached = wait_for_agent(&wait);
	(attached ? report_attached : report_not_attached)(&wait);
	return attached ? EXIT_ATTACHED : EXIT_NOT_ATTACHED;
}

/* Is this the container's command?  Its parent is then in another pid namespace, also where the pod shares one. */
static int is_the_barrier(void)
{
	return getpid() == 1 || getppid() == 0;
}

/* Asked for by mistake in the pod's spec this must not open the barrier. */
static int told(const char *what)
{
	if (!is_the_barrier())
		return 0;
	fprintf(stderr, "leitwacht-initc: %s proves nothing: as a container's command it ends with %d\n", what, EXIT_USAGE);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options options;

	switch (options_read(&options, argc, argv, stderr)) {
	case OPTIONS_HELP:
		options_help(stdout);
		return told("--help");
	case OPTIONS_VERSION:
		puts("leitwacht-initc " LW_VERSION);
		return told("--version");
	case OPTIONS_BAD:
		return EXIT_USAGE;
	default:
		return run(&options);
	}
}
