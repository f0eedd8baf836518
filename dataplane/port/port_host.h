/* What a port must know or change on the host, beside DPDK: interfaces and descriptors. */
#pragma once

#include "base/ip_addr.h"
#include "dataplane/port/port_device.h"

/*
 * Whether the host lets us have this device: privileges, an interface that is there, up and without
 * IP addresses, a driver. 0 or -errno with what to do in `why`.
 */
int port_host_check(const struct port_device *device, unsigned queues, struct text *why);

struct ifreq;
struct sockaddr;

/* One ioctl on an interface, `request` filled but for the name; false, with errno, if it fails. */
bool port_host_ioctl(const char *name, unsigned long what, struct ifreq *request);
/* The address of a socket address; false if it is of another family. */
bool port_host_address(const struct sockaddr *sa, struct ip_addr *addr);

/*
 * DPDK 22.11 does not tell the sockets of its af_packet and af_xdp devices, so they are found by
 * looking at the process's packet sockets before and after. Returns 0 and a list to free(), or
 * -errno.
 */
int port_host_packet_sockets(int **fds, size_t *n);
/* The index-th packet socket that is not among `before`; returns how many it wrote, 0 or 1. */
unsigned port_host_new_packet_socket(const int *before, size_t n, unsigned index, int *fd);

/*
 * A tap of DPDK 22.11 reads only after a realtime signal has said "readable": one signal a packet,
 * to any thread. Turns these signals off and returns the handler, which the owner calls before each
 * receive instead; NULL, with nothing changed, if the descriptor is not set up that way.
 */
void (*port_host_quiet_tap(int fd))(int);
