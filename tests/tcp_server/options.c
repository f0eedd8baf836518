#include "tests/tcp_server/options.h"

#include "base/siphash.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>

static const char usage[] =
	"usage: tcp-server --device DEVICE --control SOCKET --address ADDRESS/LENGTH [OPTION]...\n"
	"\n"
	"The gateway's TCP under text commands on a unix socket; see docs/tcp-server.md.\n"
	"\n"
	"  --device DEVICE          as in the gateway's configuration, e.g. tap:NAME, "
	"af_packet:IF\n"
	"  --control SOCKET         where commands are taken\n"
	"  --address ADDRESS/LENGTH of the server, up to 32\n"
	"  --gateway ADDRESS        for what is not on link; one a family\n"
	"  --half-open N            handshakes kept before SYN cookies answer (default 256)\n"
	"  --keepalive SECONDS      0: none (default)\n"
	"  --linger MS              what comes after close is read and dropped so long (default "
	"5000)\n"
	"  --receive-memory KIB     of packets held unread, over all connections (default 16384)\n"
	"  --seed N                 the same secrets in every run, for timestamps and ports that "
	"repeat\n";

enum {
	OPT_DEVICE = 256,
	OPT_CONTROL,
	OPT_ADDRESS,
	OPT_GATEWAY,
	OPT_HALF_OPEN,
	OPT_KEEPALIVE,
	OPT_LINGER,
	OPT_RECEIVE_MEMORY,
	OPT_SEED
};

static const struct option names[] = {
	{"device", required_argument, NULL, OPT_DEVICE},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"address", required_argument, NULL, OPT_ADDRESS},
	{"gateway", required_argument, NULL, OPT_GATEWAY},
	{"half-open", required_argument, NULL, OPT_HALF_OPEN},
	{"keepalive", required_argument, NULL, OPT_KEEPALIVE},
	{"linger", required_argument, NULL, OPT_LINGER},
	{"receive-memory", required_argument, NULL, OPT_RECEIVE_MEMORY},
	{"seed", required_argument, NULL, OPT_SEED},
	{0},
};

static void refuse(const char *option, const char *value)
{
	fprintf(stderr, "tcp-server: --%s: '%s' cannot be used\n%s", option, value, usage);
	exit(EX_USAGE);
}

static uint64_t number(const char *option, const char *text, uint64_t max)
{
	uint64_t value;

	if (bytes_to_u64(bytes_str(text), max, &value) < 0)
		refuse(option, text);
	return value;
}

/* An address of ours keeps its host bits; its network gives the length. */
static void take_address(struct net_config *net, const char *text)
{
	struct ip_cidr *ours = &net->addresses[net->n_addresses];
	struct bytes rest = bytes_str(text), host;

	if (net->n_addresses == NET_MAX_ADDRESSES || ip_cidr_parse(rest, false, ours) < 0 ||
		!bytes_split(&rest, '/', &host) || ip_addr_parse(host, &ours->addr) < 0)
		refuse("address", text);
	net->n_addresses++;
}

static void take_gateway(struct net_config *net, const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(bytes_str(text), &addr) < 0)
		refuse("gateway", text);
	*(ip_addr_is_v4(&addr) ? &net->gateway4 : &net->gateway6) = addr;
}

static void take(struct options *o, int option, const char *value)
{
	struct tcp_config *tcp = &o->lcore.tcp;

	switch (option) {
	case OPT_DEVICE: o->port.device = value; break;
	case OPT_CONTROL: o->control = value; break;
	case OPT_ADDRESS: take_address(&o->lcore.net, value); break;
	case OPT_GATEWAY: take_gateway(&o->lcore.net, value); break;
	case OPT_HALF_OPEN: tcp->max_half_open = (unsigned)number("half-open", value, 65536); break;
	case OPT_KEEPALIVE: tcp->keepalive_s = (uint32_t)number("keepalive", value, 86400); break;
	case OPT_LINGER: tcp->linger_ms = (uint32_t)number("linger", value, 600000); break;
	case OPT_RECEIVE_MEMORY:
		tcp->receive_bytes_max = (uint32_t)number("receive-memory", value, 1u << 20) << 10;
		break;
	case OPT_SEED:
		o->seeded = true;
		o->seed = number("seed", value, UINT64_MAX);
		break;
	default: fputs(usage, stderr); exit(EX_USAGE);
	}
}

static void set_defaults(struct options *o)
{
	*o = (struct options){.port = {.queues = 1, .packets = 16384}, .lcore = {.count = 1}};
	o->lcore.tcp = (struct tcp_config){
		.max_connections = 4096,
		.max_half_open = 256,
		.max_time_wait = 4096,
		.send_block_count = 16384,
		.receive_bytes_max = 16u << 20,
		.send_buffer_max = 1u << 20,
		.linger_bytes = 1u << 20,
		.linger_ms = 5000,
		.scripted = true,
	};
}

/* Secrets: from the kernel, or drawn from the seed. */
static void draw(const struct options *o, uint64_t purpose, void *out, size_t len)
{
	static const uint8_t zero[16];
	struct siphash_key key = siphash_key_of(zero);
	uint8_t *at = out;

	if (!o->seeded) {
		if (getrandom(out, len, 0) != (ssize_t)len)
			refuse("seed", "no randomness");
		return;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint64_t words[3] = {o->seed, purpose, i};
		uint64_t word = siphash_words(&key, words, 3);

		memcpy(at + i, &word, len - i < 8 ? len - i : 8);
	}
}

void options_parse(int argc, char **argv, struct options *options)
{
	int option;

	set_defaults(options);
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		take(options, option, optarg);
	if (optind < argc)
		refuse("", argv[optind]);
	if (!options->port.device || !options->control || options->lcore.net.n_addresses == 0) {
		fputs(usage, stderr);
		exit(EX_USAGE);
	}
	draw(options, 1, options->lcore.net.hash_key, sizeof(options->lcore.net.hash_key));
	draw(options, 2, options->lcore.tcp.secret, sizeof(options->lcore.tcp.secret));
	draw(options, 3, &options->lcore.tcp.seed, sizeof(options->lcore.tcp.seed));
}
