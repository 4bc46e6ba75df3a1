/*
 * Load for relays of TCP: some streams, each from a source to a sink, as fast as they go.
 *
 *   stream_load SECONDS STREAM...
 *
 * A stream is `relay:PORT:SESSION:SERVER:CLIENT` (both ends connect to the port and say hello), or
 * `proxy:PORT:SINK` (the source connects to PORT, and the proxy connects to SINK where we listen).
 * Prints the octets that came and the nanoseconds they took: `OCTETS NANOSECONDS`.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, STREAMS_MAX = 64 };

struct stream {
  int source, sink;
  uint64_t octets;
};

static atomic_int counting, over;
static struct stream streams[STREAMS_MAX];

static int fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static struct sockaddr_in local(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

static int dial(int port) {
  struct sockaddr_in to = local(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  return fd;
}

static int hello(int port, const char *role, const char *session, const char *id) {
  char line[512];
  int fd = dial(port);
  int size = snprintf(line, sizeof line,
      "V4HELLO {\"role\":\"%s\",\"session_id\":\"%s\",\"id\":\"%s\"}\n", role, session, id);
  if (write(fd, line, size) != size) fail("hello");
  return fd;
}

static int listening(int port) {
  struct sockaddr_in on = local(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&on, sizeof on) < 0 || listen(fd, 8) < 0) fail("listen");
  return fd;
}

static void begin(struct stream *stream, char *spec) {
  char *kind = strtok(spec, ":");
  int port = atoi(strtok(NULL, ":"));
  if (strcmp(kind, "relay") == 0) {
    char *session = strtok(NULL, ":"), *server = strtok(NULL, ":"), *client = strtok(NULL, ":");
    stream->sink = hello(port, "server", session, server);
    stream->source = hello(port, "client", session, client);
  } else {
    int sink = listening(atoi(strtok(NULL, ":")));
    stream->source = dial(port);
    stream->sink = accept(sink, NULL, NULL);
    close(sink);
  }
}

static void *pour(void *of) {
  struct stream *stream = of;
  char *chunk = malloc(CHUNK);
  memset(chunk, 'x', CHUNK);
  while (!over) {
    if (write(stream->source, chunk, CHUNK) < 0) break;
  }
  return NULL;
}

static void *drink(void *of) {
  struct stream *stream = of;
  char *chunk = malloc(CHUNK);
  while (!over) {
    ssize_t count = read(stream->sink, chunk, CHUNK);
    if (count <= 0) break;
    if (counting) stream->octets += count;
  }
  return NULL;
}

static void rest(double seconds) {
  struct timespec span = {.tv_sec = (time_t)seconds};
  span.tv_nsec = (long)((seconds - span.tv_sec) * 1e9);
  nanosleep(&span, NULL);
}

int main(int argc, char **argv) {
  int count = argc - 2;
  if (count < 1 || count > STREAMS_MAX) return 2;
  signal(SIGPIPE, SIG_IGN);
  for (int at = 0; at < count; at++) begin(&streams[at], argv[at + 2]);
  for (int at = 0; at < count; at++) {
    pthread_t thread;
    pthread_create(&thread, NULL, drink, &streams[at]);
    pthread_create(&thread, NULL, pour, &streams[at]);
  }
  rest(0.5);
  puts("begin");
  fflush(stdout);
  int64_t from = now_ns();
  counting = 1;
  rest(atof(argv[1]));
  counting = 0;
  int64_t span = now_ns() - from;
  uint64_t octets = 0;
  for (int at = 0; at < count; at++) octets += streams[at].octets;
  printf("%llu %lld\n", (unsigned long long)octets, (long long)span);
  fflush(stdout);
  /* The relay's processor time is read now, before the ends of the streams cost something. */
  rest(0.3);
  over = 1;
  for (int at = 0; at < count; at++) {
    shutdown(streams[at].source, SHUT_RDWR);
    shutdown(streams[at].sink, SHUT_RDWR);
  }
  return 0;
}
