// What Swift cannot call itself: variadic system calls, compiler builtins and macros of Linux.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// The CPU target that the kernels were compiled for, as named in Package.swift.
const char *platform_cpu_target(void);

/// Whether this CPU has what `platform_cpu_target` needs. Call it before any kernel runs.
bool platform_cpu_is_sufficient(void);

/// Asks the kernel to send `signal` to this process when its parent ends. Returns 0, or an errno value.
int platform_signal_at_parent_exit(int signal);

/// A new non-blocking eventfd, or -1 with errno set.
int platform_eventfd(void);

/// A descriptor that becomes readable when process `pid` ends, or -1 with errno set.
int platform_pidfd_open(pid_t pid);

/// Asks the CPU to bring a line of memory into its caches, to be read. Any address will do.
static inline void platform_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }
/// The same for a line that will be written.
static inline void platform_prefetch_to_write(const void *address) { __builtin_prefetch(address, 1); }

/// The two words of a Swift closure that is lent for the time of a call: its code, and what it captured.
struct platform_closure {
  const void *function;
  const void *context;
};

// Two functions with Swift's calling convention, declared where they are used. `platform_lend` takes a closure that may not
// escape, `(Int) -> Void`, and writes down its words; `platform_call` calls it by them. So a loop can hand its body to
// other threads for as long as it waits for them, and nothing is allocated, as it would be for an escaping closure.
