#pragma once

#include "dataplane/port/port.h"
#include "dataplane/port/port_device.h"

#include <stdatomic.h>

/* What an implementation of a port does; the public functions hand on to these. */
struct port_ops {
	unsigned (*rx)(struct port *port, unsigned queue, struct pkt **pkts, unsigned n);
	unsigned (*tx)(struct port *port, unsigned queue, struct pkt **pkts, unsigned n);
	struct pkt_pool *(*pool)(struct port *port, unsigned queue);
	unsigned (*fds)(const struct port *port, unsigned queue, int *fds);
	void (*stats)(struct port *port, bool (*fn)(void *arg, const char *name, uint64_t value),
		void *arg);
	void (*close)(struct port *port);
};

/* First member of every implementation's own structure. */
struct port {
	const struct port_ops *ops;
	struct port_info info;
};

/* Every kind of device but af_xdp-shared, through DPDK's ethdev. Returns as port_open(). */
int port_ethdev_open(const struct port_device *device, const struct port_config *config,
	struct port **out, struct text *why);

/* af_xdp-shared, by sockets of our own. Returns as port_open(). */
int port_xsk_open(const struct port_device *device, const struct port_config *config,
	struct port **out, struct text *why);

/*
 * Runs `fn` on DPDK's interrupt thread, between two interrupts, and returns when it has
 * done with it. False: it could not be run there, and was not.
 */
bool port_interrupt_run(void (*fn)(void *arg), void *arg);
/* Whether that was ever called. */
bool port_interrupt_used(void);

/*
 * What DPDK, libbpf and libxdp log goes to a small buffer instead of the screen: the last lines of
 * it explain a failure. port_log_text() is what was logged since port_log_clear(), on one line.
 */
int port_log_start(void);
void port_log_stop(void);
void port_log_clear(void);
bool port_log_any(void);
void port_log_text(struct text *out);
