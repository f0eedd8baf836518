#include "base/testing.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "spool/log/log_harness.h"

#define MB (1u << 20)

struct spool_dir {
	char path[64];
};

static void dir_make(struct spool_dir *d)
{
	snprintf(d->path, sizeof(d->path), "/var/tmp/postern-spool-XXXXXX");
	assert_non_null(mkdtemp(d->path));
}

static void on_name(void *arg, const char *name)
{
	const struct spool_dir *d = arg;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	unlink(path);
}

static void dir_remove(struct spool_dir *d)
{
	int fd = log_io_real.open_dir(NULL, d->path, false);

	log_io_real.list(NULL, fd, on_name, d);
	log_io_real.close(NULL, fd);
	assert_int_equal(rmdir(d->path), 0);
}

static void mails_in_real_files_come_back_after_a_restart(void **state)
{
	struct spool_dir d;
	struct spool_log_config config = {
		.segment_bytes = 4 * MB, .memory_bytes = 8 * MB, .batch_bytes = MB};

	(void)state;
	dir_make(&d);
	config.path = d.path;
	history_init(&log_harness_history, &log_harness_pool, 1, 3 * MB);
	history_check_recovered(&log_harness_history, log_harness_open(&config, NULL, NULL));
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 150; i++)
			history_step(&log_harness_history);
		history_sync(&log_harness_history);
		history_check_views(&log_harness_history);
		history_close(&log_harness_history);
		history_check_recovered(
			&log_harness_history, log_harness_open(&config, NULL, NULL));
	}
	history_fini(&log_harness_history);
	dir_remove(&d);
}

static void a_second_process_is_kept_out(void **state)
{
	struct spool_log_config config = {.segment_bytes = MB};
	struct spool_log *log, *other;
	struct spool_dir d;
	char buf[256];
	struct text why;

	(void)state;
	dir_make(&d);
	config.path = d.path;
	log = log_harness_open(&config, NULL, NULL);
	text_init(&why, buf, sizeof(buf));
	assert_int_equal(spool_log_open(&config, NULL, &other, &why), -EWOULDBLOCK);
	assert_non_null(strstr(text_str(&why), "in use"));
	spool_log_close(log);
	dir_remove(&d);
}

static int count_view(void *arg, const struct spool_view *view)
{
	unsigned *n = arg;

	assert_true(view->envelope.n_recipients > 0);
	++*n;
	return 0;
}

static void a_spool_can_be_read_while_its_daemon_runs_and_when_it_does_not(void **state)
{
	struct spool_log_config config = {.segment_bytes = MB, .memory_bytes = MB};
	struct spool_dir d;
	unsigned n = 0;
	char buf[256];
	struct text why;

	(void)state;
	dir_make(&d);
	config.path = d.path;
	text_init(&why, buf, sizeof(buf));
	history_init(&log_harness_history, &log_harness_pool, 2, MB);
	log_harness_history.log = log_harness_open(&config, NULL, NULL);
	for (unsigned i = 0; i < 5; i++)
		history_commit(&log_harness_history, 1000 * i, 0);
	history_commit(&log_harness_history, MB, MB / 2);
	history_sync(&log_harness_history);
	for (unsigned i = 0; i < 100; i++)
		history_done(&log_harness_history, 1);
	assert_int_equal(spool_log_scan(d.path, count_view, &n, &why), 0);
	assert_int_equal(n, 6);
	history_sync(&log_harness_history);
	history_close(&log_harness_history);
	n = 0;
	assert_int_equal(spool_log_scan(d.path, count_view, &n, &why), 0);
	assert_int_equal(n, 5);
	assert_int_equal(spool_log_scan("/nonexistent/spool", count_view, &n, &why), -ENOENT);
	dir_remove(&d);
}

/* Delivers everything; returns how many mails of before can still be read. */
static unsigned deliver_all_and_count_kept(struct spool_log_config *config, unsigned mails)
{
	unsigned n = 0, left = 0;
	char buf[256];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	log_harness_history.log = log_harness_open(config, NULL, NULL);
	for (unsigned i = 0; i < mails; i++)
		history_commit(&log_harness_history, 400000, 0);
	history_sync(&log_harness_history);
	for (unsigned i = 0; i < 200 * mails; i++)
		history_done(&log_harness_history, i % mails);
	history_sync(&log_harness_history);
	spool_log_tidy(log_harness_history.log);
	assert_int_equal(spool_log_scan(config->path, count_view, &left, &why), 0);
	assert_int_equal(spool_log_scan_kept(config->path, 0, UINT64_MAX, count_view, &n, &why), 0);
	history_close(&log_harness_history);
	return n - left;
}

