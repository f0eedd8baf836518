#include "auth/spf/spf_record.h"

#include "auth/spf/spf.h"
#include "auth/spf/spf_macro.h"

#include <errno.h>
#include <stdlib.h>

/* What may and must stand behind the name of a mechanism. */
enum argument { NO_ARGUMENT, DOMAIN_REQUIRED, DOMAIN_OPTIONAL, NETWORK4, NETWORK6 };

static const struct mechanism_syntax {
	struct bytes name;
	enum argument argument;
	bool dual_cidr;
} mechanisms[SPF_MECHANISM_COUNT] = {
	[SPF_ALL] = {{(const uint8_t *)"all", 3}, NO_ARGUMENT, false},
	[SPF_INCLUDE] = {{(const uint8_t *)"include", 7}, DOMAIN_REQUIRED, false},
	[SPF_A] = {{(const uint8_t *)"a", 1}, DOMAIN_OPTIONAL, true},
	[SPF_MX] = {{(const uint8_t *)"mx", 2}, DOMAIN_OPTIONAL, true},
	[SPF_PTR] = {{(const uint8_t *)"ptr", 3}, DOMAIN_OPTIONAL, false},
	[SPF_IP4] = {{(const uint8_t *)"ip4", 3}, NETWORK4, false},
	[SPF_IP6] = {{(const uint8_t *)"ip6", 3}, NETWORK6, false},
	[SPF_EXISTS] = {{(const uint8_t *)"exists", 6}, DOMAIN_REQUIRED, false},
};

