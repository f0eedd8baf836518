#pragma once

#include "base/bytes.h"

#include <stdio.h>

/*
 * A capture file that tcpdump and Wireshark read (draft-ietf-opsawg-pcap: the classic format,
 * microseconds, Ethernet), in this machine's byte order. What was written fails at the end alone:
 * ferror() tells.
 */
#define PCAP_HEADER_OCTETS 24
#define PCAP_RECORD_OCTETS 16

/* `snap`: the longest packet that may follow. */
void pcap_put_header(FILE *out, uint32_t snap);
/* A packet of `wire_len` octets, of which `packet` is the first part. */
void pcap_put_packet(FILE *out, uint64_t unix_us, uint32_t wire_len, struct bytes packet);