static void what_is_delivered_can_be_read_for_as_long_as_retention_says(void **state)
{
	struct spool_log_config config = {
		.segment_bytes = MB, .memory_bytes = MB, .retention_us = UINT64_C(3600000000)};
	struct spool_dir d;
	unsigned kept;

	(void)state;
	dir_make(&d);
	config.path = d.path;
	history_init(&log_harness_history, &log_harness_pool, 2, MB);
	kept = deliver_all_and_count_kept(&config, 8);
	assert_true(kept >= 7);
	dir_remove(&d);
	dir_make(&d);
	config.path = d.path;
	config.retention_us = 0;
	history_init(&log_harness_history, &log_harness_pool, 2, MB);
	assert_true(deliver_all_and_count_kept(&config, 8) < kept);
	dir_remove(&d);
}

static unsigned count_kept(const char *path)
{
	unsigned n = 0;
	char buf[256];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	assert_int_equal(spool_log_scan_kept(path, 0, UINT64_MAX, count_view, &n, &why), 0);
	return n;
}

static void retention_holds_what_is_delivered_before_the_next_mail_comes(void **state)
{
	struct spool_log_config config = {
		.segment_bytes = MB, .memory_bytes = MB, .retention_us = UINT64_C(3600000000)};
	struct spool_dir d;
	unsigned mails = 0;

	(void)state;
	dir_make(&d);
	config.path = d.path;
	history_init(&log_harness_history, &log_harness_pool, 2, MB);
	log_harness_history.log = log_harness_open(&config, NULL, NULL);
	for (; mails < 12; mails++) {
		history_commit(
			&log_harness_history, 200000, 0); /* no part of it in the segment before */
		history_sync(&log_harness_history);
		for (unsigned i = 0; i < 200; i++)
			history_done(&log_harness_history, mails);
		history_sync(&log_harness_history);
		spool_log_tidy(log_harness_history.log);
	}
	assert_int_equal(count_kept(d.path), mails);
	history_close(&log_harness_history);
	log_harness_history.log = log_harness_open(&config, NULL, NULL);
	assert_int_equal(count_kept(d.path), mails);
	history_close(&log_harness_history);
	dir_remove(&d);
}

static void commit_one(uint64_t id, uint32_t n_recipients, size_t octets)
{
	static const char mail[16000];
	struct spool_recipient to[2] = {{.address = BYTES("a@x")}, {.address = BYTES("b@x")}};
	struct spool_envelope e = {.queue_id = id,
		.n_recipients = n_recipients,
		.recipients = to,
		.content_octets = octets};
	struct spool_cookie cookie = {{0, 0}};

	assert_int_equal(
		spool_log_commit_bytes(log_harness_history.log, &e, bytes_of(mail, octets), cookie),
		0);
}

/* A mail with one of two recipients done, on hold, is copied behind one of so many octets. */
static void copy_forward_and_crash(size_t octets)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 16 * log_harness_small.segment_bytes);
	uint64_t first = 1 << 20, id = first;
	struct spool_item *item;

	commit_one(id++, 2, 5000);
	spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
	spool_log_done(log_harness_history.log, first, 0, SPOOL_DELIVERED);
	spool_log_shelve(log_harness_history.log, first, SPOOL_ON_HOLD, 77);
	for (; id < first + 14; id++) {
		commit_one(id, 1, 15000);
		spool_log_sync(log_harness_history.log, log_harness_release_ack, NULL);
		spool_log_done(log_harness_history.log, id, 0, SPOOL_DELIVERED);
		spool_log_fill(log_harness_history.log);
	}
	commit_one(id, 1, octets);
	spool_log_tidy(log_harness_history.log);
	log_harness_crash(sim);
	item = spool_log_recovered(log_harness_history.log);
	assert_non_null(item);
	assert_true(spool_item_queue_id(item) == first);
	assert_true(spool_item_recipient_done(item, 0));
	assert_true(spool_item_held(item));
	spool_item_release(item);
	log_harness_end(sim);
}

static void what_is_known_of_a_mail_is_copied_with_it_over_a_segments_end(void **state)
{
	(void)state;
	for (size_t octets = 1; octets < 16000; octets += 24)
		copy_forward_and_crash(octets);
}

static uint64_t reserve_all(struct spool_log *log, uint64_t octets)
{
	uint64_t n = 0;

	while (spool_log_reserve(log, octets))
		n++;
	return n;
}

