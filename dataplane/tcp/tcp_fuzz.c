/*
 * A hostile peer and a careless consumer, by the octets of the input: segments of any kind (many
 * near the window, some of pure noise), ICMP, time, and every call of the API. Checks what must
 * hold whatever comes.
 */
#include "dataplane/tcp/tcp_mock_wire.h"
#include "dataplane/tcp/tcp_seq_priv.h"

#include <stdlib.h>

#define PORT 25

struct input {
	const uint8_t *at, *end;
};

static uint32_t take(struct input *in, unsigned octets)
{
	uint32_t v = 0;

	while (octets-- > 0 && in->at < in->end)
		v = v << 8 | *in->at++;
	return v;
}

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct fuzz {
	struct mock_wire w;
	struct input in;
	struct tcp_conn *held[4];    /* whose handles we have */
	uint32_t last_seq, last_ack; /* of the last segment the stack sent */
	uint16_t last_port;
};

static bool overhear(void *arg, unsigned side, const struct tcp_header *h, uint32_t len)
{
	struct fuzz *f = arg;

	if (side == 1) {
		f->last_seq = h->seq + len + (h->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
		f->last_ack = h->ack;
		f->last_port = h->src_port;
	}
	return false;
}

static int32_t nudge(struct input *in)
{
	uint32_t kind = take(in, 1);

	switch (kind & 7) {
	case 0: return (int32_t)take(in, 4);
	case 1: return (int16_t)take(in, 2);
	case 2: return (int8_t)take(in, 1);
	default: return 0;
	}
}

static void send_segment(struct fuzz *f)
{
	static uint8_t payload[2000];
	struct tcp_header h = {.src_port = (uint16_t)(1000 + take(&f->in, 1) % 3),
		.dst_port = take(&f->in, 1) % 8 ? PORT : f->last_port,
		.window = (uint16_t)take(&f->in, 2),
		.flags = (uint8_t)take(&f->in, 1) & 0x3f,
		.has = (uint8_t)take(&f->in, 1) & 0xf,
		.mss = 536,
		.wscale = 3};
	uint32_t len = take(&f->in, 1);

	h.seq = f->last_ack + (uint32_t)nudge(&f->in);
	h.ack = f->last_seq + (uint32_t)nudge(&f->in);
	h.ts_val = take(&f->in, 2);
	h.ts_ecr = take(&f->in, 2);
	h.sack_count = (h.flags & TCP_SYN) ? 0 : take(&f->in, 1) % 4;
	for (unsigned i = 0; i < h.sack_count; i++) {
		h.sack[i].start = f->last_seq - take(&f->in, 2);
		h.sack[i].end = h.sack[i].start + take(&f->in, 2);
	}
	mock_inject(&f->w, 1, &h, payload, len * 7);
}

static void send_noise(struct fuzz *f)
{
	struct tcp_header h = {.src_port = 1000, .dst_port = PORT};
	struct pkt *pkt = mock_packet(&f->w, 1, &h, "", 0);
	struct net_segment seg = {.src = f->w.nets[0].addr, .dst = f->w.nets[1].addr};
	uint32_t n = take(&f->in, 1) % 64;

	for (uint32_t i = 0; i < n && i + pkt->l4 < pkt->len + pkt->tailroom; i++)
		pkt->data[pkt->l4 + i] = (uint8_t)take(&f->in, 1);
	pkt->len = (uint16_t)(pkt->l4 + n);
	tcp_input(f->w.stacks[1], pkt, &seg, f->w.now_us);
}

static void send_icmp(struct fuzz *f)
{
	struct net_icmp icmp = {.kind = (enum net_icmp_kind)(take(&f->in, 1) % 3),
		.mtu = take(&f->in, 2),
		.local = f->w.nets[1].addr,
		.peer = f->w.nets[0].addr,
		.local_port = PORT,
		.peer_port = (uint16_t)(1000 + take(&f->in, 1) % 3),
		.seq = f->last_seq - 1 + (uint32_t)nudge(&f->in)};

	tcp_icmp(f->w.stacks[1], &icmp, f->w.now_us);
}

static void hold(struct fuzz *f, struct tcp_conn *conn)
{
	for (unsigned i = 0; i < 4; i++)
		if (f->held[i] == conn)
			return;
	for (unsigned i = 0; i < 4; i++)
		if (!f->held[i]) {
			f->held[i] = conn;
			return;
		}
	tcp_abort(conn);
}

static void drop(struct fuzz *f, unsigned slot)
{
	f->held[slot] = NULL;
}

static void serve(struct fuzz *f)
{
	struct tcp_conn *conn;
	unsigned ready;

	while ((conn = tcp_next_ready(f->w.stacks[1], &ready)))
		hold(f, conn);
}

static void use(struct fuzz *f)
{
	unsigned slot = take(&f->in, 1) % 4;
	struct tcp_conn *conn = f->held[slot];
	static uint8_t data[5000];

	if (!conn)
		return;
	switch (take(&f->in, 1) % 9) {
	case 0: tcp_consume(conn, (uint32_t)tcp_peek(conn).len); break;
	case 1: tcp_consume(conn, take(&f->in, 1)); break;
	case 2:
	case 3: tcp_send(conn, bytes_of(data, take(&f->in, 2) % sizeof(data))); break;
	case 4: tcp_shutdown(conn); break;
	case 5: tcp_set_receive_window(conn, take(&f->in, 2)); break;
	case 6:
		tcp_close(conn);
		drop(f, slot);
		break;
	case 7:
		tcp_abort(conn);
		drop(f, slot);
		break;
	default:
		if (tcp_error(conn) != TCP_FAIL_NONE) {
			tcp_release(conn);
			drop(f, slot);
		}
	}
}

static void dial(struct fuzz *f)
{
	struct tcp_conn *conn;

	if (!tcp_connect(f->w.stacks[1], &f->w.nets[0].addr, 1000, 4096, f->w.now_us, &conn))
		hold(f, conn);
}

static void check_conn(const struct tcp_conn *c)
{
	uint32_t unread = 0;

	MUST(c->state != TCP_CLOSED && c->state < TCP_STATE_COUNT);
	MUST(tcp_seq_le(c->snd_una, c->snd_nxt));
	MUST(tcp_seq_ge(c->rcv_adv, c->rcv_nxt) || c->state < TCP_ESTABLISHED);
	MUST(c->send.len <= c->stack->config.send_buffer_max);
	for (const struct pkt *pkt = c->rcv_head; pkt; pkt = pkt->next)
		unread += pkt->len;
	MUST(unread == c->rcv_unread);
	for (uint32_t i = 0; c->loss.board && i < c->loss.board->count; i++) {
		MUST(tcp_seq_gt(c->loss.board->ranges[i].start, c->snd_una));
		MUST(tcp_seq_le(c->loss.board->ranges[i].end, c->snd_nxt));
	}
}

static void check(const struct fuzz *f)
{
	const struct tcp_stack *s = f->w.stacks[1];
	uint64_t held = 0;

	for (uint32_t i = 0; i <= s->table.mask; i++)
		for (const struct tcp_conn *c = s->table.buckets[i]; c; c = c->hash_next) {
			check_conn(c);
			held += c->rcv_true_size + (c->reasm ? c->reasm->true_size : 0);
		}
	MUST(s->receive_held >= held);
	MUST(s->receive_held <= s->config.receive_bytes_max);
	MUST(s->half_open <= s->table.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct tcp_config config = mock_config();
	struct fuzz f = {.in = {bytes, bytes + len}};

	config.max_connections = 8;
	config.max_half_open = 2;
	config.max_time_wait = 2;
	config.send_block_count = 16;
	config.send_buffer_max = 12000;
	config.receive_bytes_max = 60000;
	config.keepalive_s = 50;
	mock_wire_init(&f.w, 1, NULL, &config, false);
	f.w.filter = overhear;
	f.w.filter_arg = &f;
	tcp_listen(f.w.stacks[1], PORT, 8192);
	while (f.in.at < f.in.end) {
		switch (take(&f.in, 1) % 12) {
		case 0: send_noise(&f); break;
		case 1: send_icmp(&f); break;
		case 2: dial(&f); break;
		case 3: mock_wire_run(&f.w, take(&f.in, 3)); break;
		case 4: f.w.pool_empty = take(&f.in, 1) % 4 == 0; break;
		case 5:
		case 6:
		case 7: use(&f); break;
		default: send_segment(&f); break;
		}
		serve(&f);
		tcp_flush(f.w.stacks[1], f.w.now_us);
		check(&f);
	}
	for (unsigned i = 0; i < 4; i++)
		if (f.held[i])
			tcp_abort(f.held[i]);
	MUST(mock_wire_fini(&f.w));
	return 0;
}
