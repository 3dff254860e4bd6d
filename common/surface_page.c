/*
 * The surface tables as a page and as JSON.  Linked into the generator only
 * (surface_main.c), never into a process.
 */
#include "privs.h"
#include "surface.h"

static void list_caps(uint64_t caps, const char *quote, FILE *out)
{
	const char *separator = "";

	for (unsigned c = 0; c < 64; c++) {
		if (!(caps & CAP_BIT(c)))
			continue;
		fprintf(out, "%s%s%s%s", separator, quote, privs_name(c), quote);
		separator = ", ";
	}
	if (!caps && !*quote)
		fputs("none", out);
}

static void call_rows(const struct surface *s, unsigned phases, FILE *out)
{
	for (unsigned i = 0; i < s->call_count; i++) {
		const struct surface_call *call = &s->calls[i];
		const char *separator = "";

		if (!(call->phases & phases) || (phases == PHASE_STARTUP && (call->phases & PHASE_SERVING)))
			continue;
		fprintf(out, "| `%s` | ", call->name);
		for (unsigned a = 0; a < SURFACE_ARGS && call->args[a].compare; a++) {
			fprintf(out, "%s%s", separator, call->args[a].text);
			separator = " and ";
		}
		fprintf(out, " | %s |\n", call->why);
	}
}

void surface_page(const struct surface *s, FILE *out)
{
	fprintf(out, "## %s\n\nRuns as uid %u, capabilities ", s->process, s->uid);
	list_caps(s->capabilities, "", out);
	fprintf(out, "%s; bounding set ", s->ambient ? " (ambient)" : "");
	list_caps(s->bounding, "", out);
	fprintf(out, ".\n%s\n\nReads: %s\n\nNever: %s\n\n", s->chrooted ? "Its root is an empty folder." : "Not chrooted.",
		s->reads, s->never);
	fputs("While serving (what a peer's bytes can reach); anything else ends the process:\n\n"
	      "| syscall | only where | why |\n|---|---|---|\n", out);
	call_rows(s, PHASE_SERVING, out);
	fputs("\nAt start only, before anything hostile is read:\n\n| syscall | only where | why |\n|---|---|---|\n", out);
	call_rows(s, PHASE_STARTUP, out);
	fputs("\n| descriptor | kind | what |\n|---|---|---|\n", out);
	for (unsigned i = 0; i < s->fd_count; i++) {
		if (s->fds[i].number == SURFACE_FD_ANY)
			fputs("| others |", out);
		else
			fprintf(out, "| %d |", s->fds[i].number);
		fprintf(out, " `%s` | %s%s |\n", s->fds[i].kind, s->fds[i].what, s->fds[i].optional ? " (not always there)" : "");
	}
	fputc('\n', out);
}

void surface_json(const struct surface *s, FILE *out)
{
	fprintf(out, "{\"process\":\"%s\",\"comm\":\"%s\",\"uid\":%u,\"ambient\":%d,\"chrooted\":%d,\"capabilities\":[",
		s->process, s->comm, s->uid, s->ambient, s->chrooted);
	list_caps(s->capabilities, "\"", out);
	fputs("],\"bounding\":[", out);
	list_caps(s->bounding, "\"", out);
	fputs("],\"fds\":[", out);
	for (unsigned i = 0; i < s->fd_count; i++)
		fprintf(out, "%s{\"number\":%d,\"kind\":\"%s\",\"optional\":%d}", i ? "," : "", s->fds[i].number,
			s->fds[i].kind, s->fds[i].optional);
	fputs("]}\n", out);
}
