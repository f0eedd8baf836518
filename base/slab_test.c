#include "base/slab.h"

#include <errno.h>

#include "base/poison_priv.h"
#include "base/testing.h"

static void gives_distinct_aligned_objects_up_to_its_bound(void **state)
{
	void *out[100];
	struct slab s;

	(void)state;
	assert_int_equal(slab_init(&s, 52, 100), 0);
	for (unsigned i = 0; i < 100; i++) {
		out[i] = slab_get(&s);
		assert_non_null(out[i]);
		assert_int_equal((uintptr_t)out[i] % SLAB_ALIGN, 0);
		memset(out[i], (int)i, 52);
	}
	assert_null(slab_get(&s));
	assert_int_equal(s.exhausted, 1);
	assert_int_equal(s.in_use, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(((uint8_t *)out[i])[0], i);
		assert_int_equal(((uint8_t *)out[i])[51], i);
		slab_put(&s, out[i]);
	}
	assert_int_equal(s.in_use, 0);
	assert_int_equal(s.in_use_peak, 100);
	slab_fini(&s);
}

static void objects_keep_their_number(void **state)
{
	struct slab s;
	void *a, *b;

	(void)state;
	assert_int_equal(slab_init(&s, 64, 8), 0);
	assert_null(slab_at(&s, 0));
	a = slab_get(&s);
	b = slab_get(&s);
	assert_int_equal((uintptr_t)a % 64, 0);
	assert_int_equal(slab_index(&s, a), 0);
	assert_int_equal(slab_index(&s, b), 1);
	assert_ptr_equal(slab_at(&s, 1), b);
	slab_put(&s, a);
	assert_ptr_equal(slab_get(&s), a);
	assert_null(slab_at(&s, 2));
	slab_fini(&s);
}

static void crosses_steps_of_memory(void **state)
{
	enum { SIZE = 4096, COUNT = 1100 };
	struct slab s;

	(void)state;
	assert_int_equal(slab_init(&s, SIZE, COUNT), 0);
	for (unsigned i = 0; i < COUNT; i++)
		memset(slab_get(&s), 1, SIZE);
	assert_null(slab_get(&s));
	assert_int_equal(s.advised, 3 * (size_t)SLAB_STEP);
	slab_fini(&s);
}

static void refuses_sizes_that_make_no_sense(void **state)
{
	struct slab s;

	(void)state;
	assert_int_equal(slab_init(&s, 0, 1), -EINVAL);
	assert_int_equal(slab_init(&s, 16, 0), -EINVAL);
	assert_int_equal(slab_init(&s, SIZE_MAX, 1), -EINVAL);
	assert_int_equal(slab_init(&s, SIZE_MAX / 8, 100), -EINVAL);
	slab_fini(&s);
}

static void what_is_not_out_is_poisoned(void **state)
{
#ifdef POISON_ACTIVE
	struct slab s;
	uint8_t *object;

	(void)state;
	assert_int_equal(slab_init(&s, 32, 4), 0);
	object = slab_get(&s);
	assert_false(__asan_address_is_poisoned(object + 31));
	assert_true(__asan_address_is_poisoned(object + 32));
	slab_put(&s, object);
	assert_true(__asan_address_is_poisoned(object));
	slab_fini(&s);
#else
	(void)state;
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_distinct_aligned_objects_up_to_its_bound),
		cmocka_unit_test(objects_keep_their_number),
		cmocka_unit_test(crosses_steps_of_memory),
		cmocka_unit_test(refuses_sizes_that_make_no_sense),
		cmocka_unit_test(what_is_not_out_is_poisoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
