/*
 * One attempt to prove that this pod is enforced: ask the barrier, then send
 * the canary.  Run by leitwacht-initc.  Sends to loopback only.
 */
#ifndef LW_INITC_PROVE_H
#define LW_INITC_PROVE_H

#include <stdint.h>
#include "answer.h"
#include "options.h"

enum proof {
	PROOF_ATTACHED,
	PROOF_NOT_SENT,			/* the question could not be sent */
	PROOF_REFUSED,			/* nobody listens: no redirect yet */
	PROOF_NO_ANSWER,
	PROOF_NOT_YET,			/* the proxy answers, but enforcement is not live */
	PROOF_MALFORMED,
	PROOF_WRONG_VERSION,
	PROOF_CONTROL_NOT_SENT,		/* someone denies everything: that is not our program */
	PROOF_CANARY_NOT_DENIED,	/* our egress program does not see this pod's packets */
	PROOFS,
};

struct attempt {
	struct answer answer;		/* of the last well-formed answer */
	int error;			/* errno of the last call that failed */
};

/* The words of the error line, by enum proof. */
extern const char *const proof_reasons[PROOFS];

uint64_t monotonic_ms(void);

/* Waits for an answer no longer than `wait_ms`. */
enum proof prove(const struct options *options, int wait_ms, struct attempt *attempt);

#endif
