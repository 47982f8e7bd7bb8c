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
/// The same for a line that is read once: it takes no other's place in the larger caches.
static inline void platform_prefetch_once(const void *address) { __builtin_prefetch(address, 0, 0); }
/// The same for a line that will be written.
static inline void platform_prefetch_to_write(const void *address) { __builtin_prefetch(address, 1); }

/// Half of a row of 16 floats.
typedef float platform_half_row __attribute__((ext_vector_type(8)));

/// Writes 16 floats to a boundary of 64 bytes, past the caches. On x86 other threads may miss them, whatever else tells these
/// that they are there, until `platform_stream_end`.
static inline void platform_stream(float *target, platform_half_row low, platform_half_row high) {
  __builtin_nontemporal_store(low, (platform_half_row *)target);
  __builtin_nontemporal_store(high, (platform_half_row *)(target + 8));
}

/// Makes what this thread wrote past the caches visible before whatever it writes next.
static inline void platform_stream_end(void) {
#ifdef __x86_64__
  __builtin_ia32_sfence();
#endif
}

/// The two words of a Swift closure that is lent for the time of a call: its code, and what it captured.
struct platform_closure {
  const void *function;
  const void *context;
};

// Two functions with Swift's calling convention, declared where they are used. `platform_lend` takes a closure that may not
// escape, `(Int) -> Void`, and writes down its words; `platform_call` calls it by them. So a loop can hand its body to
// other threads for as long as it waits for them, and nothing is allocated, as it would be for an escaping closure.
