#include "auth/message/authres.h"

#include "auth/message/fields.h"

#include <assert.h>

/*
 * Whatever goes in, the field stays one field whose quotes and comments close where we closed them:
 * a reader finds the two methods that were written and no other.
 */

/* Counts ';' outside quotes and comments, as RFC 8601 has a reader do. */
static unsigned count_methods(struct bytes value)
{
	unsigned n = 0, depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if (c == '\\' && (quoted || depth > 0))
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (!quoted && c == '(')
			depth++;
		else if (!quoted && c == ')')
			assert(depth-- > 0);
		else if (!quoted && depth == 0 && c == ';')
			n++;
	}
	assert(!quoted && depth == 0);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[16384];
	static uint8_t gathered[16384];
	struct bytes input = bytes_of(data, size), rest;
	struct fields fields;
	struct field field;
	struct authres ar;
	struct text out;

	text_init(&out, buffer, sizeof(buffer));
	authres_begin(&ar, &out, BYTES("mx.example.org"));
	authres_method(&ar, "spf", AUTH_FAIL);
	authres_reason(&ar, input);
	authres_property(&ar, "smtp", "mailfrom", input);
	authres_comment(&ar, input);
	authres_method(&ar, "dkim", AUTH_NONE);
	authres_property(&ar, "header", "d", input);
	authres_end(&ar);
	assert(!out.overflow);
	rest = text_bytes(&out);
	fields_init(&fields, gathered, sizeof(gathered));
	assert(fields_feed(&fields, &rest, &field) == FIELDS_MORE);
	assert(fields_finish(&fields, &field) == FIELDS_FIELD && field.well_formed);
	assert(field.raw.len + 2 == out.len);
	assert(count_methods(field.value) == 2);
	assert(authres_claims(field.value, BYTES("mx.example.org")));
	authres_claims(input, BYTES("mx.example.org"));
	return 0;
}
