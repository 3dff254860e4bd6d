/*
 * From a claim to LIVE.  Run by the attacher.  The claim comes from the watcher,
 * which may be owned: it can make us look at any process, but what we act on
 * is what the kernel says of that process (op_cgroup.c), and the bundle number
 * only chooses among what is compiled in.  HELLO comes from the proxy, which may
 * be owned too: it only triggers the read-back.
 *
 * Order: entry and slot, link, table, listeners, proxy, read-back, LIVE.  Any
 * failure: never LIVE.  What an earlier attempt brought into force stays.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "attach.h"
#include "attach_steps.h"
#include "cleanup.h"
#include "clock.h"
#include "dispatch.h"
#include "log.h"
#include "op_bpf.h"
#include "op_cgroup.h"
#include "op_nft.h"
#include "readback.h"

#define HELLO_PATIENCE (2 * NS_PER_S)
#define RETRY_FIRST (50 * NS_PER_MS)
#define RETRY_DOUBLINGS 6

static const char *const stage_names[STAGES] = { "verify", "entry", "link", "nft", "listen", "proxy", "readback" };

static void answer(struct attacher *attacher, const char *sandbox, const struct pod *pod, enum attach_outcome outcome,
		   enum attach_stage stage, int error)
{
	struct msg_started started = MESSAGE(STARTED, started);

	memcpy(started.sandbox, sandbox, SANDBOX_ID_LENGTH);
	started.outcome = outcome;
	started.stage = stage;
	started.error = error;
	if (pod) {
		started.slot = pod->slot;
		memcpy(started.stage_us, pod->stage_us, sizeof(started.stage_us));
	}
	if (outcome == OUTCOME_LIVE)
		started.live_ns = clock_ns();
	error = channel_send(&attacher->watcher, &started, NULL);
	if (error && error != -EPIPE)
		log_event(LOG_WARNING, "watcher does not read: an answer is lost", log_errno(error));
}

static void retry_later(struct pod *pod)
{
	unsigned doublings = pod->failures < RETRY_DOUBLINGS ? pod->failures : RETRY_DOUBLINGS;

	pod->failures++;
	pod->due_ns = clock_ns() + (RETRY_FIRST << doublings);
}

/* ---- START ------------------------------------------------------------------- */

static enum attach_outcome outcome_of(int error)
{
	switch (error) {
	case -ESRCH:
		return OUTCOME_GONE;
	case -EPERM:		/* hostNetwork */
	case -EINVAL:		/* its cgroup does not name the sandbox */
	case -ENOENT:		/* cgroup v1 */
		return OUTCOME_REFUSED;
	default:
		return OUTCOME_FAILED;
	}
}

static struct pod *row_for(struct attacher *attacher, const struct claim *claim)
{
	struct pod *pod = pod_by_cgroup(attacher, claim->cgroup_id);

	if (!pod)
		pod = pod_new(attacher, claim->cgroup_id);
	if (pod && pod->events_fd < 0) {
		pod->events_fd = op_cgroup_events(claim->cgroup_fd);
		if (pod->events_fd >= 0)
			pod_watch(attacher, pod->events_fd, EPOLLPRI, WATCH_CGROUP, pod);
	}
	return pod;
}

/* 1: this START needs no attach. */
static int settled(struct attacher *attacher, struct pod *pod, const struct msg_start *start, const struct claim *claim)
{
	const char *what;
	int error;

	if (memcmp(pod->sandbox, start->sandbox, SANDBOX_ID_LENGTH))
		return 0;
	if (pod->state == POD_SPAWNING) {
		pod->reply_wanted = 1;
		return 1;
	}
	if (pod->state != POD_LIVE)
		return 0;
	error = readback(pod, claim, &what);
	if (!error) {
		answer(attacher, start->sandbox, pod, OUTCOME_ALREADY, STAGE_READBACK, 0);
		return 1;
	}
	log_event(LOG_ERROR, "a live pod failed its read-back, attaching again", log_str("what", what), log_errno(error),
		  log_bytes("sandbox", start->sandbox, SANDBOX_ID_LENGTH));
	pod_drop_proxy(attacher, pod);		/* it holds the port: the next attempt comes when it has ended */
	pod->state = POD_HELD;
	pod->reply_wanted = 1;
	retry_later(pod);
	return 1;
}

