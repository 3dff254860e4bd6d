/* Whom the launcher ends on whose word.  The rest of it is not there: what it would do is noted. */
#include <errno.h>
#include "launcher.h"
#include "privs.h"
#include "unit.h"

static struct launcher launcher;
static int ended;		/* one of enum child_index, or -1 */

void children_end(struct launcher *of, enum child_index index)
{
	ck_assert_ptr_eq(of, &launcher);
	ended = (int)index;
}

void node_scratch_remove(struct launcher *of)
{
	(void)of;
}

int privs_become(uid_t uid, uint64_t keep)
{
	(void)uid, (void)keep;
	return -1;
}

static int dismissed(enum child_index by, enum process sender, uint32_t peer)
{
	struct msg_dismiss m = MESSAGE(DISMISS, dismiss);
	struct channel child = { -1, sender, P_LAUNCHER, ST_READY };
	int ends[2];

	ck_assert_int_eq(channel_pair(ends), 0);
	launcher.children[by].channel = (struct channel){ ends[0], P_LAUNCHER, sender, ST_READY };
	child.fd = ends[1];
	m.peer = peer;
	ended = -1;
	ck_assert_int_eq(channel_send(&child, &m, NULL), 0);
	requests_receive(&launcher, by);
	return ended;
}

START_TEST(the_gate_dismisses_the_watcher_only)
{
	ck_assert_int_eq(dismissed(CHILD_GATE, P_GATE, P_WATCHER), CHILD_WATCHER);
	ck_assert_int_eq(dismissed(CHILD_GATE, P_GATE, P_ZYGOTE), -1);
	ck_assert_int_eq(dismissed(CHILD_GATE, P_GATE, P_ATTACHER), -1);
	ck_assert_int_eq(dismissed(CHILD_GATE, P_GATE, P_GATE), -1);
}
END_TEST

START_TEST(the_attacher_dismisses_its_two_peers)
{
	ck_assert_int_eq(dismissed(CHILD_ATTACHER, P_ATTACHER, P_WATCHER), CHILD_WATCHER);
	ck_assert_int_eq(dismissed(CHILD_ATTACHER, P_ATTACHER, P_ZYGOTE), CHILD_ZYGOTE);
	ck_assert_int_eq(dismissed(CHILD_ATTACHER, P_ATTACHER, P_GATE), -1);
}
END_TEST

/* Nobody else has the word: the watcher's is no message of the table. */
START_TEST(the_watcher_dismisses_nobody)
{
	struct msg_dismiss m = MESSAGE(DISMISS, dismiss);

	m.peer = P_ZYGOTE;
	ck_assert_int_eq(message_check(&m, sizeof(m), 0, P_WATCHER, P_LAUNCHER, ST_READY, NULL), -EBADMSG);
	ck_assert_int_eq(message_check(&m, sizeof(m), 0, P_GATE, P_LAUNCHER, ST_READY, NULL), 0);
}
END_TEST

UNIT_MAIN("launcher_requests", the_gate_dismisses_the_watcher_only, the_attacher_dismisses_its_two_peers,
	  the_watcher_dismisses_nobody)
