/*
 * One attempt (prove.h).  The answers are hostile until answer.c has passed
 * them.  Never sends to anything but 127.53.0.53:53 and 127.0.0.1:15354: what
 * answers the first can only be reached through the redirect in this pod's own
 * network namespace, and what denies the second is the egress program that
 * knows this pod's token.  IPv4 loopback exists in IPv6-only pods too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "prove.h"

#define BARRIER_ADDRESS 0x7f350035u	/* 127.53.0.53 */
#define BARRIER_PORT 53
#define CANARY_ADDRESS 0x7f000001u	/* 127.0.0.1 */
#define CANARY_PORT 15354
#define READS_MAX 64			/* foreign answers read in one attempt: a flood may not hold us */

const char *const proof_reasons[PROOFS] = {
	[PROOF_ATTACHED] = "attached",
	[PROOF_NOT_SENT] = "query not sent",
	[PROOF_REFUSED] = "refused",
	[PROOF_NO_ANSWER] = "no answer",
	[PROOF_NOT_YET] = "not attached yet",
	[PROOF_MALFORMED] = "malformed answer",
	[PROOF_WRONG_VERSION] = "wrong version",
	[PROOF_CONTROL_NOT_SENT] = "canary control not sent",
	[PROOF_CANARY_NOT_DENIED] = "canary not denied",
};

uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int loopback_socket(uint32_t address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	close(fd);
	return -1;
}

static int send_query(int fd, uint8_t *query, size_t *size)
{
	uint16_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -1;
	*size = barrier_query(query, id);
	return send(fd, query, *size, MSG_NOSIGNAL) == (ssize_t)*size ? 0 : -1;
}

/* 1 readable (or an error to read), 0 the time is over. */
static int wait_readable(int fd, uint64_t until)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t now = monotonic_ms();

	return poll(&pollfd, 1, now < until ? (int)(until - now) : 0) > 0;
}

static enum proof judge(enum answer_verdict verdict)
{
	return verdict == ANSWER_ATTACHED ? PROOF_ATTACHED :
	       verdict == ANSWER_NOT_YET ? PROOF_NOT_YET : PROOF_MALFORMED;
}

static enum proof await_answer(int fd, const uint8_t *query, size_t query_size, uint64_t until, struct attempt *attempt)
{
	uint8_t bytes[BARRIER_ANSWER_MAX];
	struct answer answer;

	for (int reads = 0; reads < READS_MAX && wait_readable(fd, until); reads++) {
		ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		enum answer_verdict verdict;

		if (size < 0) {
			attempt->error = errno;
			return errno == ECONNREFUSED ? PROOF_REFUSED : PROOF_NO_ANSWER;
		}
		verdict = barrier_answer(bytes, (size_t)size, query, query_size, &answer);
		if (verdict == ANSWER_ATTACHED)
			attempt->answer = answer;
		if (verdict != ANSWER_FOREIGN)
			return judge(verdict);
	}
	return PROOF_NO_ANSWER;
}

static enum proof ask(int wait_ms, struct attempt *attempt)
{
	uint8_t query[BARRIER_QUERY_MAX];
	size_t size = 0;
	enum proof proof = PROOF_NOT_SENT;
	int fd = loopback_socket(BARRIER_ADDRESS, BARRIER_PORT);

	attempt->error = 0;
	if (fd < 0 || send_query(fd, query, &size))
		attempt->error = errno;
	else
		proof = await_answer(fd, query, size, monotonic_ms() + (uint64_t)wait_ms, attempt);
	if (fd >= 0)
		close(fd);
	return attempt->error == ECONNREFUSED ? PROOF_REFUSED : proof;
}

/*
 * Send one payload on a socket of its own: an ICMP error that an earlier send
 * brought about is reported on that send's socket, never on this one.  0 or errno.
 */
static int send_canary(const char payload[BARRIER_TOKEN_LENGTH])
{
	int fd = loopback_socket(CANARY_ADDRESS, CANARY_PORT), error = 0;

	if (fd < 0)
		return errno ? errno : EIO;
	if (send(fd, payload, BARRIER_TOKEN_LENGTH, MSG_NOSIGNAL) != BARRIER_TOKEN_LENGTH)
		error = errno ? errno : EIO;
	close(fd);
	return error;
}

/* Sixteen hex digits that are not the token: the same packet but for what the program must look at. */
static int control_payload(char payload[BARRIER_TOKEN_LENGTH], const char token[BARRIER_TOKEN_LENGTH])
{
	if (getrandom(payload, BARRIER_TOKEN_LENGTH, 0) != BARRIER_TOKEN_LENGTH)
		return -1;
	for (int i = 0; i < BARRIER_TOKEN_LENGTH; i++)
		payload[i] = "0123456789abcdef"[payload[i] & 15];
	return memcmp(payload, token, BARRIER_TOKEN_LENGTH) ? 0 : -1;
}

/* The control goes first: only beside a payload that passes does a denied token mean anything. */
static enum proof canary(struct attempt *attempt)
{
	char control[BARRIER_TOKEN_LENGTH];

	attempt->error = control_payload(control, attempt->answer.token) ? EIO : send_canary(control);
	if (attempt->error)
		return PROOF_CONTROL_NOT_SENT;
	attempt->error = send_canary(attempt->answer.token);
	return attempt->error == EPERM ? PROOF_ATTACHED : PROOF_CANARY_NOT_DENIED;
}

enum proof prove(const struct options *options, int wait_ms, struct attempt *attempt)
{
	enum proof proof = ask(wait_ms, attempt);

	if (proof != PROOF_ATTACHED)
		return proof;
	if (options->version_check && semver_compare(attempt->answer.version, options->min_version) < 0)
		return PROOF_WRONG_VERSION;
	return options->canary ? canary(attempt) : PROOF_ATTACHED;
}
