#include "auth/dns/dns_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A message as text: every test writes only what matters to it. */
struct message {
	uint8_t octets[4096];
	size_t len;
};

static void put(struct message *m, const void *data, size_t len)
{
	assert_true(m->len + len <= sizeof(m->octets));
	memcpy(m->octets + m->len, data, len);
	m->len += len;
}

static void put_u16(struct message *m, unsigned value)
{
	uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(m, octets, 2);
}

static void put_u32(struct message *m, uint32_t value)
{
	put_u16(m, value >> 16);
	put_u16(m, value & 0xffff);
}

static void put_name(struct message *m, const char *name)
{
	struct bytes rest = bytes_str(name), label;

	while (rest.len > 0 && bytes_split(&rest, '.', &label)) {
		uint8_t len = (uint8_t)label.len;

		put(m, &len, 1);
		put(m, label.data, label.len);
	}
	put(m, "", 1);
}

static void begin(struct message *m, const char *name, unsigned type, unsigned flags)
{
	m->len = 0;
	put_u16(m, 0x1234);
	put_u16(m, flags | 0x8000);
	put_u16(m, 1);
	put_u16(m, 0);
	put_u16(m, 0);
	put_u16(m, 0);
	put_name(m, name);
	put_u16(m, type);
	put_u16(m, 1);
}

enum section { ANSWER = 7, AUTHORITY = 9 };

static void add(struct message *m, enum section section, const char *name, unsigned type,
	uint32_t ttl_s, const void *data, size_t len)
{
	m->octets[section]++;
	put_name(m, name);
	put_u16(m, type);
	put_u16(m, 1);
	put_u32(m, ttl_s);
	put_u16(m, (unsigned)len);
	put(m, data, len);
}
#define ADD(m, section, name, type, ttl_s, literal)                                                \
	add(m, section, name, type, ttl_s, literal, sizeof(literal) - 1)

static struct dns_packet_scratch scratch;
static struct dns_answer answer;

static bool parse(const struct message *m, const char *name, enum dns_type type)
{
	struct dns_question question;
	/* In memory of its own length, so that a sanitizer sees a step outside. */
	uint8_t *copy = malloc(m->len ? m->len : 1);
	bool well_formed;

	assert_true(dns_question_set(&question, type, DNS_USE_RAW, bytes_str(name)));
	memcpy(copy, m->octets, m->len);
	well_formed = dns_packet_parse(bytes_of(copy, m->len), &question, &scratch, &answer);
	free(copy);
	return well_formed;
}

static bool addr_is(unsigned i, const char *text)
{
	char formatted[IP_ADDR_TEXT_MAX];

	ip_addr_format(&answer.records[i].addr, formatted);
	return i < answer.n && strcmp(formatted, text) == 0;
}

static void reads_every_type(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "Example.ORG", DNS_A, 0);
	ADD(&m, ANSWER, "example.org", DNS_A, 60, "\xc0\x00\x02\x01");
	ADD(&m, ANSWER, "example.org", DNS_A, 30, "\xc0\x00\x02\x02");
	ADD(&m, ANSWER, "other.org", DNS_A, 10, "\xc0\x00\x02\x03");
	assert_true(parse(&m, "example.org", DNS_A));
	assert_int_equal(answer.outcome, DNS_OK);
	assert_int_equal(answer.n, 2);
	assert_true(addr_is(0, "192.0.2.1") && addr_is(1, "192.0.2.2"));
	assert_int_equal(answer.ttl_s, 30);

	begin(&m, "a", DNS_AAAA, 0);
	ADD(&m, ANSWER, "a", DNS_AAAA, 1, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
	assert_true(parse(&m, "a", DNS_AAAA));
	assert_true(addr_is(0, "2001:db8::1"));

	begin(&m, "a", DNS_MX, 0);
	ADD(&m, ANSWER, "a", DNS_MX, 1, "\x01\x02\x01M\xc0\x0c");
	ADD(&m, ANSWER, "a", DNS_MX, 1, "\0\0\0");
	assert_true(parse(&m, "a", DNS_MX));
	assert_int_equal(answer.records[0].preference, 258);
	assert_true(bytes_eq(answer.records[0].name, BYTES("m.a")));
	assert_int_equal(answer.records[1].name.len, 0);

	begin(&m, "a", DNS_TXT, 0);
	ADD(&m, ANSWER, "a", DNS_TXT, 1,
		"\x03"
		"one\0\x03"
		"two");
	ADD(&m, ANSWER, "a", DNS_TXT, 1, "");
	assert_true(parse(&m, "a", DNS_TXT));
	assert_true(bytes_eq(answer.records[0].text, BYTES("onetwo")));
	assert_int_equal(answer.records[1].text.len, 0);
}

static void follows_cnames_in_any_order(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "a", DNS_A, 0);
	ADD(&m, ANSWER, "c", DNS_A, 50, "\xc0\x00\x02\x01");
	ADD(&m, ANSWER, "b", 5, 40,
		"\x01"
		"c\0");
	ADD(&m, ANSWER, "a", 5, 60,
		"\x01"
		"b\0");
	assert_true(parse(&m, "a", DNS_A));
	assert_int_equal(answer.outcome, DNS_OK);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.ttl_s, 40);
}

static void a_cname_loop_is_a_failure(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "a", DNS_A, 0);
	ADD(&m, ANSWER, "b", 5, 40,
		"\x01"
		"a\0");
	ADD(&m, ANSWER, "a", 5, 60,
		"\x01"
		"b\0");
	assert_false(parse(&m, "a", DNS_A));
	assert_int_equal(answer.outcome, DNS_SERVFAIL);
}

