#include "base/epoch.h"

#include <errno.h>
#include <pthread.h>

#include "base/testing.h"

struct entry {
	struct epoch_retired retired;
	uint64_t value;
	bool *freed;
};

static void mark_freed(void *object)
{
	*((struct entry *)object)->freed = true;
}

static void frees_only_what_no_reader_can_see(void **state)
{
	bool a_freed = false, b_freed = false;
	struct entry a = {.freed = &a_freed}, b = {.freed = &b_freed};
	static struct epoch e;
	struct epoch_reader *early, *late;

	(void)state;
	assert_int_equal(epoch_init(&e, 2), 0);
	early = epoch_reader_at(&e, 0);
	late = epoch_reader_at(&e, 1);
	epoch_enter(early);
	epoch_retire(&e, &a.retired, mark_freed, &a);
	epoch_enter(late);
	epoch_retire(&e, &b.retired, mark_freed, &b);
	assert_int_equal(epoch_reclaim(&e), 0);
	epoch_exit(early);
	assert_int_equal(epoch_reclaim(&e), 1);
	assert_true(a_freed);
	assert_false(b_freed);
	/* One who enters now never sees b. */
	epoch_enter(early);
	epoch_exit(late);
	assert_int_equal(epoch_reclaim(&e), 1);
	assert_true(b_freed);
	assert_int_equal(e.pending, 0);
	epoch_exit(early);
	epoch_fini(&e);
}

static void fini_frees_the_rest(void **state)
{
	bool freed = false;
	struct entry a = {.freed = &freed};
	static struct epoch e;

	(void)state;
	assert_int_equal(epoch_init(&e, 0), 0);
	assert_null(epoch_reader_at(&e, 0));
	epoch_retire(&e, &a.retired, mark_freed, &a);
	epoch_fini(&e);
	assert_true(freed);
	assert_int_equal(epoch_init(&e, EPOCH_MAX_READERS + 1), -EINVAL);
}

enum { VERSIONS = 20000 };

struct shared {
	struct epoch epoch;
	struct entry *_Atomic current;
	_Atomic bool stop;
	uint64_t went_back;
};

static void *reader_main(void *arg)
{
	struct shared *s = arg;
	struct epoch_reader *reader = epoch_reader_at(&s->epoch, 0);
	uint64_t last = 0;

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		struct entry *entry;

		epoch_enter(reader);
		entry = atomic_load_explicit(&s->current, memory_order_acquire);
		s->went_back += entry->value < last;
		last = entry->value;
		epoch_exit(reader);
	}
	return NULL;
}

/* The sanitizers see a read of a freed entry; without them a value would go back. */
static void readers_in_other_threads_see_only_live_entries(void **state)
{
	static struct shared s;
	pthread_t thread;

	(void)state;
	assert_int_equal(epoch_init(&s.epoch, 1), 0);
	atomic_store(&s.current, calloc(1, sizeof(struct entry)));
	assert_int_equal(pthread_create(&thread, NULL, reader_main, &s), 0);
	for (uint64_t version = 1; version <= VERSIONS; version++) {
		struct entry *fresh = calloc(1, sizeof(*fresh)), *old;

		fresh->value = version;
		old = atomic_exchange_explicit(&s.current, fresh, memory_order_acq_rel);
		epoch_retire(&s.epoch, &old->retired, free, old);
		epoch_reclaim(&s.epoch);
	}
	atomic_store(&s.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(s.went_back, 0);
	epoch_fini(&s.epoch);
	assert_int_equal(s.epoch.pending, 0);
	free(atomic_load(&s.current));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frees_only_what_no_reader_can_see),
		cmocka_unit_test(fini_frees_the_rest),
		cmocka_unit_test(readers_in_other_threads_see_only_live_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
