/* The table of sandboxes (sandboxes.h).  Run by the watcher. */
#include <string.h>
#include "sandboxes.h"

struct sandbox *sandboxes_find(struct sandboxes *all, const char id[SANDBOX_ID_LENGTH])
{
	for (unsigned i = 0; i < all->high; i++)
		if (all->table[i].state != SANDBOX_FREE && !memcmp(all->table[i].facts.id, id, SANDBOX_ID_LENGTH))
			return &all->table[i];
	return NULL;
}

static struct sandbox *free_place(struct sandboxes *all)
{
	for (unsigned i = 0; i < all->high; i++)
		if (all->table[i].state == SANDBOX_FREE)
			return &all->table[i];
	return all->high < SANDBOXES_MAX ? &all->table[all->high++] : NULL;
}

struct sandbox *sandboxes_add(struct sandboxes *all, const struct sandbox_facts *facts, uint64_t now)
{
	struct sandbox *sandbox = free_place(all);

	if (!sandbox)
		return NULL;
	memset(sandbox, 0, sizeof(*sandbox));
	sandbox->facts = *facts;
	sandbox->state = SANDBOX_DUE;
	sandbox->due_ns = now;
	sandbox->listed = all->list;
	sandbox->workload_seen = facts->found == FOUND_LIST;
	return sandbox;
}

void sandboxes_set(struct sandboxes *all, struct sandbox *sandbox, enum sandbox_state state)
{
	all->asked -= sandbox->state == SANDBOX_ASKED;
	all->asked += state == SANDBOX_ASKED;
	sandbox->state = state;
}

void sandboxes_forget(struct sandboxes *all, struct sandbox *sandbox)
{
	sandboxes_set(all, sandbox, SANDBOX_FREE);
	all->full_logged = 0;
	while (all->high && all->table[all->high - 1].state == SANDBOX_FREE)
		all->high--;
}
