/*
 * Prints, as JSON, the numbers of the system's headers under the names that src/platform/linux has for
 * them. The records beside this file are its output on both machines:
 *
 *   gcc -o abi abi.c && ./abi > x86_64.json
 *   aarch64-linux-gnu-gcc -static -o abi abi.c && qemu-aarch64-static ./abi > aarch64.json
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define N(name) printf("  \"%s\": %lld,\n", #name, (long long)(name))
#define V(name, value) printf("  \"%s\": %lld,\n", name, (long long)(value))

int main(void) {
  printf("{\n");
  N(SIOCGIFFLAGS); N(SIOCSIFFLAGS); N(SIOCGIFADDR); N(SIOCSIFADDR); N(SIOCSIFNETMASK);
  N(SIOCGIFMTU); N(SIOCSIFMTU); N(SIOCGIFHWADDR); N(SIOCGIFINDEX); N(SIOCSIFTXQLEN);
  V("TUNSETIFF", (unsigned)TUNSETIFF); V("TUNGETIFF", (unsigned)TUNGETIFF);
  V("UP", IFF_UP); V("RUNNING", IFF_RUNNING); V("MULTICAST", IFF_MULTICAST);
  N(IFNAMSIZ); V("IFREQ_SIZE", sizeof(struct ifreq)); N(IFF_TAP); N(IFF_NO_PI);
  N(AF_INET); N(AF_UNIX); N(AF_PACKET); N(SOL_SOCKET); N(IPPROTO_IP); N(SOL_PACKET);
  V("O_RDWR_NONBLOCK_CLOEXEC", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  V("SOCK_DGRAM_NONBLOCK_CLOEXEC", SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  V("SOCK_DGRAM_CLOEXEC", SOCK_DGRAM | SOCK_CLOEXEC);
  V("SOCK_RAW_NONBLOCK_CLOEXEC", SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC);
  N(MSG_DONTWAIT); N(MSG_TRUNC); N(POLLIN); N(CLOCK_MONOTONIC);
  N(SO_ATTACH_FILTER); N(SO_RCVBUF); N(SO_RCVBUFFORCE);
  N(PACKET_ADD_MEMBERSHIP); N(PACKET_STATISTICS); N(PACKET_AUXDATA); N(PACKET_IGNORE_OUTGOING);
  N(SO_REUSEADDR); N(SO_SNDBUF); N(SO_PRIORITY); N(SO_SNDBUFFORCE); N(IP_TOS); N(IP_MTU_DISCOVER);
  N(IP_MULTICAST_IF); N(IP_MULTICAST_TTL); N(IP_MULTICAST_LOOP); N(IP_ADD_MEMBERSHIP);
  N(IP_MULTICAST_ALL); V("PMTUDISC_DO", IP_PMTUDISC_DO);
  V("mmsghdr", sizeof(struct mmsghdr)); V("msghdr", sizeof(struct msghdr));
  V("iovec", sizeof(struct iovec)); V("sockaddrIn", sizeof(struct sockaddr_in));
  V("msg_len", offsetof(struct mmsghdr, msg_len));
  V("msg_namelen", offsetof(struct msghdr, msg_namelen)); V("msg_iov", offsetof(struct msghdr, msg_iov));
  V("msg_iovlen", offsetof(struct msghdr, msg_iovlen));
  V("msg_control", offsetof(struct msghdr, msg_control));
  V("msg_controllen", offsetof(struct msghdr, msg_controllen));
  V("msg_flags", offsetof(struct msghdr, msg_flags));
  V("iov_len", offsetof(struct iovec, iov_len));
  V("sin_port", offsetof(struct sockaddr_in, sin_port));
  V("sin_addr", offsetof(struct sockaddr_in, sin_addr));
  V("pollfd", sizeof(struct pollfd)); V("pollfd_events", offsetof(struct pollfd, events));
  V("pollfd_revents", offsetof(struct pollfd, revents));
  V("ip_mreqn", sizeof(struct ip_mreqn)); V("imr_ifindex", offsetof(struct ip_mreqn, imr_ifindex));
  V("ACTION_SIZE", sizeof(struct sigaction)); V("MASK_AT", offsetof(struct sigaction, sa_mask));
  V("MASK_END", offsetof(struct sigaction, sa_flags));
  V("PATH_AT", offsetof(struct sockaddr_un, sun_path));
  V("PATH_MAX", sizeof(((struct sockaddr_un *)0)->sun_path));
  V("SYS_gettid", SYS_gettid);
  printf("  \"SYS_tgkill\": %d\n}\n", SYS_tgkill);
  return 0;
}
