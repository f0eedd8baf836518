#include "auth/dns/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_question_is_lower_case_without_final_dot(void **state)
{
	struct dns_question q;

	(void)state;
	assert_true(dns_question_set(&q, DNS_TXT, DNS_USE_SPF, BYTES("Example.ORG.")));
	assert_string_equal(q.name, "example.org");
	assert_int_equal(q.name_len, 11);
	assert_int_equal(q.type, DNS_TXT);
	assert_int_equal(q.use, DNS_USE_SPF);
	assert_false(dns_question_set(&q, DNS_TXT, DNS_USE_SPF, BYTES("a..b")));
	assert_false(dns_question_set(&q, DNS_TXT, DNS_USE_SPF, BYTES("")));
}

static void reverse_names_of_both_families(void **state)
{
	struct dns_question q;
	struct ip_addr addr;

	(void)state;
	assert_int_equal(ip_addr_parse(BYTES("192.0.2.130"), &addr), 0);
	dns_question_set_reverse(&q, &addr);
	assert_string_equal(q.name, "130.2.0.192.in-addr.arpa");
	assert_int_equal(ip_addr_parse(BYTES("2001:db8::567:89ab"), &addr), 0);
	dns_question_set_reverse(&q, &addr);
	assert_string_equal(
		q.name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_int_equal(q.name_len, 72);
	assert_int_equal(q.type, DNS_PTR);
}

static void outcomes_have_words(void **state)
{
	(void)state;
	assert_string_equal(dns_outcome_word(DNS_OK), "ok");
	assert_string_equal(dns_outcome_word(DNS_BOGUS), "bogus");
}

static unsigned freed;

static const void *parse_count(const struct dns_answer *answer)
{
	uint16_t *count = malloc(sizeof(*count));

	*count = answer->n;
	return count;
}

static void free_count(const void *parsed)
{
	freed++;
	free((void *)(uintptr_t)parsed);
}

static size_t size_count(const void *parsed)
{
	(void)parsed;
	return 2;
}

static const void *parse_nothing(const struct dns_answer *answer)
{
	(void)answer;
	return NULL;
}

static void an_answer_copies_its_records_and_lives_until_the_last_release(void **state)
{
	static const struct dns_parser parser = {parse_count, free_count, size_count};
	char text[] = "hello";
	struct dns_record records[] = {{.text = bytes_str(text)}, {.preference = 7}};
	struct dns_answer like = {.outcome = DNS_OK, .ttl_s = 9, .n = 2, .records = records};
	const struct dns_answer *answer = dns_answer_new(&like, &parser);

	(void)state;
	freed = 0;
	memset(text, 'x', 5);
	records[1].preference = 0;
	assert_non_null(answer);
	assert_true(bytes_eq(answer->records[0].text, BYTES("hello")));
	assert_int_equal(answer->records[1].preference, 7);
	assert_int_equal(*(const uint16_t *)answer->parsed, 2);
	assert_int_equal(
		answer->bytes, sizeof(struct dns_answer) + 2 * sizeof(struct dns_record) + 5 + 2);
	dns_answer_hold(answer);
	dns_answer_release(answer);
	assert_int_equal(freed, 0);
	dns_answer_release(answer);
	assert_int_equal(freed, 1);
}

static void only_an_answer_with_records_is_parsed(void **state)
{
	static const struct dns_parser parser = {parse_count, free_count, NULL};
	struct dns_answer like = {.outcome = DNS_NODATA};
	const struct dns_answer *answer = dns_answer_new(&like, &parser);

	(void)state;
	assert_null(answer->parsed);
	dns_answer_release(answer);
}

static void no_answer_where_its_parser_found_no_memory(void **state)
{
	static const struct dns_parser parser = {parse_nothing, NULL, NULL};
	struct dns_answer like = {.outcome = DNS_OK};

	(void)state;
	assert_null(dns_answer_new(&like, &parser));
}

static void failures_are_always_there(void **state)
{
	const struct dns_answer *answer = dns_answer_failure(DNS_TIMEOUT);

	(void)state;
	for (int i = 0; i < 3; i++)
		dns_answer_release(answer);
	assert_int_equal(answer->outcome, DNS_TIMEOUT);
	assert_true(dns_answer_is_temporary(answer));
	assert_false(dns_answer_is_temporary(dns_answer_failure(DNS_NXDOMAIN)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_lower_case_without_final_dot),
		cmocka_unit_test(reverse_names_of_both_families),
		cmocka_unit_test(outcomes_have_words),
		cmocka_unit_test(an_answer_copies_its_records_and_lives_until_the_last_release),
		cmocka_unit_test(only_an_answer_with_records_is_parsed),
		cmocka_unit_test(no_answer_where_its_parser_found_no_memory),
		cmocka_unit_test(failures_are_always_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
