/* The transmission control block, and its birth and death. */
#pragma once

#include "base/wheel.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/tcp_reasm_priv.h"
#include "dataplane/tcp/tcp_rtt_priv.h"
#include "dataplane/tcp/tcp_scoreboard_priv.h"
#include "dataplane/tcp/tcp_send_buffer_priv.h"
#include "dataplane/tcp/tcp_tuple_priv.h"

#include <sys/queue.h>

/* RFC 9293 §3.3.2. LISTEN lives in the table of ports and TIME-WAIT in a table of its own. */
#define TCP_STATES(X)                                                                              \
	X(TCP_CLOSED, "CLOSED")                                                                    \
	X(TCP_SYN_SENT, "SYN-SENT")                                                                \
	X(TCP_SYN_RECEIVED, "SYN-RECEIVED")                                                        \
	X(TCP_ESTABLISHED, "ESTABLISHED")                                                          \
	X(TCP_FIN_WAIT_1, "FIN-WAIT-1")                                                            \
	X(TCP_FIN_WAIT_2, "FIN-WAIT-2")                                                            \
	X(TCP_CLOSE_WAIT, "CLOSE-WAIT")                                                            \
	X(TCP_CLOSING, "CLOSING")                                                                  \
	X(TCP_LAST_ACK, "LAST-ACK")

enum tcp_state {
#define X(id, name) id,
	TCP_STATES(X)
#undef X
		TCP_STATE_COUNT
};

const char *tcp_state_name(enum tcp_state state);

enum tcp_conn_flag {
	TCP_F_ACTIVE = 1 << 0, /* opened by us */
	TCP_F_HELD = 1 << 1,   /* the consumer has the handle */
	TCP_F_ORPHAN = 1 << 2, /* the consumer gave it back by tcp_close() */
	TCP_F_IN_TABLE = 1 << 3,
	TCP_F_IN_READY = 1 << 4,
	TCP_F_IN_OUTPUT = 1 << 5,
	TCP_F_IN_STARVED = 1 << 6,
	TCP_F_TS = 1 << 7,          /* timestamps agreed */
	TCP_F_SACK = 1 << 8,        /* SACK agreed */
	TCP_F_WSCALE = 1 << 9,      /* window scaling agreed */
	TCP_F_ACK_NOW = 1 << 10,    /* an ACK is to leave at the next flush */
	TCP_F_FIN_QUEUED = 1 << 11, /* FIN follows what is queued */
	TCP_F_FIN_SENT = 1 << 12,
	TCP_F_FIN_ACKED = 1 << 13,
	TCP_F_FIN_SEEN = 1 << 14,      /* rcv_fin is known, perhaps not yet its turn */
	TCP_F_PEER_SHUT = 1 << 15,     /* the peer's FIN had its turn */
	TCP_F_WANT_WRITE = 1 << 16,    /* tcp_send() had to refuse something */
	TCP_F_TIMING = 1 << 17,        /* a round trip is being measured */
	TCP_F_TAIL_PROBED = 1 << 18,   /* a tail-loss probe is out; one a flight */
	TCP_F_TAIL_AGAIN = 1 << 19,    /* the last one was a retransmission, not yet judged */
	TCP_F_LIMITED = 1 << 20,       /* cwnd, not the consumer, held back the last flight */
	TCP_F_DSACK = 1 << 21,         /* a duplicate is to be reported (RFC 2883) */
	TCP_F_UNSENT_SIGNAL = 1 << 22, /* SENT is due when all is acknowledged */
	TCP_F_FORCE = 1 << 23,         /* send what fits though it is little (override time-out) */
	TCP_F_HALF_OPEN = 1 << 24,     /* counted as half open */
	TCP_F_COUNTED = 1 << 25,       /* counted as open */
	TCP_F_FIRST_AGAIN = 1 << 26,   /* the repetition of the first segment is lost too */
};

enum tcp_loss_phase {
	TCP_LOSS_OPEN,     /* nothing known to be lost */
	TCP_LOSS_RECOVERY, /* fast recovery */
	TCP_LOSS_TIMEOUT,  /* after a time-out: all that was in flight counts as lost */
};

/* Congestion control and what is to be sent again: tcp_loss.c. */
struct tcp_loss {
	uint32_t cwnd, ssthresh;
	uint32_t recover;    /* the phase ends when this is acknowledged */
	uint32_t again;      /* lost octets before it were sent again in this phase */
	uint32_t again_mark; /* snd_nxt when the first of them was */
	uint32_t counted;    /* octets acknowledged since cwnd last grew, in congestion avoidance */
	uint32_t deemed_lost; /* time has told that everything before it is lost */
	uint16_t dupacks;
	uint8_t patience;     /* quarters of a round trip that reordering is given */
	uint8_t phase;        /* enum tcp_loss_phase */
	uint32_t timeout_una; /* snd_una at the last time-out */
	uint32_t undo_cwnd;   /* as they were before the time-out; 0: nothing to undo */
	uint32_t undo_ssthresh;
	uint32_t undo_ts;             /* our timestamp when it ran out */
	uint32_t tail_end;            /* snd_nxt when the tail-loss probe left */
	struct tcp_scoreboard *board; /* while the peer holds something out of order */
};

