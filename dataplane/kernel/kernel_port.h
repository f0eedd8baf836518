#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"
#include "dataplane/tcp/tcp.h"

/*
 * A listener on the kernel's own TCP, for senders on this machine: their packets never pass a NIC
 * (DESIGN §1). The calls mean what their namesakes in tcp.h mean, events are enum tcp_ready.
 */
struct kernel_port;
struct kernel_conn;

/* 0 or -errno. */
int kernel_port_new(unsigned max_connections, struct kernel_port **out);
void kernel_port_free(struct kernel_port *port);

/* 0 or -errno with the reason. */
int kernel_port_listen(
	struct kernel_port *port, const struct ip_addr *addr, uint16_t tcp_port, struct text *why);
/* Take no new connections; those open go on. */
void kernel_port_unlisten(struct kernel_port *port);
/* Readable when kernel_port_poll() has something to do. */
int kernel_port_fd(const struct kernel_port *port);

/* Look at the sockets; what happened comes out of kernel_next_ready(). Returns how many had
 * something. */
unsigned kernel_port_poll(struct kernel_port *port, uint64_t now_us);
struct kernel_conn *kernel_next_ready(struct kernel_port *port, unsigned *ready);
unsigned kernel_open_connections(const struct kernel_port *port);
struct counter_block;
const struct counter_block *kernel_port_counters(const struct kernel_port *port);

struct bytes kernel_peek(const struct kernel_conn *conn);
void kernel_consume(struct kernel_conn *conn, uint32_t n);
uint32_t kernel_send(struct kernel_conn *conn, struct bytes bytes);
void kernel_set_receive_window(struct kernel_conn *conn, uint32_t octets);
void kernel_close(struct kernel_conn *conn);
void kernel_abort(struct kernel_conn *conn);
void kernel_release(struct kernel_conn *conn);
void kernel_peer(const struct kernel_conn *conn, struct ip_addr *addr, uint16_t *port);
void kernel_set_user(struct kernel_conn *conn, void *user);
void *kernel_user(const struct kernel_conn *conn);
