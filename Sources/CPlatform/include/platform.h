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
