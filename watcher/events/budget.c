/* The heap bound of the decoders (budget.h).  Run by the watcher, one thread. */
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include "budget.h"

static size_t in_use;

static void *budget_alloc(size_t size)
{
	void *block;

	if (size > BUDGET_BYTES || in_use > BUDGET_BYTES - size)
		return NULL;
	block = malloc(size);
	if (block)
		in_use += malloc_usable_size(block);
	return block;
}

static void budget_free(void *block)
{
	if (block)
		in_use -= malloc_usable_size(block);
	free(block);
}

static void *alloc_for_protobuf(void *context, size_t size)
{
	(void)context;
	return budget_alloc(size);
}

static void free_for_protobuf(void *context, void *block)
{
	(void)context;
	budget_free(block);
}

ProtobufCAllocator budget_allocator = { alloc_for_protobuf, free_for_protobuf, NULL };

void budget_open(void)
{
	json_set_alloc_funcs(budget_alloc, budget_free);
	json_object_seed(0);	/* 0: from /dev/urandom, now and not under the filter */
}
