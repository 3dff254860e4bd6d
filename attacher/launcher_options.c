/*
 * The launcher's options: a handful, from the manifest, trusted.  Nothing else is
 * configured here; what is not understood ends the start with status 2.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "launcher.h"
#include "version.h"

static const char help[] =
	"usage: leitwacht --guard=NAMESPACE [options]\n"
	"\n"
	"Enforces egress of guarded pods; runs as the DaemonSet's container (k8s/daemonset.yaml).\n"
	"\n"
	"  --guard=NAMESPACE         guard the pods of this namespace (repeatable, at most 64; '*': all)\n"
	"  --containerd-socket=PATH  default /run/containerd/containerd.sock; mount its folder, not the file\n"
	"  --bpffs=PATH              the node's bpffs, default /sys/fs/bpf\n"
	"  --cgroup=PATH             the node's cgroup2 tree, default /sys/fs/cgroup\n"
	"  --node-pid=PID            a process in the node's cgroup namespace, default 1 (needs hostPID)\n"
	"  --upstream=ADDRESS[@PORT] DNS server (repeatable, at most 3); default: /etc/resolv.conf\n"
	"  --version, --help\n";

static void bad(const char *what, const char *value)
{
	fprintf(stderr, "leitwacht: %s%s%s\nleitwacht --help lists the options\n", what, value ? ": " : "", value ? value : "");
	exit(2);
}

static unsigned parse_pid(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > 1 << 22)
		bad("--node-pid takes a process id", text);
	return (unsigned)value;
}

static void add_guard(struct options *options, const char *name)
{
	/* a namespace's name is a DNS label (RFC 1123) */
	if (strcmp(name, "*") && (!*name || strlen(name) > 63 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")]))
		bad("--guard takes a namespace's name or '*'", name);
	if (options->guard_count == GUARDS_MAX)
		bad("--guard given too often, at most 64 (or '*')", NULL);
	options->guards[options->guard_count++] = name;
}

static void add_upstream(struct options *options, const char *text)
{
	if (options->upstream_count == UPSTREAMS_MAX)
		bad("--upstream given too often, at most 3", NULL);
	if (resolv_address(text, &options->upstream[options->upstream_count]))
		bad("--upstream takes ADDRESS or ADDRESS@PORT, no name", text);
	options->upstream_count++;
}

void options_parse(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{ "guard", required_argument, NULL, 'g' }, { "containerd-socket", required_argument, NULL, 's' },
		{ "bpffs", required_argument, NULL, 'b' }, { "cgroup", required_argument, NULL, 'c' },
		{ "node-pid", required_argument, NULL, 'p' }, { "upstream", required_argument, NULL, 'u' },
		{ "version", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int option;

	*options = (struct options){
		.node_pid = 1, .containerd_socket = "/run/containerd/containerd.sock",
		.bpffs = "/sys/fs/bpf", .cgroup = "/sys/fs/cgroup",
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (option) {
		case 'g': add_guard(options, optarg); break;
		case 's': options->containerd_socket = optarg; break;
		case 'b': options->bpffs = optarg; break;
		case 'c': options->cgroup = optarg; break;
		case 'p': options->node_pid = parse_pid(optarg); break;
		case 'u': add_upstream(options, optarg); break;
		case 'v': puts("leitwacht " LW_VERSION); exit(0);
		case 'h': fputs(help, stdout); exit(0);
		default: bad("an option was not understood", NULL);
		}
	if (optind < argc)
		bad("takes no arguments", argv[optind]);
	if (!options->guard_count)
		bad("no --guard: which namespaces are to be guarded?", NULL);
}
