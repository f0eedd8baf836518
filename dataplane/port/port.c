#include "dataplane/port/port_priv.h"

#include <errno.h>

int port_open(const struct port_config *config, struct port **out, struct text *why)
{
	struct port_device device;
	int rc = port_device_parse(bytes_str(config->device), &device, why);

	if (rc < 0)
		return rc;
	if (config->queues < 1 || config->queues > PORT_MAX_QUEUES) {
		text_printf(why, "device %s: %u queues asked for, 1 to %u can be had",
			config->device, config->queues, PORT_MAX_QUEUES);
		return -EINVAL;
	}
	if (device.kind == PORT_AF_XDP_SHARED)
		return port_xsk_open(&device, config, out, why);
	return port_ethdev_open(&device, config, out, why);
}

void port_close(struct port *port)
{
	if (port)
		port->ops->close(port);
}

const struct port_info *port_get_info(const struct port *port)
{
	return &port->info;
}

unsigned port_rx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	return port->ops->rx(port, queue, pkts, n);
}

unsigned port_tx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	return port->ops->tx(port, queue, pkts, n);
}

struct pkt_pool *port_pool(struct port *port, unsigned queue)
{
	return port->ops->pool(port, queue);
}

unsigned port_fds(const struct port *port, unsigned queue, int *fds)
{
	return port->ops->fds(port, queue, fds);
}

void port_stats(
	struct port *port, bool (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	port->ops->stats(port, fn, arg);
}
