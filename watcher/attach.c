/*
 * Claims to the attacher and what came of them.  Run by the watcher.  The
 * attacher checks every claim against the kernel; a wrong one costs its pod the
 * start.  Few claims are under way at once, so that a burst does not fill the
 * channel; a claim that failed is made again as long as the sandbox runs.
 */
#include <errno.h>
#include <string.h>
#include "clock.h"
#include "log.h"
#include "watcher.h"

#define ASKED_MAX 16
#define ASKED_AGAIN_MAX 4	/* reconciles leave the places to pods that wait behind their barrier */
#define ANSWER_WAIT_NS (10 * NS_PER_S)	/* the attacher answers in milliseconds; lost answers are asked for again */
#define ENDED_KEPT_NS (600 * NS_PER_S)	/* a list that is never complete must not fill the table */
#define BLOCKED_WARN_NS (10 * NS_PER_S)
#define RETRY_FIRST_NS (250 * NS_PER_MS)
#define RETRY_MAX_NS (5 * NS_PER_S)

static const char *const stage_names[STAGES] = { "verify", "entry", "link", "nft", "listen", "proxy", "readback" };

#define SANDBOX_FIELDS(s) \
	log_str("pod", facts_pod(&(s)->facts)), log_bytes("sandbox", (s)->facts.id, SANDBOX_ID_LENGTH)
#define STAGE_MS(started, stage) ((uint64_t)(started)->stage_us[stage] * 1000)

static void log_attached(const struct sandbox *sandbox, const struct msg_started *started)
{
	uint64_t from = sandbox->facts.received_ns;

	log_event(LOG_INFO, "attached", SANDBOX_FIELDS(sandbox),
		  log_ms("duration_ms", started->live_ns > from ? started->live_ns - from : 0),
		  log_ms("verify_ms", STAGE_MS(started, STAGE_VERIFY)), log_ms("entry_ms", STAGE_MS(started, STAGE_ENTRY)),
		  log_ms("link_ms", STAGE_MS(started, STAGE_LINK)), log_ms("nft_ms", STAGE_MS(started, STAGE_NFT)),
		  log_ms("listen_ms", STAGE_MS(started, STAGE_LISTEN)), log_ms("proxy_ms", STAGE_MS(started, STAGE_PROXY)),
		  log_ms("readback_ms", STAGE_MS(started, STAGE_READBACK)), log_int("slot", started->slot),
		  log_str("found", sandbox->facts.found == FOUND_EVENT ? "event" : "list"));
}

static const char *stage_name(uint32_t stage)
{
	return stage < STAGES ? stage_names[stage] : "unknown";
}

static void retry_later(struct sandboxes *all, struct sandbox *sandbox, uint64_t now)
{
	uint64_t wait = sandbox->retry_wait_ns ? sandbox->retry_wait_ns * 2 : RETRY_FIRST_NS;

	sandbox->retry_wait_ns = wait < RETRY_MAX_NS ? wait : RETRY_MAX_NS;
	sandbox->due_ns = now + sandbox->retry_wait_ns;
	sandboxes_set(all, sandbox, SANDBOX_DUE);
}

static void on_failed(struct sandboxes *all, struct sandbox *sandbox, const struct msg_started *started, uint64_t now)
{
	log_event(LOG_ERROR, "attach failed", SANDBOX_FIELDS(sandbox), log_str("stage", stage_name(started->stage)),
		  log_errno(started->error));
	retry_later(all, sandbox, now);
}

static void on_refused(struct sandboxes *all, struct sandbox *sandbox, const struct msg_started *started)
{
	log_event(LOG_WARNING, "refused", log_str("reason", "the attacher refuses this claim"), SANDBOX_FIELDS(sandbox),
		  log_str("stage", stage_name(started->stage)), log_errno(started->error));
	sandboxes_set(all, sandbox, SANDBOX_REFUSED);
}

static void on_attached(struct sandboxes *all, struct sandbox *sandbox)
{
	sandbox->retry_wait_ns = 0;
	sandbox->attached = 1;
	sandboxes_set(all, sandbox, SANDBOX_ATTACHED);
}

void attach_started(struct watcher *watcher, const struct msg_started *started, uint64_t now)
{
	struct sandboxes *all = &watcher->sandboxes;
	struct sandbox *sandbox = sandboxes_find(all, started->sandbox);

	if (!sandbox)
		return;		/* forgotten meanwhile */
	if (started->outcome == OUTCOME_LIVE)
		log_attached(sandbox, started);
	if (sandbox->state == SANDBOX_ENDED)
		return;		/* the answer came after the end */
	switch (started->outcome) {
	case OUTCOME_LIVE:
	case OUTCOME_ALREADY:
		on_attached(all, sandbox);
		break;
	case OUTCOME_REFUSED:
		on_refused(all, sandbox, started);
		break;
	case OUTCOME_GONE:
		sandboxes_forget(all, sandbox);
		break;
	default:
		on_failed(all, sandbox, started, now);
	}
}

