#include "auth/trace.h"

#include "auth/dns/dns.h"

#define HEAD 3 /* kind and length */

/* --- writing -----------------------------------------------------------------------------------
 */

void trace_begin(struct trace_writer *w, void *data, size_t cap)
{
	*w = (struct trace_writer){.data = data, .cap = cap};
	if (cap > 0)
		w->data[w->len++] = TRACE_MAGIC;
}

void trace_resume(struct trace_writer *w, void *data, size_t len, size_t cap)
{
	*w = (struct trace_writer){.data = data, .len = len, .cap = cap};
}

static void put_octet(struct trace_writer *w, uint8_t octet)
{
	if (w->len < w->cap)
		w->data[w->len++] = octet;
	else
		w->overflow = true;
}

void trace_number(struct trace_writer *w, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_octet(w, (uint8_t)(value | 0x80));
	put_octet(w, (uint8_t)value);
}

void trace_octets(struct trace_writer *w, struct bytes octets)
{
	trace_number(w, octets.len);
	if (octets.len > w->cap - w->len) {
		w->overflow = true;
	} else if (octets.len > 0) {
		memcpy(w->data + w->len, octets.data, octets.len);
		w->len += octets.len;
	}
}

void trace_event(struct trace_writer *w, enum trace_kind kind, uint64_t at_us)
{
	w->event = w->len;
	w->overflow = false;
	put_octet(w, (uint8_t)kind);
	put_octet(w, 0);
	put_octet(w, 0);
	trace_number(w, at_us == TRACE_NO_TIME ? 0 : at_us + 1);
}

bool trace_end_event(struct trace_writer *w)
{
	size_t len = w->len - w->event - HEAD;

	if (w->overflow || w->len < w->event + HEAD || len > UINT16_MAX) {
		w->len = w->event;
		w->lost++;
		return false;
	}
	w->data[w->event + 1] = (uint8_t)(len >> 8);
	w->data[w->event + 2] = (uint8_t)len;
	return true;
}

struct bytes trace_record(const struct trace_writer *w)
{
	return bytes_of(w->data, w->len);
}

/* --- reading -----------------------------------------------------------------------------------
 */

bool trace_open(struct bytes record, struct cursor *events)
{
	*events = cursor_of(record);
	return cursor_next(events) == TRACE_MAGIC;
}

bool trace_take_number(struct cursor *fields, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		int octet = cursor_next(fields);

		if (octet < 0)
			return false;
		*value |= (uint64_t)(octet & 0x7f) << shift;
		if (octet < 0x80)
			return true;
	}
	return false;
}

bool trace_take_octets(struct cursor *fields, struct bytes *octets)
{
	uint64_t len;

	return trace_take_number(fields, &len) && len <= cursor_left(fields) &&
	       cursor_take(fields, (size_t)len, octets);
}

bool trace_next(struct cursor *events, struct trace_event_view *event)
{
	while (cursor_left(events) >= HEAD) {
		int kind = cursor_next(events), high = cursor_next(events);
		size_t len = (size_t)high << 8 | (size_t)cursor_next(events);
		struct bytes rest;
		uint64_t at;

		if (!cursor_take(events, len, &rest))
			return false;
		event->fields = cursor_of(rest);
		if (kind == TRACE_NOTHING || kind >= TRACE_KIND_COUNT ||
			!trace_take_number(&event->fields, &at))
			continue;
		event->kind = (enum trace_kind)kind;
		event->at_us = at == 0 ? TRACE_NO_TIME : at - 1;
		return true;
	}
	return false;
}

const char *trace_type_word(uint16_t type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_AAAA: return "AAAA";
	case DNS_MX: return "MX";
	case DNS_PTR: return "PTR";
	case DNS_TXT: return "TXT";
	default: return "?";
	}
}

bool trace_record_is_cut(struct bytes record)
{
	return (record.len == TRACE_RECORD_MAX || record.len == TRACE_RECORD_SHORT) &&
	       record.data[record.len - 1] == TRACE_RECORD_CUT;
}
