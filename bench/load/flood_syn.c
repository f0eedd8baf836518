#include "bench/load/flood_syn.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define NETNS_DIR "/run/netns"

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Random bits behind the prefix, but neither all zero nor all one in the last octet. */
static void choose_source(struct flood_syn *flood, struct ip_addr *source)
{
	uint64_t bits[2] = {next_random(&flood->random), next_random(&flood->random)};
	uint8_t octets[16];

	memcpy(octets, bits, sizeof(octets));
	*source = flood->from.addr;
	for (unsigned i = 0; i < 16; i++) {
		int kept = (int)flood->from.prefix_len - (int)i * 8;
		uint8_t mask = kept >= 8 ? 0 : kept <= 0 ? 0xff : (uint8_t)(0xff >> kept);

		source->octets[i] |= octets[i] & mask;
	}
	if (flood->from.prefix_len <= 120)
		source->octets[15] = (uint8_t)(1 + source->octets[15] % 254);
}

unsigned flood_syn_next(
	struct flood_syn *flood, struct ip_addr *source, uint8_t header[TCP_WIRE_HEADER_MAX])
{
	uint64_t bits = next_random(&flood->random);
	struct tcp_header h = {
		.src_port = (uint16_t)(1024 + (bits & 0xffff) % 64512),
		.dst_port = flood->port,
		.seq = (uint32_t)(bits >> 32),
		.window = 64240,
		.flags = TCP_SYN,
		.has = TCP_HAS_MSS | TCP_HAS_WSCALE | TCP_HAS_SACK_OK | TCP_HAS_TS,
		.mss = 1460,
		.wscale = 7,
		.ts_val = (uint32_t)(bits >> 16),
	};

	choose_source(flood, source);
	return tcp_wire_write(header, &h);
}

static bool same_file(const struct stat *ours, const char *path)
{
	struct stat other;

	return stat(path, &other) == 0 && other.st_ino == ours->st_ino &&
	       other.st_dev == ours->st_dev;
}

/* One that `ip netns add` made. */
static bool in_named_namespace(const struct stat *ours)
{
	DIR *dir = opendir(NETNS_DIR);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char path[sizeof(NETNS_DIR) + sizeof(entry->d_name) + 1];

		snprintf(path, sizeof(path), NETNS_DIR "/%s", entry->d_name);
		found = same_file(ours, path);
	}
	if (dir)
		closedir(dir);
	return found;
}

int flood_syn_allowed(struct text *why)
{
	struct stat ours;

	if (stat("/proc/self/ns/net", &ours) == 0 && in_named_namespace(&ours) &&
		!same_file(&ours, "/proc/1/ns/net"))
		return 0;
	text_printf(why, "--syn-flood: only over memif, or inside a network namespace of its own "
			 "(ip netns exec ...)");
	return -EPERM;
}
