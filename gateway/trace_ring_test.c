#include "gateway/trace_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct trace_ring *ring;
static char buffer[3 * TRACE_RING_RECORD];

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
	static uint8_t text[2 * TRACE_RING_RECORD];

	(void)state;
	memset(text, 'x', sizeof(text));
	trace_ring_put(ring, 7, bytes_of(text, sizeof(text)));
	assert_int_equal(strlen(find(7)), TRACE_RING_RECORD);
	trace_ring_put(ring, 8, bytes_of(text, 3));
	assert_string_equal(find(8), "xxx");
}

static void gives_each_record_once_in_turn(void **state)
{
	uint64_t seen = 0, id = 0;
	struct text text;

	(void)state;
	text_init(&text, buffer, sizeof(buffer));
	assert_false(trace_ring_next(ring, &seen, &id, &text));
	trace_ring_put(ring, 1, BYTES("a"));
	trace_ring_put(ring, 2, BYTES("b"));
	assert_true(trace_ring_next(ring, &seen, &id, &text));
	assert_int_equal(id, 1);
	assert_true(trace_ring_next(ring, &seen, &id, &text));
	assert_false(trace_ring_next(ring, &seen, &id, &text));
	assert_string_equal(text_str(&text), "ab");
	/* Of five more the ring of three has the last. */
	for (uint64_t i = 3; i < 8; i++)
		trace_ring_put(ring, i, BYTES("c"));
	for (uint64_t i = 5; i < 8; i++) {
		assert_true(trace_ring_next(ring, &seen, &id, &text));
		assert_int_equal(id, i);
	}
	assert_false(trace_ring_next(ring, &seen, &id, &text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_the_last_mails_only),
		TEST(cuts_a_long_text),
		TEST(gives_each_record_once_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
