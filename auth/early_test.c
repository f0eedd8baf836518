#include "auth/early.h"

#include "base/epoch.h"
#include "base/testing.h"

#define NOW 1000000

static struct early *early;
static struct ip_addr client;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(ip_addr_parse(BYTES("192.0.2.7"), &client), 0);
	return early_new(NULL, NULL, (struct siphash_key){1, 2}, &early);
}

static int teardown(void **state)
{
	(void)state;
	early_free(early);
	return 0;
}

static uint64_t counted(enum early_counter id)
{
	return early_counters(early)->values[id];
}

static uint32_t expect_question(enum dns_type type, const char *name)
{
	struct dns_question question;
	uint32_t index;

	assert_true(early_next_question(early, &index, &question));
	assert_int_equal(question.type, type);
	assert_string_equal(question.name, name);
	return index;
}

static void expect_no_question(void)
{
	struct dns_question question;
	uint32_t index;

	assert_false(early_next_question(early, &index, &question));
}

static void asks_for_names_and_the_helo_record(void **state)
{
	(void)state;
	early_ask(early, &client, BYTES("MX.Example"), NOW);
	expect_question(DNS_PTR, "7.2.0.192.in-addr.arpa");
	expect_question(DNS_TXT, "mx.example");
	expect_no_question();
	/* While it is out, the same is not asked again. */
	early_ask(early, &client, BYTES("mx.example"), NOW + 1);
	expect_no_question();
	assert_int_equal(counted(EARLY_ASKED), 2);
}

static void asks_for_no_record_of_what_is_no_name(void **state)
{
	static const char *const helos[] = {
		"localhost", "[192.0.2.7]", "a..b", "", "b\xc3\xbc.example", "a.example\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(helos) / sizeof(helos[0]); i++)
		early_ask(early, &client, bytes_str(helos[i]), NOW);
	expect_question(DNS_PTR, "7.2.0.192.in-addr.arpa");
	expect_no_question();
}

static void asks_on_for_the_addresses_of_the_names(void **state)
{
	struct dns_record records[12] = {
		{.name = BYTES("a.example")}, {.name = BYTES("b.example")}};
	struct dns_answer answer = {.outcome = DNS_OK, .n = 2, .records = records};

	(void)state;
	early_ask(early, &client, BYTES("x"), NOW);
	early_answer(early, expect_question(DNS_PTR, "7.2.0.192.in-addr.arpa"), &answer, NOW + 5);
	uint32_t index = expect_question(DNS_A, "a.example");
	expect_question(DNS_A, "b.example");
	expect_no_question();
	/* Addresses lead no further; an answer of nothing, or twice, does no harm. */
	early_answer(early, index, &answer, NOW + 6);
	early_answer(early, index, &answer, NOW + 6);
	early_answer(early, UINT32_MAX, &answer, NOW + 6);
	expect_no_question();
	assert_int_equal(ip_addr_parse(BYTES("2001:db8::1"), &client), 0);
	early_ask(early, &client, BYTES("x"), NOW);
	struct dns_question question;
	assert_true(early_next_question(early, &index, &question));
	early_answer(early, index, &answer, NOW + 7);
	expect_question(DNS_AAAA, "a.example");
	expect_question(DNS_AAAA, "b.example");
	expect_no_question();
}

static void is_bounded(void **state)
{
	struct dns_question question;
	unsigned n = 0;
	uint32_t index;

	(void)state;
	for (unsigned i = 0; i < 4 * EARLY_PLACES; i++) {
		client.octets[14] = (uint8_t)(i >> 8);
		client.octets[15] = (uint8_t)i;
		early_ask(early, &client, BYTES("x"), NOW);
	}
	while (early_next_question(early, &index, &question))
		n++;
	assert_int_equal(n, EARLY_OPEN_MAX);
	assert_int_equal(counted(EARLY_ASKED), EARLY_OPEN_MAX);
	assert_int_equal(counted(EARLY_FULL), 4 * EARLY_PLACES - EARLY_OPEN_MAX);
	/* One that is answered makes room for another. */
	early_answer(early, index, dns_answer_failure(DNS_TIMEOUT), NOW);
	early_ask(early, &client, BYTES("one.more.example"), NOW);
	assert_true(counted(EARLY_ASKED) <= EARLY_OPEN_MAX + 1);
}

static void knows_when_it_asked(void **state)
{
	struct early_times times;

	(void)state;
	early_ask(early, &client, BYTES("mx.example"), NOW);
	times = early_times(early, &client, BYTES("MX.example"), NOW + 10);
	assert_int_equal(times.reverse_us, NOW);
	assert_int_equal(times.helo_us, NOW);
	times = early_times(early, &client, BYTES("other.example"), NOW + EARLY_TOLD_US);
	assert_int_equal(times.reverse_us, NOW);
	assert_int_equal(times.helo_us, 0);
	times = early_times(early, &client, BYTES("mx.example"), NOW + EARLY_TOLD_US + 1);
	assert_int_equal(times.reverse_us, 0);
}

static void asks_for_nothing_that_the_cache_has(void **state)
{
	struct dns_cache_config config = dns_cache_config_default;
	struct dns_answer like = {.outcome = DNS_NXDOMAIN, .ttl_s = 60};
	const struct dns_answer *answer = dns_answer_new(&like, NULL);
	struct dns_question question;
	struct dns_cache *cache;
	struct epoch epoch;

	(void)state;
	early_free(early);
	config.max_bytes = 1 << 20;
	assert_int_equal(epoch_init(&epoch, 1), 0);
	assert_int_equal(dns_cache_new(&config, &epoch, &cache), 0);
	assert_int_equal(
		early_new(cache, epoch_reader_at(&epoch, 0), (struct siphash_key){1, 2}, &early),
		0);
	dns_question_set_reverse(&question, &client);
	dns_cache_put(cache, &question, answer, NOW);
	dns_answer_release(answer);
	early_ask(early, &client, BYTES("mx.example"), NOW);
	expect_question(DNS_TXT, "mx.example");
	expect_no_question();
	assert_int_equal(counted(EARLY_CACHED), 1);
	dns_cache_free(cache);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			asks_for_names_and_the_helo_record, setup, teardown),
		cmocka_unit_test_setup_teardown(
			asks_for_no_record_of_what_is_no_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			asks_on_for_the_addresses_of_the_names, setup, teardown),
		cmocka_unit_test_setup_teardown(is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(knows_when_it_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			asks_for_nothing_that_the_cache_has, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
