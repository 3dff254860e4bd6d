/*
 * From a surface table to a seccomp filter.  Run by every process at start;
 * reads only the program's own table.
 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include "cleanup.h"
#include "surface.h"

static enum scmp_compare compare_of(enum surface_compare compare)
{
	switch (compare) {
	case ARG_NE:
		return SCMP_CMP_NE;
	case ARG_LT:
		return SCMP_CMP_LT;
	case ARG_MASKED_EQ:
		return SCMP_CMP_MASKED_EQ;
	default:
		return SCMP_CMP_EQ;
	}
}

/* libseccomp's masked compare takes the mask first, the others the value. */
static struct scmp_arg_cmp rule_of(const struct surface_arg *arg)
{
	struct scmp_arg_cmp rule = { .arg = arg->index, .op = compare_of(arg->compare) };

	rule.datum_a = arg->compare == ARG_MASKED_EQ ? arg->mask : arg->value;
	rule.datum_b = arg->compare == ARG_MASKED_EQ ? arg->value : 0;
	return rule;
}

static int add_call(scmp_filter_ctx filter, const struct surface_call *call)
{
	struct scmp_arg_cmp rules[SURFACE_ARGS];
	unsigned count = 0;
	int number = seccomp_syscall_resolve_name(call->name);

	if (number == __NR_SCMP_ERROR)
		return -ENOSYS;		/* a misspelt row must not vanish silently */
	for (unsigned i = 0; i < SURFACE_ARGS; i++)
		if (call->args[i].compare)
			rules[count++] = rule_of(&call->args[i]);
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, rules);
}

static int build(const struct surface *surface, enum surface_phase phase, scmp_filter_ctx *filter)
{
	unsigned phases = phase == PHASE_STARTUP ? PHASE_STARTUP | PHASE_SERVING : PHASE_SERVING;

	*filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!*filter)
		return -ENOMEM;
	for (unsigned i = 0; i < surface->call_count; i++) {
		int error = surface->calls[i].phases & phases ? add_call(*filter, &surface->calls[i]) : 0;

		if (error && error != -EEXIST)
			return error;
	}
	/* binary tree: a long list costs a hot call a few comparisons instead of all */
	return seccomp_attr_set(*filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

int surface_enter(const struct surface *surface, enum surface_phase phase)
{
	scmp_filter_ctx filter = NULL;
	int error = build(surface, phase, &filter);

	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

int surface_export(const struct surface *surface, enum surface_phase phase, int fd)
{
	scmp_filter_ctx filter = NULL;
	int error = build(surface, phase, &filter);

	if (!error)
		error = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	return error;
}
