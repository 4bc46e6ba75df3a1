/*
 * Sends valid GOOSE frames on an interface, paced or as fast as it can, several streams in turn.
 * Its report is one line of JSON: how many frames were sent, and how many the interface refused
 * (these have a sequence number, so that a sink counts them as lost).
 *
 *   goose_publish --interface goose0 [--rate 2000] [--seconds 10] [--count N] [--size 200]
 *                 [--streams 1] [--first 0] [--vlan -1] [--destination 1] [--wait MS]
 *
 * --rate 0 floods; --first is the number of the first stream; --wait is how long to wait for the
 * interface to appear and to come up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "goose_frame.h"

#define STREAMS_MAX 64

static struct {
  const char *interface;
  double rate, seconds;
  uint64_t count;
  size_t size;
  unsigned streams, first, destination, wait_ms;
  int vlan;
} options = {.rate = 2000, .seconds = 10, .count = UINT64_MAX, .size = 200, .streams = 1,
             .destination = 1, .vlan = -1};

static volatile sig_atomic_t stopped;
static void on_signal(int signal) { stopped = signal; }

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void parse(int argc, char **argv) {
  static const struct option names[] = {
      {"interface", 1, 0, 'i'}, {"rate", 1, 0, 'r'},   {"seconds", 1, 0, 's'},
      {"count", 1, 0, 'c'},     {"size", 1, 0, 'z'},   {"streams", 1, 0, 'n'},
      {"first", 1, 0, 'f'},     {"vlan", 1, 0, 'v'},   {"destination", 1, 0, 'd'},
      {"wait", 1, 0, 'w'},      {0}};
  for (int name; (name = getopt_long(argc, argv, "", names, 0)) != -1;) {
    switch (name) {
      case 'i': options.interface = optarg; break;
      case 'r': options.rate = atof(optarg); break;
      case 's': options.seconds = atof(optarg); break;
      case 'c': options.count = strtoull(optarg, 0, 10); break;
      case 'z': options.size = strtoul(optarg, 0, 10); break;
      case 'n': options.streams = (unsigned)atoi(optarg); break;
      case 'f': options.first = (unsigned)atoi(optarg); break;
      case 'v': options.vlan = atoi(optarg); break;
      case 'd': options.destination = (unsigned)atoi(optarg); break;
      case 'w': options.wait_ms = (unsigned)atoi(optarg); break;
      default: exit(2);
    }
  }
  size_t size = options.size - (header_size(options.vlan) - 14);
  if (!options.interface || size < FRAME_SIZE_MIN || size > FRAME_SIZE_MAX ||
      options.streams < 1 || options.streams > STREAMS_MAX) {
    fprintf(stderr, "goose_publish: --interface is needed, or a value is out of range\n");
    exit(2);
  }
}

/* A packet socket that sends on the interface, once that is there and up. */
static int open_interface(void) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0); /* protocol 0: it receives nothing */
  if (fd < 0) fail("socket");
  struct ifreq request = {0};
  strncpy(request.ifr_name, options.interface, IFNAMSIZ - 1);
  const uint64_t deadline = monotonic_ns() + options.wait_ms * 1000000ull;
  while (ioctl(fd, SIOCGIFFLAGS, &request) < 0 || !(request.ifr_flags & IFF_UP)) {
    if (stopped || monotonic_ns() >= deadline) fail(options.interface);
    usleep(500);
  }
  struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                .sll_ifindex = (int)if_nametoindex(options.interface)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  return fd;
}

static void sleep_until(uint64_t at_ns) {
  struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u),
                        .tv_nsec = (long)(at_ns % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0);
}

int main(int argc, char **argv) {
  static uint8_t frames[STREAMS_MAX][FRAME_SIZE_MAX + 4];
  parse(argc, argv);
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  prctl(PR_SET_TIMERSLACK, 1);
  for (unsigned i = 0; i < options.streams; i++) {
    build_frame(frames[i], options.size, options.vlan, options.first + i, options.destination);
  }
  const int fd = open_interface();
  const size_t appid = header_size(options.vlan);
  const uint64_t start = monotonic_ns(), end = start + (uint64_t)(options.seconds * 1e9);
  uint64_t sent = 0, refused = 0, now = start;
  for (; !stopped && sent < options.count && now < end; sent++) {
    if (options.rate > 0) {
      const uint64_t due = start + (uint64_t)((double)sent * 1e9 / options.rate);
      if (due >= end) break;
      if (due > now) sleep_until(due);
    }
    uint8_t *frame = frames[sent % options.streams];
    const uint64_t sequence = sent / options.streams;
    put_counter(frame + appid + SQNUM_OFFSET, (uint32_t)sequence);
    now = monotonic_ns();
    const struct probe probe = {PROBE_MAGIC, options.first + (uint32_t)(sent % options.streams),
                                sequence, now};
    memcpy(frame + appid + PROBE_OFFSET, &probe, sizeof probe);
    while (send(fd, frame, options.size, 0) < 0) {
      if (errno == EINTR && !stopped) continue;
      /* A full queue, or an interface that is away for the moment: that is what is measured. */
      if (errno != ENOBUFS && errno != ENETDOWN && errno != ENXIO && errno != EINTR) fail("send");
      refused++;
      break;
    }
  }
  printf("{\"sent\":%llu,\"refused\":%llu,\"seconds\":%.6f}\n", (unsigned long long)sent,
         (unsigned long long)refused, (double)(monotonic_ns() - start) / 1e9);
  return 0;
}