static void prepare(struct attacher *attacher, struct pod *pod, const struct msg_start *start, const struct claim *claim)
{
	int same_netns = !memcmp(pod->sandbox, start->sandbox, SANDBOX_ID_LENGTH) && (!pod->netns || pod->netns == claim->netns);

	if (same_netns)
		pod_drop_proxy(attacher, pod);
	else
		pod_leave_netns(attacher, pod);		/* a sandbox replaced in the same pod cgroup: the link stays */
	memcpy(pod->sandbox, start->sandbox, SANDBOX_ID_LENGTH);
	pod->pid = start->pid;
	pod->netns = claim->netns;
	pod->state = POD_HELD;
	pod->first = pod->made_table = 0;
	pod->due_ns = 0;
}

static void attach(struct attacher *attacher, struct pod *pod, const struct msg_start *start, const struct claim *claim,
		   uint64_t began_ns)
{
	enum attach_stage stage;
	int error;

	prepare(attacher, pod, start, claim);
	memset(pod->stage_us, 0, sizeof(pod->stage_us));
	pod->mark_ns = began_ns;
	attach_mark(pod, STAGE_VERIFY);
	error = attach_steps(attacher, pod, start, claim, &stage);
	if (error) {
		attach_fail(attacher, pod, stage, error, "step");
		return;
	}
	pod->state = POD_SPAWNING;
	pod->due_ns = clock_ns() + HELLO_PATIENCE;
}

void attach_start(struct attacher *attacher, const struct msg_start *start, int reply_wanted)
{
	uint64_t began_ns = clock_ns();
	struct claim claim;
	struct pod *pod = NULL;
	int error = start->bundle == LW_BUNDLE_AUDIT_ALL ? 0 : -EOPNOTSUPP;

	if (!error)
		error = op_cgroup_claim(start->sandbox, start->pid, op_netns_own(), &claim);
	if (!error) {
		pod = row_for(attacher, &claim);
		if (!pod)
			error = -ENOSPC;
		else if (!settled(attacher, pod, start, &claim)) {
			pod->reply_wanted = reply_wanted;
			attach(attacher, pod, start, &claim, began_ns);
		}
		claim_close(&claim);
	}
	if (!error)
		return;
	log_event(LOG_WARNING, "claim not taken", log_errno(error), log_int("pid", start->pid),
		  log_bytes("sandbox", start->sandbox, SANDBOX_ID_LENGTH));
	if (reply_wanted)
		answer(attacher, start->sandbox, NULL, outcome_of(error), STAGE_VERIFY, error);
	pod = pod_by_sandbox(attacher, start->sandbox);
	if (pod && pod->state == POD_HELD && outcome_of(error) == OUTCOME_FAILED)
		retry_later(pod);
}

/* ---- LIVE, or not -------------------------------------------------------------- */

static int say_live(struct attacher *attacher, struct pod *pod)
{
	struct msg_live live = MESSAGE(LIVE, live);

	memcpy(live.token, pod->entry.token, TOKEN_LENGTH);
	live.bundle = pod->entry.bundle;
	live.generation = pod->entry.generation;
	live.upstreams = attacher->config.upstreams;
	return channel_send(&pod->proxy, &live, NULL);
}

static void log_live(const struct pod *pod)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < STAGES; i++)
		total += pod->stage_us[i];
	log_event(LOG_INFO, "live", log_bytes("sandbox", pod->sandbox, SANDBOX_ID_LENGTH), log_int("slot", pod->slot),
		  log_int("cgroup", pod->cgroup_id), log_int("bundle", pod->entry.bundle),
		  log_str("ipv6", pod->listeners[LISTEN_UDP6] >= 0 ? "yes" : "no"), log_ms("duration_ms", total * 1000));
}

