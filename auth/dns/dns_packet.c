#include "auth/dns/dns_packet.h"

#include "auth/dns/dns_name.h"

#define HEADER_SIZE     12
#define FLAG_TRUNCATED  0x0200
#define RCODE_MASK      15
#define RCODE_NOERROR   0
#define RCODE_NXDOMAIN  3
#define CLASS_IN        1
#define TYPE_CNAME      5
#define TYPE_SOA        6
#define CNAME_CHAIN_MAX 16
/* More than that a message of 64 KiB could hold, but none does. */
#define RECORDS_MAX 2048

struct reader {
	struct bytes packet;
	size_t at;
};

/* A record as it lies in the message. */
struct record {
	struct dns_name owner;
	unsigned type, class;
	uint32_t ttl_s;
	size_t data_at, data_len;
};

static bool take_u16(struct reader *r, unsigned *value)
{
	if (r->packet.len - r->at < 2)
		return false;
	*value = (unsigned)r->packet.data[r->at] << 8 | r->packet.data[r->at + 1];
	r->at += 2;
	return true;
}

static bool take_u32(struct reader *r, uint32_t *value)
{
	unsigned high, low;

	if (!take_u16(r, &high) || !take_u16(r, &low))
		return false;
	*value = (uint32_t)high << 16 | low;
	return true;
}

static bool take_name(struct reader *r, struct dns_name *name)
{
	return dns_name_from_packet(name, r->packet, &r->at);
}

static bool take_record(struct reader *r, struct record *record)
{
	unsigned len;

	if (!take_name(r, &record->owner) || !take_u16(r, &record->type) ||
		!take_u16(r, &record->class) || !take_u32(r, &record->ttl_s) || !take_u16(r, &len))
		return false;
	if (r->packet.len - r->at < len)
		return false;
	/* The top bit is no part of it (RFC 2181 §8). */
	if (record->ttl_s > INT32_MAX)
		record->ttl_s = 0;
	record->data_at = r->at;
	record->data_len = len;
	r->at += len;
	return true;
}

/* Header and question section; leaves the reader at the answers. */
struct header {
	unsigned flags, questions, answers, authorities;
};

static bool take_header(struct reader *r, const struct dns_name *asked,
	const struct dns_question *question, struct header *h)
{
	struct dns_name name;
	unsigned id, additionals, type, class;

	if (!take_u16(r, &id) || !take_u16(r, &h->flags) || !take_u16(r, &h->questions) ||
		!take_u16(r, &h->answers) || !take_u16(r, &h->authorities) ||
		!take_u16(r, &additionals))
		return false;
	if (h->questions != 1 || h->answers + h->authorities > RECORDS_MAX)
		return false;
	return take_name(r, &name) && take_u16(r, &type) && take_u16(r, &class) &&
	       dns_name_eq(&name, asked) && type == question->type && class == CLASS_IN;
}

/* A name within the data of a record, which it must fill to its end. */
static bool data_name(
	struct bytes packet, const struct record *record, size_t skip, struct dns_name *name)
{
	size_t at = record->data_at + skip;

	return record->data_len > skip && dns_name_from_packet(name, packet, &at) &&
	       at == record->data_at + record->data_len;
}

static bool keep_name(struct dns_packet_scratch *s, const struct dns_name *name, struct bytes *out)
{
	size_t len;

	if (sizeof(s->octets) - s->used < DNS_NAME_TEXT_MAX ||
		!dns_name_to_text(name, (char *)s->octets + s->used, &len))
		return false;
	*out = bytes_of(s->octets + s->used, len);
	s->used += len;
	return true;
}

/* The character-strings of a TXT joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2). */
static bool keep_text(struct dns_packet_scratch *s, struct bytes data, struct bytes *out)
{
	struct cursor c = cursor_of(data);
	size_t from = s->used;
	struct bytes string;

	while (!cursor_done(&c)) {
		size_t len = (size_t)cursor_next(&c);

		if (!cursor_take(&c, len, &string) || sizeof(s->octets) - s->used < len)
			return false;
		memcpy(s->octets + s->used, string.data, len);
		s->used += len;
	}
	*out = bytes_of(s->octets + from, s->used - from);
	return true;
}

enum kept { KEPT, PASSED_OVER, UNREADABLE };