void attach_all_again(struct watcher *watcher, uint64_t now)
{
	struct sandboxes *all = &watcher->sandboxes;

	for (unsigned i = 0; i < all->high; i++) {
		struct sandbox *sandbox = &all->table[i];

		if (sandbox->state == SANDBOX_ATTACHED)
			sandbox->facts.received_ns = now;	/* a duration counts from what made us ask */
		if (sandbox->state != SANDBOX_ATTACHED && sandbox->state != SANDBOX_ASKED && sandbox->state != SANDBOX_DUE)
			continue;
		sandbox->due_ns = now;
		sandboxes_set(all, sandbox, SANDBOX_DUE);
	}
}

static int send_start(const struct watcher *watcher, const struct sandbox *sandbox)
{
	struct msg_start m = MESSAGE(START, start);

	memcpy(m.sandbox, sandbox->facts.id, sizeof(m.sandbox));
	m.pid = sandbox->facts.pid;
	m.bundle = BUNDLE_AUDIT_ALL;
	return channel_send(&watcher->attacher, &m, NULL);
}

static int send_end(const struct watcher *watcher, const struct sandbox *sandbox)
{
	struct msg_end m = MESSAGE(END, end);

	memcpy(m.sandbox, sandbox->facts.id, sizeof(m.sandbox));
	return channel_send(&watcher->attacher, &m, NULL);
}

static unsigned asked_bound(const struct sandbox *sandbox)
{
	return sandbox->attached ? ASKED_AGAIN_MAX : ASKED_MAX;
}

/* 0, or the channel's error: the rest waits for POLLOUT or for a new channel. */
static int serve_sandbox(struct watcher *watcher, struct sandbox *sandbox, uint64_t now)
{
	struct sandboxes *all = &watcher->sandboxes;
	int error = 0;

	if (sandbox->end_due) {
		error = send_end(watcher, sandbox);
		sandbox->end_due = error != 0;
		if (!error && sandbox->state == SANDBOX_ENDED)
			sandbox->due_ns = now + ENDED_KEPT_NS;
	}
	if (error || sandbox->due_ns > now)
		return error;
	if (sandbox->state == SANDBOX_ENDED)
		sandboxes_forget(all, sandbox);
	if (sandbox->state == SANDBOX_ASKED)
		retry_later(all, sandbox, now);
	if (sandbox->state != SANDBOX_DUE || sandbox->due_ns > now || all->asked >= asked_bound(sandbox))
		return 0;
	error = send_start(watcher, sandbox);
	if (error)
		return error;
	sandbox->due_ns = now + ANSWER_WAIT_NS;
	sandboxes_set(all, sandbox, SANDBOX_ASKED);
	return 0;
}

/* It is the launcher's to end; what we owe it waits.  Said once each time. */
static void note_blocked(struct watcher *watcher, int blocked, uint64_t now)
{
	if (!blocked || !watcher->attacher_blocked) {
		watcher->blocked_ns = now;
		watcher->blocked_logged = 0;
	}
	watcher->attacher_blocked = blocked;
	if (!blocked || watcher->blocked_logged || now - watcher->blocked_ns < BLOCKED_WARN_NS)
		return;
	watcher->blocked_logged = 1;
	log_event(LOG_WARNING, "attacher does not read, claims wait", log_ms("duration_ms", now - watcher->blocked_ns));
}

void attach_tick(struct watcher *watcher, uint64_t now)
{
	struct sandboxes *all = &watcher->sandboxes;
	int error = 0;

	if (watcher->attacher.fd < 0)
		return;
	for (int again = 0; again <= 1; again++)	/* first those that were never attached */
		for (unsigned i = 0; i < all->high && !error; i++)
			if (all->table[i].state != SANDBOX_FREE && all->table[i].attached == again)
				error = serve_sandbox(watcher, &all->table[i], now);
	note_blocked(watcher, error == -EAGAIN, now);
}

uint64_t attach_due_ns(const struct watcher *watcher)
{
	const struct sandboxes *all = &watcher->sandboxes;
	uint64_t due = UINT64_MAX;

	if (watcher->attacher.fd < 0)
		return due;
	if (watcher->attacher_blocked)
		return watcher->blocked_logged ? due : watcher->blocked_ns + BLOCKED_WARN_NS;
	for (unsigned i = 0; i < all->high; i++) {
		const struct sandbox *sandbox = &all->table[i];
		int timed = sandbox->state == SANDBOX_ASKED || (sandbox->state == SANDBOX_DUE && all->asked < asked_bound(sandbox));

		if (timed && sandbox->due_ns < due)
			due = sandbox->due_ns;
	}
	return due;
}
