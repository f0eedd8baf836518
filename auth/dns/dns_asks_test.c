#include "auth/dns/dns_asks.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCKS 64

struct asker {
	struct dns_asks *asks;
	unsigned answered;
	uint32_t last_tag;
	bool asks_again;
};

struct fixture {
	struct slab slab;
	struct arena arena;
	struct dns_asks asks;
	struct asker asker;
	struct dns_question question;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	if (slab_init(&f.slab, ARENA_BLOCK_SIZE, BLOCKS) != 0)
		return -1;
	arena_init(&f.arena, &f.slab, BLOCKS);
	dns_asks_init(&f.asks, &f.arena);
	f.asker.asks = &f.asks;
	dns_question_set(&f.question, DNS_A, DNS_USE_RAW, BYTES("example.org"));
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dns_asks_fini(&f->asks);
	arena_fini(&f->arena);
	slab_fini(&f->slab);
	return 0;
}

static void on_answer(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct asker *asker = owner;
	struct dns_question next;

	(void)answer;
	asker->answered++;
	asker->last_tag = tag;
	if (asker->asks_again && dns_question_set(&next, DNS_A, DNS_USE_RAW, BYTES("next.org")))
		dns_ask(asker->asks, &next, on_answer, asker, tag + 1);
}

static const struct dns_answer *new_answer(void)
{
	struct dns_answer like = {.outcome = DNS_NXDOMAIN};

	return dns_answer_new(&like, NULL);
}

static void questions_go_out_in_order_and_answers_come_back_by_index(void **state)
{
	struct fixture *f = *state;
	const struct dns_answer *answer = new_answer();

	assert_int_equal(dns_asks_take(&f->asks, 1), -1);
	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 10));
	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 11));
	assert_int_equal(f->asker.answered, 0);
	assert_int_equal(f->asks.open, 2);
	assert_int_equal(dns_asks_take(&f->asks, 5), 0);
	assert_int_equal(dns_asks_take(&f->asks, 6), 1);
	assert_int_equal(dns_asks_take(&f->asks, 7), -1);
	dns_asks_answer(&f->asks, 1, answer, 9);
	assert_int_equal(f->asker.last_tag, 11);
	assert_int_equal(f->asks.open, 1);
	assert_int_equal(f->asks.ask[1]->asked_us, 6);
	assert_int_equal(f->asks.ask[1]->answered_us, 9);
	assert_int_equal(atomic_load(&answer->holds), 2);
	dns_asks_fini(&f->asks);
	assert_int_equal(atomic_load(&answer->holds), 1);
	dns_answer_release(answer);
}

static void an_answer_may_bring_the_next_question(void **state)
{
	struct fixture *f = *state;

	f->asker.asks_again = true;
	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 1));
	assert_int_equal(dns_asks_take(&f->asks, 0), 0);
	dns_asks_answer(&f->asks, 0, dns_answer_failure(DNS_NODATA), 0);
	assert_int_equal(dns_asks_take(&f->asks, 0), 1);
	assert_string_equal(f->asks.ask[1]->question.name, "next.org");
}

static void doubled_and_strange_answers_are_ignored(void **state)
{
	struct fixture *f = *state;

	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 1));
	assert_int_equal(dns_asks_take(&f->asks, 0), 0);
	dns_asks_answer(&f->asks, 7, dns_answer_failure(DNS_NODATA), 0);
	assert_int_equal(f->asker.answered, 0);
	dns_asks_answer(&f->asks, 0, dns_answer_failure(DNS_NODATA), 0);
	dns_asks_answer(&f->asks, 0, dns_answer_failure(DNS_TIMEOUT), 0);
	assert_int_equal(f->asker.answered, 1);
	assert_int_equal(f->asks.ask[0]->answer->outcome, DNS_NODATA);
}

static void one_answered_before_it_was_taken_does_not_go_out(void **state)
{
	struct fixture *f = *state;

	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 1));
	assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 2));
	dns_asks_answer(&f->asks, 0, dns_answer_failure(DNS_TIMEOUT), 0);
	assert_int_equal(dns_asks_take(&f->asks, 0), 1);
	assert_int_equal(dns_asks_take(&f->asks, 0), -1);
}

static void the_number_of_questions_is_bounded(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < DNS_ASKS_MAX; i++)
		assert_true(dns_ask(&f->asks, &f->question, on_answer, &f->asker, i));
	assert_false(dns_ask(&f->asks, &f->question, on_answer, &f->asker, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			questions_go_out_in_order_and_answers_come_back_by_index, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			an_answer_may_bring_the_next_question, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			doubled_and_strange_answers_are_ignored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_answered_before_it_was_taken_does_not_go_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_number_of_questions_is_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
