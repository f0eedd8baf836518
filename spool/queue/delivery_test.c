#include "spool/queue/world_harness.h"

#include <errno.h>
#include <unistd.h>

#define SENT_BODY "Received: here\r\nSubject: s\r\n\r\n.body\r\n"

static void a_mail_is_sent_with_its_fields_in_front_and_without_what_is_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t id;

		world_begin(i & 1, i & 2);
		id = world_submit("a@example.org b@example.org");
		RUN_UNTIL(world_state_of(id) == -1);
		assert_int_equal(fake_lmtp_count(world.server), 1);
		assert_string_equal(fake_lmtp_at(world.server, 0)->from, "sender@example.com");
		assert_string_equal(
			fake_lmtp_at(world.server, 0)->to, "a@example.org b@example.org");
		/* The server does not undo the dot-stuffing of DATA. */
		assert_string_equal(fake_lmtp_at(world.server, 0)->body,
			i & 1 ? SENT_BODY : "Received: here\r\nSubject: s\r\n\r\n..body\r\n");
		assert_int_equal(world.done, 2);
		assert_true(world_logged("to=<b@example.org> relay=unix:"));
		world_close();
		world_open();
		assert_int_equal(world_state_of(id), -1);
		world_end();
	}
}

static void quarantined_recipients_get_a_copy_of_their_own(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(true, true);
	id = world_submit("a@x !b@x c@x");
	RUN_UNTIL(world_state_of(id) == -1);
	assert_int_equal(fake_lmtp_count(world.server), 2);
	assert_string_equal(fake_lmtp_at(world.server, 0)->to, "a@x c@x");
	assert_string_equal(fake_lmtp_at(world.server, 0)->body, SENT_BODY);
	assert_string_equal(fake_lmtp_at(world.server, 1)->to, "b@x");
	assert_string_equal(
		fake_lmtp_at(world.server, 1)->body, "X-Postern-Quarantine: yes\r\n" SENT_BODY);
	world_end();
}

static void a_temporary_failure_is_tried_again_and_only_for_those_it_hit(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(true, true);
	fake_lmtp_ill(world.server, true);
	id = world_submit("a@x t@x l@x");
	RUN_UNTIL(world_state_of(id) == DELIVERY_DEFERRED);
	assert_true(world_logged("dsn=4.2.1 status=deferred"));
	assert_int_equal(world.done, 1);
	fake_lmtp_ill(world.server, false);
	RUN_UNTIL(world_state_of(id) == -1);
	assert_int_equal(fake_lmtp_count(world.server), 2);
	assert_string_equal(fake_lmtp_at(world.server, 1)->to, "t@x l@x");
	assert_int_equal(world.done, 3);
	world_end();
}

static void a_permanent_failure_goes_to_hold_and_stays_there_after_a_restart(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(true, true);
	id = world_submit("a@x p@x");
	RUN_UNTIL(world.held == 1);
	assert_int_equal(world_state_of(id), DELIVERY_HELD);
	assert_true(world_logged("dsn=5.1.1 status=held reply=\"550 5.1.1 no such user\""));
	world_close();
	world_open();
	assert_int_equal(world_state_of(id), DELIVERY_HELD);
	assert_int_equal(delivery_unhold(world.delivery, id), 1);
	RUN_UNTIL(world.held == 2);
	assert_int_equal(fake_lmtp_count(world.server), 1);
	assert_int_equal(world.released, 1);
	assert_int_equal(delivery_delete(world.delivery, id), 1);
	assert_int_equal(world_state_of(id), -1);
	world_take_notes();
	world_close();
	world_open();
	assert_int_equal(world_state_of(id), -1);
	world_end();
}

static void remove_segment(void *arg, const char *name)
{
	const struct spool_log_io *io = log_sim_io(world.sim);

	(void)arg;
	if (strncmp(name, "segment-", 8) == 0)
		io->unlink(io->ctx, 0, name);
}

static void a_mail_whose_file_somebody_removed_is_held_and_counted_not_gone(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(false, true);
	fake_lmtp_stop(world.server);
	id = world_submit("alice@x");
	world_close(); /* so that it is no longer in memory */
	world_open();
	log_sim_names(world.sim, remove_segment, NULL);
	fake_lmtp_start(world.server);
	RUN_UNTIL(world_state_of(id) == DELIVERY_HELD);
	assert_int_equal(world_count("delivery_unreadable"), 1);
	assert_true(world_logged("held reason=unreadable"));
	world_end();
}

static void bare_line_ends_to_a_server_without_bdat_go_to_hold(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(false, true);
	id = world_submit_flags(
		"a@x", BYTES("Subject: s\r\n\r\n\n.\nRSET\r\n"), SPOOL_MAIL_BARE_EOL);
	RUN_UNTIL(world_state_of(id) == DELIVERY_HELD);
	assert_int_equal(fake_lmtp_count(world.server), 0);
	world_end();
}

static void a_lost_final_reply_is_counted_as_a_possible_duplicate(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(true, true);
	fake_lmtp_ill(world.server, true);
	id = world_submit("h@x");
	RUN_UNTIL(world_state_of(id) == DELIVERY_DEFERRED);
	assert_true(world_logged("duplicate=possible"));
	assert_int_equal(world_count_of(delivery_counters(world.delivery), "delivery_unsure"), 1);
	fake_lmtp_ill(world.server, false);
	assert_int_equal(delivery_flush(world.delivery, id), 1);
	RUN_UNTIL(world_state_of(id) == -1);
	world_end();
}

