#include "auth/spf/spf_macro.h"
#include "auth/spf/spf_record.h"

#include <stdlib.h>

/*
 * A record out of any octets: parsed, and every domain-spec in it expanded. What comes out is
 * within bounds, and the same when the octets come a second time.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static void check_domain(struct bytes spec, const struct spf_macro_values *values)
{
	char room[DNS_NAME_MAX + 2], small[40];
	struct text name, prefix, whole;
	char large[4096];

	CHECK(spf_macro_valid(spec, SPF_MACRO_DOMAIN));
	CHECK(spf_macro_valid(spec, SPF_MACRO_STRING));
	text_init(&name, room, sizeof(room));
	if (spf_macro_domain(spec, values, &name))
		CHECK(name.len > 0 && name.len <= DNS_NAME_MAX);
	/* what fits into less room is the start of the whole */
	text_init(&whole, large, sizeof(large));
	text_init(&prefix, small, sizeof(small));
	spf_macro_expand(spec, values, &whole);
	spf_macro_expand(spec, values, &prefix);
	CHECK(prefix.overflow || prefix.len == whole.len);
	if (!whole.overflow)
		CHECK(bytes_starts(text_bytes(&whole), text_bytes(&prefix)));
}

static void check_record(const struct spf_record *record, const struct spf_macro_values *values)
{
	if (record->status != SPF_RECORD_OK) {
		CHECK((record->status == SPF_RECORD_INVALID) == (record->error != NULL));
		return;
	}
	CHECK(record->n_terms <= SPF_RECORD_MAX_TERMS);
	for (unsigned i = 0; i < record->n_terms; i++) {
		const struct spf_term *term = &record->terms[i];
		CHECK(term->cidr4 <= 32 && term->cidr6 <= 128);
		CHECK(term->mechanism < SPF_MECHANISM_COUNT);
		if (term->domain_spec.len > 0)
			check_domain(term->domain_spec, values);
	}
	if (record->redirect.data)
		check_domain(record->redirect, values);
	if (record->explanation.data)
		check_domain(record->explanation, values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spf_macro_values values = {
		.local_part = BYTES("a.b-c+d\x01\xff"),
		.sender_domain = BYTES("mail.example.com"),
		.domain = BYTES("example.com"),
		.helo = bytes_of(data, size < 40 ? size : 40),
		.receiver = BYTES("gate.example.net"),
		.validated = BYTES("unknown"),
		.now_unix_s = 1700000000,
	};
	struct dns_record given = {.text = bytes_of(data, size)};
	char room[512];
	struct text out;

	values.client = ip_addr_v4(size % 2 ? 0xc0000201 : 0);
	if (size % 3 == 0)
		memset(values.client.octets, 0x20, sizeof(values.client.octets));
	struct spf_record *record = spf_record_new(&given, 1);
	CHECK(record);
	check_record(record, &values);
	spf_record_free(record);
	if (spf_macro_valid(given.text, SPF_MACRO_EXPLAIN)) {
		text_init(&out, room, sizeof(room));
		spf_macro_expand(given.text, &values, &out);
	}
	return 0;
}
