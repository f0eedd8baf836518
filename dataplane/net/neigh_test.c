#include "dataplane/net/neigh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A cache whose owner only notes what it is told. */
static struct {
	struct neigh_cache cache;
	struct pkt_pool pool;
	unsigned live, solicits, unicast_solicits, pinned_solicits, sent, dropped[3], events[3];
	uint8_t last_mac[6];
	uint64_t now_us;
} t;

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static void note_solicit(void *owner, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac, bool pinned, uint64_t now_us)
{
	(void)owner, (void)target, (void)local, (void)now_us;
	t.solicits++;
	t.unicast_solicits += mac != NULL;
	t.pinned_solicits += pinned;
}

static void note_send(void *owner, struct pkt *pkt, const uint8_t mac[6])
{
	(void)owner;
	t.sent++;
	memcpy(t.last_mac, mac, 6);
	pkt_free(pkt);
}

static void note_drop(void *owner, struct pkt *pkt, enum neigh_drop why)
{
	(void)owner;
	t.dropped[why]++;
	pkt_free(pkt);
}

static void note_event(void *owner, enum neigh_event event)
{
	(void)owner;
	t.events[event]++;
}

static void pkt_give_back(struct pkt_pool *pool, struct pkt *pkt)
{
	(void)pool;
	t.live--;
	free(pkt);
}

static int set_up(void **state)
{
	struct neigh_owner owner = {note_solicit, note_send, note_drop, note_event, NULL};
	static const uint64_t key[2] = {1, 2};

	(void)state;
	memset(&t, 0, sizeof(t));
	t.pool.free = pkt_give_back;
	t.now_us = 5000000;
	neigh_init(&t.cache, &owner, key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	neigh_fini(&t.cache);
	assert_int_equal(t.live, 0);
	assert_int_equal(t.cache.n_pending, 0);
	return 0;
}

static struct ip_addr addr(unsigned n)
{
	return ip_addr_v4(0x0a000000 + n);
}

static void output_as(unsigned n, bool pinned)
{
	struct ip_addr to = addr(n), local = addr(0xffff);
	struct pkt *pkt = calloc(1, sizeof(*pkt));

	assert_non_null(pkt);
	pkt->pool = &t.pool;
	t.live++;
	neigh_output(&t.cache, pkt, &to, &local, pinned, t.now_us);
}

static void output(unsigned n)
{
	output_as(n, false);
}

static void learn(unsigned n, const uint8_t *mac, bool solicited, bool override, bool create)
{
	struct neigh_news news = {mac, solicited, override, create};
	struct ip_addr from = addr(n);

	neigh_learn(&t.cache, &from, &news, t.now_us);
}

static enum neigh_state state_of(unsigned n)
{
	struct ip_addr a = addr(n);
	const struct neigh_entry *e = neigh_find(&t.cache, &a);

	return e ? (enum neigh_state)e->state : NEIGH_FREE;
}

/* Run all timers until some time later. */
static void pass(uint64_t us)
{
	uint64_t end = t.now_us + us;

	for (;;) {
		uint64_t next = neigh_timers(&t.cache, t.now_us);

		if (next > end)
			break;
		assert_true(next > t.now_us);
		t.now_us = next;
	}
	t.now_us = end;
}

static void holds_packets_until_the_answer_and_sends_them_in_order(void **state)
{
	(void)state;
	output(1);
	output(1);
	assert_int_equal(t.sent, 0);
	assert_int_equal(t.solicits, 1);
	learn(1, mac_a, true, true, false);
	assert_int_equal(t.sent, 2);
	assert_memory_equal(t.last_mac, mac_a, 6);
	assert_int_equal(state_of(1), NEIGH_REACHABLE);
	output(1);
	assert_int_equal(t.sent, 3);
	assert_int_equal(t.solicits, 1);
}

static void asks_three_times_then_drops_and_stays_silent_for_a_second(void **state)
{
	(void)state;
	output(1);
	pass(2900000);
	assert_int_equal(t.solicits, 3);
	assert_int_equal(t.live, 1);
	pass(200000);
	assert_int_equal(t.dropped[NEIGH_DROP_UNREACHED], 1);
	assert_int_equal(t.events[NEIGH_EV_FAILED], 1);
	output(1);
	assert_int_equal(t.dropped[NEIGH_DROP_UNREACHED], 2);
	assert_int_equal(t.solicits, 3);
	pass(1200000);
	output(1);
	assert_int_equal(t.solicits, 4);
}

static void drops_the_oldest_of_too_many_waiting_packets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NEIGH_MAX_PENDING + 3; i++)
		output(1);
	assert_int_equal(t.dropped[NEIGH_DROP_PENDING], 3);
	assert_int_equal(t.live, NEIGH_MAX_PENDING);
	learn(1, mac_a, true, true, false);
	assert_int_equal(t.sent, NEIGH_MAX_PENDING);
}

