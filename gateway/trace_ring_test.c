#include "gateway/trace_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct trace_ring *ring;
static char buffer[3 * TRACE_RING_TEXT];

static int setup(void **state)
{
	(void)state;
	return trace_ring_new(3, &ring);
}

static int teardown(void **state)
{
	(void)state;
	trace_ring_free(ring);
	return 0;
}

static const char *find(uint64_t queue_id)
{
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	return trace_ring_find(ring, queue_id, &text) ? text_str(&text) : NULL;
}

static void knows_the_last_mails_only(void **state)
{
	char text[16];

	(void)state;
	assert_null(find(0));
	for (uint64_t id = 1; id <= 5; id++) {
		snprintf(text, sizeof(text), "mail %u\n", (unsigned)id);
		trace_ring_put(ring, id, bytes_str(text));
	}
	assert_null(find(1));
	assert_null(find(2));
	assert_string_equal(find(3), "mail 3\n");
	assert_string_equal(find(5), "mail 5\n");
}

static void cuts_a_long_text(void **state)
{
	static uint8_t text[2 * TRACE_RING_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text));
	trace_ring_put(ring, 7, bytes_of(text, sizeof(text)));
	assert_int_equal(strlen(find(7)), TRACE_RING_TEXT);
	trace_ring_put(ring, 8, bytes_of(text, 3));
	assert_string_equal(find(8), "xxx");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_the_last_mails_only),
		TEST(cuts_a_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
