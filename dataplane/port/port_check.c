#include "dataplane/port/port_host.h"
#include "dataplane/port/port_xsk_host_priv.h"

int port_check(const struct port_config *config, struct text *why)
{
	struct port_xsk_host host;
	struct port_device device;
	int rc = port_device_parse(bytes_str(config->device), &device, why);

	if (rc < 0)
		return rc;
	switch (device.kind) {
	case PORT_AF_XDP_SHARED: return port_xsk_host_check(device.name, config, &host, why);
	case PORT_AF_PACKET:
	case PORT_AF_XDP:
	case PORT_PCI: return port_host_check(&device, config->queues, why);
	default: return 0; /* made at the start, and there already where the daemon runs */
	}
}