enum tcp_rexmit_kind {
	TCP_REXMIT_NONE,
	TCP_REXMIT_RTO,
	TCP_REXMIT_TAIL,
	TCP_REXMIT_REORDER,
	TCP_REXMIT_PERSIST
};

struct tcp_conn {
	/* Line 0: finding it. */
	struct tcp_conn *hash_next;
	struct tcp_stack *stack;
	struct tcp_tuple tuple;
	uint32_t hash;
	uint32_t flags;  /* enum tcp_conn_flag */
	uint8_t state;   /* enum tcp_state */
	uint8_t ready;   /* enum tcp_ready, not yet taken */
	uint8_t failure; /* enum tcp_failure */
	uint8_t snd_wscale;

	/* Line 1: receiving. */
	uint32_t rcv_nxt;
	uint32_t rcv_adv;   /* right edge of the window as last offered; never goes back */
	uint32_t rcv_acked; /* rcv_nxt when we last sent an ACK */
	uint32_t rcv_limit; /* what the consumer wants to hold unread */
	uint32_t rcv_unread;
	uint32_t rcv_true_size; /* of the packets below, without reasm */
	struct pkt *rcv_head, *rcv_tail;
	struct tcp_reasm *reasm; /* while something is out of order */
	uint32_t rcv_fin;        /* sequence number of the peer's FIN */
	uint32_t ts_recent, ts_recent_ms;
	uint16_t rcv_mss; /* the largest payload seen */

	/* Line 2: sending. */
	uint16_t snd_mss; /* largest payload without options, as the path is known */
	uint32_t snd_una, snd_nxt;
	uint32_t snd_wnd, snd_wl1, snd_wl2, snd_max_wnd;
	uint32_t ts_offset;
	uint32_t narrow_s; /* snd_mss < full_mss: the second when that is tried again */
	struct tcp_loss loss;
	struct tcp_send_buffer send;

	/* Line 4 and on: time, lists, the rare. */
	struct tcp_rtt rtt;
	uint32_t timed_end; /* acknowledging this ends the measurement */
	uint8_t rexmit_kind;
	uint8_t probes;     /* persist or keepalive probes since the peer was last heard */
	uint8_t challenges; /* ACKs sent unasked in the second `challenge_s` */
	uint8_t syn_tries;
	uint64_t timed_us;
	uint64_t rexmit_at, delack_at, idle_at; /* UINT64_MAX: not running */
	uint64_t progress_us; /* when the peer last acknowledged something new, or it began to be
				 due */
	uint64_t heard_us;    /* when the peer last sent anything acceptable */
	uint64_t sent_us;     /* when data last left */
	struct wheel_timer timer;
	TAILQ_ENTRY(tcp_conn) ready_link, output_link, starved_link;
	struct tcp_range dsack;
	uint32_t discarded; /* octets thrown away while lingering */
	uint32_t iss, irs;
	uint32_t challenge_s;
	uint8_t peer_mac[6];
	uint16_t full_mss; /* snd_mss as both ends would have it */
	void *user;
};

/* Buckets are a power of two of at least as many as connections: two a connection at most. */
_Static_assert(sizeof(struct tcp_conn) + 2 * sizeof(void *) <= TCP_CONNECTION_OCTETS,
	"an idle connection is small");

TAILQ_HEAD(tcp_conn_list, tcp_conn);

/* A fresh block in CLOSED, in the table, its tuple's timestamp offset drawn; NULL at
 * max_connections. */
struct tcp_conn *tcp_conn_new(struct tcp_stack *stack, const struct tcp_tuple *tuple);
/* Out of every list and table; all memory goes back. */
void tcp_conn_destroy(struct tcp_conn *conn);
/*
 * The protocol is done with it. A consumer that holds it hears FAILED, or CLOSED when it has read
 * all; without one it is destroyed.
 */
void tcp_conn_end(struct tcp_conn *conn, enum tcp_failure failure);
/* Into the TIME-WAIT table, then as tcp_conn_end() in good order. */
void tcp_conn_time_wait(struct tcp_conn *conn, uint64_t now_us);
/* The handshake is complete. */
void tcp_conn_established(struct tcp_conn *conn, uint64_t now_us);
/* What a SYN or cookie of the peer said about the connection to be. */
void tcp_conn_take_offer(struct tcp_conn *conn, uint16_t mss, uint8_t has, uint8_t wscale);

static inline bool tcp_conn_has(const struct tcp_conn *conn, uint32_t flag)
{
	return (conn->flags & flag) != 0;
}

/* Largest payload of a segment with the options that every one carries. */
static inline uint32_t tcp_conn_payload(const struct tcp_conn *conn)
{
	return conn->snd_mss - (tcp_conn_has(conn, TCP_F_TS) ? TCP_WIRE_TS_LEN : 0);
}

/* Sequence number behind the last octet queued, where FIN goes. */
static inline uint32_t tcp_conn_data_end(const struct tcp_conn *conn)
{
	return conn->snd_una + conn->send.len;
}

static inline uint32_t tcp_conn_flight(const struct tcp_conn *conn)
{
	return conn->snd_nxt - conn->snd_una;
}
