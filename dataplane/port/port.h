#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A port: one network device seen as bursts of packets on queues. Only this folder knows whether
 * it is a NIC, a tap, an AF_PACKET or AF_XDP socket or shared memory (DESIGN §1).
 *
 * Each queue has one owning io lcore, which alone calls rx, tx and alloc on it.
 */

#define PORT_BURST      32
#define PORT_MAX_QUEUES 16
#define PORT_MAX_FDS    8

struct port;

struct port_config {
	/* As in the configuration: tap[:NAME], af_packet:IF, af_xdp:IF, af_xdp-shared:IF,
	 * memif[:ROLE,PATH], pci:ADDR. */
	const char *device;
	unsigned queues;  /* receive/transmit queue pairs wanted */
	unsigned packets; /* packet buffers of the port's pool */
	/*
	 * What af_xdp-shared takes from the kernel: TCP to these addresses at these ports. The
	 * others take all that comes. Read by port_open() only.
	 */
	const struct ip_cidr *addresses;
	unsigned n_addresses;
	const uint16_t *ports;
	unsigned n_ports;
};

struct port_info {
	uint8_t mac[6];
	uint16_t mtu;         /* octets of an IP packet */
	unsigned queues;      /* what the device gave */
	bool tx_l4_csum;      /* the device fills TCP checksums where PKT_TX_L4_CSUM asks for it */
	bool tx_ip4_csum;     /* the same for IPv4 headers */
	bool shared;          /* the kernel keeps the interface: no ARP or NDP of ours on it */
	char kernel_name[32]; /* the kernel's interface of a tap, for tools; empty otherwise */
};

/*
 * Start DPDK's environment. `lcores` threads will poll; `memory_mb` of packet memory, without
 * hugepages where the machine has none. Call once, before any port is opened and before
 * privileges are dropped. Returns 0 or -errno, with one line on why in `why`.
 */
int port_env_init(unsigned lcores, unsigned memory_mb, struct text *why);
void port_env_fini(void);

/*
 * A thread that will call rx, tx or a pool says so first; `lcore` counts from 0. It keeps the CPUs
 * that it may run on. 0 or -errno. A thread that ends gives its place back.
 */
int port_env_register_thread(unsigned lcore);
void port_env_unregister_thread(void);

/*
 * Whether port_open() would refuse the device for what the host is like: the interface, its
 * addresses and queues, a NIC's driver. Only looks, needs no privilege and no DPDK environment. 0
 * or -errno with what to do in `why`.
 */
int port_check(const struct port_config *config, struct text *why);

/* Open and start a device. On failure -errno, and `why` says what happened and what to do. */
int port_open(const struct port_config *config, struct port **out, struct text *why);
void port_close(struct port *port);
const struct port_info *port_get_info(const struct port *port);

/* Up to `n` received packets; the caller owns them. */
unsigned port_rx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n);

/* Send up to `n`; returns how many the device took (those are no longer the caller's). */
unsigned port_tx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n);

/* The pool from which packets to transmit on this queue are taken. */
struct pkt_pool *port_pool(struct port *port, unsigned queue);

/*
 * File descriptors that turn readable when this queue has something to receive, for adaptive
 * sleep; writes at most PORT_MAX_FDS and returns how many, 0 where the device has none (then an
 * idle lcore naps for at most 50 us at a time).
 */
unsigned port_fds(const struct port *port, unsigned queue, int *fds);

/* Name and value of the device's own counters, for metrics; stops when `fn` returns false. */
void port_stats(
	struct port *port, bool (*fn)(void *arg, const char *name, uint64_t value), void *arg);
