#include "dataplane/tcp/tcp_wire.h"

#include "dataplane/wire.h"

#include <errno.h>

/* Option kinds (IANA tcp-parameters). */
enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8
};

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	wire_put16(p, v);
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	wire_put32(p, v);
	return p + 4;
}

static void read_sack(struct tcp_header *h, const uint8_t *body, size_t len)
{
	for (size_t at = 0; at + 8 <= len && h->sack_count < TCP_WIRE_SACK_MAX; at += 8) {
		struct tcp_range *r = &h->sack[h->sack_count++];

		r->start = wire_get32(body + at);
		r->end = wire_get32(body + at + 4);
	}
}

/* One option whose body has `len` octets; a length that is not the kind's makes it unknown. */
static void read_option(struct tcp_header *h, unsigned kind, const uint8_t *body, size_t len)
{
	bool syn = h->flags & TCP_SYN;

	switch (kind) {
	case OPT_MSS:
		if (syn && len == 2) {
			h->mss = wire_get16(body);
			h->has |= TCP_HAS_MSS;
		}
		break;
	case OPT_WSCALE:
		if (syn && len == 1) {
			h->wscale = body[0] > TCP_WIRE_WSCALE_MAX ? TCP_WIRE_WSCALE_MAX : body[0];
			h->has |= TCP_HAS_WSCALE;
		}
		break;
	case OPT_SACK_OK:
		if (syn && len == 0)
			h->has |= TCP_HAS_SACK_OK;
		break;
	case OPT_SACK:
		if (!syn && len % 8 == 0)
			read_sack(h, body, len);
		break;
	case OPT_TS:
		if (len == 8) {
			h->ts_val = wire_get32(body);
			h->ts_ecr = wire_get32(body + 4);
			h->has |= TCP_HAS_TS;
		}
		break;
	default: break;
	}
}

static void read_options(struct tcp_header *h, const uint8_t *p, size_t left)
{
	while (left > 0) {
		size_t len;

		if (p[0] == OPT_END)
			return;
		if (p[0] == OPT_NOP) {
			p++;
			left--;
			continue;
		}
		if (left < 2 || p[1] < 2 || p[1] > left) {
			h->odd_options = true;
			return;
		}
		len = p[1];
		read_option(h, p[0], p + 2, len - 2);
		p += len;
		left -= len;
	}
}

/* What nearly every segment of a bulk transfer carries: NOP NOP TS and nothing else. */
static bool read_lone_timestamp(struct tcp_header *h, const uint8_t *p)
{
	if (h->len != TCP_WIRE_HEADER_MIN + TCP_WIRE_TS_LEN || wire_get32(p) != 0x0101080a)
		return false;
	h->ts_val = wire_get32(p + 4);
	h->ts_ecr = wire_get32(p + 8);
	h->has = TCP_HAS_TS;
	return true;
}

int tcp_wire_parse(const uint8_t *data, size_t len, struct tcp_header *h)
{
	if (len < TCP_WIRE_HEADER_MIN)
		return -EINVAL;
	h->len = (uint8_t)((data[12] >> 4) * 4);
	if (h->len < TCP_WIRE_HEADER_MIN || h->len > len)
		return -EINVAL;
	h->src_port = wire_get16(data);
	h->dst_port = wire_get16(data + 2);
	h->seq = wire_get32(data + 4);
	h->ack = wire_get32(data + 8);
	h->flags = data[13] & 0x3f; /* ECN was not asked for: ECE and CWR mean nothing */
	h->window = wire_get16(data + 14);
	h->has = 0;
	h->wscale = 0;
	h->sack_count = 0;
	h->odd_options = false;
	h->mss = 0;
	h->ts_val = h->ts_ecr = 0;
	if (!read_lone_timestamp(h, data + TCP_WIRE_HEADER_MIN))
		read_options(h, data + TCP_WIRE_HEADER_MIN, h->len - TCP_WIRE_HEADER_MIN);
	return 0;
}

static unsigned options_before_sack(const struct tcp_header *h)
{
	return ((h->has & TCP_HAS_MSS) ? 4 : 0) + ((h->has & TCP_HAS_WSCALE) ? 4 : 0) +
	       ((h->has & TCP_HAS_TS) ? TCP_WIRE_TS_LEN : 0) +
	       ((h->has & TCP_HAS_SACK_OK) && !(h->has & TCP_HAS_TS) ? 4 : 0);
}

static unsigned sack_that_fit(const struct tcp_header *h)
{
	unsigned room = TCP_WIRE_HEADER_MAX - TCP_WIRE_HEADER_MIN - options_before_sack(h);
	unsigned n = room < TCP_WIRE_SACK_LEN(1) ? 0 : (room - 4) / 8;

	return h->sack_count < n ? h->sack_count : n;
}

unsigned tcp_wire_len(const struct tcp_header *h)
{
	unsigned n = sack_that_fit(h);

	return TCP_WIRE_HEADER_MIN + options_before_sack(h) + (n ? TCP_WIRE_SACK_LEN(n) : 0);
}

static uint8_t *write_options(uint8_t *p, const struct tcp_header *h)
{
	unsigned n = sack_that_fit(h);

	if (h->has & TCP_HAS_MSS)
		p = put16(put16(p, OPT_MSS << 8 | 4), h->mss);
	if (h->has & TCP_HAS_TS) {
		/* SACK-permitted takes the place of the padding where it is due. */
		p = put16(p,
			(h->has & TCP_HAS_SACK_OK) ? OPT_SACK_OK << 8 | 2 : OPT_NOP << 8 | OPT_NOP);
		p = put32(put32(put16(p, OPT_TS << 8 | 10), h->ts_val), h->ts_ecr);
	} else if (h->has & TCP_HAS_SACK_OK) {
		p = put16(put16(p, OPT_NOP << 8 | OPT_NOP), OPT_SACK_OK << 8 | 2);
	}
	if (h->has & TCP_HAS_WSCALE)
		p = put32(p, (uint32_t)OPT_NOP << 24 | OPT_WSCALE << 16 | 3 << 8 | h->wscale);
	if (n > 0) {
		p = put16(p, OPT_NOP << 8 | OPT_NOP);
		p = put16(p, (uint16_t)(OPT_SACK << 8 | (2 + 8 * n)));
		for (unsigned i = 0; i < n; i++)
			p = put32(put32(p, h->sack[i].start), h->sack[i].end);
	}
	return p;
}

unsigned tcp_wire_write(uint8_t *out, struct tcp_header *h)
{
	uint8_t *end = write_options(out + TCP_WIRE_HEADER_MIN, h);

	h->len = (uint8_t)(end - out);
	put16(out, h->src_port);
	put16(out + 2, h->dst_port);
	put32(out + 4, h->seq);
	put32(out + 8, h->ack);
	out[12] = (uint8_t)(h->len / 4 << 4);
	out[13] = h->flags;
	put16(out + 14, h->window);
	put32(out + 16, 0); /* checksum, urgent pointer */
	return h->len;
}
