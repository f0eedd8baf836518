/*
 * Octets queued by the consumer and not yet acknowledged, in blocks taken from a slab that all
 * connections share. Position 0 is the first octet held. Blocks are small because most of what
 * servers say is: a line takes a whole one until it is acknowledged.
 */
#pragma once

#include "base/bytes.h"
#include "base/slab.h"
#include "dataplane/tcp/tcp.h"

#define TCP_SEND_BLOCK_ROOM (TCP_SEND_BLOCK_OCTETS - 12u)

struct tcp_send_block {
	struct tcp_send_block *next;
	uint32_t used;
	uint8_t data[TCP_SEND_BLOCK_ROOM];
};

_Static_assert(sizeof(struct tcp_send_block) == TCP_SEND_BLOCK_OCTETS, "no octet is lost");

struct tcp_send_buffer {
	struct tcp_send_block *head, *tail;
	/* Where the last read ended up, so that a bulk transfer never walks the list. */
	struct tcp_send_block *cursor;
	uint32_t cursor_at; /* position of the cursor block's first octet, relative to `skipped` */
	uint32_t skipped;   /* octets of the head block that are acknowledged */
	uint32_t len;       /* octets held */
};

/* Copies as many as blocks can be had for; returns how many. */
uint32_t tcp_send_buffer_append(struct tcp_send_buffer *b, struct slab *blocks, struct bytes bytes);
/* Forgets the first n octets (at most len); returns how many blocks went home. */
unsigned tcp_send_buffer_drop(struct tcp_send_buffer *b, struct slab *blocks, uint32_t n);
/* Copies octets [at, at + n) to `out`; the range lies within len. */
void tcp_send_buffer_read(struct tcp_send_buffer *b, uint32_t at, uint32_t n, uint8_t *out);
/* Gives every block back. */
void tcp_send_buffer_clear(struct tcp_send_buffer *b, struct slab *blocks);
