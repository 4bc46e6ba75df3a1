/*
 * Load for relays of SRT: some streams, each from a caller that sends to one that receives, by
 * libsrt.
 *
 *   srt_load SECONDS MBITS STREAM...
 *
 * MBITS is for each stream; messages have 1,316 octets. A stream is `PORT/PORT/ID/ID`: where the
 * sender and the receiver connect to, and their stream ids (may be empty). Prints `begin` when all
 * have connected, and at the end `SENT RECEIVED NANOSECONDS P50 P99` with the time on the way in
 * microseconds.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <srt/srt.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1316, STREAMS_MAX = 128, BUCKETS = 200000, BUCKET_US = 10 };

struct stream {
  SRTSOCKET source, sink;
  uint64_t sent, received;
};

static struct stream streams[STREAMS_MAX];
static atomic_int counting, over;
static double rate;
static atomic_uint histogram[BUCKETS];

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, srt_getlasterror_str());
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static SRTSOCKET dial(int port, const char *id) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SRTSOCKET socket = srt_create_socket();
  int timeout = 10000, size = 8 * 1024 * 1024, window = 32768;
  srt_setsockflag(socket, SRTO_CONNTIMEO, &timeout, sizeof timeout);
  srt_setsockflag(socket, SRTO_FC, &window, sizeof window);
  srt_setsockflag(socket, SRTO_RCVBUF, &size, sizeof size);
  srt_setsockflag(socket, SRTO_SNDBUF, &size, sizeof size);
  srt_setsockflag(socket, SRTO_UDP_RCVBUF, &size, sizeof size);
  if (*id) srt_setsockflag(socket, SRTO_STREAMID, id, strlen(id));
  if (srt_connect(socket, (struct sockaddr *)&to, sizeof to) == SRT_ERROR) fail("connect");
  return socket;
}

static void *pour(void *of) {
  struct stream *stream = of;
  char message[SIZE] = {0};
  int64_t gap = (int64_t)(SIZE * 8 * 1000 / rate), next = now_ns();
  while (!over) {
    int64_t now = now_ns();
    if (now < next) {
      struct timespec span = {.tv_nsec = next - now};
      nanosleep(&span, NULL);
      continue;
    }
    next += gap;
    now = now_ns();
    memcpy(message, &now, sizeof now);
    int counted = counting;
    memcpy(message + 8, &counted, sizeof counted);
    if (srt_sendmsg(stream->source, message, SIZE, -1, 1) < 0) break;
    if (counted) stream->sent++;
  }
  return NULL;
}

static void *drink(void *of) {
  struct stream *stream = of;
  char message[SIZE + 100];
  for (;;) {
    int size = srt_recvmsg(stream->sink, message, sizeof message);
    if (size < 0) break;
    int64_t sent;
    int counted;
    memcpy(&sent, message, sizeof sent);
    memcpy(&counted, message + 8, sizeof counted);
    if (size != SIZE || !counted) continue;
    stream->received++;
    int64_t at = (now_ns() - sent) / 1000 / BUCKET_US;
    histogram[at < BUCKETS ? at : BUCKETS - 1]++;
  }
  return NULL;
}

static long percentile(uint64_t all, double share) {
  uint64_t sum = 0;
  for (int at = 0; at < BUCKETS; at++) {
    sum += histogram[at];
    if (sum >= all * share) return (long)at * BUCKET_US;
  }
  return -1;
}

int main(int argc, char **argv) {
  int count = argc - 3;
  if (count < 1 || count > STREAMS_MAX) return 2;
  rate = atof(argv[2]);
  srt_startup();
  srt_setloglevel(LOG_CRIT);
  for (int at = 0; at < count; at++) {
    char *fields[4], *rest = argv[at + 3];
    for (int index = 0; index < 4; index++) fields[index] = strsep(&rest, "/");
    streams[at].source = dial(atoi(fields[0]), fields[2] ? fields[2] : "");
    streams[at].sink = dial(atoi(fields[1]), fields[3] ? fields[3] : "");
  }
  pthread_t threads[2 * STREAMS_MAX];
  for (int at = 0; at < count; at++) {
    pthread_create(&threads[2 * at], NULL, drink, &streams[at]);
    pthread_create(&threads[2 * at + 1], NULL, pour, &streams[at]);
  }
  usleep(1000000);
  puts("begin");
  fflush(stdout);
  counting = 1;
  int64_t from = now_ns();
  usleep((useconds_t)(atof(argv[1]) * 1e6));
  counting = 0;
  int64_t span = now_ns() - from;
  puts("end");
  fflush(stdout);
  usleep(1500000);
  uint64_t sent = 0, received = 0;
  for (int at = 0; at < count; at++) {
    sent += streams[at].sent;
    received += streams[at].received;
  }
  printf("%llu %llu %lld %ld %ld\n", (unsigned long long)sent, (unsigned long long)received,
      (long long)span, percentile(received, 0.5), percentile(received, 0.99));
  fflush(stdout);
  _exit(0);
}
