#include "base/pages.h"

#include "base/testing.h"

static void gives_zeroed_memory_on_a_huge_page_boundary(void **state)
{
	static const size_t sizes[] = {1, 4096, 5000, 3 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *pages = pages_reserve(sizes[i]);

		assert_non_null(pages);
		assert_int_equal((uintptr_t)pages % PAGES_HUGE, 0);
		pages_want_huge(pages, sizes[i]);
		assert_int_equal(pages[0], 0);
		assert_int_equal(pages[sizes[i] - 1], 0);
		memset(pages, 1, sizes[i]);
		pages_release(pages, sizes[i]);
	}
}

static void reserves_far_more_than_there_is(void **state)
{
	size_t len = (size_t)1 << 40;
	uint8_t *pages = pages_reserve(len);

	(void)state;
	assert_non_null(pages);
	pages[len / 2] = 1;
	pages_release(pages, len);
}

static void refuses_what_cannot_be(void **state)
{
	(void)state;
	assert_null(pages_reserve(0));
	assert_null(pages_reserve(SIZE_MAX));
	assert_null(pages_reserve(SIZE_MAX / 4));
	pages_release(NULL, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_memory_on_a_huge_page_boundary),
		cmocka_unit_test(reserves_far_more_than_there_is),
		cmocka_unit_test(refuses_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
