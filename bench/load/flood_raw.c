#include "bench/load/flood_raw.h"

#include "bench/load/flood_syn.h"
#include "dataplane/port/checksum.h"
#include "dataplane/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST     64
#define FRAME_MAX (IP4_HEADER_LEN + TCP_WIRE_HEADER_MAX)

struct flood_raw {
	struct flood_syn syn;
	struct ip_addr server;
	int fd;
	struct sockaddr_in to;
	uint8_t frames[BURST][FRAME_MAX];
};

int flood_raw_new(const struct load_options *options, struct flood_raw **out, struct text *why)
{
	struct flood_raw *flood;
	int rc = flood_syn_allowed(why);

	if (rc < 0)
		return rc;
	if (!ip_addr_is_v4(&options->server) || !ip_addr_is_v4(&options->flood_from.addr)) {
		text_printf(why, "--syn-flood through kernel sockets is for IPv4; use --device");
		return -EAFNOSUPPORT;
	}
	flood = calloc(1, sizeof(*flood));
	if (!flood)
		return -ENOMEM;
	flood->syn.from = options->flood_from;
	flood->syn.port = (uint16_t)options->port;
	flood->server = options->server;
	flood->to.sin_family = AF_INET;
	flood->to.sin_addr.s_addr = htonl(ip_addr_v4_of(&options->server));
	flood->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (flood->fd < 0 || getrandom(&flood->syn.random, sizeof(flood->syn.random), 0) < 0) {
		rc = -errno;
		text_printf(why, "a raw socket: %s", strerror(errno));
		flood_raw_free(flood);
		return rc;
	}
	*out = flood;
	return 0;
}

/* The kernel fills what is left zero: length, identification, checksum of IP. */
static size_t write_frame(struct flood_raw *flood, uint8_t *frame)
{
	struct ip4_header *ip = (struct ip4_header *)frame;
	uint8_t *tcp = frame + IP4_HEADER_LEN;
	struct ip_addr source;
	unsigned len = flood_syn_next(&flood->syn, &source, tcp);

	*ip = (struct ip4_header){.version_ihl = 0x45, .ttl = 64, .protocol = IP_PROTO_TCP};
	wire_put32(ip->src, ip_addr_v4_of(&source));
	wire_put32(ip->dst, ip_addr_v4_of(&flood->server));
	checksum_store(tcp + TCP_CHECKSUM_AT,
		checksum_finish(checksum_add(
			checksum_pseudo(&source, &flood->server, IP_PROTO_TCP, (uint16_t)len), tcp,
			len)));
	return IP4_HEADER_LEN + len;
}

unsigned flood_raw_send(struct flood_raw *flood, unsigned n)
{
	struct mmsghdr messages[BURST] = {0};
	struct iovec parts[BURST];
	int sent;

	n = n < BURST ? n : BURST;
	for (unsigned i = 0; i < n; i++) {
		parts[i].iov_base = flood->frames[i];
		parts[i].iov_len = write_frame(flood, flood->frames[i]);
		messages[i].msg_hdr = (struct msghdr){.msg_name = &flood->to,
			.msg_namelen = sizeof(flood->to),
			.msg_iov = &parts[i],
			.msg_iovlen = 1};
	}
	sent = sendmmsg(flood->fd, messages, n, MSG_DONTWAIT);
	return sent < 0 ? 0 : (unsigned)sent;
}

void flood_raw_free(struct flood_raw *flood)
{
	if (!flood)
		return;
	if (flood->fd >= 0)
		close(flood->fd);
	free(flood);
}
