#include "auth/dkim/dkim_header.h"

#include "auth/dkim/dkim_tags.h"
#include "base/arena.h"

void dkim_header_init(struct dkim_header *header, struct arena *arena)
{
	*header = (struct dkim_header){.arena = arena};
}

static uint32_t name_hash(struct bytes name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint32_t)ascii_lower(name.data[i])) * 16777619u;
	return hash ^ hash >> 15;
}

void dkim_header_add(struct dkim_header *header, const struct field *field)
{
	struct dkim_header_entry *entry = NULL;
	if (header->n < DKIM_HEADER_FIELDS_MAX)
		entry = ARENA_NEW(header->arena, struct dkim_header_entry);
	if (!entry) {
		header->overflow = true;
		return;
	}
	entry->raw = field->raw;
	entry->name = field->name;
	entry->hash = name_hash(field->name);
	struct dkim_header_entry **bottom = &header->bottom[entry->hash % DKIM_HEADER_BUCKETS];
	entry->above = *bottom;
	*bottom = entry;
	header->n++;
}

/* --- sums ------------------------------------------------------------------------------------ */

void dkim_header_sum_init(struct dkim_header_sum *sum, unsigned max_bytes)
{
	sha256_init(&sum->state);
	sum->octets = 0;
	sum->max = max_bytes;
}

static void sum_give(void *sink, struct bytes piece)
{
	struct dkim_header_sum *sum = sink;
	sum->octets += piece.len;
	if (sum->octets <= sum->max)
		sha256_update(&sum->state, piece);
}

void dkim_header_sum_field(struct dkim_header_sum *sum, enum dkim_canon canon, struct bytes raw)
{
	if (sum->octets > sum->max)
		return;
	dkim_canon_field(canon, raw, (struct bytes){NULL, 0}, sum_give, sum);
	sum_give(sum, BYTES("\r\n"));
}

void dkim_header_sum_signature(struct dkim_header_sum *sum, const struct dkim_sig *sig)
{
	dkim_canon_field(sig->header, sig->raw, sig->cut, sum_give, sum);
}

const char *dkim_header_sum_end(const struct dkim_header_sum *sum, uint8_t digest[32])
{
	if (sum->octets > sum->max)
		return "signed_fields_too_long";
	sha256_final(&sum->state, digest);
	return NULL;
}

/* --- a signature's hash ---------------------------------------------------------------------- */

/* The lowest field of that name that this hash has not used; NULL where none is left. */
static struct dkim_header_entry *take(
	struct dkim_header *header, struct bytes name, unsigned *steps)
{
	uint32_t hash = name_hash(name);
	struct dkim_header_entry *entry = header->bottom[hash % DKIM_HEADER_BUCKETS];
	for (; entry && *steps < DKIM_HEADER_STEPS_MAX; entry = entry->above) {
		++*steps;
		if (entry->hash != hash || entry->taken_by == header->hashes ||
			!bytes_eq_nocase(entry->name, name))
			continue;
		entry->taken_by = header->hashes;
		return entry;
	}
	return NULL;
}

const char *dkim_header_hash(struct dkim_header *header, const struct dkim_sig *sig,
	unsigned max_bytes, uint8_t digest[32])
{
	struct dkim_header_sum sum;
	unsigned steps = 0;

	if (header->overflow)
		return "too_many_fields";
	header->hashes++;
	dkim_header_sum_init(&sum, max_bytes);
	for (struct bytes rest = sig->names, name; dkim_tags_next_item(&rest, &name);) {
		struct dkim_header_entry *entry = take(header, name, &steps);
		/* The signature itself, and another one of its name, may be signed too (§3.5, h=).
		 */
		if (entry)
			dkim_header_sum_field(&sum, sig->header, entry->raw);
	}
	if (steps >= DKIM_HEADER_STEPS_MAX)
		return "signed_fields_too_costly";
	/* A From added to the signed one is what readers may be shown (§8.15). */
	if (sig->kind == DKIM_SIG_DKIM && take(header, BYTES("from"), &steps))
		return "from_not_signed";
	dkim_header_sum_signature(&sum, sig);
	return dkim_header_sum_end(&sum, digest);
}