static bool is_name_char(int c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/*
 * Takes "/BITS" off the end of *text. 0 where there is none, 1 where taken, -1 where the number is
 * wrong (leading zeros are: RFC 7208 forbids them in addresses, and errata extend that to lengths).
 */
static int take_cidr(struct bytes *text, unsigned max, uint8_t *bits)
{
	size_t slash = bytes_rfind(*text, '/');
	uint64_t value;

	if (slash == BYTES_NPOS)
		return 0;
	struct bytes digits = bytes_from(*text, slash + 1);
	int error = bytes_to_u64(digits, max, &value);
	if (error == -EINVAL)
		return 0;
	if (error || (digits.len > 1 && digits.data[0] == '0'))
		return -1;
	*bits = (uint8_t)value;
	text->len = slash;
	return 1;
}

/*
 * dual-cidr-length = [ "/" ip4 ] [ "/" "/" ip6 ] is taken off the end: slashes may stand in a
 * domain-spec too, but no toplabel is a number.
 */
static const char *take_dual_cidr(struct bytes *text, struct spf_term *term)
{
	size_t slash = bytes_rfind(*text, '/');

	if (slash != BYTES_NPOS && slash > 0 && text->data[slash - 1] == '/') {
		int taken = take_cidr(text, 128, &term->cidr6);
		if (taken < 0)
			return "bad ip6-cidr-length";
		text->len -= (size_t)taken; /* the first of the two slashes */
	}
	return take_cidr(text, 32, &term->cidr4) < 0 ? "bad ip4-cidr-length" : NULL;
}

static const char *parse_network(struct bytes text, enum argument argument, struct spf_term *term)
{
	bool v4 = argument == NETWORK4;

	if (take_cidr(&text, v4 ? 32 : 128, v4 ? &term->cidr4 : &term->cidr6) < 0)
		return "bad cidr-length";
	if (v4 ? ip_addr_parse_v4(text, &term->net) : ip_addr_parse_v6(text, &term->net))
		return v4 ? "no IPv4 address" : "no IPv6 address";
	return NULL;
}

/* Parses what stands behind the name: [":" argument] [dual-cidr-length]. */
static const char *parse_argument(
	struct bytes rest, const struct mechanism_syntax *syntax, struct spf_term *term)
{
	const char *error = syntax->dual_cidr ? take_dual_cidr(&rest, term) : NULL;

	if (error)
		return error;
	if (rest.len == 0) {
		bool optional =
			syntax->argument == NO_ARGUMENT || syntax->argument == DOMAIN_OPTIONAL;
		return optional ? NULL : "argument missing";
	}
	if (rest.data[0] != ':' || syntax->argument == NO_ARGUMENT)
		return "unexpected text after the mechanism";
	rest = bytes_from(rest, 1);
	if (syntax->argument == NETWORK4 || syntax->argument == NETWORK6)
		return parse_network(rest, syntax->argument, term);
	if (!spf_macro_valid(rest, SPF_MACRO_DOMAIN))
		return "bad domain-spec";
	term->domain_spec = rest;
	return NULL;
}

static enum auth_result take_qualifier(struct cursor *in)
{
	if (cursor_accept(in, '-'))
		return AUTH_FAIL;
	if (cursor_accept(in, '~'))
		return AUTH_SOFTFAIL;
	if (cursor_accept(in, '?'))
		return AUTH_NEUTRAL;
	cursor_accept(in, '+');
	return AUTH_PASS;
}

static const char *parse_mechanism(struct bytes text, struct spf_term *term)
{
	struct cursor in = cursor_of(text);

	*term = (struct spf_term){.cidr4 = 32, .cidr6 = 128, .text = text};
	term->qualifier = (uint8_t)take_qualifier(&in);
	struct bytes name = cursor_take_while(&in, ascii_is_alnum);
	for (unsigned i = 0; i < SPF_MECHANISM_COUNT; i++) {
		if (bytes_eq_nocase(name, mechanisms[i].name)) {
			term->mechanism = (uint8_t)i;
			return parse_argument(cursor_rest(&in), &mechanisms[i], term);
		}
	}
	return "unknown mechanism";
}

static const char *set_once(struct bytes *slot, struct bytes value)
{
	if (slot->data)
		return "modifier given twice";
	if (!spf_macro_valid(value, SPF_MACRO_DOMAIN))
		return "bad domain-spec";
	*slot = value;
	return NULL;
}

static const char *parse_modifier(struct bytes name, struct bytes value, struct spf_record *record)
{
	if (bytes_eq_nocase(name, BYTES("redirect")))
		return set_once(&record->redirect, value);
	if (bytes_eq_nocase(name, BYTES("exp")))
		return set_once(&record->explanation, value);
	/* §6: unknown modifiers are ignored, their syntax is not. */
	return spf_macro_valid(value, SPF_MACRO_STRING) ? NULL : "bad macro in a modifier";
}

/* A modifier is a name with "=" right behind it (§4.6.1). */
static const char *parse_term(struct bytes text, struct spf_record *record)
{
	struct cursor in = cursor_of(text);

	if (ascii_is_alpha(cursor_peek(&in))) {
		struct bytes name = cursor_take_while(&in, is_name_char);
		if (cursor_accept(&in, '='))
			return parse_modifier(name, cursor_rest(&in), record);
	}
	if (record->n_terms == SPF_RECORD_MAX_TERMS)
		return "too many terms";
	const char *error = parse_mechanism(text, &record->terms[record->n_terms]);
	if (!error)
		record->n_terms++;
	return error;
}

#define VERSION_LEN 6

/* "v=spf1", then a blank or the end (§4.5). */
static bool is_spf(struct bytes text)
{
	return bytes_starts_nocase(text, BYTES("v=spf1")) &&
	       (text.len == VERSION_LEN || text.data[VERSION_LEN] == ' ');
}

static void parse(struct bytes text, struct spf_record *record)
{
	struct bytes rest = bytes_from(text, VERSION_LEN), term;
	unsigned n = 0;

	record->status = SPF_RECORD_OK;
	while (bytes_split(&rest, ' ', &term)) {
		if (term.len == 0)
			continue;
		n++;
		record->error = parse_term(term, record);
		if (record->error) {
			record->status = SPF_RECORD_INVALID;
			record->where = term;
			return;
		}
	}
	record->bare_reject = n == 1 && record->n_terms == 1 &&
			      record->terms[0].mechanism == SPF_ALL &&
			      record->terms[0].qualifier == AUTH_FAIL;
}

/* Upper bound of the terms, to size the record. */
static size_t count_terms(struct bytes text)
{
	struct bytes rest = bytes_from(text, VERSION_LEN), term;
	size_t n = 0;

	if (!text.data)
		return 0;
	while (n < SPF_RECORD_MAX_TERMS && bytes_split(&rest, ' ', &term))
		n += term.len > 0;
	return n;
}

struct spf_record *spf_record_new(const struct dns_record *records, unsigned n)
{
	struct bytes text = {NULL, 0};
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		if (is_spf(records[i].text)) {
			text = records[i].text;
			found++;
		}
	}
	if (found != 1)
		text = (struct bytes){NULL, 0};
	size_t terms_size = count_terms(text) * sizeof(struct spf_term);
	size_t size = sizeof(struct spf_record) + terms_size + text.len;
	struct spf_record *record = malloc(size);
	if (!record)
		return NULL;
	memset(record, 0, sizeof(*record));
	record->size = (uint32_t)size;
	record->status = found ? SPF_RECORD_SEVERAL : SPF_RECORD_NONE;
	if (found == 1) {
		uint8_t *copy = (uint8_t *)record + sizeof(*record) + terms_size;
		memcpy(copy, text.data, text.len);
		parse(bytes_of(copy, text.len), record);
	}
	return record;
}

void spf_record_free(const struct spf_record *record)
{
	free((void *)(uintptr_t)record);
}

static const void *parse_answer(const struct dns_answer *answer)
{
	return spf_record_new(answer->records, answer->n);
}

static void free_parsed(const void *parsed)
{
	spf_record_free(parsed);
}

static size_t parsed_size(const void *parsed)
{
	return ((const struct spf_record *)parsed)->size;
}

const struct dns_parser spf_record_parser = {
	.parse = parse_answer,
	.free = free_parsed,
	.size = parsed_size,
};