static void a_backend_that_is_away_costs_no_mail_an_attempt(void **state)
{
	uint64_t ids[50];

	(void)state;
	world_begin(true, true);
	fake_lmtp_stop(world.server);
	for (unsigned i = 0; i < 50; i++)
		ids[i] = world_submit("a@x");
	for (unsigned i = 0; i < 50; i++)
		world_step();
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(world_state_of(ids[i]), DELIVERY_WAITING);
	assert_true(world_logged("event=backend-down"));
	fake_lmtp_start(world.server);
	RUN_UNTIL(fake_lmtp_count(world.server) == 50 && world.done == 50);
	assert_true(world_logged("event=backend-up"));
	world_end();
}

static void a_server_that_closed_an_idle_connection_costs_no_mail_an_attempt(void **state)
{
	uint64_t id;

	(void)state;
	world_begin(true, true);
	id = world_submit("a@x");
	RUN_UNTIL(world_state_of(id) == -1);
	fake_lmtp_stop(world.server);
	fake_lmtp_start(world.server);
	id = world_submit("b@x");
	RUN_UNTIL(world_state_of(id) == -1);
	assert_false(world_logged("status=deferred"));
	world_end();
}

static void operators_hold_and_release(void **state)
{
	uint64_t a, b;

	(void)state;
	world_begin(true, true);
	fake_lmtp_stop(world.server);
	a = world_submit("a@x");
	b = world_submit("b@x");
	assert_int_equal(delivery_hold(world.delivery, a), 1);
	assert_int_equal(delivery_hold(world.delivery, a), 0);
	fake_lmtp_start(world.server);
	RUN_UNTIL(world_state_of(b) == -1);
	assert_int_equal(world_state_of(a), DELIVERY_HELD);
	assert_int_equal(delivery_unhold(world.delivery, 0), 1);
	RUN_UNTIL(world_state_of(a) == -1);
	world_end();
}

static void with_a_relay_what_may_not_bounce_is_dead_until_an_operator_revives_it(void **state)
{
	uint64_t id;

	(void)state;
	world_begin_with(true, true, "smtp://127.0.0.1:9");
	id = world_submit("a@x p@x");
	RUN_UNTIL(world.dead == 1);
	assert_int_equal(world_state_of(id), DELIVERY_DEAD);
	assert_true(world_logged("event=dead reason=undeliverable"));
	assert_int_equal(world_count_of(delivery_counters(world.delivery), "delivery_dead"), 1);
	world_close();
	world_open();
	assert_int_equal(world_state_of(id), DELIVERY_DEAD);
	assert_int_equal(delivery_flush(world.delivery, id), 0);
	assert_int_equal(delivery_requeue(world.delivery, id), 1);
	RUN_UNTIL(world.dead == 2);
	assert_int_equal(world.released, 1);
	assert_int_equal(world.done, 1);
	world_end();
}

static void a_dead_mail_is_gone_when_its_time_is_over_and_that_is_logged(void **state)
{
	uint64_t id;

	(void)state;
	world_begin_with(true, true, "smtp://127.0.0.1:9");
	id = world_submit("p@x");
	RUN_UNTIL(world.dead == 1);
	world_close();
	world.dead_keep_s = 1; /* counted from its death, not from the restart */
	world_open();
	RUN_UNTIL(world_state_of(id) == -1);
	assert_true(world_logged("event=removed reason=dead-kept-long-enough"));
	assert_int_equal(
		world_count_of(delivery_counters(world.delivery), "delivery_dead_expired"), 1);
	assert_int_equal(world.done, 1);
	world_end();
}

static void many_mails_all_arrive_once(void **state)
{
	(void)state;
	world_begin(true, true);
	for (unsigned i = 0; i < 300; i++)
		world_submit("a@x");
	RUN_UNTIL(world.done == 300);
	assert_int_equal(fake_lmtp_count(world.server), 300);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_sent_with_its_fields_in_front_and_without_what_is_cut),
		cmocka_unit_test(quarantined_recipients_get_a_copy_of_their_own),
		cmocka_unit_test(a_temporary_failure_is_tried_again_and_only_for_those_it_hit),
		cmocka_unit_test(a_permanent_failure_goes_to_hold_and_stays_there_after_a_restart),
		cmocka_unit_test(a_mail_whose_file_somebody_removed_is_held_and_counted_not_gone),
		cmocka_unit_test(bare_line_ends_to_a_server_without_bdat_go_to_hold),
		cmocka_unit_test(a_lost_final_reply_is_counted_as_a_possible_duplicate),
		cmocka_unit_test(a_backend_that_is_away_costs_no_mail_an_attempt),
		cmocka_unit_test(a_server_that_closed_an_idle_connection_costs_no_mail_an_attempt),
		cmocka_unit_test(operators_hold_and_release),
		cmocka_unit_test(
			with_a_relay_what_may_not_bounce_is_dead_until_an_operator_revives_it),
		cmocka_unit_test(a_dead_mail_is_gone_when_its_time_is_over_and_that_is_logged),
		cmocka_unit_test(many_mails_all_arrive_once),
	};

	return cmocka_run_group_tests_name("spool/queue delivery", tests, NULL, NULL);
}