static void a_full_disk_stops_accepting_before_the_reserve_and_heals_when_mail_is_done(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 6 * log_harness_small.segment_bytes);
	struct spool_log *log = log_harness_history.log;
	unsigned accepted = 0;

	(void)state;
	while (spool_log_fill(log))
		;
	while (spool_log_reserve(log, 8000)) {
		assert_int_equal(history_commit(&log_harness_history, 8000, 0), 0);
		spool_log_unreserve(log, 8000);
		history_sync(&log_harness_history);
		spool_log_fill(log);
		accepted++;
	}
	assert_true(accepted >= 15);
	/* What ends mails still finds room, and frees it. */
	for (uint32_t i = 0; i < log_harness_history.n_mails; i++)
		while (log_harness_history.mails[i].fate == HISTORY_ACKED)
			history_done(&log_harness_history, i);
	history_sync(&log_harness_history);
	spool_log_tidy(log);
	assert_true(spool_log_reserve(log, 8000));
	spool_log_unreserve(log, 8000);
	assert_int_equal(history_commit(&log_harness_history, 8000, 0), 0);
	history_sync(&log_harness_history);
	assert_int_equal(
		log_harness_history.mails[log_harness_history.n_mails - 1].fate, HISTORY_ACKED);
	log_harness_end(sim);
}

static void what_is_reserved_can_be_committed_though_the_disk_is_full(void **state)
{
	struct log_sim *sim =
		log_harness_begin(&log_harness_small, 6 * log_harness_small.segment_bytes);
	uint64_t n = reserve_all(log_harness_history.log, 8000);

	(void)state;
	assert_true(n >= 10);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(history_commit(&log_harness_history, 8000, 0), 0);
		history_sync(&log_harness_history);
		spool_log_unreserve(log_harness_history.log, 8000);
	}
	history_check_views(&log_harness_history);
	log_harness_end(sim);
}

static void max_messages_and_max_bytes_refuse_reservations(void **state)
{
	struct spool_log_config config = log_harness_small;
	struct log_sim *sim;

	(void)state;
	config.max_messages = 2;
	sim = log_harness_begin(&config, 64 * MB);
	history_commit(&log_harness_history, 10, 0);
	assert_true(spool_log_reserve(log_harness_history.log, 10));
	history_commit(&log_harness_history, 10, 0);
	assert_false(spool_log_reserve(log_harness_history.log, 10));
	history_sync(&log_harness_history);
	log_harness_end(sim);
	config.max_messages = 0;
	config.max_bytes = 4 * log_harness_small.segment_bytes;
	sim = log_harness_begin(&config, 64 * MB);
	assert_true(
		spool_log_reserve(log_harness_history.log, 2 * log_harness_small.segment_bytes));
	assert_false(
		spool_log_reserve(log_harness_history.log, 2 * log_harness_small.segment_bytes));
	log_harness_end(sim);
}

static void the_second_failed_sync_makes_it_unhealthy_until_one_goes_well(void **state)
{
	struct log_sim *sim = log_harness_begin(&log_harness_small, 64 * MB);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(spool_log_reserve(log_harness_history.log, 10));
		spool_log_unreserve(log_harness_history.log, 10);
		history_commit(&log_harness_history, 10, 0);
		log_sim_fault(sim, LOG_SIM_EIO, log_sim_calls(sim) + 1);
		history_sync(&log_harness_history);
		assert_int_equal(log_harness_history.mails[i].fate, HISTORY_REFUSED);
	}
	assert_false(spool_log_reserve(log_harness_history.log, 10));
	assert_int_equal(history_commit(&log_harness_history, 10, 0), -EIO);
	spool_log_tidy(log_harness_history.log);
	assert_false(spool_log_reserve(log_harness_history.log, 10));
	log_sim_advance(sim, 2000000);
	spool_log_tidy(log_harness_history.log);
	assert_true(spool_log_reserve(log_harness_history.log, 10));
	assert_int_equal(history_commit(&log_harness_history, 10, 0), 0);
	history_sync(&log_harness_history);
	assert_int_equal(
		log_harness_history.mails[log_harness_history.n_mails - 1].fate, HISTORY_ACKED);
	log_harness_end(sim);
}

static void an_aborted_mails_extents_keep_no_segment(void **state)
{
	struct log_sim *sim = log_harness_begin(&log_harness_small, 64 * MB);
	struct chunk_range range = {chunk_get(&log_harness_pool, CHUNK_LARGE), 0, 60000};

	(void)state;
	chunk_publish(range.chunk, 60000);
	for (unsigned i = 1; i <= 20; i++)
		assert_int_equal(spool_log_extent(log_harness_history.log, i, &range, 1), 0);
	chunk_release(range.chunk);
	for (unsigned i = 1; i <= 20; i++)
		spool_log_abort(log_harness_history.log, i);
	history_sync(&log_harness_history);
	spool_log_tidy(log_harness_history.log);
	assert_true(spool_log_reserve(log_harness_history.log, 100));
	history_commit(&log_harness_history, 10, 0);
	history_sync(&log_harness_history);
	log_harness_end(sim);
}

