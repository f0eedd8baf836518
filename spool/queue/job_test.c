#include "spool/queue/job.h"

#include <errno.h>

#include "base/testing.h"
#include "spool/log/log_sim.h"

/* Mails whose content lies in many places of the log: what is sent of them, piece by piece. */

#define SEGMENT (64u << 10)
#define CONTENT 200000u

static struct {
	struct log_sim *sim;
	struct spool_log *log;
	struct index index;
	struct spool_item *item;
	uint8_t content[CONTENT];
} w;

static void on_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	assert_int_equal(ack->error, 0);
	w.item = ack->item;
}

static void begin(uint64_t queue_id, uint32_t octets, const struct spool_cut *cuts, uint32_t n_cuts)
{
	struct spool_log_config config = {
		.path = "spool", .segment_bytes = SEGMENT, .memory_bytes = 1 << 20};
	struct spool_recipient to[] = {{BYTES("a@x"), 0}, {BYTES("b@x"), SPOOL_RCPT_QUARANTINE}};
	struct spool_envelope e = {
		.queue_id = queue_id,
		.reverse_path = BYTES("s@y"),
		.client = BYTES("client"),
		.n_recipients = 2,
		.recipients = to,
		.prepend = BYTES("Received: here\r\n"),
		.quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n"),
		.n_cuts = n_cuts,
		.cuts = cuts,
		.content_octets = octets,
	};
	char buf[256];
	struct text why;

	memset(&w, 0, sizeof(w));
	text_init(&why, buf, sizeof(buf));
	w.sim = log_sim_new(1);
	assert_int_equal(spool_log_open(&config, log_sim_io(w.sim), &w.log, &why), 0);
	assert_int_equal(index_init(&w.index), 0);
	for (uint32_t i = 0; i < octets; i++)
		w.content[i] = (uint8_t)(i * 2654435761u >> 24);
	assert_int_equal(spool_log_commit_bytes(w.log, &e, bytes_of(w.content, octets),
				 (struct spool_cookie){{0, 0}}),
		0);
	spool_log_sync(w.log, on_ack, NULL);
}

static void end(void)
{
	index_fini(&w.index);
	spool_log_close(w.log);
	log_sim_free(w.sim);
}

/* All that the transaction sends. */
static size_t sent(struct job *job, uint8_t *out)
{
	uint64_t more = job->mail.more_octets;
	size_t len = 0;

	for (;;) {
		size_t before = len;

		for (unsigned i = 0; i < job->mail.n_parts; i++) {
			memcpy(out + len, job->mail.parts[i].data, job->mail.parts[i].len);
			len += job->mail.parts[i].len;
		}
		if (before)
			more -= len - before;
		if (more == 0)
			return len;
		assert_int_equal(job->mail.more(&job->mail), 0);
		assert_true(job->mail.n_parts > 0);
	}
}

static size_t expected(const char *front, uint32_t octets, const struct spool_cut *cuts,
	uint32_t n_cuts, uint8_t *out)
{
	size_t len = strlen(front);
	uint32_t at = 0;

	memcpy(out, front, len);
	for (uint32_t i = 0; i <= n_cuts; i++) {
		uint32_t to = i < n_cuts ? cuts[i].from : octets;

		memcpy(out + len, w.content + at, to - at);
		len += to - at;
		at = i < n_cuts ? cuts[i].to : to;
	}
	return len;
}

static void assert_sent(struct job *job, const char *front, uint32_t octets,
	const struct spool_cut *cuts, uint32_t n_cuts)
{
	static uint8_t got[CONTENT + 200], want[CONTENT + 200];
	size_t len = expected(front, octets, cuts, n_cuts, want);

	assert_int_equal(sent(job, got), len);
	assert_memory_equal(got, want, len);
}

/* Cuts at the edges of pieces, over them, and of whole pieces; the last of everything. */
static const struct spool_cut cuts[] = {
	{0, 10}, {20, 20}, {8000, 8200}, {8300, 30000}, {40000, 40001}, {150000, CONTENT}};

static void a_large_mail_is_sent_piece_by_piece_without_what_is_cut(void **state)
{
	struct job *all = NULL, *job;
	struct index_entry *entry;

	(void)state;
	for (unsigned n = 0; n <= sizeof(cuts) / sizeof(cuts[0]); n++) {
		begin(1024, CONTENT, cuts, n);
		entry = index_add(&w.index, w.item);
		assert_int_equal(job_open(w.log, entry, &all, &job), 0);
		assert_true(job->view.partial);
		assert_true(job_next(job));
		assert_sent(job, "Received: here\r\n", CONTENT, cuts, n);
		job_again(job);
		assert_sent(job, "Received: here\r\n", CONTENT, cuts, n);
		job->group++;
		assert_true(job_next(job));
		assert_sent(
			job, "X-Postern-Quarantine: yes\r\nReceived: here\r\n", CONTENT, cuts, n);
		job_rewind(job);
		assert_memory_equal(job->view.content.data, w.content, job->view.content.len);
		job_close(job);
		end();
	}
}

static void a_small_mail_is_at_hand_as_a_whole(void **state)
{
	struct job *all = NULL, *job;

	(void)state;
	begin(1024, 500, cuts, 2);
	assert_int_equal(job_open(w.log, index_add(&w.index, w.item), &all, &job), 0);
	assert_false(job->view.partial);
	assert_true(job_next(job));
	assert_null(job->mail.more);
	assert_sent(job, "Received: here\r\n", 500, cuts, 2);
	job_close(job);
	end();
}

static void what_is_being_sent_stays_in_the_log_though_the_mail_is_done(void **state)
{
	struct job *all = NULL, *job;

	(void)state;
	begin(1024, CONTENT, NULL, 0);
	assert_int_equal(job_open(w.log, index_add(&w.index, w.item), &all, &job), 0);
	assert_true(job_next(job));
	for (uint32_t i = 0; i < 2; i++)
		spool_log_done(w.log, 1024, i, SPOOL_DELETED);
	spool_log_sync(w.log, on_ack, NULL);
	for (unsigned i = 0; i < 3; i++)
		spool_log_tidy(w.log);
	assert_sent(job, "Received: here\r\n", CONTENT, NULL, 0);
	job_close(job);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_mail_is_sent_piece_by_piece_without_what_is_cut),
		cmocka_unit_test(a_small_mail_is_at_hand_as_a_whole),
		cmocka_unit_test(what_is_being_sent_stays_in_the_log_though_the_mail_is_done),
	};

	return cmocka_run_group_tests_name("spool/queue job", tests, NULL, NULL);
}
