#pragma once

#include "auth/dkim/dkim_sig.h"
#include "auth/message/fields.h"

struct arena;

/*
 * The fields of one header section by name, and the hash that a signature makes of them (RFC 6376
 * §3.7, §5.4.2: repeated names take fields from the bottom up, names without a field left add
 * nothing).
 */

#define DKIM_HEADER_FIELDS_MAX 2048 /* of one mail: more, and no signature is evaluated */
#define DKIM_HEADER_BUCKETS    64
/* Fields looked at for one signature: an honest one needs a few hundred. */
#define DKIM_HEADER_STEPS_MAX 20000

struct dkim_header_entry {
	struct dkim_header_entry *above; /* in the same bucket */
	struct bytes raw, name;
	uint32_t hash;
	uint32_t taken_by; /* number of the last hash that has used it */
};

struct dkim_header {
	struct arena *arena;
	unsigned n;
	bool overflow; /* some fields are missing here */
	uint32_t hashes;
	struct dkim_header_entry *bottom[DKIM_HEADER_BUCKETS];
};

void dkim_header_init(struct dkim_header *header, struct arena *arena);
void dkim_header_add(struct dkim_header *header, const struct field *field);
/* NULL, or the reason why there is none: a bound was hit, or a From stays unsigned. */
const char *dkim_header_hash(struct dkim_header *header, const struct dkim_sig *sig,
	unsigned max_bytes, uint8_t digest[32]);

/* What goes into a hash, one after the other, up to a bound. Also for ARC's seals. */
struct dkim_header_sum {
	struct sha256_state state;
	uint64_t octets, max;
};

void dkim_header_sum_init(struct dkim_header_sum *sum, unsigned max_bytes);
void dkim_header_sum_field(struct dkim_header_sum *sum, enum dkim_canon canon, struct bytes raw);
/* The signature field itself: without b= and the CRLF. */
void dkim_header_sum_signature(struct dkim_header_sum *sum, const struct dkim_sig *sig);
/* NULL or the reason. */
const char *dkim_header_sum_end(const struct dkim_header_sum *sum, uint8_t digest[32]);
