#include "spool/queue/world_harness.h"

/* What senders and postmaster are told. */

static void an_authentic_sender_is_told_of_what_failed_and_only_of_that(void **state)
{
	const struct fake_lmtp_mail *bounce;
	uint64_t id;

	(void)state;
	world_begin_relay();
	id = world_submit_authentic("sender@example.com", "a@x p@x !p2@x b@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	bounce = fake_lmtp_at(world.relay_server, 0);
	assert_string_equal(bounce->from, "");
	assert_string_equal(bounce->to, "sender@example.com");
	assert_non_null(strstr(bounce->body, "Final-Recipient: rfc822; p@x\r\n"));
	assert_non_null(strstr(bounce->body, "Final-Recipient: rfc822; p2@x\r\n"));
	assert_null(strstr(bounce->body, "a@x"));
	RUN_UNTIL(world.done == 5);
	assert_int_equal(world_state_of(id), -1);
	assert_int_equal(world_count("delivery_bounces"), 1);
	assert_int_equal(world_count("delivery_bounced"), 2);
	assert_true(world_logged("event=bounced bounce="));
	assert_int_equal(world.dead, 0);
	world_end();
}

static void nobody_is_told_who_may_not_be(void **state)
{
	(void)state;
	world_begin_relay();
	world_submit_authentic("", "p@x");
	world_submit("p@x");
	RUN_UNTIL(world.dead == 2);
	assert_int_equal(world.asked, 0);
	world_end();
}

static void the_original_is_done_only_once_its_bounce_is_on_disk(void **state)
{
	uint64_t id;

	(void)state;
	world_begin_relay();
	fake_lmtp_stop(world.relay_server);
	world.refuse = 1;
	id = world_submit_authentic("sender@example.com", "p@x");
	RUN_UNTIL(world.asked == 1);
	assert_int_equal(world.done, 0);
	assert_int_equal(world_state_of(id), DELIVERY_ACTIVE);
	RUN_UNTIL(world.done == 1);
	assert_int_equal(world.asked, 2);
	assert_int_equal(world_state_of(id), -1);
	world_take_notes();
	world_close();
	fake_lmtp_start(world.relay_server);
	world_open();
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	RUN_UNTIL(world.done == 2);
	world_end();
}

static void a_bounce_is_tried_again_and_dies_where_the_relay_refuses_it(void **state)
{
	(void)state;
	world_begin_relay();
	fake_lmtp_ill(world.relay_server, true);
	world_submit_authentic("t@example.com", "p@x");
	world_submit_authentic("l@example.com", "p@x");
	world_submit_authentic("p@example.com", "p@x");
	RUN_UNTIL(world.dead == 1);
	assert_true(world_logged("dsn=5.1.1 status=failed reply=\"550 5.1.1 no such user\""));
	RUN_UNTIL(world_count_of(delivery_relay_counters(world.delivery), "relay_deferred") >= 2);
	fake_lmtp_ill(world.relay_server, false);
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 2);
	RUN_UNTIL(world.done == 5);
	assert_int_equal(world.asked, 3);
	world_end();
}

static void a_mail_whose_time_is_over_with_no_backend_in_sight_bounces(void **state)
{
	(void)state;
	world_begin_relay();
	world_close();
	world.expire_s = 1;
	world_open();
	fake_lmtp_stop(world.server);
	world_submit_authentic("sender@example.com", "a@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	assert_non_null(strstr(
		fake_lmtp_at(world.relay_server, 0)->body, "Action: failed\r\nStatus: 4.4.7\r\n"));
	assert_int_equal(world_count("delivery_expired"), 1);
	world_end();
}