/* names "." and ".", then serial, refresh, retry, expire, minimum 77 */
#define SOA "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x4d"

static void negative_answers_take_their_ttl_from_the_soa(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "a", DNS_A, 0);
	ADD(&m, AUTHORITY, "", 6, 600, SOA);
	assert_true(parse(&m, "a", DNS_A));
	assert_int_equal(answer.outcome, DNS_NODATA);
	assert_int_equal(answer.ttl_s, 77);

	begin(&m, "a", DNS_A, 3);
	ADD(&m, AUTHORITY, "", 6, 7, SOA);
	assert_true(parse(&m, "a", DNS_A));
	assert_int_equal(answer.outcome, DNS_NXDOMAIN);
	assert_int_equal(answer.ttl_s, 7);

	begin(&m, "a", DNS_A, 3);
	assert_true(parse(&m, "a", DNS_A));
	assert_int_equal(answer.ttl_s, 0);
}

static void other_rcodes_are_failures(void **state)
{
	struct message m;

	(void)state;
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		begin(&m, "a", DNS_A, rcode);
		if (rcode == 3)
			continue;
		assert_true(parse(&m, "a", DNS_A));
		assert_int_equal(answer.outcome, DNS_SERVFAIL);
	}
}

/* As text it would be a name that somebody else owns. */
static void a_name_with_a_dot_in_a_label_is_passed_over(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "a", DNS_PTR, 0);
	ADD(&m, ANSWER, "a", DNS_PTR, 1,
		"\x0b"
		"example.org\0");
	assert_true(parse(&m, "a", DNS_PTR));
	assert_int_equal(answer.outcome, DNS_NODATA);
	ADD(&m, ANSWER, "a", DNS_PTR, 1,
		"\x07"
		"example\x03org\0");
	assert_true(parse(&m, "a", DNS_PTR));
	assert_int_equal(answer.n, 1);
	assert_true(bytes_eq(answer.records[0].name, BYTES("example.org")));
}

static void a_ttl_with_its_top_bit_set_is_zero(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "a", DNS_A, 0);
	ADD(&m, ANSWER, "a", DNS_A, 0x80000001, "\xc0\x00\x02\x01");
	assert_true(parse(&m, "a", DNS_A));
	assert_int_equal(answer.ttl_s, 0);
}

static void refuses_what_does_not_hold_together(void **state)
{
	struct message m;

	(void)state;
	begin(&m, "b", DNS_A, 0);
	assert_false(parse(&m, "a", DNS_A));   /* another name */
	assert_false(parse(&m, "b", DNS_TXT)); /* another type */
	begin(&m, "a", DNS_A, 0x0200);
	assert_false(parse(&m, "a", DNS_A)); /* truncated */
	begin(&m, "a", DNS_A, 0);
	ADD(&m, ANSWER, "a", DNS_A, 1, "\xc0\x00\x02");
	assert_false(parse(&m, "a", DNS_A)); /* three octets of address */
	begin(&m, "a", DNS_TXT, 0);
	ADD(&m, ANSWER, "a", DNS_TXT, 1,
		"\x04"
		"one");
	assert_false(parse(&m, "a", DNS_TXT)); /* a string beyond its record */
	begin(&m, "a", DNS_MX, 0);
	ADD(&m, ANSWER, "a", DNS_MX, 1, "\0\1");
	assert_false(parse(&m, "a", DNS_MX)); /* no name */
	begin(&m, "a", DNS_PTR, 0);
	ADD(&m, ANSWER, "a", DNS_PTR, 1, "\1b\0x");
	assert_false(parse(&m, "a", DNS_PTR)); /* more than a name */
}

static void no_prefix_of_a_message_is_one(void **state)
{
	struct message whole, cut;

	(void)state;
	begin(&whole, "a.b", DNS_MX, 0);
	ADD(&whole, ANSWER, "a.b", DNS_MX, 1, "\x01\x02\x01m\xc0\x0c");
	ADD(&whole, AUTHORITY, "", 6, 600, SOA);
	assert_true(parse(&whole, "a.b", DNS_MX));
	size_t answers_end = whole.len - (1 + 10 + sizeof(SOA) - 1);

	for (size_t len = 0; len < answers_end; len++) {
		cut = whole;
		cut.len = len;
		assert_false(parse(&cut, "a.b", DNS_MX));
		assert_int_equal(answer.outcome, DNS_SERVFAIL);
		assert_int_equal(answer.n, 0);
	}
}

static void more_records_than_an_answer_holds_are_a_failure(void **state)
{
	static struct message m;

	(void)state;
	begin(&m, "a", DNS_TXT, 0);
	for (unsigned i = 0; i < 255; i++)
		ADD(&m, ANSWER, "a", DNS_TXT, 1, "");
	assert_true(parse(&m, "a", DNS_TXT));
	assert_int_equal(answer.n, 255);
	m.octets[6] = 0x20; /* claims 8,447 */
	assert_false(parse(&m, "a", DNS_TXT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(follows_cnames_in_any_order),
		cmocka_unit_test(a_cname_loop_is_a_failure),
		cmocka_unit_test(negative_answers_take_their_ttl_from_the_soa),
		cmocka_unit_test(other_rcodes_are_failures),
		cmocka_unit_test(a_name_with_a_dot_in_a_label_is_passed_over),
		cmocka_unit_test(a_ttl_with_its_top_bit_set_is_zero),
		cmocka_unit_test(refuses_what_does_not_hold_together),
		cmocka_unit_test(no_prefix_of_a_message_is_one),
		cmocka_unit_test(more_records_than_an_answer_holds_are_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
