/*
 * The bridge's loop as plain C, to measure busbar against: one path between a TAP and a multicast
 * group, wire format v1, poll, read until EAGAIN, sendmmsg, recvmmsg, write.
 *
 *   goose_reference TAP ADDRESS/LENGTH GROUP PORT INTERFACE
 *
 * Prints "ready" when it carries frames; ends on SIGTERM, which removes the TAP.
 *
 * Datagram, all big-endian: source MAC (6), time of sending in microseconds since 1970 (8), 1 when
 * there was a tag (2), VID (2), then the frame from APPID on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
/* How many batches one direction may take before the other has its turn. */
#define TURNS 4
#define SLOT 2048
/* In front of a frame, so that any header grows backwards into it. */
#define HEADROOM 32
#define HEADER 18
#define QUEUE_LENGTH 10000
#define SOCKET_BUFFER (4 << 20)

static uint8_t octets[BATCH][SLOT];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];
static uint64_t dropped;

static volatile sig_atomic_t stopped;
static void on_signal(int signal) { stopped = signal; }

static void check(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static int open_tap(const char *name, char *address) {
  const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  check(tap, "/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  check(ioctl(tap, TUNSETIFF, &request), "TUNSETIFF");
  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(control, "socket");
  request.ifr_qlen = QUEUE_LENGTH;
  check(ioctl(control, SIOCSIFTXQLEN, &request), "SIOCSIFTXQLEN");
  char *slash = strchr(address, '/');
  const int length = slash ? atoi(slash + 1) : 24;
  if (slash) *slash = 0;
  struct sockaddr_in *value = (struct sockaddr_in *)&request.ifr_addr;
  *value = (struct sockaddr_in){.sin_family = AF_INET};
  check(inet_pton(AF_INET, address, &value->sin_addr) - 1, address);
  check(ioctl(control, SIOCSIFADDR, &request), "SIOCSIFADDR");
  value->sin_addr.s_addr = htonl(~0u << (32 - length));
  check(ioctl(control, SIOCSIFNETMASK, &request), "SIOCSIFNETMASK");
  check(ioctl(control, SIOCGIFFLAGS, &request), "SIOCGIFFLAGS");
  request.ifr_flags |= IFF_UP;
  check(ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
  close(control);
  return tap;
}

#define SET(fd, level, name, value) \
  check(setsockopt(fd, level, name, &value, sizeof value), #name)

static int udp_socket(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  check(fd, "socket");
  return fd;
}

/* Receives the group. Bound to it and not to any address, so that no other group arrives here. */
static int open_receiver(const struct sockaddr_in *group, const struct ip_mreqn *membership) {
  const int fd = udp_socket(), zero = 0, one = 1, buffer = SOCKET_BUFFER;
  SET(fd, SOL_SOCKET, SO_REUSEADDR, one);
  SET(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer);
  SET(fd, IPPROTO_IP, IP_MULTICAST_ALL, zero);
  check(bind(fd, (const struct sockaddr *)group, sizeof *group), "bind");
  SET(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, *membership);
  return fd;
}

/* Sends to the group. A socket of its own, as a connected one receives from its peer only. */
static int open_sender(const struct sockaddr_in *group, const struct ip_mreqn *membership) {
  const int fd = udp_socket(), zero = 0, ttl = 10, tos = 46 << 2, buffer = SOCKET_BUFFER;
  const int priority = 6, fragment = IP_PMTUDISC_DO;
  SET(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer);
  SET(fd, SOL_SOCKET, SO_PRIORITY, priority);
  SET(fd, IPPROTO_IP, IP_MULTICAST_LOOP, zero);
  SET(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
  SET(fd, IPPROTO_IP, IP_MULTICAST_IF, *membership);
  SET(fd, IPPROTO_IP, IP_TOS, tos);
  SET(fd, IPPROTO_IP, IP_MTU_DISCOVER, fragment);
  check(connect(fd, (const struct sockaddr *)group, sizeof *group), "connect");
  return fd;
}

static void put_be(uint8_t *at, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; i--, value >>= 8) at[i] = (uint8_t)value;
}

/* Turns the Ethernet header into the v1 header in place. Returns the datagram's start, or null. */
static uint8_t *encode(uint8_t *frame, size_t size, uint64_t now_us) {
  uint8_t source[6];
  uint16_t tagged = 0, vid = 0;
  size_t type = 12;
  if (size < 14) return 0;
  if (frame[12] == 0x81 && frame[13] == 0x00) {
    if (size < 18) return 0;
    tagged = 1;
    vid = (uint16_t)((frame[14] << 8 | frame[15]) & 0x0FFF);
    type = 16;
  }
  if (frame[type] != 0x88 || frame[type + 1] != 0xB8) return 0;
  memcpy(source, frame + 6, 6);
  uint8_t *header = frame + type + 2 - HEADER;
  memcpy(header, source, 6);
  put_be(header + 6, now_us, 8);
  put_be(header + 14, tagged, 2);
  put_be(header + 16, vid, 2);
  return header;
}

/* Turns the v1 header into an Ethernet header in place. Returns the frame's start. */
static uint8_t *decode(uint8_t *header) {
  uint8_t source[6];
  const int tagged = header[14] | header[15];
  const unsigned vid = (unsigned)(header[16] << 8 | header[17]) & 0x0FFF;
  memcpy(source, header, 6);
  uint8_t *frame = header + HEADER - (tagged ? 18 : 14);
  memcpy(frame, "\x01\x0C\xCD\x01\x00\x01", 6);
  memcpy(frame + 6, source, 6);
  if (tagged) put_be(frame + 12, 0x81000000u | 4u << 13 | vid, 4);
  put_be(header + HEADER - 2, 0x88B8, 2);
  return frame;
}

/* One batch from the TAP to the group. Returns how many frames were read. */
static int forward(int tap, int sender) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
  int read_count = 0;
  unsigned count = 0;
  for (; read_count < BATCH; read_count++) {
    uint8_t *slot = octets[count] + HEADROOM;
    const ssize_t size = read(tap, slot, SLOT - HEADROOM);
    if (size < 0) break;
    uint8_t *start = encode(slot, (size_t)size, now_us);
    if (!start) {
      dropped++;
      continue;
    }
    parts[count++] = (struct iovec){start, (size_t)(slot + size - start)};
  }
  for (unsigned done = 0; done < count;) {
    const int sent = sendmmsg(sender, messages + done, count - done, 0);
    if (sent > 0) done += (unsigned)sent;
    else dropped++, done++; /* the first of the rest cannot be sent: leave it out */
  }
  return read_count;
}

/* One batch from the group to the TAP. Returns how many datagrams were received. */
static int backward(int receiver, int tap) {
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){octets[i] + HEADROOM, SLOT - HEADROOM};
  }
  const int count = recvmmsg(receiver, messages, BATCH, MSG_DONTWAIT, 0);
  for (int i = 0; i < count; i++) {
    uint8_t *header = octets[i] + HEADROOM;
    if (messages[i].msg_len < HEADER) {
      dropped++;
      continue;
    }
    uint8_t *frame = decode(header);
    if (write(tap, frame, (size_t)(header + messages[i].msg_len - frame)) < 0) dropped++;
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: goose_reference TAP ADDRESS/LENGTH GROUP PORT INTERFACE\n");
    return 2;
  }
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  for (int i = 0; i < BATCH; i++) {
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  struct sockaddr_in group = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4]))};
  check(inet_pton(AF_INET, argv[3], &group.sin_addr) - 1, argv[3]);
  const struct ip_mreqn membership = {.imr_multiaddr = group.sin_addr,
                                      .imr_ifindex = (int)if_nametoindex(argv[5])};
  const int tap = open_tap(argv[1], argv[2]);
  const int receiver = open_receiver(&group, &membership);
  const int sender = open_sender(&group, &membership);
  struct pollfd waiting[2] = {{tap, POLLIN, 0}, {receiver, POLLIN, 0}};
  printf("ready\n");
  fflush(stdout);
  while (!stopped) {
    if (poll(waiting, 2, 100) <= 0) continue;
    if (waiting[0].revents) {
      for (int turn = 0; turn < TURNS && forward(tap, sender) == BATCH; turn++) continue;
    }
    if (waiting[1].revents) {
      for (int turn = 0; turn < TURNS && backward(receiver, tap) == BATCH; turn++) continue;
    }
  }
  fprintf(stderr, "{\"dropped\":%llu}\n", (unsigned long long)dropped);
  return 0;
}
