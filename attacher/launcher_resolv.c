/*
 * DNS servers from text.  The launcher parses nothing from outside: resolv.conf is
 * read by a forked child that gave up everything first, and only fixed-size
 * addresses come back through a pipe.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "launcher.h"
#include "privs.h"

#define DNS_PORT 53
#define RESOLV_BYTES 8192

int resolv_address(const char *text, struct upstream_address *server)
{
	char address[INET6_ADDRSTRLEN], *end;
	const char *at = strchrnul(text, '@');
	size_t length = (size_t)(at - text);
	unsigned long port = DNS_PORT;

	*server = (struct upstream_address){ 0 };
	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (*at) {
		port = strtoul(at + 1, &end, 10);
		if (!at[1] || *end || port < 1 || port > 65535)
			return -EINVAL;
	}
	server->port = (uint16_t)port;
	server->family = inet_pton(AF_INET, address, server->address) == 1 ? 4 :
			 inet_pton(AF_INET6, address, server->address) == 1 ? 6 : 0;
	return server->family ? 0 : -EINVAL;
}

/* "nameserver ADDRESS" lines only (resolv.conf(5)); a scoped address (%eth0) is skipped. */
unsigned resolv_parse(const char *text, struct upstream_address servers[UPSTREAMS_MAX])
{
	unsigned count = 0;

	while (text && *text && count < UPSTREAMS_MAX) {
		char word[64];
		size_t keyword = strspn(text, " \t"), value;
		const char *line = text + keyword;

		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
		if (strncmp(line, "nameserver", 10) || !strspn(line + 10, " \t"))
			continue;
		line += 10 + strspn(line + 10, " \t");
		value = strcspn(line, " \t\r\n#;");
		if (!value || value >= sizeof(word) || memchr(line, '@', value))
			continue;
		memcpy(word, line, value);
		word[value] = '\0';
		count += !resolv_address(word, &servers[count]);
	}
	return count;
}

static void child(int out, uid_t uid) __attribute__((noreturn));
static void child(int out, uid_t uid)
{
	static char text[RESOLV_BYTES + 1];
	struct upstream_address servers[UPSTREAMS_MAX] = { 0 };
	int in = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	size_t size;
	unsigned count;

	if (in < 0 || privs_become(uid, 0) || read(in, text, RESOLV_BYTES) < 0)
		_exit(1);
	count = resolv_parse(text, servers);
	size = count * sizeof(servers[0]);
	_exit(!count || write(out, servers, size) != (ssize_t)size);
}

int resolv_read(struct options *options)
{
	int ends[2], status;
	pid_t pid;
	ssize_t size;

	if (options->upstream_count)
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		child(ends[1], UID_DNSPROXY);
	close(ends[1]);
	size = pid < 0 ? -1 : read(ends[0], options->upstream, sizeof(options->upstream));
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (status || size <= 0 || (size_t)size % sizeof(options->upstream[0]))
		return -ENOENT;
	options->upstream_count = (unsigned)((size_t)size / sizeof(options->upstream[0]));
	return 0;
}
