#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *platform_cpu_target(void) { return TRAINER_CPU_TARGET; }

bool platform_cpu_is_sufficient(void) {
#if defined(__x86_64__)
  // The only place that knows about x86: each level includes those before it.
  __builtin_cpu_init();
  const char *target = TRAINER_CPU_TARGET;
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (strcmp(target, "x86-64-v3") == 0) return v3;
  if (strcmp(target, "x86-64-v4") == 0)
    return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd");
#endif
  // Another target was chosen by whoever built this; the numerics self-test is its check.
  return true;
}

int platform_signal_at_parent_exit(int signal) {
  return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) == 0 ? 0 : errno;
}

int platform_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int platform_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

__attribute__((swiftcall)) void platform_lend(const void *function, const void *context,
                                              struct platform_closure *closure);
__attribute__((swiftcall)) void platform_call(const void *function, const void *context, intptr_t argument);

__attribute__((swiftcall)) void platform_lend(const void *function, const void *context,
                                              struct platform_closure *closure) {
  closure->function = function;
  closure->context = context;
}

__attribute__((swiftcall)) void platform_call(const void *function, const void *context, intptr_t argument) {
  typedef __attribute__((swiftcall)) void body(intptr_t, __attribute__((swift_context)) const void *);
  ((body *)function)(argument, context);
}
