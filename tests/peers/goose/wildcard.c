/*
 * A socket as careless programs open it: bound to every address, joined to one group. Counts to
 * which group the datagrams went that it received; one line of JSON at SIGTERM.
 *
 *   wildcard GROUP PORT INTERFACE
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static volatile sig_atomic_t stopped;
static void on_signal(int signal) { stopped = signal; }

static void check(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

/* The address that a datagram was sent to. */
static in_addr_t target_of(struct msghdr *message) {
  struct cmsghdr *note = CMSG_FIRSTHDR(message);
  struct in_pktinfo info = {0};
  if (note && note->cmsg_type == IP_PKTINFO) memcpy(&info, CMSG_DATA(note), sizeof info);
  return info.ipi_addr.s_addr;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: wildcard GROUP PORT INTERFACE\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: recvmsg returns */
  sigaction(SIGTERM, &action, 0);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  check(fd, "socket");
  struct ip_mreqn membership = {.imr_ifindex = (int)if_nametoindex(argv[3])};
  check(inet_pton(AF_INET, argv[1], &membership.imr_multiaddr) - 1, argv[1]);
  const struct sockaddr_in any = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2]))};
  const struct timeval wait = {.tv_usec = 50000};
  check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "SO_REUSEADDR");
  check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), "SO_RCVTIMEO");
  check(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one), "IP_PKTINFO");
  check(bind(fd, (const struct sockaddr *)&any, sizeof any), "bind");
  check(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership), "join");
  printf("ready\n");
  fflush(stdout);
  unsigned long own = 0, other = 0;
  while (!stopped) {
    char octets[2048], notes[128];
    struct iovec part = {octets, sizeof octets};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = notes,
                             .msg_controllen = sizeof notes};
    if (recvmsg(fd, &message, 0) < 0) continue;
    if (target_of(&message) == membership.imr_multiaddr.s_addr) own++;
    else other++;
  }
  printf("{\"own\":%lu,\"other\":%lu}\n", own, other);
  return 0;
}
