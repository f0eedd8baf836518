/*
 * A ring of SYN cookies lately sent. A client whose third ACK got lost believes the connection open
 * and, where the server speaks first, waits in silence; a second SYN-ACK makes it repeat that ACK.
 * The ring is made at start and never grows: what finds no room is not reminded, so a flood costs
 * no memory.
 */
#pragma once

#include "dataplane/tcp/tcp_tuple_priv.h"

#define TCP_REMINDER_DELAY_US 1000000u
#define TCP_REMINDER_TRIES    3u

struct tcp_reminder_entry {
	struct tcp_tuple tuple;
	uint32_t iss, irs;
	uint32_t ts_val, ts_ecr;
	uint64_t due_us;
	uint8_t peer_mac[6];
	uint8_t has;   /* options of the SYN-ACK: enum tcp_wire_option */
	uint8_t tries; /* made so far */
};

struct tcp_reminder {
	struct tcp_reminder_entry *ring;
	uint32_t mask;
	uint32_t head, tail; /* oldest, and behind the newest */
};

/* 0 or -ENOMEM. */
int tcp_reminder_init(struct tcp_reminder *r, unsigned max);
void tcp_reminder_fini(struct tcp_reminder *r);
/* Takes a copy, due in TCP_REMINDER_DELAY_US; false when the ring is full. */
bool tcp_reminder_push(struct tcp_reminder *r, const struct tcp_reminder_entry *e, uint64_t now_us);
/* The oldest entry if it is due. */
bool tcp_reminder_pop(struct tcp_reminder *r, uint64_t now_us, struct tcp_reminder_entry *e);
/* When the oldest is due, UINT64_MAX if the ring is empty. */
uint64_t tcp_reminder_next_us(const struct tcp_reminder *r);