void attach_finish(struct attacher *attacher, struct pod *pod)
{
	struct claim claim;
	const char *what = "claim";
	int error;

	attach_mark(pod, STAGE_PROXY);
	error = op_cgroup_claim(pod->sandbox, pod->pid, op_netns_own(), &claim);
	if (!error) {
		error = readback(pod, &claim, &what);
		claim_close(&claim);
	}
	attach_mark(pod, STAGE_READBACK);
	if (!error) {
		what = "live";
		error = say_live(attacher, pod);
	}
	if (error) {
		attach_fail(attacher, pod, STAGE_READBACK, error, what);
		return;
	}
	log_live(pod);
	op_netns_close(pod->listeners);
	pod->proxy.state = ST_READY;
	pod->state = POD_LIVE;
	pod->due_ns = pod->failures = 0;
	if (pod->reply_wanted)
		answer(attacher, pod->sandbox, pod, OUTCOME_LIVE, STAGE_READBACK, 0);
	pod->reply_wanted = 0;
}

/* A first attach that failed leaves its link denying and frees the entry last; an earlier one's stay. */
static void undo(struct attacher *attacher, struct pod *pod, enum attach_stage stage)
{
	if (pod->made_table && pod->owner_fd >= 0) {
		op_nft_delete(pod->owner_fd);
		pod_leave_netns(attacher, pod);
	} else if (stage == STAGE_NFT || stage == STAGE_READBACK) {
		pod_leave_netns(attacher, pod);		/* an older owner socket that may be of no use: the next attempt adopts */
	} else {
		pod_drop_proxy(attacher, pod);
	}
	pod->state = POD_HELD;
	if (!pod->first)
		return;
	op_bpf_store_slot(pod->cgroup_id, LW_SLOT_NONE);
	op_bpf_free_slot(pod->slot);
	pod->slot = LW_SLOT_NONE;
	pod->first = 0;
}

void attach_fail(struct attacher *attacher, struct pod *pod, enum attach_stage stage, int error, const char *what)
{
	int reply_wanted = pod->reply_wanted;

	log_event(LOG_ERROR, "attach failed, the barrier stays shut", log_str("stage", stage_names[stage]),
		  log_str("what", what), log_errno(error), log_bytes("sandbox", pod->sandbox, SANDBOX_ID_LENGTH));
	undo(attacher, pod, stage);
	pod->reply_wanted = 0;
	if (reply_wanted)
		answer(attacher, pod->sandbox, pod, OUTCOME_FAILED, stage, error);	/* the watcher repeats START */
	else
		retry_later(pod);
}

void attach_proxy_lost(struct attacher *attacher, struct pod *pod, const char *why)
{
	if (pod->state == POD_SPAWNING) {
		attach_fail(attacher, pod, STAGE_PROXY, -EPIPE, why);
		return;
	}
	log_event(LOG_WARNING, "proxy lost, spawning another", log_str("why", why), log_int("slot", pod->slot),
		  log_bytes("sandbox", pod->sandbox, SANDBOX_ID_LENGTH));
	pod_drop_proxy(attacher, pod);
	pod->state = POD_HELD;
	retry_later(pod);
}

void attach_due(struct attacher *attacher, struct pod *pod)
{
	struct msg_start start = MESSAGE(START, start);

	pod->due_ns = 0;
	if (pod->state == POD_SPAWNING) {
		attacher->zygote_silence += pod->proxy_pidfd < 0;
		dispatch_check_zygote(attacher);
		attach_fail(attacher, pod, STAGE_PROXY, -ETIMEDOUT, "hello");
		return;
	}
	memcpy(start.sandbox, pod->sandbox, SANDBOX_ID_LENGTH);
	start.pid = pod->pid;
	start.bundle = LW_BUNDLE_AUDIT_ALL;
	attach_start(attacher, &start, pod->reply_wanted);
}
