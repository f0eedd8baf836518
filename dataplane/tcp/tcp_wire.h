/*
 * The TCP header and its options as octets (RFC 9293 §3.1, 7323, 2018): parsing what a peer sent
 * and writing what we send. Knows nothing of connections.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tcp_flag {
	TCP_FIN = 1 << 0,
	TCP_SYN = 1 << 1,
	TCP_RST = 1 << 2,
	TCP_PSH = 1 << 3,
	TCP_ACK = 1 << 4,
	TCP_URG = 1 << 5,
};

#define TCP_WIRE_HEADER_MIN 20u
#define TCP_WIRE_HEADER_MAX 60u
#define TCP_WIRE_SACK_MAX   4u  /* blocks that fit beside nothing else */
#define TCP_WIRE_WSCALE_MAX 14u /* RFC 7323 §2.3 */

/* Octets that a timestamp, or n SACK blocks, take on a segment with their padding. */
#define TCP_WIRE_TS_LEN      12u
#define TCP_WIRE_SACK_LEN(n) (4u + 8u * (n))

enum tcp_wire_option {
	TCP_HAS_MSS = 1 << 0,
	TCP_HAS_WSCALE = 1 << 1,
	TCP_HAS_SACK_OK = 1 << 2, /* SACK permitted */
	TCP_HAS_TS = 1 << 3,
};

/* Octets [start, end) of the sequence space. */
struct tcp_range {
	uint32_t start, end;
};

/* A header, its numbers in host order. */
struct tcp_header {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint16_t window; /* as on the wire, not scaled */
	uint8_t flags;   /* enum tcp_flag */
	uint8_t has;     /* enum tcp_wire_option */
	uint8_t len;     /* octets with options; set by both functions below */
	uint8_t wscale;
	uint8_t sack_count;
	bool odd_options; /* the options ended in nonsense; those before it stand */
	uint16_t mss;
	uint32_t ts_val, ts_ecr;
	struct tcp_range sack[TCP_WIRE_SACK_MAX];
};

/*
 * Reads the header of a segment of `len` octets. 0, or -EINVAL where it is shorter than its header
 * or its data offset is below the minimum. MSS, window scale and SACK-permitted count on SYNs only,
 * as RFC 9293 §3.2 has it; a scale above 14 is taken as 14.
 */
int tcp_wire_parse(const uint8_t *data, size_t len, struct tcp_header *header);

/* Octets that tcp_wire_write() will write: 20 to 60. */
unsigned tcp_wire_len(const struct tcp_header *header);

/*
 * Writes the header, checksum zero, options padded with NOPs so that timestamps are aligned (RFC
 * 7323 appendix A). `out` has room for tcp_wire_len() octets, which are returned. More SACK blocks
 * than fit beside the other options are left out.
 */
unsigned tcp_wire_write(uint8_t *out, struct tcp_header *header);
