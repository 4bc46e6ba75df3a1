/*
 * Receives what goose_publish sent, on another interface, and counts per stream what arrived, what
 * is missing below the highest number seen, what came twice and what came out of order, with the
 * latency from before the publisher's send to after our receive. Prints "ready" when it listens, and
 * its report as one line of JSON when it is told to end (SIGTERM, SIGINT) or its time is over.
 *
 *   goose_sink --interface goose0 [--seconds 3600] [--wait MS]
 *
 * Frames that are GOOSE but not from goose_publish are counted as "foreign".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "goose_frame.h"

#define BATCH 64
#define STREAMS_MAX 256
/* A power of two is cut into 128 parts: a latency is known to better than 0.8 %. */
#define PART_BITS 7
#define PARTS (1u << PART_BITS)
#define BUCKETS ((64 - PART_BITS) * PARTS)
#define RECEIVE_BUFFER (64 << 20)

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct stream {
  uint64_t received, duplicate, reordered, next, words;
  uint64_t *seen; /* one bit per sequence number */
};

static struct stream streams[STREAMS_MAX];
static uint64_t buckets[BUCKETS], foreign, first_ns, last_ns, latency_max, measured;

static volatile sig_atomic_t stopped;
static void on_signal(int signal) { stopped = signal; }

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static unsigned bucket_of(uint64_t ns) {
  if (ns < PARTS) return (unsigned)ns;
  const unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - PART_BITS;
  return shift * PARTS + (unsigned)(ns >> shift);
}

/* The middle of a bucket in ns. */
static double value_of(unsigned bucket) {
  if (bucket < 2 * PARTS) return bucket;
  const unsigned shift = bucket / PARTS - 1;
  return ((double)(bucket - shift * PARTS) + 0.5) * (double)(1ull << shift);
}

static double quantile(double part) {
  const uint64_t rank = (uint64_t)(part * (double)measured);
  uint64_t below = 0;
  for (unsigned i = 0; i < BUCKETS; i++) {
    below += buckets[i];
    if (below > rank) return value_of(i) / 1000.0;
  }
  return (double)latency_max / 1000.0;
}

/* Marks a sequence number. Returns whether it had been seen before. */
static int mark(struct stream *stream, uint64_t sequence) {
  const uint64_t word = sequence / 64, bit = 1ull << sequence % 64;
  if (word >= stream->words) {
    const uint64_t words = word * 2 + 1024;
    stream->seen = realloc(stream->seen, words * 8);
    if (!stream->seen) fail("realloc");
    memset(stream->seen + stream->words, 0, (words - stream->words) * 8);
    stream->words = words;
  }
  if (stream->seen[word] & bit) return 1;
  stream->seen[word] |= bit;
  return 0;
}

static void take(const uint8_t *frame, size_t size, uint64_t now) {
  size_t type = 12;
  if (size >= 18 && frame[12] == ETHERTYPE_VLAN >> 8 && frame[13] == (ETHERTYPE_VLAN & 0xFF)) {
    type = 16;
  }
  if (size < type + 2 || frame[type] << 8 != (ETHERTYPE_GOOSE & 0xFF00) ||
      frame[type + 1] != (ETHERTYPE_GOOSE & 0xFF)) {
    return;
  }
  struct probe probe = {0};
  if (size >= type + 2 + PROBE_OFFSET + PROBE_SIZE) {
    memcpy(&probe, frame + type + 2 + PROBE_OFFSET, sizeof probe);
  }
  if (probe.magic != PROBE_MAGIC || probe.stream >= STREAMS_MAX || probe.sequence >> 32) {
    foreign++;
    return;
  }
  struct stream *stream = &streams[probe.stream];
  if (!first_ns) first_ns = now;
  last_ns = now;
  if (mark(stream, probe.sequence)) {
    stream->duplicate++;
    return;
  }
  stream->received++;
  if (probe.sequence < stream->next) stream->reordered++;
  else stream->next = probe.sequence + 1;
  const uint64_t latency = now > probe.sent_ns ? now - probe.sent_ns : 0;
  if (latency > latency_max) latency_max = latency;
  buckets[bucket_of(latency)]++;
  measured++;
}