static enum kept keep_data(struct dns_packet_scratch *s, struct bytes packet,
	const struct record *record, struct dns_record *out)
{
	struct bytes data = bytes_slice(packet, record->data_at, record->data_len);
	struct dns_name name;

	*out = (struct dns_record){0};
	switch (record->type) {
	case DNS_A:
		if (data.len != 4)
			return UNREADABLE;
		out->addr = ip_addr_v4((uint32_t)data.data[0] << 24 | (uint32_t)data.data[1] << 16 |
				       (uint32_t)data.data[2] << 8 | data.data[3]);
		return KEPT;
	case DNS_AAAA:
		if (data.len != 16)
			return UNREADABLE;
		out->addr = ip_addr_v6(data.data);
		return KEPT;
	case DNS_MX:
		if (!data_name(packet, record, 2, &name))
			return UNREADABLE;
		out->preference = (uint16_t)(data.data[0] << 8 | data.data[1]);
		return keep_name(s, &name, &out->name) ? KEPT : PASSED_OVER;
	case DNS_PTR:
		if (!data_name(packet, record, 0, &name))
			return UNREADABLE;
		return keep_name(s, &name, &out->name) ? KEPT : PASSED_OVER;
	case DNS_TXT: return keep_text(s, data, &out->text) ? KEPT : UNREADABLE;
	default: out->text = data; return KEPT;
	}
}

static void lower_ttl(struct dns_answer *answer, uint32_t ttl_s)
{
	if (ttl_s < answer->ttl_s)
		answer->ttl_s = ttl_s;
}

/* The records of `name` and the asked type; *target is where a CNAME of that name leads. */
static bool collect(struct reader r, unsigned n, const struct dns_name *name, unsigned type,
	struct dns_packet_scratch *s, struct dns_answer *answer, struct dns_name *target,
	bool *is_alias)
{
	struct record record;

	*is_alias = false;
	for (unsigned i = 0; i < n; i++) {
		if (!take_record(&r, &record))
			return false;
		if (record.class != CLASS_IN || !dns_name_eq(&record.owner, name))
			continue;
		if (record.type == TYPE_CNAME && !*is_alias) {
			if (!data_name(r.packet, &record, 0, target))
				return false;
			*is_alias = true;
			lower_ttl(answer, record.ttl_s);
		} else if (record.type == type) {
			if (answer->n == DNS_ANSWER_MAX_RECORDS)
				return false;
			enum kept kept = keep_data(s, r.packet, &record, &s->records[answer->n]);

			if (kept == UNREADABLE)
				return false;
			answer->n = (uint16_t)(answer->n + (kept == KEPT));
			lower_ttl(answer, record.ttl_s);
		}
	}
	return true;
}

/* RFC 2308 §5: the least of the SOA's own TTL and its last number, 0 without an SOA. */
static bool negative_ttl(struct reader r, const struct header *h, struct dns_answer *answer)
{
	struct record record;
	uint32_t minimum, ttl_s = 0;

	for (unsigned i = 0; i < h->answers + h->authorities; i++) {
		if (!take_record(&r, &record))
			return false;
		if (i < h->answers || record.type != TYPE_SOA || record.class != CLASS_IN)
			continue;
		if (record.data_len < 22)
			return false;
		struct reader last = {r.packet, record.data_at + record.data_len - 4};

		if (!take_u32(&last, &minimum))
			return false;
		ttl_s = minimum < record.ttl_s ? minimum : record.ttl_s;
		break;
	}
	lower_ttl(answer, ttl_s);
	return true;
}

static bool parse(struct bytes packet, const struct dns_question *question,
	struct dns_packet_scratch *scratch, struct dns_answer *answer)
{
	struct reader r = {.packet = packet};
	struct dns_name name, target;
	struct header h;
	unsigned rcode, chain = 0;
	bool is_alias;

	if (!dns_name_from_text(&name, bytes_of(question->name, question->name_len)) ||
		!take_header(&r, &name, question, &h))
		return false;
	rcode = h.flags & RCODE_MASK;
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		return true; /* well formed, and a failure */
	if (h.flags & FLAG_TRUNCATED)
		return false;
	do {
		if (!collect(r, h.answers, &name, question->type, scratch, answer, &target,
			    &is_alias))
			return false;
		if (is_alias)
			name = target;
	} while (is_alias && answer->n == 0 && ++chain <= CNAME_CHAIN_MAX);
	if (chain > CNAME_CHAIN_MAX)
		return false;
	if (answer->n > 0) {
		answer->outcome = DNS_OK;
		return true;
	}
	if (!negative_ttl(r, &h, answer))
		return false;
	answer->outcome = rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	return true;
}

bool dns_packet_parse(struct bytes packet, const struct dns_question *question,
	struct dns_packet_scratch *scratch, struct dns_answer *answer)
{
	bool well_formed;

	scratch->used = 0;
	*answer = (struct dns_answer){
		.outcome = DNS_SERVFAIL, .ttl_s = UINT32_MAX, .records = scratch->records};
	well_formed = packet.len >= HEADER_SIZE && parse(packet, question, scratch, answer);
	if (!well_formed || answer->outcome == DNS_SERVFAIL) {
		answer->outcome = DNS_SERVFAIL;
		answer->n = 0;
		answer->ttl_s = 0;
	}
	return well_formed;
}
