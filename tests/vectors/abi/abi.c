/*
 * Prints, as JSON, the numbers of the system's headers under the names that src/platform/linux has for
 * them. The records beside this file are its output on both machines:
 *
 *   gcc -o abi abi.c && ./abi > x86_64.json
 *   aarch64-linux-gnu-gcc -static -o abi abi.c && qemu-aarch64-static ./abi > aarch64.json
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
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
#define SIZE(type) V("sizeof(" #type ")", sizeof(struct type))
/* A field under the name that the tables in the code have for it. */
#define AT(type, label, field) V(#type "." label, offsetof(struct type, field))

static void packets(void) {
  N(ETH_P_ALL); N(SO_TIMESTAMPNS); V("MR_PROMISC", PACKET_MR_PROMISC);
  V("PKT_OUTGOING", PACKET_OUTGOING); V("STATUS_VLAN", TP_STATUS_VLAN_VALID);
  V("STATUS_TPID", TP_STATUS_VLAN_TPID_VALID); V("TPID_DEFAULT", ETH_P_8021Q);
  V("HEADER_SIZE", sizeof(struct mmsghdr)); V("VECTOR_SIZE", sizeof(struct iovec));
  V("INSTRUCTION_SIZE", sizeof(struct sock_filter));
  V("LOAD_WORD", BPF_LD | BPF_W | BPF_ABS); V("LOAD_HALF", BPF_LD | BPF_H | BPF_ABS);
  V("AND", BPF_ALU | BPF_AND | BPF_K); V("JUMP_EQUAL", BPF_JMP | BPF_JEQ | BPF_K);
  V("RETURN", BPF_RET | BPF_K);
  AT(sock_filter, "code", code); AT(sock_filter, "jt", jt); AT(sock_filter, "jf", jf);
  AT(sock_filter, "k", k);
}

/* The tables in the comments of mmsg.ts and packet.ts. */
static void layouts(void) {
  SIZE(mmsghdr); AT(mmsghdr, "msghdr", msg_hdr); AT(mmsghdr, "msg_len", msg_len);
  SIZE(msghdr); AT(msghdr, "name", msg_name); AT(msghdr, "namelen", msg_namelen);
  AT(msghdr, "iov", msg_iov); AT(msghdr, "iovlen", msg_iovlen);
  AT(msghdr, "control", msg_control); AT(msghdr, "controllen", msg_controllen);
  AT(msghdr, "flags", msg_flags);
  SIZE(iovec); AT(iovec, "base", iov_base); AT(iovec, "len", iov_len);
  SIZE(sockaddr_in); AT(sockaddr_in, "family", sin_family); AT(sockaddr_in, "port", sin_port);
  AT(sockaddr_in, "address", sin_addr);
  SIZE(sockaddr_ll); AT(sockaddr_ll, "family", sll_family);
  AT(sockaddr_ll, "protocol", sll_protocol); AT(sockaddr_ll, "ifindex", sll_ifindex);
  AT(sockaddr_ll, "pkttype", sll_pkttype);
  SIZE(packet_mreq); AT(packet_mreq, "ifindex", mr_ifindex); AT(packet_mreq, "type", mr_type);
  AT(packet_mreq, "alen", mr_alen); AT(packet_mreq, "address", mr_address);
  SIZE(sock_fprog); AT(sock_fprog, "len", len); AT(sock_fprog, "pointer", filter);
  SIZE(cmsghdr); AT(cmsghdr, "len", cmsg_len); AT(cmsghdr, "level", cmsg_level);
  AT(cmsghdr, "type", cmsg_type);
  SIZE(tpacket_auxdata); AT(tpacket_auxdata, "status", tp_status);
  AT(tpacket_auxdata, "vlan_tci", tp_vlan_tci); AT(tpacket_auxdata, "vlan_tpid", tp_vlan_tpid);
  SIZE(timespec); AT(timespec, "seconds", tv_sec); AT(timespec, "nanoseconds", tv_nsec);
}

static void reasons(void) {
  N(EPERM); N(ENOENT); N(ESRCH); N(EINTR); N(EIO); N(ENXIO); N(E2BIG); N(ENOEXEC); N(EBADF);
  N(ECHILD); N(EAGAIN); N(ENOMEM); N(EACCES); N(EFAULT); N(ENOTBLK); N(EBUSY); N(EEXIST); N(EXDEV);
  N(ENODEV); N(ENOTDIR); N(EISDIR); N(EINVAL); N(ENFILE); N(EMFILE); N(ENOTTY); N(ETXTBSY);
  N(EFBIG); N(ENOSPC); N(ESPIPE); N(EROFS); N(EMLINK); N(EPIPE); N(EDOM); N(ERANGE); N(EDEADLK);
  N(ENAMETOOLONG); N(ENOLCK); N(ENOSYS); N(ENOTEMPTY); N(ELOOP); N(ENOMSG); N(EIDRM); N(ECHRNG);
  N(EL2NSYNC); N(EL3HLT); N(EL3RST); N(ELNRNG); N(EUNATCH); N(ENOCSI); N(EL2HLT); N(EBADE);
  N(EBADR); N(EXFULL); N(ENOANO); N(EBADRQC); N(EBADSLT); N(EBFONT); N(ENOSTR); N(ENODATA);
  N(ETIME); N(ENOSR); N(ENONET); N(ENOPKG); N(EREMOTE); N(ENOLINK); N(EADV); N(ESRMNT); N(ECOMM);
  N(EPROTO); N(EMULTIHOP); N(EDOTDOT); N(EBADMSG); N(EOVERFLOW); N(ENOTUNIQ); N(EBADFD);
  N(EREMCHG); N(ELIBACC); N(ELIBBAD); N(ELIBSCN); N(ELIBMAX); N(ELIBEXEC); N(EILSEQ); N(ERESTART);
  N(ESTRPIPE); N(EUSERS); N(ENOTSOCK); N(EDESTADDRREQ); N(EMSGSIZE); N(EPROTOTYPE); N(ENOPROTOOPT);
  N(EPROTONOSUPPORT); N(ESOCKTNOSUPPORT); N(EOPNOTSUPP); N(EPFNOSUPPORT); N(EAFNOSUPPORT);
  N(EADDRINUSE); N(EADDRNOTAVAIL); N(ENETDOWN); N(ENETUNREACH); N(ENETRESET); N(ECONNABORTED);
  N(ECONNRESET); N(ENOBUFS); N(EISCONN); N(ENOTCONN); N(ESHUTDOWN); N(ETOOMANYREFS); N(ETIMEDOUT);
  N(ECONNREFUSED); N(EHOSTDOWN); N(EHOSTUNREACH); N(EALREADY); N(EINPROGRESS);
}

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
  packets(); layouts(); reasons();
  V("SYS_gettid", SYS_gettid);
  printf("  \"SYS_tgkill\": %d\n}\n", SYS_tgkill);
  return 0;
}
