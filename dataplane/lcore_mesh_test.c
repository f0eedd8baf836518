#include "dataplane/lcore_mesh.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t key[RSS_KEY_LEN] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41};
static struct lcore_mesh *mesh;
static unsigned freed;

static void count_free(struct pkt_pool *pool, struct pkt *pkt)
{
	(void)pool, (void)pkt;
	freed++;
}

static struct pkt_pool pool = {NULL, count_free};
static struct pkt packet = {.pool = &pool};

static int set_up(void **state)
{
	(void)state;
	freed = 0;
	return lcore_mesh_new(3, key, &mesh);
}

static int tear_down(void **state)
{
	(void)state;
	lcore_mesh_free(mesh);
	mesh = NULL;
	return 0;
}

static bool pass(unsigned from, unsigned to, uint16_t mark)
{
	struct lcore_item item = {.kind = LCORE_ICMP, .icmp = {.local_port = mark}};

	return lcore_mesh_pass(mesh, from, to, &item);
}

static void takes_in_order_what_each_lcore_passed(void **state)
{
	struct lcore_item item;
	uint16_t next[3] = {0};

	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		assert_true(pass(1, 0, i));
		assert_true(pass(2, 0, (uint16_t)(0x8000 | i)));
	}
	assert_true(lcore_mesh_waiting(mesh, 0));
	assert_false(lcore_mesh_waiting(mesh, 1));
	for (unsigned i = 0; i < 200; i++) {
		unsigned from;

		assert_true(lcore_mesh_take(mesh, 0, &item));
		from = item.icmp.local_port & 0x8000 ? 2 : 1;
		assert_int_equal(item.icmp.local_port & 0x7fff, next[from]++);
		/* Neither starves the other. */
		assert_in_range(next[1] - next[2] + 1, 0, 2);
	}
	assert_false(lcore_mesh_take(mesh, 0, &item));
	assert_false(lcore_mesh_waiting(mesh, 0));
}

static void a_full_ring_takes_no_more_and_holds_up_no_other(void **state)
{
	struct lcore_item item;

	(void)state;
	for (unsigned i = 0; i < LCORE_MESH_RING; i++)
		assert_true(pass(0, 1, (uint16_t)i));
	assert_false(pass(0, 1, 0));
	assert_true(pass(0, 2, 0));
	assert_true(pass(2, 1, 0));
	assert_true(lcore_mesh_take(mesh, 1, &item));
	assert_true(lcore_mesh_take(mesh, 1, &item));
	assert_true(pass(0, 1, 0));
}

static void segments_never_taken_go_back_to_their_pool(void **state)
{
	struct lcore_item item = {.kind = LCORE_SEGMENT, .pkt = &packet};

	(void)state;
	assert_true(lcore_mesh_pass(mesh, 0, 1, &item));
	assert_true(lcore_mesh_pass(mesh, 2, 1, &item));
	assert_true(pass(0, 1, 0));
	lcore_mesh_free(mesh);
	mesh = NULL;
	assert_int_equal(freed, 2);
}

static void flows_spread_over_all_lcores(void **state)
{
	struct ip_addr local = ip_addr_v4(0xc0000202);
	unsigned flows[3] = {0};

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		struct ip_addr peer = ip_addr_v4(0xc6336400 + i % 7);

		flows[lcore_mesh_owner(mesh, &peer, (uint16_t)(20000 + i), &local, 25)]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(flows[i], 600, 1400);
}

static bool rings(struct doorbell *bell)
{
	struct pollfd fd = {.fd = doorbell_fd(bell), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void wakes_a_sleeper_that_was_passed_something(void **state)
{
	struct doorbell bells[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(doorbell_init(&bells[i]), 0);
		lcore_mesh_set_bell(mesh, i, &bells[i]);
		doorbell_prepare(&bells[i]);
	}
	assert_true(pass(0, 1, 0));
	assert_false(rings(&bells[1]));
	lcore_mesh_ring(mesh, 0);
	assert_true(rings(&bells[1]));
	assert_false(rings(&bells[2]));
	doorbell_clear(&bells[1]);
	doorbell_prepare(&bells[1]);
	lcore_mesh_ring(mesh, 0); /* nothing passed since */
	assert_false(rings(&bells[1]));
	for (unsigned i = 0; i < 3; i++)
		doorbell_fini(&bells[i]);
}

static void refuses_a_mesh_of_one_or_too_many(void **state)
{
	struct lcore_mesh *other;

	(void)state;
	assert_int_equal(lcore_mesh_new(1, key, &other), -EINVAL);
	assert_int_equal(lcore_mesh_new(PORT_MAX_QUEUES + 1, key, &other), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(takes_in_order_what_each_lcore_passed),
		TEST(a_full_ring_takes_no_more_and_holds_up_no_other),
		TEST(segments_never_taken_go_back_to_their_pool),
		TEST(flows_spread_over_all_lcores),
		TEST(wakes_a_sleeper_that_was_passed_something),
		TEST(refuses_a_mesh_of_one_or_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
