#include "base/testing.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "spool/log/history.h"
#include "spool/log/log_sim.h"

#define MB (1u << 20)

static struct history history; /* large */
static struct chunk_pool pool;

static struct spool_log *open_with(
	const struct spool_log_config *config, const struct spool_log_io *io, const char *complaint)
{
	struct spool_log *log;
	char buf[1024];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (spool_log_open(config, io, &log, &why) != 0)
		fail_msg("cannot open: %s", text_str(&why));
	if (complaint)
		assert_non_null(strstr(text_str(&why), complaint));
	else
		assert_string_equal(text_str(&why), "");
	return log;
}

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
	history_init(&history, &pool, 1, 3 * MB);
	history_check_recovered(&history, open_with(&config, NULL, NULL));
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 150; i++)
			history_step(&history);
		history_sync(&history);
		history_check_views(&history);
		history_close(&history);
		history_check_recovered(&history, open_with(&config, NULL, NULL));
	}
	history_fini(&history);
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
	log = open_with(&config, NULL, NULL);
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
	history_init(&history, &pool, 2, MB);
	history.log = open_with(&config, NULL, NULL);
	for (unsigned i = 0; i < 5; i++)
		history_commit(&history, 1000 * i, 0);
	history_commit(&history, MB, MB / 2);
	history_sync(&history);
	for (unsigned i = 0; i < 100; i++)
		history_done(&history, 1);
	assert_int_equal(spool_log_scan(d.path, count_view, &n, &why), 0);
	assert_int_equal(n, 6);
	history_sync(&history);
	history_close(&history);
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
	history.log = open_with(config, NULL, NULL);
	for (unsigned i = 0; i < mails; i++)
		history_commit(&history, 400000, 0);
	history_sync(&history);
	for (unsigned i = 0; i < 200 * mails; i++)
		history_done(&history, i % mails);
	history_sync(&history);
	spool_log_tidy(history.log);
	assert_int_equal(spool_log_scan(config->path, count_view, &left, &why), 0);
	assert_int_equal(spool_log_scan_kept(config->path, 0, UINT64_MAX, count_view, &n, &why), 0);
	history_close(&history);
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
	history_init(&history, &pool, 2, MB);
	kept = deliver_all_and_count_kept(&config, 8);
	assert_true(kept >= 7);
	dir_remove(&d);
	dir_make(&d);
	config.path = d.path;
	config.retention_us = 0;
	history_init(&history, &pool, 2, MB);
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
	history_init(&history, &pool, 2, MB);
	history.log = open_with(&config, NULL, NULL);
	for (; mails < 12; mails++) {
		history_commit(&history, 200000, 0); /* no part of it in the segment before */
		history_sync(&history);
		for (unsigned i = 0; i < 200; i++)
			history_done(&history, mails);
		history_sync(&history);
		spool_log_tidy(history.log);
	}
	assert_int_equal(count_kept(d.path), mails);
	history_close(&history);
	history.log = open_with(&config, NULL, NULL);
	assert_int_equal(count_kept(d.path), mails);
	history_close(&history);
	dir_remove(&d);
}

static const struct spool_log_config small = {
	.path = "sim", .segment_bytes = 64 << 10, .batch_bytes = 16 << 10};

/* A log on a simulated disk, with the history's mails in it. */
static struct log_sim *begin(const struct spool_log_config *config, uint64_t limit)
{
	struct log_sim *sim = log_sim_new(1);

	log_sim_limit(sim, limit);
	history_init(&history, &pool, 3, 20000);
	history.log = open_with(config, log_sim_io(sim), NULL);
	return sim;
}

static void end(struct log_sim *sim)
{
	history_fini(&history);
	log_sim_free(sim);
}

static void release_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	assert_int_equal(ack->error, 0);
	spool_item_release(ack->item);
}

/* As by kill -9 or a power cut: what was not synced is gone. */
static void crash(struct log_sim *sim)
{
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	spool_log_close(history.log);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	history.log = open_with(&small, log_sim_io(sim), NULL);
}

