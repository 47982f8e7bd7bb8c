// Counts what threads allocate: the test binary's own malloc stands before the C library's.
#pragma once
#include <stdbool.h>

/// Whether the allocations of the calling thread are counted from now on.
void allocations_watch(bool watched);

/// How often watched threads have allocated memory so far.
long allocations_count(void);