static void mails_that_stay_are_copied_forward_and_their_segment_goes(void **state)
{
	struct log_sim *sim = log_harness_begin(&log_harness_small, 64 * MB);
	char before[64], after[64];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		history_commit(&log_harness_history, i % 10 ? 9000 : 1500, 0);
		history_sync(&log_harness_history);
	}
	log_harness_first_segment(sim, before);
	for (uint32_t i = 0; i < log_harness_history.n_mails; i++)
		while (i % 10 && log_harness_history.mails[i].fate == HISTORY_ACKED)
			history_done(&log_harness_history, i);
	for (unsigned i = 0; i < 20; i++) {
		history_sync(&log_harness_history);
		spool_log_tidy(log_harness_history.log);
		spool_log_fill(log_harness_history.log);
	}
	log_harness_first_segment(sim, after);
	assert_true(strcmp(before, after) < 0);
	history_check_views(&log_harness_history);
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	history_close(&log_harness_history);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	history_check_recovered(
		&log_harness_history, log_harness_open(&log_harness_small, log_sim_io(sim), NULL));
	log_harness_end(sim);
}

/* Reads one mail over and over while the spooler moves and frees. */
struct reader {
	struct spool_log *log;
	struct spool_item *item;
	_Atomic bool stop;
	unsigned read, gone, failed;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		struct spool_view view;
		int e = spool_view_open(r->log, r->item, &view);

		if (e == 0) {
			r->read++;
			spool_view_close(&view);
		} else if (e == -ENOENT) {
			r->gone++;
		} else {
			r->failed++;
		}
	}
	return NULL;
}

static void a_reader_on_another_thread_is_safe_against_reuse_of_segments(void **state)
{
	struct spool_log_config config = {.segment_bytes = 256 << 10};
	struct reader r = {0};
	struct spool_dir d;
	pthread_t thread;

	(void)state;
	dir_make(&d);
	config.path = d.path;
	history_init(&log_harness_history, &log_harness_pool, 5, 30000);
	r.log = log_harness_history.log = log_harness_open(&config, NULL, NULL);
	history_commit(&log_harness_history, 3000, 0);
	history_sync(&log_harness_history);
	r.item = log_harness_history.mails[0].item;
	log_harness_history.mails[0].item = NULL;
	assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
	for (uint32_t i = 1; i < 120; i++) {
		history_commit(&log_harness_history, 30000, 0);
		history_sync(&log_harness_history);
		while (log_harness_history.mails[i].fate == HISTORY_ACKED)
			history_done(&log_harness_history, i);
		history_sync(&log_harness_history);
		spool_log_tidy(log_harness_history.log);
		spool_log_fill(log_harness_history.log);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(r.failed + r.gone, 0);
	assert_true(r.read > 0);
	log_harness_history.mails[0].item = r.item;
	history_check_views(&log_harness_history);
	history_fini(&log_harness_history);
	dir_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_known_of_a_mail_is_copied_with_it_over_a_segments_end),
		cmocka_unit_test(mails_in_real_files_come_back_after_a_restart),
		cmocka_unit_test(a_second_process_is_kept_out),
		cmocka_unit_test(a_spool_can_be_read_while_its_daemon_runs_and_when_it_does_not),
		cmocka_unit_test(what_is_delivered_can_be_read_for_as_long_as_retention_says),
		cmocka_unit_test(retention_holds_what_is_delivered_before_the_next_mail_comes),
		cmocka_unit_test(
			a_full_disk_stops_accepting_before_the_reserve_and_heals_when_mail_is_done),
		cmocka_unit_test(what_is_reserved_can_be_committed_though_the_disk_is_full),
		cmocka_unit_test(max_messages_and_max_bytes_refuse_reservations),
		cmocka_unit_test(the_second_failed_sync_makes_it_unhealthy_until_one_goes_well),
		cmocka_unit_test(an_aborted_mails_extents_keep_no_segment),
		cmocka_unit_test(mails_that_stay_are_copied_forward_and_their_segment_goes),
		cmocka_unit_test(a_reader_on_another_thread_is_safe_against_reuse_of_segments),
	};

	if (chunk_pool_init(&log_harness_pool, 16 << 20, NULL) != 0)
		return 1;
	return cmocka_run_group_tests_name("spool/log", tests, NULL, NULL);
}
