/*
 * The kernel's TCP as a reference: this thread receives (or answers SMTP), a child process in a
 * network namespace of its own sends (or asks), over veth at MTU 1500 where segments travel one by
 * one, or over loopback.
 *
 * What receiving costs the kernel it mostly spends in softirqs, and those of a veth run wherever
 * the sender does. So each end of the wire polls in a kernel thread of its own (threaded NAPI), and
 * the receiver's is counted with this thread. NAPI comes only with GRO on a veth; a largest size of
 * one octet keeps GRO from joining anything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum kernel_tcp_work { KERNEL_TCP_BULK, KERNEL_TCP_SMTP };

struct kernel_tcp;

/*
 * Leaves this process in fresh namespaces, which go when it ends; call before it has threads. NULL,
 * with the reason on standard error: it needs root and a kernel that can.
 */
struct kernel_tcp *kernel_tcp_new(enum kernel_tcp_work work, bool loopback);
void kernel_tcp_free(struct kernel_tcp *k);
/* Octets received, or connections served from SYN to the end; about a millisecond. */
uint64_t kernel_tcp_work(struct kernel_tcp *k);
/* CPU time that the receiving side has used so far. */
double kernel_tcp_ns(const struct kernel_tcp *k);
