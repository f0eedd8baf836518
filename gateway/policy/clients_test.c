#include "gateway/policy/clients.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct clients clients;

static int setup(void **state)
{
	(void)state;
	return clients_init(&clients, 3, (struct siphash_key){1, 2});
}

static int teardown(void **state)
{
	(void)state;
	clients_fini(&clients);
	return 0;
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse(bytes_str(text), &addr), 0);
	return addr;
}

static struct client *enter(const char *text, uint32_t limit)
{
	struct ip_addr addr = ip(text);

	return clients_enter(&clients, &addr, limit);
}

static void refuses_a_client_above_its_limit_and_no_other(void **state)
{
	struct client *a, *b;

	(void)state;
	a = enter("192.0.2.1", 2);
	assert_non_null(a);
	assert_ptr_equal(enter("192.0.2.1", 2), a);
	assert_null(enter("192.0.2.1", 2));
	b = enter("192.0.2.2", 2);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(enter("192.0.2.1", 0), a);
}

static void takes_it_again_when_one_has_left(void **state)
{
	struct client *a = enter("192.0.2.1", 1);

	(void)state;
	assert_null(enter("192.0.2.1", 1));
	clients_leave(&clients, a);
	assert_int_equal(clients.entries.in_use, 0);
	assert_non_null(enter("192.0.2.1", 1));
}

static void counts_an_ipv6_client_by_its_64(void **state)
{
	(void)state;
	assert_non_null(enter("2001:db8::1", 1));
	assert_null(enter("2001:db8::ffff:1", 1));
	assert_non_null(enter("2001:db8:0:1::1", 1));
}

static void mapped_and_plain_are_one_client(void **state)
{
	(void)state;
	assert_non_null(enter("::ffff:192.0.2.1", 1));
	assert_null(enter("192.0.2.1", 1));
}

static void is_bounded(void **state)
{
	struct client *a = enter("192.0.2.1", 0);

	(void)state;
	assert_non_null(enter("192.0.2.2", 0));
	assert_non_null(enter("192.0.2.3", 0));
	assert_null(enter("192.0.2.4", 0));
	clients_leave(&clients, a);
	assert_non_null(enter("192.0.2.4", 0));
	clients_leave(&clients, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_a_client_above_its_limit_and_no_other),
		TEST(takes_it_again_when_one_has_left),
		TEST(counts_an_ipv6_client_by_its_64),
		TEST(mapped_and_plain_are_one_client),
		TEST(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
