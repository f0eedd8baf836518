#include "base/arena.h"

#include "base/testing.h"

static void allocates_aligned_and_apart(void **state)
{
	struct slab blocks;
	struct arena a;
	uint8_t *p[300];

	(void)state;
	assert_int_equal(slab_init(&blocks, ARENA_BLOCK_SIZE, 8), 0);
	arena_init(&a, &blocks, 8);
	for (unsigned i = 0; i < 300; i++) {
		size_t align = (size_t)1 << (i % 5);

		p[i] = arena_alloc(&a, 10 + i % 7, align);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % align, 0);
		memset(p[i], (int)i, 10 + i % 7);
	}
	for (unsigned i = 0; i < 300; i++)
		for (unsigned k = 0; k < 10 + i % 7; k++)
			assert_int_equal(p[i][k], (uint8_t)i);
	assert_true(a.block_count > 1);
	arena_fini(&a);
	assert_int_equal(blocks.in_use, 0);
	slab_fini(&blocks);
}

static void stops_at_its_bounds(void **state)
{
	struct slab blocks;
	struct arena a, b;
	size_t max;

	(void)state;
	assert_int_equal(slab_init(&blocks, ARENA_BLOCK_SIZE, 3), 0);
	arena_init(&a, &blocks, 2);
	arena_init(&b, &blocks, 9);
	max = arena_alloc_max(&a);
	assert_null(arena_alloc(&a, max + 1, 1));
	assert_null(arena_alloc(&a, SIZE_MAX, 16));
	assert_int_equal(a.block_count, 0);
	assert_non_null(arena_alloc(&a, max, 1));
	assert_non_null(arena_alloc(&a, max, 1));
	assert_null(arena_alloc(&a, 1, 1));
	assert_int_equal(a.refused, 3);
	assert_non_null(arena_alloc(&b, max, 1));
	assert_null(arena_alloc(&b, 1, 1));
	assert_null(arena_dup(&b, BYTES("x")).data);
	assert_null(arena_str(&b, BYTES("")));
	assert_null(arena_printf(&b, "x").data);
	arena_reset(&a);
	assert_non_null(arena_alloc(&b, 1, 1));
	arena_fini(&b);
	assert_int_equal(blocks.in_use, 0);
	slab_fini(&blocks);
}

static void copies_and_formats(void **state)
{
	struct slab blocks;
	struct arena a;
	uint64_t *zero;

	(void)state;
	assert_int_equal(slab_init(&blocks, ARENA_BLOCK_SIZE, 2), 0);
	arena_init(&a, &blocks, 2);
	assert_bytes_equal(arena_dup(&a, BYTES("a\0b")), "a\0b");
	assert_non_null(arena_dup(&a, (struct bytes){NULL, 0}).data);
	assert_string_equal(arena_str(&a, BYTES("abc")), "abc");
	assert_bytes_equal(arena_printf(&a, "%s=%d", "x", 5), "x=5");
	zero = ARENA_NEW(&a, uint64_t);
	assert_int_equal(*zero, 0);
	assert_int_equal((uintptr_t)zero % 8, 0);
	arena_fini(&a);
	slab_fini(&blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocates_aligned_and_apart),
		cmocka_unit_test(stops_at_its_bounds),
		cmocka_unit_test(copies_and_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
