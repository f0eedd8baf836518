#include "dataplane/port/port_xsk_steer_priv.h"

#include "dataplane/port/port_xsk_program_priv.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATS_MAP_LEN 4096 /* one page holds them */

_Static_assert(STEER_STAT_COUNT * sizeof(uint64_t) <= STATS_MAP_LEN, "the counters fit a page");

/* -E2BIG where there is more than the program has room for. */
static int describe(struct steer_config *out, const struct port_config *config)
{
	if (config->n_ports > STEER_MAX_PORTS)
		return -E2BIG;
	for (unsigned i = 0; i < config->n_addresses; i++) {
		const struct ip_addr *addr = &config->addresses[i].addr;

		if (ip_addr_is_v4(addr)) {
			if (out->n_addresses4 == STEER_MAX_ADDRESSES)
				return -E2BIG;
			out->addresses4[out->n_addresses4++] = htonl(ip_addr_v4_of(addr));
		} else {
			if (out->n_addresses6 == STEER_MAX_ADDRESSES)
				return -E2BIG;
			memcpy(out->addresses6[out->n_addresses6++], addr->octets, 16);
		}
	}
	for (unsigned i = 0; i < config->n_ports; i++)
		out->ports[out->n_ports++] = htons(config->ports[i]);
	return 0;
}

/* The program's only constant data is its configuration; of another size it is refused. */
static int set_config(struct bpf_object *object, const struct steer_config *config)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");

	return rodata ? bpf_map__set_initial_value(rodata, config, sizeof(*config)) : -ENOENT;
}

static int map_stats(struct port_xsk_steer *steer)
{
	int fd = bpf_object__find_map_fd_by_name(steer->object, "stats");
	void *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, STATS_MAP_LEN, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	steer->stats = at;
	return 0;
}

int port_xsk_steer_load(struct port_xsk_steer *steer, const struct port_config *config)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "postern");
	struct steer_config ours = {0};
	struct bpf_program *program;
	int rc = describe(&ours, config);

	*steer = (struct port_xsk_steer){.program = -1, .sockets = -1, .link = -1};
	if (rc < 0)
		return rc;
	steer->object = bpf_object__open_mem(port_xsk_program, port_xsk_program_len, &options);
	if (!steer->object)
		return -errno;
	rc = set_config(steer->object, &ours);
	if (rc == 0)
		rc = bpf_object__load(steer->object);
	if (rc == 0)
		rc = map_stats(steer);
	if (rc < 0)
		return rc;
	program = bpf_object__find_program_by_name(steer->object, "steer");
	steer->program = program ? bpf_program__fd(program) : -ENOENT;
	steer->sockets = bpf_object__find_map_fd_by_name(steer->object, "sockets");
	return steer->program < 0 ? steer->program : steer->sockets < 0 ? steer->sockets : 0;
}

int port_xsk_steer_attach(struct port_xsk_steer *steer, unsigned ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);

	steer->link = bpf_link_create(steer->program, (int)ifindex, BPF_XDP, &options);
	if (steer->link == -EOPNOTSUPP) {
		options.flags = XDP_FLAGS_SKB_MODE;
		steer->link = bpf_link_create(steer->program, (int)ifindex, BPF_XDP, &options);
		steer->generic = steer->link >= 0;
	}
	return steer->link < 0 ? steer->link : 0;
}

void port_xsk_steer_fini(struct port_xsk_steer *steer)
{
	if (steer->link >= 0)
		close(steer->link);
	if (steer->stats)
		munmap((void *)(uintptr_t)steer->stats, STATS_MAP_LEN);
	bpf_object__close(steer->object);
	*steer = (struct port_xsk_steer){.program = -1, .sockets = -1, .link = -1};
}

bool port_xsk_steer_stats(const struct port_xsk_steer *steer,
	bool (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
#define NAME(id, name) [id] = name,
	static const char *const names[] = {STEER_STATS(NAME)};
#undef NAME

	for (unsigned i = 0; i < STEER_STAT_COUNT; i++) {
		if (!fn(arg, names[i], steer->stats[i]))
			return false;
	}
	return fn(arg, "xdp_generic", steer->generic);
}