static void mail_of_a_log_that_was_empty_for_two_starts_survives_a_crash(void **state)
{
	struct log_sim *sim = begin(&small, 8 * small.segment_bytes);
	struct spool_recipient to = {.address = BYTES("a@x")};
	struct spool_envelope e = {
		.queue_id = 1 << 20, .n_recipients = 1, .recipients = &to, .content_octets = 40000};
	static const char mail[40000];
	struct spool_cookie cookie = {{0, 0}};
	struct spool_item *item;

	(void)state;
	for (unsigned i = 0; i < 10; i++, e.queue_id++) {
		assert_int_equal(spool_log_commit_bytes(
					 history.log, &e, bytes_of(mail, sizeof(mail)), cookie),
			0);
		spool_log_sync(history.log, release_ack, NULL);
		spool_log_done(history.log, e.queue_id, 0, SPOOL_DELIVERED);
		spool_log_fill(history.log);
	}
	spool_log_close(history.log); /* with an index that names the last segment */
	history.log = open_with(&small, log_sim_io(sim), NULL);
	crash(sim); /* no segment is left, nor was one begun */
	assert_int_equal(
		spool_log_commit_bytes(history.log, &e, bytes_of(mail, sizeof(mail)), cookie), 0);
	spool_log_sync(history.log, release_ack, NULL);
	crash(sim);
	item = spool_log_recovered(history.log);
	assert_non_null(item);
	assert_true(spool_item_queue_id(item) == e.queue_id);
	spool_item_release(item);
	end(sim);
}

static void shelves_and_the_relay_s_mark_come_back_without_a_snapshot(void **state)
{
	struct log_sim *sim = begin(&small, 8 * small.segment_bytes);
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
	assert_int_equal(spool_log_commit_bytes(history.log, &e, BYTES("mail"), cookie), 0);
	e.queue_id++;
	e.flags = 0;
	assert_int_equal(spool_log_commit_bytes(history.log, &e, BYTES("mail"), cookie), 0);
	assert_true(spool_log_awaited(history.log));
	spool_log_sync(history.log, release_ack, NULL);
	assert_int_equal(spool_log_shelve(history.log, e.queue_id, SPOOL_ON_DEAD, 77), 0);
	assert_false(spool_log_awaited(history.log));
	spool_log_sync(history.log, release_ack, NULL);
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	spool_log_close(history.log);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	history.log = open_with(&small, log_sim_io(sim), NULL);
	item = spool_log_recovered(history.log);
	assert_true(spool_item_relay(item));
	assert_false(spool_item_dead(item, &since_s));
	spool_item_release(item);
	item = spool_log_recovered(history.log);
	assert_false(spool_item_relay(item));
	assert_true(spool_item_dead(item, &since_s));
	assert_int_equal(since_s, 77);
	spool_item_release(item);
	end(sim);
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
		spool_log_commit_bytes(history.log, &e, bytes_of(mail, octets), cookie), 0);
}

/* A mail with one of two recipients done, on hold, is copied behind one of so many octets. */
static void copy_forward_and_crash(size_t octets)
{
	struct log_sim *sim = begin(&small, 16 * small.segment_bytes);
	uint64_t first = 1 << 20, id = first;
	struct spool_item *item;

	commit_one(id++, 2, 5000);
	spool_log_sync(history.log, release_ack, NULL);
	spool_log_done(history.log, first, 0, SPOOL_DELIVERED);
	spool_log_shelve(history.log, first, SPOOL_ON_HOLD, 77);
	for (; id < first + 14; id++) {
		commit_one(id, 1, 15000);
		spool_log_sync(history.log, release_ack, NULL);
		spool_log_done(history.log, id, 0, SPOOL_DELIVERED);
		spool_log_fill(history.log);
	}
	commit_one(id, 1, octets);
	spool_log_tidy(history.log);
	crash(sim);
	item = spool_log_recovered(history.log);
	assert_non_null(item);
	assert_true(spool_item_queue_id(item) == first);
	assert_true(spool_item_recipient_done(item, 0));
	assert_true(spool_item_held(item));
	spool_item_release(item);
	end(sim);
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
	struct log_sim *sim = begin(&small, 6 * small.segment_bytes);
	struct spool_log *log = history.log;
	unsigned accepted = 0;

	(void)state;
	while (spool_log_fill(log))
		;
	while (spool_log_reserve(log, 8000)) {
		assert_int_equal(history_commit(&history, 8000, 0), 0);
		spool_log_unreserve(log, 8000);
		history_sync(&history);
		spool_log_fill(log);
		accepted++;
	}
	assert_true(accepted >= 15);
	/* What ends mails still finds room, and frees it. */
	for (uint32_t i = 0; i < history.n_mails; i++)
		while (history.mails[i].fate == HISTORY_ACKED)
			history_done(&history, i);
	history_sync(&history);
	spool_log_tidy(log);
	assert_true(spool_log_reserve(log, 8000));
	spool_log_unreserve(log, 8000);
	assert_int_equal(history_commit(&history, 8000, 0), 0);
	history_sync(&history);
	assert_int_equal(history.mails[history.n_mails - 1].fate, HISTORY_ACKED);
	end(sim);
}

