/*
 * For tests: one stack against a peer that the test plays segment by segment. Nothing the stack
 * sends travels; it is kept to be looked at.
 */
#pragma once

#include "dataplane/tcp/tcp_mock_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RIG_PORT      25
#define RIG_PEER_PORT 40000
#define RIG_ISN       5000u
#define RIG_KEPT      256u

struct rig {
	struct mock_wire w;
	struct tcp_stack *stack;
	struct tcp_header sent[RIG_KEPT];
	uint32_t sent_len[RIG_KEPT];
	unsigned count;    /* segments sent since rig_forget() */
	uint32_t snd, rcv; /* the peer's next number, and what it expects */
	uint16_t port;     /* the peer's */
	uint32_t ts;       /* the peer's clock, if it sends timestamps */
	struct tcp_conn *conn;
	unsigned ready; /* all events seen by rig_serve() */
};

/* `config` NULL: mock_config(). Listens on RIG_PORT. */
void rig_init(struct rig *r, const struct tcp_config *config, uint32_t receive_window);
void rig_fini(struct rig *r);
/* Forgets what was sent. */
void rig_forget(struct rig *r);
/* The last segment sent; fails if there was none. */
const struct tcp_header *rig_last(const struct rig *r);
uint32_t rig_last_len(const struct rig *r);

/* A segment of the peer at its own next number, which moves on. Window 65535. */
void rig_send(struct rig *r, uint8_t flags, const char *payload);
/* The same at any number, which nothing moves. */
void rig_send_at(struct rig *r, uint32_t seq, uint32_t ack, uint8_t flags, const char *payload);
/* Full control; ports are filled. */
void rig_send_header(struct rig *r, struct tcp_header *h, const void *payload, uint32_t len);
/* The peer's SYN with these options (enum tcp_wire_option; MSS 1000, window scale 2). */
void rig_syn(struct rig *r, uint8_t has);
/* The whole handshake; the connection is in r->conn. */
void rig_open(struct rig *r, uint8_t has);
/* Takes all events; CLOSED and FAILED are remembered, not released. */
void rig_serve(struct rig *r);
void rig_wait(struct rig *r, uint64_t us);
/* The unread octets equal `text`, which are then consumed. */
void rig_expect_text(struct rig *r, const char *text);
void rig_write(struct rig *r, const char *text);
uint64_t rig_counted(const struct rig *r, enum tcp_counter c);
