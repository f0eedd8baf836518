/*
 * The XDP program of af_xdp-shared: what is ours goes to our sockets, all else to the kernel.
 *
 * Ours is TCP to {our address, our port}, whatever IP options or extension headers it has, since
 * the kernel would answer it with RST; and ICMP errors that quote a segment sent from there. A
 * first fragment for our ports is dropped and counted (we reassemble nothing, and the kernel cannot
 * without it). Frames with a VLAN tag are the kernel's.
 */
#include "dataplane/port/steer.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_OFFSET_MASK    0x1fff
#define IP6_MORE_FRAGMENTS 0x0001
#define IP6_OFFSET_MASK    0xfff8

/* As many as the network layer steps over. */
#define MAX_EXTENSIONS 4

#define TCP_DST_PORT_AT 2

/* What follows an IPv6 header, as far as all extension headers are alike. */
struct extension {
	__u8 next;
	__u8 len; /* in units of 8 octets, less the first */
	__be16 fragment;
};

struct icmp_quoting4 {
	__u8 type, code;
	__u16 rest[3];
	struct iphdr ip;
	__be16 src_port, dst_port;
};

struct icmp_quoting6 {
	__u8 type, code;
	__u16 rest[3];
	struct ipv6hdr ip;
	__be16 src_port, dst_port;
};

const volatile struct steer_config config;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, STEER_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

static __always_inline void count(enum steer_stat stat)
{
	__u32 key = stat;
	__u64 *value = bpf_map_lookup_elem(&stats, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline bool is_our_address4(__u32 address)
{
	for (unsigned i = 0; i < STEER_MAX_ADDRESSES; i++) {
		if (i < config.n_addresses4 && config.addresses4[i] == address)
			return true;
	}
	return false;
}

static __always_inline bool is_our_address6(const struct in6_addr *address)
{
	const __u32 *words = address->in6_u.u6_addr32;

	for (unsigned i = 0; i < STEER_MAX_ADDRESSES; i++) {
		if (i < config.n_addresses6 && config.addresses6[i][0] == words[0] &&
			config.addresses6[i][1] == words[1] &&
			config.addresses6[i][2] == words[2] && config.addresses6[i][3] == words[3])
			return true;
	}
	return false;
}

static __always_inline bool is_our_port(__u16 port)
{
	for (unsigned i = 0; i < STEER_MAX_PORTS; i++) {
		if (i < config.n_ports && config.ports[i] == port)
			return true;
	}
	return false;
}

static __always_inline int take(struct xdp_md *ctx)
{
	long verdict = bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);

	if (verdict == XDP_DROP)
		count(STEER_UNSERVED);
	return (int)verdict;
}

static __always_inline int take_icmp(struct xdp_md *ctx)
{
	count(STEER_ICMP);
	return take(ctx);
}

/* A TCP segment for one of our addresses whose header starts `at` octets from the frame's start. */
static __always_inline int tcp_segment(struct xdp_md *ctx, __u32 at, bool first_fragment)
{
	__be16 port;

	if (bpf_xdp_load_bytes(ctx, at + TCP_DST_PORT_AT, &port, sizeof(port)) != 0 ||
		!is_our_port(port))
		return XDP_PASS;
	if (!first_fragment)
		return take(ctx);
	count(STEER_FRAGMENTS);
	return XDP_DROP;
}

static __always_inline int icmp4(struct xdp_md *ctx, __u32 at)
{
	struct icmp_quoting4 icmp;

	if (bpf_xdp_load_bytes(ctx, at, &icmp, sizeof(icmp)) != 0)
		return XDP_PASS;
	switch (icmp.type) {
	case 3:  /* destination unreachable */
	case 4:  /* source quench */
	case 11: /* time exceeded */
	case 12: /* parameter problem */ break;
	default: return XDP_PASS;
	}
	/* We send no IP options and no fragments, so none can be quoted. */
	if (icmp.ip.version != 4 || icmp.ip.ihl != 5 || icmp.ip.protocol != IPPROTO_TCP ||
		!is_our_address4(icmp.ip.saddr) || !is_our_port(icmp.src_port))
		return XDP_PASS;
	return take_icmp(ctx);
}

static __always_inline int icmp6(struct xdp_md *ctx, __u32 at)
{
	struct icmp_quoting6 icmp;

	if (bpf_xdp_load_bytes(ctx, at, &icmp, sizeof(icmp)) != 0)
		return XDP_PASS;
	/* Error messages, as opposed to informational ones (RFC 4443 §2.1). */
	if (icmp.type >= 128 || icmp.ip.version != 6 || icmp.ip.nexthdr != IPPROTO_TCP ||
		!is_our_address6(&icmp.ip.saddr) || !is_our_port(icmp.src_port))
		return XDP_PASS;
	return take_icmp(ctx);
}

static __always_inline int ip4(struct xdp_md *ctx, const void *data, const void *end)
{
	const struct iphdr *ip = data;
	__u16 fragment;
	__u32 at;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 ||
		!is_our_address4(ip->daddr))
		return XDP_PASS;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IP4_OFFSET_MASK)
		return XDP_PASS;
	at = ETH_HLEN + ip->ihl * 4u;
	if (ip->protocol == IPPROTO_TCP)
		return tcp_segment(ctx, at, fragment & IP4_MORE_FRAGMENTS);
	if (ip->protocol == IPPROTO_ICMP && !(fragment & IP4_MORE_FRAGMENTS))
		return icmp4(ctx, at);
	return XDP_PASS;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

static __always_inline int ip6(struct xdp_md *ctx, const void *data, const void *end)
{
	const struct ipv6hdr *ip = data;
	__u32 at = ETH_HLEN + sizeof(*ip);
	bool first_fragment = false;
	__u8 next;

	if ((const void *)(ip + 1) > end || ip->version != 6 || !is_our_address6(&ip->daddr))
		return XDP_PASS;
	next = ip->nexthdr;
	for (unsigned i = 0; i < MAX_EXTENSIONS && is_extension(next); i++) {
		struct extension header;
		__u16 fragment;

		if (bpf_xdp_load_bytes(ctx, at, &header, sizeof(header)) != 0)
			return XDP_PASS;
		at += 8;
		if (next == IPPROTO_FRAGMENT) {
			fragment = bpf_ntohs(header.fragment);
			if (fragment & IP6_OFFSET_MASK)
				return XDP_PASS;
			first_fragment |= fragment & IP6_MORE_FRAGMENTS;
		} else {
			at += header.len * 8u;
		}
		next = header.next;
	}
	if (next == IPPROTO_TCP)
		return tcp_segment(ctx, at, first_fragment);
	if (next == IPPROTO_ICMPV6 && !first_fragment)
		return icmp6(ctx, at);
	return XDP_PASS;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	const void *data = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;

	if ((const void *)(eth + 1) > end)
		return XDP_PASS;
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP): return ip4(ctx, eth + 1, end);
	case bpf_htons(ETH_P_IPV6): return ip6(ctx, eth + 1, end);
	default: return XDP_PASS;
	}
}

const char program_license[] SEC("license") = "BSD-3-Clause";
