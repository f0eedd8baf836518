#include "base/wheel.h"

#include "base/testing.h"

static void fires_never_early_and_at_most_a_tick_late(void **state)
{
	struct wheel_timer t = {0};
	struct wheel w;

	(void)state;
	wheel_init(&w, 5000000);
	wheel_arm(&w, &t, 5010001);
	assert_true(wheel_armed(&t));
	assert_null(wheel_pop_expired(&w, 5010000));
	assert_ptr_equal(wheel_pop_expired(&w, 5010001 + WHEEL_TICK_US), &t);
	assert_false(wheel_armed(&t));
	assert_null(wheel_pop_expired(&w, UINT64_MAX));
	assert_int_equal(w.armed, 0);
}

static void a_deadline_in_the_past_is_due_at_once(void **state)
{
	struct wheel_timer t = {0};
	struct wheel w;

	(void)state;
	wheel_init(&w, 1000000);
	wheel_arm(&w, &t, 3);
	assert_int_equal(wheel_next_us(&w), 0);
	assert_ptr_equal(wheel_pop_expired(&w, 1000000), &t);
	assert_true(wheel_next_us(&w) == UINT64_MAX);
}

static void a_disarmed_timer_does_not_fire(void **state)
{
	struct wheel_timer t[3] = {{0}};
	struct wheel w;

	(void)state;
	wheel_init(&w, 0);
	for (unsigned i = 0; i < 3; i++)
		wheel_arm(&w, &t[i], 70000);
	wheel_disarm(&w, &t[1]);
	wheel_disarm(&w, &t[1]);
	wheel_arm(&w, &t[2], 9000000);
	assert_ptr_equal(wheel_pop_expired(&w, 100000), &t[0]);
	assert_null(wheel_pop_expired(&w, 100000));
	assert_ptr_equal(wheel_pop_expired(&w, 10000000), &t[2]);
	assert_true(wheel_next_us(&w) == UINT64_MAX);
}

static void the_farthest_deadline_is_held(void **state)
{
	struct wheel_timer t = {0};
	struct wheel w;

	(void)state;
	wheel_init(&w, 12345);
	wheel_arm(&w, &t, UINT64_MAX);
	assert_null(wheel_pop_expired(&w, UINT64_MAX - 2 * WHEEL_TICK_US));
	assert_ptr_equal(wheel_pop_expired(&w, UINT64_MAX), &t);
}

/* next_us may be a bound, but polling at it must reach every timer in few steps. */
static void next_deadline_is_a_bound_that_leads_to_the_timer(void **state)
{
	static const uint64_t ahead_us[] = {
		1, 1024, 65535, 66000, 4200000, 300000000, 86400000000, 31536000000000};

	(void)state;
	for (size_t i = 0; i < sizeof(ahead_us) / sizeof(ahead_us[0]); i++) {
		uint64_t now = 777777777, deadline = now + ahead_us[i];
		struct wheel_timer t = {0};
		unsigned polls = 0;
		struct wheel w;

		wheel_init(&w, now);
		wheel_arm(&w, &t, deadline);
		while (wheel_pop_expired(&w, now) == NULL) {
			uint64_t next = wheel_next_us(&w);

			assert_true(next > now);
			assert_true(next < deadline + WHEEL_TICK_US);
			now = next;
			polls++;
		}
		assert_true(now >= deadline);
		assert_true(polls <= WHEEL_LEVELS);
	}
}

static uint64_t tick_of(uint64_t us)
{
	return us >> WHEEL_TICK_SHIFT;
}

/* What many connections opened together leave behind: one slot of a high level holds them all. */
enum { CROWD = 20 * WHEEL_MOVES };

static void a_crowd_is_moved_in_shares_and_keeps_its_order(void **state)
{
	static struct wheel_timer crowd[CROWD];
	const uint64_t near_us = 299000000, spread_us = 4000000;
	uint64_t seed = test_seed(4), last_tick = 0, now_us = 0;
	unsigned fired = 0, pauses = 0;
	struct wheel w;

	(void)state;
	wheel_init(&w, 0);
	for (unsigned i = 0; i < CROWD; i++)
		wheel_arm(&w, &crowd[i], near_us + test_random(&seed) % spread_us);
	while (w.armed) {
		struct wheel_timer *t = wheel_pop_expired(&w, now_us);

		if (t) {
			assert_true(t->deadline_us <= now_us);
			assert_true(tick_of(t->deadline_us + WHEEL_TICK_US - 1) >= last_tick);
			last_tick = tick_of(t->deadline_us + WHEEL_TICK_US - 1);
			fired++;
		} else if (wheel_next_us(&w) == 0) {
			/* Meanwhile others come and go. */
			wheel_disarm(&w, &crowd[test_random(&seed) % CROWD]);
			pauses++;
		} else {
			now_us = wheel_next_us(&w);
		}
	}
	assert_true(pauses >= CROWD / WHEEL_MOVES - 1);
	assert_true(fired > CROWD / 2);
	assert_true(now_us <= near_us + spread_us + WHEEL_TICK_US);
	assert_true(wheel_next_us(&w) == UINT64_MAX);
}