static void bounds_waiting_packets_over_all_neighbours(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		output(n);
		output(n);
		output(n);
	}
	assert_int_equal(t.live, NEIGH_MAX_PENDING_TOTAL);
	assert_int_equal(t.dropped[NEIGH_DROP_PENDING], 600 - NEIGH_MAX_PENDING_TOTAL);
}

static void bounds_addresses_looked_for_and_lets_the_oldest_go(void **state)
{
	(void)state;
	for (unsigned n = 0; n < NEIGH_MAX_INCOMPLETE + 10; n++) {
		output(n);
		t.now_us += 10;
	}
	assert_int_equal(t.cache.n_incomplete, NEIGH_MAX_INCOMPLETE);
	assert_int_equal(t.events[NEIGH_EV_EVICTED], 10);
	assert_int_equal(state_of(0), NEIGH_FREE);
	assert_int_equal(state_of(NEIGH_MAX_INCOMPLETE + 9), NEIGH_INCOMPLETE);
}

static void a_flood_of_unknown_addresses_forgets_no_known_neighbour(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 500; n++)
		learn(n, mac_a, false, true, true);
	for (unsigned n = 1000; n < 100000; n++)
		output(n);
	for (unsigned n = 0; n < 500; n++)
		assert_int_equal(state_of(n), NEIGH_STALE);
}

static void never_forgets_a_gateway_for_others(void **state)
{
	(void)state;
	output_as(7, true);
	learn(7, mac_a, true, true, false);
	for (unsigned n = 1000; n < 1000 + 3 * NEIGH_MAX; n++)
		learn(n, mac_b, false, true, true);
	assert_int_equal(state_of(7), NEIGH_REACHABLE);
	assert_int_equal(t.cache.n_used, NEIGH_MAX);
	assert_int_equal(t.pinned_solicits, 1);
}

static void verifies_by_unicast_a_neighbour_in_use_whose_time_is_up(void **state)
{
	(void)state;
	output(1);
	learn(1, mac_a, true, true, false);
	pass(NEIGH_REACHABLE_US + 1);
	assert_int_equal(neigh_timers(&t.cache, t.now_us), UINT64_MAX);
	output(1);
	assert_int_equal(t.sent, 2); /* used meanwhile */
	assert_int_equal(state_of(1), NEIGH_DELAY);
	pass(NEIGH_DELAY_US + NEIGH_TICK_US);
	assert_int_equal(state_of(1), NEIGH_PROBE);
	assert_int_equal(t.unicast_solicits, 1);
	learn(1, mac_a, true, true, false);
	assert_int_equal(state_of(1), NEIGH_REACHABLE);
}

static void asks_all_again_when_a_verified_neighbour_is_gone(void **state)
{
	(void)state;
	learn(1, mac_a, false, true, true);
	output(1);
	pass(NEIGH_DELAY_US + 4 * NEIGH_RETRANS_US);
	assert_int_equal(t.unicast_solicits, NEIGH_PROBES);
	assert_int_equal(state_of(1), NEIGH_FREE);
	output(1);
	assert_int_equal(t.solicits, NEIGH_PROBES + 1);
	assert_int_equal(t.unicast_solicits, NEIGH_PROBES);
}

static void a_station_that_took_over_an_address_is_believed_and_verified(void **state)
{
	(void)state;
	output(1);
	learn(1, mac_a, true, true, false);
	learn(1, mac_b, false, true, false);
	assert_int_equal(state_of(1), NEIGH_STALE);
	output(1);
	assert_memory_equal(t.last_mac, mac_b, 6);
}

static void an_advertisement_without_override_only_casts_doubt(void **state)
{
	(void)state;
	output(1);
	learn(1, mac_a, true, true, false);
	learn(1, mac_b, true, false, false);
	assert_int_equal(state_of(1), NEIGH_STALE);
	output(1);
	assert_memory_equal(t.last_mac, mac_a, 6);
}

static void what_nobody_asked_for_is_not_kept(void **state)
{
	(void)state;
	learn(1, mac_a, true, true, false);
	learn(2, mac_a, false, true, false);
	learn(3, NULL, false, true, true);
	assert_int_equal(t.cache.n_used, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(holds_packets_until_the_answer_and_sends_them_in_order),
		TEST(asks_three_times_then_drops_and_stays_silent_for_a_second),
		TEST(drops_the_oldest_of_too_many_waiting_packets),
		TEST(bounds_waiting_packets_over_all_neighbours),
		TEST(bounds_addresses_looked_for_and_lets_the_oldest_go),
		TEST(a_flood_of_unknown_addresses_forgets_no_known_neighbour),
		TEST(never_forgets_a_gateway_for_others),
		TEST(verifies_by_unicast_a_neighbour_in_use_whose_time_is_up),
		TEST(asks_all_again_when_a_verified_neighbour_is_gone),
		TEST(a_station_that_took_over_an_address_is_believed_and_verified),
		TEST(an_advertisement_without_override_only_casts_doubt),
		TEST(what_nobody_asked_for_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
