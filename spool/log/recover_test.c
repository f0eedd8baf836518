/* What recovery makes of a disk that was not left in order. */

#include "base/testing.h"

#include "spool/log/log_harness.h"

#define MB (1u << 20)

/* Mails, each in a segment of its own, come and go; the index tells of the last. */
static void come_and_go(struct log_sim *sim, struct spool_envelope *e, unsigned mails)
{
	struct spool_log *log = log_harness_history.log;
	static const char mail[40000];
	uint64_t first = e->queue_id;

	for (unsigned i = 0; i < mails; i++, e->queue_id++) {
		assert_int_equal(spool_log_commit_bytes(log, e, bytes_of(mail, sizeof(mail)),
					 (struct spool_cookie){{0, 0}}),
			0);
		spool_log_sync(log, log_harness_release_ack, NULL);
		/* What ends a mail lies in the next segment. */
		if (e->queue_id > first)
			spool_log_done(log, e->queue_id - 1, 0, SPOOL_DELIVERED);
		spool_log_fill(log);
	}
	spool_log_done(log, e->queue_id - 1, 0, SPOOL_DELIVERED);
	spool_log_close(log);
	spool_log_close(log_harness_open(&log_harness_small, log_sim_io(sim), NULL));
	log_harness_history.log = NULL;
}

static void mail_of_a_log_that_was_empty_for_two_starts_survives_a_crash(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 8 * log_harness_small.segment_bytes);
	struct spool_recipient to = {.address = BYTES("a@x")};
	struct spool_envelope e = {
		.queue_id = 1 << 20, .n_recipients = 1, .recipients = &to, .content_octets = 40000};
	static const char mail[40000];
	struct spool_cookie cookie = {{0, 0}};
	struct spool_item *item;

	(void)state;
	come_and_go(sim, &e, 10);
	log_harness_history.log = log_harness_open(&log_harness_small, log_sim_io(sim), NULL);
	log_harness_crash(sim); /* no segment is left, nor was one begun */
	assert_int_equal(spool_log_commit_bytes(
				 log_harness_history.log, &e, bytes_of(mail, sizeof(mail)), cookie),
		0);
	spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
	log_harness_crash(sim);
	item = spool_log_recovered(log_harness_history.log);
	assert_non_null(item);
	assert_true(spool_item_queue_id(item) == e.queue_id);
	spool_item_release(item);
	log_harness_end(sim);
}

/* The index cannot be read at this start; the log is the history's. */
static void open_without_index(struct log_sim *sim)
{
	log_sim_unreadable(sim, "index");
	log_harness_history.log = log_harness_open(&log_harness_small, log_sim_io(sim), "index");
	log_sim_unreadable(sim, NULL);
}

/* An index that cannot be read now, but by the start after the next, says nothing of new mail. */
static void mail_that_came_beside_an_unreadable_index_survives_a_crash(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 8 * log_harness_small.segment_bytes);
	struct spool_recipient to = {.address = BYTES("a@x")};
	struct spool_envelope e = {
		.queue_id = 1 << 20, .n_recipients = 1, .recipients = &to, .content_octets = 40000};
	static const char mail[40000];
	struct spool_item *item;

	(void)state;
	come_and_go(sim, &e, 10);
	open_without_index(sim);
	assert_null(spool_log_recovered(log_harness_history.log));
	assert_int_equal(spool_log_commit_bytes(log_harness_history.log, &e,
				 bytes_of(mail, sizeof(mail)), (struct spool_cookie){{0, 0}}),
		0);
	spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
	log_harness_crash(sim);
	item = spool_log_recovered(log_harness_history.log);
	assert_non_null(item);
	assert_true(spool_item_queue_id(item) == e.queue_id);
	spool_item_release(item);
	assert_null(spool_log_recovered(log_harness_history.log));
	log_harness_end(sim);
}

/* Else what spares hold of mail long done could be taken for newer than what is written to them. */
static void numbers_go_on_from_what_spares_hold_where_the_index_was_unreadable(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 8 * log_harness_small.segment_bytes);
	struct spool_recipient to = {.address = BYTES("a@x")};
	struct spool_envelope e = {
		.queue_id = 1 << 20, .n_recipients = 1, .recipients = &to, .content_octets = 40000};
	char name[64];

	(void)state;
	come_and_go(sim, &e, 10);
	open_without_index(sim);
	history_commit(&log_harness_history, 10, 0);
	history_sync(&log_harness_history);
	log_harness_first_segment(sim, name);
	assert_true(strcmp(name, "segment-00000000000000000010") > 0);
	log_harness_end(sim);
}