static void a_crowd_that_is_due_at_once_comes_out_whole(void **state)
{
	static struct wheel_timer crowd[CROWD];
	unsigned fired = 0;
	struct wheel w;

	(void)state;
	wheel_init(&w, 0);
	for (unsigned i = 0; i < CROWD; i++)
		wheel_arm(&w, &crowd[i], 5000);
	while (wheel_next_us(&w) <= 6000)
		fired += wheel_pop_expired(&w, 6000) != NULL;
	assert_int_equal(fired, CROWD);
	assert_int_equal(w.armed, 0);
}

/* The reference: all timers in an array, asked one by one. */
enum { TIMERS = 200, STEPS = 20000 };

struct model {
	struct wheel w;
	struct wheel_timer timers[TIMERS];
	uint64_t deadline_us[TIMERS]; /* 0: disarmed */
	uint64_t now_us;
	uint64_t seed;
};

static bool model_is_due(const struct model *m, unsigned i)
{
	return m->deadline_us[i] != 0 &&
	       tick_of(m->deadline_us[i] + WHEEL_TICK_US - 1) <= tick_of(m->now_us);
}

static void change_one(struct model *m)
{
	unsigned i = (unsigned)(test_random(&m->seed) % TIMERS);
	uint64_t r = test_random(&m->seed);

	if (r % 4 == 0) {
		wheel_disarm(&m->w, &m->timers[i]);
		m->deadline_us[i] = 0;
	} else {
		/* Distances from nothing to hours, each size as likely. */
		m->deadline_us[i] = m->now_us + (test_random(&m->seed) >> (r >> 8) % 32 >> 30);
		wheel_arm(&m->w, &m->timers[i], m->deadline_us[i]);
	}
}

static void pass_time(struct model *m)
{
	uint64_t last_tick = 0, next;
	struct wheel_timer *t;

	m->now_us += test_random(&m->seed) >> (test_random(&m->seed) % 30) >> 34;
	while ((t = wheel_pop_expired(&m->w, m->now_us))) {
		unsigned i = (unsigned)(t - m->timers);
		uint64_t tick = tick_of(m->deadline_us[i] + WHEEL_TICK_US - 1);

		assert_true(model_is_due(m, i));
		assert_true(tick >= last_tick || last_tick == 0);
		last_tick = tick;
		m->deadline_us[i] = 0;
	}
	next = wheel_next_us(&m->w);
	for (unsigned i = 0; i < TIMERS; i++) {
		assert_false(model_is_due(m, i));
		assert_int_equal(wheel_armed(&m->timers[i]), m->deadline_us[i] != 0);
		if (m->deadline_us[i])
			assert_true(next < m->deadline_us[i] + WHEEL_TICK_US);
	}
}

static void agrees_with_a_sorted_list(void **state)
{
	static struct model m;

	(void)state;
	m.seed = test_seed(3);
	m.now_us = test_random(&m.seed) >> 20;
	wheel_init(&m.w, m.now_us);
	for (unsigned step = 0; step < STEPS; step++) {
		change_one(&m);
		if (step % 4 == 0)
			pass_time(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_never_early_and_at_most_a_tick_late),
		cmocka_unit_test(a_deadline_in_the_past_is_due_at_once),
		cmocka_unit_test(a_disarmed_timer_does_not_fire),
		cmocka_unit_test(the_farthest_deadline_is_held),
		cmocka_unit_test(next_deadline_is_a_bound_that_leads_to_the_timer),
		cmocka_unit_test(a_crowd_is_moved_in_shares_and_keeps_its_order),
		cmocka_unit_test(a_crowd_that_is_due_at_once_comes_out_whole),
		cmocka_unit_test(agrees_with_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