static void what_is_reserved_can_be_committed_though_the_disk_is_full(void **state)
{
	struct log_sim *sim = begin(&small, 6 * small.segment_bytes);
	uint64_t n = reserve_all(history.log, 8000);

	(void)state;
	assert_true(n >= 10);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(history_commit(&history, 8000, 0), 0);
		history_sync(&history);
		spool_log_unreserve(history.log, 8000);
	}
	history_check_views(&history);
	end(sim);
}

static void max_messages_and_max_bytes_refuse_reservations(void **state)
{
	struct spool_log_config config = small;
	struct log_sim *sim;

	(void)state;
	config.max_messages = 2;
	sim = begin(&config, 64 * MB);
	history_commit(&history, 10, 0);
	assert_true(spool_log_reserve(history.log, 10));
	history_commit(&history, 10, 0);
	assert_false(spool_log_reserve(history.log, 10));
	history_sync(&history);
	end(sim);
	config.max_messages = 0;
	config.max_bytes = 4 * small.segment_bytes;
	sim = begin(&config, 64 * MB);
	assert_true(spool_log_reserve(history.log, 2 * small.segment_bytes));
	assert_false(spool_log_reserve(history.log, 2 * small.segment_bytes));
	end(sim);
}

static void the_second_failed_sync_makes_it_unhealthy_until_one_goes_well(void **state)
{
	struct log_sim *sim = begin(&small, 64 * MB);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(spool_log_reserve(history.log, 10));
		spool_log_unreserve(history.log, 10);
		history_commit(&history, 10, 0);
		log_sim_fault(sim, LOG_SIM_EIO, log_sim_calls(sim) + 1);
		history_sync(&history);
		assert_int_equal(history.mails[i].fate, HISTORY_REFUSED);
	}
	assert_false(spool_log_reserve(history.log, 10));
	assert_int_equal(history_commit(&history, 10, 0), -EIO);
	spool_log_tidy(history.log);
	assert_false(spool_log_reserve(history.log, 10));
	log_sim_advance(sim, 2000000);
	spool_log_tidy(history.log);
	assert_true(spool_log_reserve(history.log, 10));
	assert_int_equal(history_commit(&history, 10, 0), 0);
	history_sync(&history);
	assert_int_equal(history.mails[history.n_mails - 1].fate, HISTORY_ACKED);
	end(sim);
}

static void an_aborted_mails_extents_keep_no_segment(void **state)
{
	struct log_sim *sim = begin(&small, 64 * MB);
	struct chunk_range range = {chunk_get(&pool, CHUNK_LARGE), 0, 60000};

	(void)state;
	chunk_publish(range.chunk, 60000);
	for (unsigned i = 1; i <= 20; i++)
		assert_int_equal(spool_log_extent(history.log, i, &range, 1), 0);
	chunk_release(range.chunk);
	for (unsigned i = 1; i <= 20; i++)
		spool_log_abort(history.log, i);
	history_sync(&history);
	spool_log_tidy(history.log);
	assert_true(spool_log_reserve(history.log, 100));
	history_commit(&history, 10, 0);
	history_sync(&history);
	end(sim);
}

