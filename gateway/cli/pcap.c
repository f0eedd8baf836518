#include "gateway/cli/pcap.h"

#define MAGIC_US      0xa1b2c3d4u
#define MAJOR         2
#define MINOR         4
#define LINK_ETHERNET 1

struct header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zero[2];
	uint32_t snap;
	uint32_t link;
};
_Static_assert(sizeof(struct header) == PCAP_HEADER_OCTETS, "as in the file");

struct record {
	uint32_t seconds, us;
	uint32_t len, wire_len;
};
_Static_assert(sizeof(struct record) == PCAP_RECORD_OCTETS, "as in the file");

void pcap_put_header(FILE *out, uint32_t snap)
{
	const struct header header = {.magic = MAGIC_US,
		.major = MAJOR,
		.minor = MINOR,
		.snap = snap,
		.link = LINK_ETHERNET};

	fwrite(&header, sizeof(header), 1, out);
}

void pcap_put_packet(FILE *out, uint64_t unix_us, uint32_t wire_len, struct bytes packet)
{
	const struct record record = {.seconds = (uint32_t)(unix_us / 1000000),
		.us = (uint32_t)(unix_us % 1000000),
		.len = (uint32_t)packet.len,
		.wire_len = wire_len};

	fwrite(&record, sizeof(record), 1, out);
	fwrite(packet.data, 1, packet.len, out);
}