static void a_mail_that_expires_in_an_attempt_is_counted_and_bounces(void **state)
{
	(void)state;
	world_begin_relay();
	world_close();
	world.expire_s = 1;
	world_open();
	fake_lmtp_ill(world.server, true);
	world_submit_authentic("sender@example.com", "tom@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	assert_int_equal(world_count("delivery_expired"), 1);
	assert_int_equal(world_count("delivery_bounced"), 1);
	world_end();
}

static void a_sender_that_wants_to_know_of_success_is_told(void **state)
{
	const struct fake_lmtp_mail *report;

	(void)state;
	world_begin_relay();
	world.notify = DSN_SUCCESS;
	world.orcpt = "rfc822;first@example.com";
	world.envid = "QQ+20314";
	world_submit_authentic("sender@example.com", "a@x p@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	report = fake_lmtp_at(world.relay_server, 0);
	assert_non_null(strstr(report->body, "\r\nOriginal-Envelope-Id: QQ 314\r\n"));
	assert_non_null(strstr(report->body, "\r\nOriginal-Recipient: rfc822; first@example.com\r\n"
					     "Final-Recipient: rfc822; a@x\r\n"
					     "Action: delivered\r\nStatus: 2."));
	assert_null(strstr(report->body, "p@x")); /* it did not ask for that */
	RUN_UNTIL(world_count("delivery_dead") == 1);
	assert_int_equal(fake_lmtp_count(world.server), 1);
	world_end();
}

static void notify_never_is_obeyed_and_the_mail_is_not_lost(void **state)
{
	uint64_t id;

	(void)state;
	world_begin_relay();
	world.notify = DSN_NEVER;
	id = world_submit_authentic("sender@example.com", "p@x");
	RUN_UNTIL(world_state_of(id) == DELIVERY_DEAD);
	assert_int_equal(world_count("delivery_bounces"), 0);
	world_end();
}

static void a_late_mails_sender_is_warned_once_also_over_a_restart(void **state)
{
	uint64_t id;

	(void)state;
	world_begin_relay();
	world_close();
	world.warn_s = 1;
	world_open();
	fake_lmtp_ill(world.server, true);
	id = world_submit_authentic("sender@example.com", "t@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	assert_non_null(strstr(
		fake_lmtp_at(world.relay_server, 0)->body, "\r\nAction: delayed\r\nStatus: 4."));
	assert_true(world_logged("event=warned bounce="));
	assert_int_equal(world_count("delivery_warnings"), 1);
	RUN_UNTIL(world_count_of(delivery_relay_counters(world.delivery), "relay_sent") == 1);
	world_take_notes();
	world_close();
	world_open();
	RUN_UNTIL(world_count("delivery_deferred") >= 2);
	assert_int_equal(world_count("delivery_warnings"), 0);
	fake_lmtp_ill(world.server, false);
	delivery_flush(world.delivery, id);
	RUN_UNTIL(world_state_of(id) == -1);
	assert_int_equal(fake_lmtp_count(world.relay_server), 1);
	world_end();
}

static void a_mail_that_no_backend_was_there_for_is_warned_of_too(void **state)
{
	(void)state;
	world_begin_relay();
	world_close();
	world.warn_s = 1;
	world_open();
	fake_lmtp_stop(world.server);
	world_submit_authentic("sender@example.com", "a@x");
	world.notify = DSN_FAILURE;
	world_submit_authentic("patient@example.com", "b@x");
	RUN_UNTIL(fake_lmtp_count(world.relay_server) == 1);
	assert_string_equal(fake_lmtp_at(world.relay_server, 0)->to, "sender@example.com");
	fake_lmtp_start(world.server);
	delivery_flush(world.delivery, 0);
	RUN_UNTIL(fake_lmtp_count(world.server) == 2);
	assert_int_equal(world_count("delivery_warnings"), 1);
	world_end();
}

static void postmaster_is_told_of_what_is_dead_or_held_by_a_mail_of_its_own(void **state)
{
	const struct fake_lmtp_mail *word;
	uint64_t id;

	(void)state;
	world_begin_relay();
	world_submit_authentic("", "p@x");
	RUN_UNTIL(world_count("delivery_dead") == 1);
	world_take_notes();
	world_close();
	world.digest_s = 1;
	world_open();
	id = world_submit("held@x");
	delivery_hold(world.delivery, id);
	RUN_UNTIL(fake_lmtp_count(world.server) >= 1);
	word = fake_lmtp_at(world.server, 0);
	assert_string_equal(word->from, "");
	assert_string_equal(word->to, "master@example.org");
	assert_non_null(strstr(word->body, "Subject: mx.example.org: 1 mails dead, "));
	assert_non_null(strstr(word->body, "from <> to <p@x>\r\n"));
	assert_int_equal(fake_lmtp_count(world.relay_server), 0);
	world_end();
}

static void nothing_dead_or_held_is_no_news(void **state)
{
	uint64_t until = clock_mono_us() + 1500000;

	(void)state;
	world_begin(true, true);
	world_close();
	world.digest_s = 1;
	world_open();
	while (clock_mono_us() < until)
		world_step();
	assert_int_equal(world_count("delivery_digests"), 0);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_authentic_sender_is_told_of_what_failed_and_only_of_that),
		cmocka_unit_test(nobody_is_told_who_may_not_be),
		cmocka_unit_test(the_original_is_done_only_once_its_bounce_is_on_disk),
		cmocka_unit_test(a_bounce_is_tried_again_and_dies_where_the_relay_refuses_it),
		cmocka_unit_test(a_mail_whose_time_is_over_with_no_backend_in_sight_bounces),
		cmocka_unit_test(a_mail_that_expires_in_an_attempt_is_counted_and_bounces),
		cmocka_unit_test(a_sender_that_wants_to_know_of_success_is_told),
		cmocka_unit_test(notify_never_is_obeyed_and_the_mail_is_not_lost),
		cmocka_unit_test(a_late_mails_sender_is_warned_once_also_over_a_restart),
		cmocka_unit_test(a_mail_that_no_backend_was_there_for_is_warned_of_too),
		cmocka_unit_test(postmaster_is_told_of_what_is_dead_or_held_by_a_mail_of_its_own),
		cmocka_unit_test(nothing_dead_or_held_is_no_news),
	};

	return cmocka_run_group_tests_name("spool/queue delivery_report", tests, NULL, NULL);
}
