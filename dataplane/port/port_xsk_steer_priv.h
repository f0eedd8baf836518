/*
 * The XDP program of af_xdp-shared (steer.bpf.c) in the kernel: loaded, told what is ours, joined
 * to our sockets, attached to an interface. It is attached by a link that ends with its descriptor,
 * so a killed process leaves nothing behind.
 */
#pragma once

#include "dataplane/port/port_priv.h"
#include "dataplane/port/steer.h"

struct bpf_object;

struct port_xsk_steer {
	struct bpf_object *object;
	int program, sockets; /* descriptors, of the object */
	int link;             /* -1: not attached */
	bool generic;         /* attached above the driver, which has no XDP of its own */
	volatile const uint64_t *stats;
};

/* Load it for the addresses and ports of `config`. 0 or -errno. */
int port_xsk_steer_load(struct port_xsk_steer *steer, const struct port_config *config);
int port_xsk_steer_attach(struct port_xsk_steer *steer, unsigned ifindex);
/* Detach and unload; also what was loaded in part, and twice. */
void port_xsk_steer_fini(struct port_xsk_steer *steer);

/* Name and value of what it counts, as port_stats(). */
bool port_xsk_steer_stats(const struct port_xsk_steer *steer,
	bool (*fn)(void *arg, const char *name, uint64_t value), void *arg);
