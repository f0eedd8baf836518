#include "auth/dns/dns_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void lowers_the_case_and_takes_one_final_dot_off(void **state)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	size_t len;

	(void)state;
	assert_true(dns_name_from_text(&name, BYTES("Mail.EXAMPLE.org.")));
	assert_true(dns_name_to_text(&name, text, &len));
	assert_true(bytes_eq(bytes_of(text, len), BYTES("mail.example.org")));
}

static void refuses_what_is_no_name(void **state)
{
	static const char *const wrong[] = {"", ".", "..", "a..b", ".a", "a..",
		/* a label of 64 octets */
		"0123456789012345678901234567890123456789012345678901234567890123.org"};
	struct dns_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(dns_name_from_text(&name, bytes_str(wrong[i])));
}

static void takes_253_octets_of_text_and_no_more(void **state)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 50 == 49 ? '.' : 'x';
	assert_true(dns_name_from_text(&name, bytes_of(text, DNS_NAME_TEXT_MAX)));
	assert_int_equal(name.len, DNS_NAME_WIRE_MAX);
	assert_false(dns_name_from_text(&name, bytes_of(text, DNS_NAME_TEXT_MAX + 1)));
}

static void a_dot_within_a_label_has_no_text(void **state)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	size_t len;

	(void)state;
	assert_true(dns_name_from_wire(&name, bytes_of("\x03"
						       "a.b\x01"
						       "c",
						      7)));
	assert_false(dns_name_to_text(&name, text, &len));
}

static void the_root_has_the_empty_text(void **state)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	size_t len = 1;

	(void)state;
	assert_true(dns_name_from_wire(&name, bytes_of("", 1)));
	assert_true(dns_name_to_text(&name, text, &len));
	assert_int_equal(len, 0);
}

static void follows_pointers_backwards(void **state)
{
	static const char packet[] = "\x03org\0\x01"
				     "b\xc0\x00\x01"
				     "a\xc0\x05tail";
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	size_t at = 9, len;

	(void)state;
	assert_true(dns_name_from_packet(&name, bytes_of(packet, sizeof(packet) - 1), &at));
	assert_true(dns_name_to_text(&name, text, &len));
	assert_true(bytes_eq(bytes_of(text, len), BYTES("a.b.org")));
	assert_int_equal(at, 13);
}

static void ends_on_pointers_that_do_not_lead_back(void **state)
{
	static const struct {
		const char *packet;
		size_t len, at;
	} wrong[] = {
		{"\xc0\x00", 2, 0}, /* to itself */
		{"\x01"
		 "a\xc0\x00",
			4, 0},          /* round */
		{"\xc0\x02\x00", 3, 0}, /* forward */
		{"\xc0", 1, 0},         /* half a pointer */
		{"\x05"
		 "ab",
			3, 0}, /* cut label */
		{"\x01"
		 "a",
			2, 0}, /* no end */
		{"\x40"
		 "a\x00",
			3, 0},              /* no such kind of label */
		{"", 0, 0}, {"\x00", 1, 7}, /* outside */
	};
	struct dns_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		size_t at = wrong[i].at;

		assert_false(
			dns_name_from_packet(&name, bytes_of(wrong[i].packet, wrong[i].len), &at));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowers_the_case_and_takes_one_final_dot_off),
		cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(takes_253_octets_of_text_and_no_more),
		cmocka_unit_test(a_dot_within_a_label_has_no_text),
		cmocka_unit_test(the_root_has_the_empty_text),
		cmocka_unit_test(follows_pointers_backwards),
		cmocka_unit_test(ends_on_pointers_that_do_not_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
