/*
 * Hurts one thread of another process, as no program can do to itself: a test's way to jam or kill
 * a worker without any help from the product.
 *
 *   thread_fault stop TID   holds the thread still until SIGTERM, then lets it go on
 *   thread_fault exit TID   turns its next system call into exit(2): the thread ends at once, with
 *                           nothing closed and nobody told (x86-64 and arm64)
 *
 * Prints "ready" when it is done.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __aarch64__
#define NT_SYSTEM_CALL 0x404 /* NT_ARM_SYSTEM_CALL */
#endif

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* Makes the system call that the stopped thread is about to do an exit(0). */
static void turn_into_exit(pid_t thread) {
#ifdef __x86_64__
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, thread, 0, &registers)) fail("PTRACE_GETREGS");
  registers.orig_rax = SYS_exit;
  registers.rdi = 0;
  if (ptrace(PTRACE_SETREGS, thread, 0, &registers)) fail("PTRACE_SETREGS");
#else
  int number = SYS_exit;
  struct iovec part = {&number, sizeof number};
  if (ptrace(PTRACE_SETREGSET, thread, (void *)NT_SYSTEM_CALL, &part)) fail("PTRACE_SETREGSET");
#endif
}

static void wait_stop(pid_t thread) {
  int status;
  if (waitpid(thread, &status, __WALL) < 0 || !WIFSTOPPED(status)) fail("the thread has ended");
}

static void kill_thread(pid_t thread) {
  struct __ptrace_syscall_info info;
  do {
    if (ptrace(PTRACE_SYSCALL, thread, 0, 0)) fail("PTRACE_SYSCALL");
    wait_stop(thread);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) fail("PTRACE_GET_SYSCALL");
  } while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
  turn_into_exit(thread);
  if (ptrace(PTRACE_CONT, thread, 0, 0)) fail("PTRACE_CONT");
  int status;
  waitpid(thread, &status, __WALL);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: thread_fault stop|exit TID\n");
    return 2;
  }
  const pid_t thread = atoi(argv[2]);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigprocmask(SIG_BLOCK, &end, 0);
  if (ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD)) fail("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, thread, 0, 0)) fail("PTRACE_INTERRUPT");
  wait_stop(thread);
  const int holding = !strcmp(argv[1], "stop");
  if (!holding) kill_thread(thread);
  printf("ready\n");
  fflush(stdout);
  int signal;
  if (holding) sigwait(&end, &signal);
  return 0; /* the thread goes on when its tracer ends */
}
