/*
 * A bound on what decoding one hostile message may take from the heap.  A few
 * bytes on the wire can become a large structure (a map of empty entries grows
 * thirtyfold); past the bound the decoder gets NULL and gives up.
 */
#ifndef LW_EVENTS_BUDGET_H
#define LW_EVENTS_BUDGET_H

#include <protobuf-c/protobuf-c.h>

#define BUDGET_BYTES (64U << 20)

/* For protobuf-c's unpack and free. */
extern ProtobufCAllocator budget_allocator;

/* Jansson has one allocator a process and a hash that is seeded lazily from a file: both are set here, once. */
void budget_open(void);

#endif
