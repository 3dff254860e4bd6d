/*
 * What a job does on the network, as exactly countable acts.  Static: it runs in
 * the pods of the system tests.  Each command prints one JSON line.
 *
 *   probe udp ADDR PORT COUNT [PAYLOAD [INTERVAL_MS]]   unconnected datagrams
 *   probe tcp ADDR PORT [PAYLOAD]                       connect, send, read to the end
 *   probe txt ADDR PORT NAME [tcp]                      one TXT question, over UDP or TCP
 *
 * Exit status: 0 all sent (txt: an answer came), 1 otherwise, 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MS 2000

struct address {
	struct sockaddr_storage to;
	socklen_t length;
};

static int parse_address(const char *text, const char *port, struct address *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->to;
	uint16_t number = htons((uint16_t)atoi(port));

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		out->length = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = number;
		out->length = sizeof(*v6);
		return 0;
	}
	return -1;
}

/* A socket whose connect, send and receive end after ANSWER_MS. */
static int timed_socket(int family, int type)
{
	struct timeval limit = { .tv_sec = ANSWER_MS / 1000, .tv_usec = ANSWER_MS % 1000 * 1000 };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void sleep_ms(int ms)
{
	if (ms > 0)
		poll(NULL, 0, ms);
}

/* {"sent":3,"failed":2,"errno":"EPERM"}: the last error's name says why. */
static int send_datagrams(const struct address *address, int count, const char *payload, int interval)
{
	int sent = 0, failed = 0, last = 0;
	int fd = timed_socket(address->to.ss_family, SOCK_DGRAM);

	for (int i = 0; i < count; i++) {
		if (sendto(fd, payload, strlen(payload), 0, (const struct sockaddr *)&address->to,
			   address->length) >= 0) {
			sent++;
		} else {
			failed++;
			last = errno;
		}
		sleep_ms(i + 1 < count ? interval : 0);
	}
	printf("{\"sent\":%d,\"failed\":%d,\"errno\":\"%s\"}\n", sent, failed,
	       last ? strerrorname_np(last) : "");
	return failed ? 1 : 0;
}

/* Reads to the end before it closes, so that each packet has a full socket. */
static int exchange_stream(const struct address *address, const char *payload)
{
	char buffer[4096];
	ssize_t got, total = 0;
	int fd = timed_socket(address->to.ss_family, SOCK_STREAM);

	if (connect(fd, (const struct sockaddr *)&address->to, address->length) != 0 ||
	    send(fd, payload, strlen(payload), MSG_NOSIGNAL) < 0) {
		printf("{\"received\":0,\"errno\":\"%s\"}\n", strerrorname_np(errno));
		return 1;
	}
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		total += got;
	printf("{\"received\":%zd,\"errno\":\"\"}\n", total);
	close(fd);
	return total > 0 ? 0 : 1;
}

static size_t txt_question(const char *name, uint8_t *out)
{
	static const uint8_t header[12] = { 0x4c, 0x57, 0x01, 0x00, 0, 1 };
	static const uint8_t tail[5] = { 0, 0, 16, 0, 1 };
	size_t at = sizeof(header);

	memcpy(out, header, sizeof(header));
	while (*name) {
		size_t label = strcspn(name, ".");

		out[at++] = (uint8_t)label;
		memcpy(out + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	memcpy(out + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

/* The answer's one TXT string: the answer's name is a pointer (2 bytes), then
 * type, class, TTL, length (10), then the string's own length. */
static void print_answer(const uint8_t *reply, ssize_t length, size_t question)
{
	size_t text = question + 12;
	int size = 0;

	if (reply[7] > 0 && (size_t)length > text + 1)
		size = reply[text] < (size_t)length - text ? reply[text] : 0;
	printf("{\"rcode\":%d,\"text\":\"%.*s\",\"errno\":\"\"}\n", reply[3] & 15, size,
	       (const char *)reply + text + 1);
}

/* Over TCP a message has its length in front. */
static ssize_t exchange(int fd, int stream, uint8_t *buffer, size_t question, size_t room)
{
	uint8_t framed[600];
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t got;

	framed[0] = (uint8_t)(question >> 8);
	framed[1] = (uint8_t)question;
	memcpy(framed + 2, buffer, question);
	if (send(fd, stream ? framed : framed + 2, question + (stream ? 2 : 0), MSG_NOSIGNAL) < 0)
		return -1;
	errno = ETIMEDOUT;
	if (poll(&wait, 1, ANSWER_MS) <= 0)
		return -1;
	if (!stream)
		return recv(fd, buffer, room, 0);
	if (recv(fd, framed, 2, MSG_WAITALL) != 2)
		return -1;
	got = framed[0] << 8 | framed[1];
	return (size_t)got > room ? -1 : recv(fd, buffer, (size_t)got, MSG_WAITALL);
}

static int ask_txt(const struct address *address, const char *name, int stream)
{
	uint8_t buffer[1500];
	size_t question = txt_question(name, buffer);
	int fd = timed_socket(address->to.ss_family, stream ? SOCK_STREAM : SOCK_DGRAM);
	ssize_t got = -1;

	if (connect(fd, (const struct sockaddr *)&address->to, address->length) == 0)
		got = exchange(fd, stream, buffer, question, sizeof(buffer));
	if (got < 12) {
		printf("{\"rcode\":-1,\"text\":\"\",\"errno\":\"%s\"}\n", strerrorname_np(errno));
		return 1;
	}
	print_answer(buffer, got, question);
	return 0;
}

int main(int argc, char **argv)
{
	struct address address;

	if (argc < 4 || parse_address(argv[2], argv[3], &address) != 0) {
		fputs("usage: probe udp|tcp|txt ADDR PORT ...\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], "udp") && argc > 4)
		return send_datagrams(&address, atoi(argv[4]), argc > 5 ? argv[5] : "probe",
				      argc > 6 ? atoi(argv[6]) : 0);
	if (!strcmp(argv[1], "tcp"))
		return exchange_stream(&address, argc > 4 ? argv[4] : "probe");
	if (!strcmp(argv[1], "txt") && argc > 4)
		return ask_txt(&address, argv[4], argc > 5 && !strcmp(argv[5], "tcp"));
	return 2;
}