static int open_interface(const char *name, unsigned wait_ms) {
  const uint64_t deadline = monotonic_ns() + wait_ms * 1000000ull;
  unsigned index;
  while (!(index = if_nametoindex(name))) {
    if (stopped || monotonic_ns() >= deadline) fail(name);
    usleep(500);
  }
  /* ETH_P_ALL: bound to the EtherType alone a socket would not see tagged frames of the TAP. */
  const int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  if (fd < 0) fail("socket");
  const int one = 1, size = RECEIVE_BUFFER;
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0) fail("setsockopt");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) fail("setsockopt");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)index};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  struct packet_mreq everything = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything) < 0) {
    fail("setsockopt");
  }
  return fd;
}

static void report(int fd) {
  struct tpacket_stats socket_stats = {0};
  socklen_t size = sizeof socket_stats;
  getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &socket_stats, &size);
  uint64_t received = 0, duplicate = 0, reordered = 0, missing = 0;
  printf("{\"streams\":{");
  const char *comma = "";
  for (unsigned i = 0; i < STREAMS_MAX; i++) {
    const struct stream *stream = &streams[i];
    if (!stream->received) continue;
    printf("%s\"%u\":{\"received\":%llu,\"missing\":%llu,\"duplicate\":%llu,\"reordered\":%llu}",
           comma, i, (unsigned long long)stream->received,
           (unsigned long long)(stream->next - stream->received),
           (unsigned long long)stream->duplicate, (unsigned long long)stream->reordered);
    comma = ",";
    received += stream->received;
    duplicate += stream->duplicate;
    reordered += stream->reordered;
    missing += stream->next - stream->received;
  }
  printf("},\"received\":%llu,\"missing\":%llu,\"duplicate\":%llu,\"reordered\":%llu,"
         "\"foreign\":%llu,\"socketDrops\":%u,\"firstNs\":%llu,\"lastNs\":%llu,"
         "\"latencyUs\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}}\n",
         (unsigned long long)received, (unsigned long long)missing, (unsigned long long)duplicate,
         (unsigned long long)reordered, (unsigned long long)foreign, socket_stats.tp_drops,
         (unsigned long long)first_ns, (unsigned long long)last_ns, quantile(0.5), quantile(0.9),
         quantile(0.99), quantile(0.999), (double)latency_max / 1000.0);
}

int main(int argc, char **argv) {
  static uint8_t octets[BATCH][2048];
  static struct iovec parts[BATCH];
  static struct mmsghdr messages[BATCH];
  const char *interface = 0;
  double seconds = 3600;
  unsigned wait_ms = 0;
  static const struct option names[] = {
      {"interface", 1, 0, 'i'}, {"seconds", 1, 0, 's'}, {"wait", 1, 0, 'w'}, {0}};
  for (int name; (name = getopt_long(argc, argv, "", names, 0)) != -1;) {
    if (name == 'i') interface = optarg;
    else if (name == 's') seconds = atof(optarg);
    else if (name == 'w') wait_ms = (unsigned)atoi(optarg);
    else exit(2);
  }
  if (!interface) {
    fprintf(stderr, "goose_sink: --interface is needed\n");
    return 2;
  }
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  for (unsigned i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){octets[i], sizeof octets[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  const int fd = open_interface(interface, wait_ms);
  printf("ready\n");
  fflush(stdout);
  const uint64_t end = monotonic_ns() + (uint64_t)(seconds * 1e9);
  struct pollfd waiting = {fd, POLLIN, 0};
  while (!stopped && monotonic_ns() < end) {
    /* At most 50 ms, so that a signal between the test and the wait is not slept over. */
    if (poll(&waiting, 1, 50) <= 0) continue;
    const int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, 0);
    /* An interface that went down tells so once; it may come back. */
    if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN) fail("recvmmsg");
    const uint64_t now = monotonic_ns();
    for (int i = 0; i < count; i++) take(octets[i], messages[i].msg_len, now);
  }
  report(fd);
  return 0;
}