static void shelves_and_the_relay_s_mark_come_back_without_a_snapshot(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 8 * log_harness_small.segment_bytes);
	struct spool_recipient to = {.address = BYTES("a@x")};
	struct spool_envelope e = {.queue_id = 1 << 20,
		.flags = SPOOL_MAIL_RELAY,
		.n_recipients = 1,
		.recipients = &to,
		.content_octets = 4};
	struct spool_cookie cookie = {{0, 0}};
	struct spool_item *item;
	uint32_t since_s = 0;

	(void)state;
	assert_int_equal(
		spool_log_commit_bytes(log_harness_history.log, &e, BYTES("mail"), cookie), 0);
	e.queue_id++;
	e.flags = 0;
	assert_int_equal(
		spool_log_commit_bytes(log_harness_history.log, &e, BYTES("mail"), cookie), 0);
	assert_true(spool_log_awaited(log_harness_history.log));
	spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
	assert_int_equal(
		spool_log_shelve(log_harness_history.log, e.queue_id, SPOOL_ON_DEAD, 77), 0);
	assert_false(spool_log_awaited(log_harness_history.log));
	spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	spool_log_close(log_harness_history.log);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	log_harness_history.log = log_harness_open(&log_harness_small, log_sim_io(sim), NULL);
	item = spool_log_recovered(log_harness_history.log);
	assert_true(spool_item_relay(item));
	assert_false(spool_item_dead(item, &since_s));
	spool_item_release(item);
	item = spool_log_recovered(log_harness_history.log);
	assert_false(spool_item_relay(item));
	assert_true(spool_item_dead(item, &since_s));
	assert_int_equal(since_s, 77);
	spool_item_release(item);
	log_harness_end(sim);
}

/* Mails in the first of several segments, one octet of which changes on disk. */
static struct log_sim *rotten(uint64_t offset, char name[64])
{
	struct log_sim *sim = log_harness_begin(&log_harness_small, 64 * MB);

	for (unsigned i = 0; i < 20; i++) {
		history_commit(&log_harness_history, 10000, 0);
		history_sync(&log_harness_history);
	}
	/* No index: all is read again. */
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	history_close(&log_harness_history);
	log_sim_reboot(sim, LOG_SIM_KEEP_ALL);
	log_harness_first_segment(sim, name);
	log_sim_rot(sim, name, offset);
	return sim;
}

static unsigned recovered(struct spool_log *log)
{
	struct spool_item *item;
	unsigned n = 0;

	while ((item = spool_log_recovered(log))) {
		struct spool_view view;

		assert_int_equal(spool_view_open(log, item, &view), 0);
		spool_view_close(&view);
		spool_item_release(item);
		n++;
	}
	return n;
}

static void what_rots_in_the_middle_costs_one_mail_and_is_reported(void **state)
{
	char name[64];
	struct log_sim *sim = rotten(5000, name);
	struct spool_log *log =
		log_harness_open(&log_harness_small, log_sim_io(sim), "do not check");

	(void)state;
	assert_int_equal(recovered(log), 19);
	spool_log_close(log);
	log_harness_end(sim);
}

static void see_bad(void *arg, const char *name)
{
	bool *seen = arg;

	*seen |= strstr(name, ".bad") != NULL;
}

static void a_segment_whose_header_rots_is_read_all_the_same(void **state)
{
	char name[64];
	struct log_sim *sim = rotten(20, name);
	struct spool_log *log = log_harness_open(&log_harness_small, log_sim_io(sim), NULL);

	(void)state;
	assert_int_equal(recovered(log), 20);
	spool_log_close(log);
	log_harness_end(sim);
}

static void a_segment_whose_beginning_rots_is_kept_aside(void **state)
{
	char name[64];
	struct log_sim *sim = rotten(20, name);
	struct spool_log *log;
	bool seen = false;

	(void)state;
	log_sim_rot(sim, name, 5000);
	log = log_harness_open(&log_harness_small, log_sim_io(sim), "header does not check");
	log_sim_names(sim, see_bad, &seen);
	assert_true(seen);
	assert_true(recovered(log) >= 13);
	spool_log_close(log);
	log_harness_end(sim);
}

/* The index knows of mails in the oldest segment, and that it was not done with. */
static void mails_of_an_oldest_segment_that_rots_are_counted_as_lost(void **state)
{
	struct log_sim *sim = log_harness_begin(&log_harness_small, 64 * MB);
	struct spool_log *log;
	bool seen = false;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		history_commit(&log_harness_history, 10000, 0);
		history_sync(&log_harness_history);
	}
	history_close(&log_harness_history); /* writes the index */
	log_harness_first_segment(sim, name);
	log_sim_rot(sim, name, 20);
	log_sim_rot(sim, name, 5000);
	log_sim_rot(sim, name, 4096 + 8);
	log = log_harness_open(&log_harness_small, log_sim_io(sim), "segment that is gone");
	assert_int_equal(history_counter(log, "spool_lost") + recovered(log), 20);
	assert_true(history_counter(log, "spool_lost") > 0);
	log_sim_names(sim, see_bad, &seen);
	assert_true(seen);
	spool_log_close(log);
	log_harness_end(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_of_a_log_that_was_empty_for_two_starts_survives_a_crash),
		cmocka_unit_test(mail_that_came_beside_an_unreadable_index_survives_a_crash),
		cmocka_unit_test(
			numbers_go_on_from_what_spares_hold_where_the_index_was_unreadable),
		cmocka_unit_test(shelves_and_the_relay_s_mark_come_back_without_a_snapshot),
		cmocka_unit_test(what_rots_in_the_middle_costs_one_mail_and_is_reported),
		cmocka_unit_test(a_segment_whose_header_rots_is_read_all_the_same),
		cmocka_unit_test(a_segment_whose_beginning_rots_is_kept_aside),
		cmocka_unit_test(mails_of_an_oldest_segment_that_rots_are_counted_as_lost),
	};

	if (chunk_pool_init(&log_harness_pool, 4 << 20, NULL) != 0)
		return 1;
	return cmocka_run_group_tests_name("spool/log recover", tests, NULL, NULL);
}
