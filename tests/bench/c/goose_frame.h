/*
 * GOOSE frames as the publisher writes them and the sink reads them: valid by IEC 61850-8-1, of a
 * chosen size, with a probe (which stream, which frame, when sent) as the first element of allData.
 */
#ifndef GOOSE_FRAME_H
#define GOOSE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define ETHERTYPE_GOOSE 0x88B8
#define ETHERTYPE_VLAN 0x8100
#define FRAME_SIZE_MIN 170
#define FRAME_SIZE_MAX 1514
/* Same host at both ends: the monotonic clock is one clock for all its namespaces. */
#define PROBE_MAGIC 0x62757362u /* "busb" */
#define PROBE_SIZE 24
/* The probe is at the same place in every frame, counted from APPID on. */
#define PROBE_OFFSET 112

struct probe {
  uint32_t magic;
  uint32_t stream;
  uint64_t sequence;
  uint64_t sent_ns;
};
_Static_assert(sizeof(struct probe) == PROBE_SIZE, "the probe has no padding");

static inline uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint8_t *put_u16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
  return at + 2;
}

static inline uint8_t *put_tlv(uint8_t *at, uint8_t tag, const void *value, uint8_t length) {
  at[0] = tag;
  at[1] = length;
  memcpy(at + 2, value, length);
  return at + 2 + length;
}

/* A tag with a length of two octets, so that what follows does not move with its size. */
static inline uint8_t *put_wide(uint8_t *at, uint8_t tag, size_t length) {
  at[0] = tag;
  at[1] = 0x82;
  return put_u16(at + 2, (unsigned)length);
}

/* Octets of the Ethernet header, its tag included. */
static inline size_t header_size(int vlan) { return vlan < 0 ? 14 : 18; }

/* stNum or sqNum in the fixed form of five octets. */
static inline void put_counter(uint8_t *five, uint32_t value) {
  five[0] = 0;
  put_u16(put_u16(five + 1, value >> 16), value & 0xFFFF);
}

/*
 * Writes a whole frame of `size` octets. vlan: VID of the 802.1Q tag (priority 4), -1 for none.
 * destination: the last two octets of 01:0C:CD:01:xx:xx.
 */
static inline void build_frame(uint8_t *frame, size_t size, int vlan, uint32_t stream,
                               unsigned destination) {
  static const char CONTROL[] = "BENCH1LD0/LLN0$GO$gcb01", SET[] = "BENCH1LD0/LLN0$set01";
  const uint8_t zero[8] = {0}, alive[2] = {0x07, 0xD0}, one = 1, two = 2;
  uint8_t counter[5];
  uint8_t *const appid = frame + header_size(vlan), *const end = frame + size;
  memset(frame, 0, size);
  memcpy(frame, "\x01\x0C\xCD\x01", 4);
  put_u16(frame + 4, destination);
  frame[6] = 0x02; /* locally administered */
  put_u16(frame + 10, stream);
  uint8_t *at = frame + 12;
  if (vlan >= 0) at = put_u16(put_u16(at, ETHERTYPE_VLAN), 4u << 13 | (unsigned)vlan);
  at = put_u16(at, ETHERTYPE_GOOSE);
  at = put_u16(at, 0x1000 + (stream & 0xFFF));
  at = put_u16(at, (unsigned)(end - appid)) + 4; /* both reserved words are 0 */
  at = put_wide(at, 0x61, (size_t)(end - at) - 4);
  at = put_tlv(at, 0x80, CONTROL, sizeof CONTROL - 1);
  at = put_tlv(at, 0x81, alive, 2);
  at = put_tlv(at, 0x82, SET, sizeof SET - 1);
  at = put_tlv(at, 0x83, "bench", 5);
  at = put_tlv(at, 0x84, zero, 8);
  put_counter(counter, 1);
  at = put_tlv(at, 0x85, counter, 5);
  at = put_tlv(at, 0x86, counter, 5);
  at = put_tlv(at, 0x87, zero, 1);
  at = put_tlv(at, 0x88, &one, 1);
  at = put_tlv(at, 0x89, zero, 1);
  at = put_tlv(at, 0x8A, &two, 1);
  at = put_wide(at, 0xAB, (size_t)(end - at) - 4);
  at = put_tlv(at, 0x89, zero, 0);
  at[-1] = PROBE_SIZE;
  at += PROBE_SIZE;
  put_wide(at, 0x89, (size_t)(end - at) - 4); /* the rest is padding inside the data */
}

/* Where sqNum's five octets are, counted from APPID on. */
#define SQNUM_OFFSET 89

#endif