static void find_first_segment(void *arg, const char *name)
{
	char *first = arg;

	if (strncmp(name, "segment-", 8) == 0 && (!*first || strcmp(name, first) < 0))
		snprintf(first, 64, "%s", name);
}

/* Mails in the first of several segments, one octet of which changes on disk. */
static struct log_sim *rotten(uint64_t offset, char name[64])
{
	struct log_sim *sim = begin(&small, 64 * MB);

	for (unsigned i = 0; i < 20; i++) {
		history_commit(&history, 10000, 0);
		history_sync(&history);
	}
	/* No index: all is read again. */
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	history_close(&history);
	log_sim_reboot(sim, LOG_SIM_KEEP_ALL);
	name[0] = '\0';
	log_sim_names(sim, find_first_segment, name);
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
	struct spool_log *log = open_with(&small, log_sim_io(sim), "do not check");

	(void)state;
	assert_int_equal(recovered(log), 19);
	spool_log_close(log);
	end(sim);
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
	struct spool_log *log = open_with(&small, log_sim_io(sim), NULL);

	(void)state;
	assert_int_equal(recovered(log), 20);
	spool_log_close(log);
	end(sim);
}

static void a_segment_whose_beginning_rots_is_kept_aside(void **state)
{
	char name[64];
	struct log_sim *sim = rotten(20, name);
	struct spool_log *log;
	bool seen = false;

	(void)state;
	log_sim_rot(sim, name, 5000);
	log = open_with(&small, log_sim_io(sim), "header does not check");
	log_sim_names(sim, see_bad, &seen);
	assert_true(seen);
	assert_true(recovered(log) >= 13);
	spool_log_close(log);
	end(sim);
}

static void mails_that_stay_are_copied_forward_and_their_segment_goes(void **state)
{
	struct log_sim *sim = begin(&small, 64 * MB);
	char before[64] = "", after[64] = "";

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		history_commit(&history, i % 10 ? 9000 : 1500, 0);
		history_sync(&history);
	}
	log_sim_names(sim, find_first_segment, before);
	for (uint32_t i = 0; i < history.n_mails; i++)
		while (i % 10 && history.mails[i].fate == HISTORY_ACKED)
			history_done(&history, i);
	for (unsigned i = 0; i < 20; i++) {
		history_sync(&history);
		spool_log_tidy(history.log);
		spool_log_fill(history.log);
	}
	log_sim_names(sim, find_first_segment, after);
	assert_true(strcmp(before, after) < 0);
	history_check_views(&history);
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	history_close(&history);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	history_check_recovered(&history, open_with(&small, log_sim_io(sim), NULL));
	end(sim);
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
	history_init(&history, &pool, 5, 30000);
	r.log = history.log = open_with(&config, NULL, NULL);
	history_commit(&history, 3000, 0);
	history_sync(&history);
	r.item = history.mails[0].item;
	history.mails[0].item = NULL;
	assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
	for (uint32_t i = 1; i < 120; i++) {
		history_commit(&history, 30000, 0);
		history_sync(&history);
		while (history.mails[i].fate == HISTORY_ACKED)
			history_done(&history, i);
		history_sync(&history);
		spool_log_tidy(history.log);
		spool_log_fill(history.log);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(r.failed + r.gone, 0);
	assert_true(r.read > 0);
	history.mails[0].item = r.item;
	history_check_views(&history);
	history_fini(&history);
	dir_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_of_a_log_that_was_empty_for_two_starts_survives_a_crash),
		cmocka_unit_test(shelves_and_the_relay_s_mark_come_back_without_a_snapshot),
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
		cmocka_unit_test(what_rots_in_the_middle_costs_one_mail_and_is_reported),
		cmocka_unit_test(a_segment_whose_header_rots_is_read_all_the_same),
		cmocka_unit_test(a_segment_whose_beginning_rots_is_kept_aside),
		cmocka_unit_test(mails_that_stay_are_copied_forward_and_their_segment_goes),
		cmocka_unit_test(a_reader_on_another_thread_is_safe_against_reuse_of_segments),
	};

	if (chunk_pool_init(&pool, 16 << 20, NULL) != 0)
		return 1;
	return cmocka_run_group_tests_name("spool/log", tests, NULL, NULL);
}
