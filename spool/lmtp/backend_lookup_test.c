#include "spool/lmtp/backend_lookup.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/testing.h"

#define PATIENCE_MS 60000

static uint16_t port_of(const struct backend_address *a)
{
	if (a->addr.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->addr)->sin_port);
	return a->addr.ss_family == AF_INET6
		       ? ntohs(((const struct sockaddr_in6 *)&a->addr)->sin6_port)
		       : 0;
}

static void only_host_names_are_looked_up(void **state)
{
	static const char *const none[] = {
		"unix:/run/lmtp", "tcp:127.0.0.1:24", "tcp:[::1]:24", "tcp:24"};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(backend_lookup_new(none[i], 0));
}

static void what_was_found_serves_the_connections_after_that(void **state)
{
	struct backend_lookup *l = backend_lookup_new("tcp:localhost:2424", 0);
	struct backend_address address = {.len = 0};

	(void)state;
	assert_non_null(l);
	backend_lookup_use(l, BACKEND_LOOKUP_AGE_US - 1, &address);
	assert_int_equal(address.len, 0); /* it was looked up a moment ago */
	for (unsigned ms = 0; address.len == 0 && ms < PATIENCE_MS; ms++) {
		backend_lookup_use(l, BACKEND_LOOKUP_AGE_US + ms, &address);
		usleep(1000);
	}
	assert_int_equal(port_of(&address), 2424);
	backend_lookup_free(l);
}

static void one_that_runs_can_be_let_go(void **state)
{
	struct backend_lookup *l = backend_lookup_new("tcp:localhost:1", 0);
	struct backend_address address = {.len = 0};

	(void)state;
	backend_lookup_use(l, BACKEND_LOOKUP_AGE_US, &address);
	backend_lookup_free(l);
	backend_lookup_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_host_names_are_looked_up),
		cmocka_unit_test(what_was_found_serves_the_connections_after_that),
		cmocka_unit_test(one_that_runs_can_be_let_go),
	};

	return cmocka_run_group_tests_name("spool/lmtp backend_lookup", tests, NULL, NULL);
}
