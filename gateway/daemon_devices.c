#include "gateway/daemon_priv.h"

#include <errno.h>
#include <sys/random.h>

/* The devices of the configuration, and what joins several lcores on one. */

/* One packet buffer, all in (FACTS §5). */
#define PACKET_OCTETS 2600
/* Half of the memory is for buffers, the rest for rings and what DPDK needs itself. */
#define BUFFER_SHARE 2

int daemon_open_ports(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	unsigned packets =
		(unsigned)(config->lcores.memory / BUFFER_SHARE / PACKET_OCTETS / config->n_listen);
	uint64_t memory = config->lcores.memory + auth_lcore_rings_octets(config);
	int error = port_env_init(config->lcores.io, (unsigned)(memory >> 20), why);

	if (error)
		return error;
	d->env = true;
	for (unsigned i = 0; error == 0 && i < config->n_listen; i++) {
		const struct config_listen *listen = &config->listen[i];
		struct port_config pc = {
			.device = listen->device,
			.queues = config->lcores.io,
			.packets = packets,
			.addresses = listen->addresses,
			.n_addresses = listen->n_addresses,
			.ports = listen->ports,
			.n_ports = listen->n_ports,
		};

		if (!config_listen_is_kernel(listen))
			error = port_open(&pc, &d->ports[i], why);
	}
	return error;
}

/* Several lcores on one device hand each other the packets of their flows. */
int daemon_make_meshes(struct daemon *d)
{
	uint8_t rss_key[RSS_KEY_LEN]; /* random per boot: no peer can aim at one lcore */
	int error = 0;

	if (d->config->lcores.io == 1)
		return 0;
	if (getrandom(rss_key, sizeof(rss_key), 0) != sizeof(rss_key))
		return -errno;
	for (unsigned i = 0; error == 0 && i < d->config->n_listen; i++)
		if (d->ports[i])
			error = lcore_mesh_new(d->config->lcores.io, rss_key, &d->meshes[i]);
	return error;
}
