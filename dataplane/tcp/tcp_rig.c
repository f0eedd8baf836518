#include "dataplane/tcp/tcp_rig.h"

static bool keep(void *arg, unsigned side, const struct tcp_header *h, uint32_t len)
{
	struct rig *r = arg;

	if (side == 1 && r->count < RIG_KEPT) {
		r->sent[r->count] = *h;
		r->sent_len[r->count++] = len;
	}
	return false;
}

void rig_init(struct rig *r, const struct tcp_config *config, uint32_t receive_window)
{
	struct tcp_config c = config ? *config : mock_config();

	memset(r, 0, sizeof(*r));
	mock_wire_init(&r->w, 1, NULL, &c, false);
	r->w.filter = keep;
	r->w.filter_arg = r;
	r->stack = r->w.stacks[1];
	r->port = RIG_PEER_PORT;
	r->ts = 100;
	assert_int_equal(tcp_listen(r->stack, RIG_PORT, receive_window), 0);
}

void rig_fini(struct rig *r)
{
	if (r->conn && r->conn->state == TCP_CLOSED)
		tcp_release(r->conn);
	assert_true(mock_wire_fini(&r->w));
}

void rig_forget(struct rig *r)
{
	r->count = 0;
}

const struct tcp_header *rig_last(const struct rig *r)
{
	assert_true(r->count > 0);
	return &r->sent[r->count - 1];
}

uint32_t rig_last_len(const struct rig *r)
{
	assert_true(r->count > 0);
	return r->sent_len[r->count - 1];
}

void rig_send_header(struct rig *r, struct tcp_header *h, const void *payload, uint32_t len)
{
	h->src_port = r->port;
	if (h->dst_port == 0)
		h->dst_port = RIG_PORT;
	mock_inject(&r->w, 1, h, payload, len);
	tcp_flush(r->stack, r->w.now_us);
}

void rig_send_at(struct rig *r, uint32_t seq, uint32_t ack, uint8_t flags, const char *payload)
{
	struct tcp_header h = {.seq = seq, .ack = ack, .flags = flags, .window = 65535};

	rig_send_header(r, &h, payload, payload ? (uint32_t)strlen(payload) : 0);
}

void rig_send(struct rig *r, uint8_t flags, const char *payload)
{
	uint32_t seq = r->snd;

	r->snd += (payload ? (uint32_t)strlen(payload) : 0) + ((flags & TCP_FIN) ? 1 : 0);
	rig_send_at(r, seq, r->rcv, flags, payload);
}

void rig_syn(struct rig *r, uint8_t has)
{
	struct tcp_header h = {.seq = RIG_ISN,
		.flags = TCP_SYN,
		.window = 65535,
		.has = has,
		.mss = 1000,
		.wscale = 2,
		.ts_val = r->ts};

	rig_send_header(r, &h, NULL, 0);
}

void rig_open(struct rig *r, uint8_t has)
{
	rig_syn(r, has);
	r->snd = RIG_ISN + 1;
	r->rcv = rig_last(r)->seq + 1;
	if (has & TCP_HAS_TS) {
		struct tcp_header h = {.seq = r->snd,
			.ack = r->rcv,
			.flags = TCP_ACK,
			.window = 65535,
			.has = TCP_HAS_TS,
			.ts_val = r->ts,
			.ts_ecr = rig_last(r)->ts_val};

		rig_send_header(r, &h, NULL, 0);
	} else {
		rig_send(r, TCP_ACK, NULL);
	}
	rig_serve(r);
	assert_non_null(r->conn);
	assert_true(r->ready & TCP_READY_OPENED);
	rig_forget(r);
}

void rig_serve(struct rig *r)
{
	struct tcp_conn *conn;
	unsigned ready;

	while ((conn = tcp_next_ready(r->stack, &ready))) {
		r->conn = conn;
		r->ready |= ready;
	}
}

void rig_wait(struct rig *r, uint64_t us)
{
	mock_wire_run(&r->w, us);
	tcp_flush(r->stack, r->w.now_us);
	rig_serve(r);
}

void rig_expect_text(struct rig *r, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		struct bytes b = tcp_peek(r->conn);

		assert_true(b.len > 0 && b.len <= left);
		assert_memory_equal(b.data, text, b.len);
		text += b.len;
		left -= b.len;
		tcp_consume(r->conn, (uint32_t)b.len);
	}
	assert_int_equal(tcp_peek(r->conn).len, 0);
	tcp_flush(r->stack, r->w.now_us);
}

void rig_write(struct rig *r, const char *text)
{
	assert_int_equal(tcp_send(r->conn, bytes_str(text)), strlen(text));
	tcp_flush(r->stack, r->w.now_us);
}

uint64_t rig_counted(const struct rig *r, enum tcp_counter c)
{
	return mock_count(&r->w, 1, c);
}
