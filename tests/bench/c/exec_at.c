/*
 * Writes the monotonic time in nanoseconds to a file and becomes another program at once: the zero
 * of every "time from exec to …".
 *
 *   exec_at FILE COMMAND [ARGUMENT ...]
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  FILE *file = argc > 2 ? fopen(argv[1], "w") : 0;
  struct timespec now;
  if (!file || clock_gettime(CLOCK_MONOTONIC, &now)) {
    perror("exec_at FILE COMMAND");
    return 2;
  }
  fprintf(file, "%lld\n", (long long)now.tv_sec * 1000000000ll + now.tv_nsec);
  fclose(file);
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
