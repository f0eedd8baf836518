#include "spool/queue/delivery.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "base/testing.h"
#include "spool/log/log_sim.h"
#include "spool/queue/fake_lmtp.h"

#define PATIENCE_US 20000000u

/* A spool on a simulated disk, delivery, and a server. */
struct world {
	struct log_sim *sim;
	struct spool_log *log;
	struct delivery *delivery;
	struct fake_lmtp *server;
	struct chunk_pool pool;
	struct log_ring events;
	char path[64], address[80];
	uint64_t next_id;
	unsigned done, held, dead, released, asked;
	unsigned refuse; /* so many mails of delivery's own fail in the log */
	struct fake_lmtp *relay_server;
	char url[64];
	uint32_t expire_s;
	pthread_t relay_thread;
	_Atomic bool relay_stop;
	const char *relay; /* URL */
	uint32_t dead_keep_s;
};

static struct world w;

static void *relay_main(void *arg)
{
	while (!atomic_load(&w.relay_stop))
		relay_run_once(arg, 100);
	return NULL;
}

static void open_log(void)
{
	struct spool_log_config config = {
		.path = "sim", .segment_bytes = 1 << 20, .memory_bytes = 1 << 16};
	struct spool_item *item;
	char buf[256];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (spool_log_open(&config, log_sim_io(w.sim), &w.log, &why) != 0)
		fail_msg("%s", text_str(&why));
	struct delivery_config dc = {
		.backends = {{.address = w.address, .connections = 2}},
		.n_backends = 1,
		.hostname = "mx.example.org",
		.retry_min_s = 1,
		.retry_max_s = 2,
		.expire_s = w.expire_s,
		.connect_timeout_ms = 1000,
		.reply_timeout_ms = 5000,
		.dead_keep_s = w.dead_keep_s,
		.relay.url = w.relay,
		.seed = 1,
	};
	if (delivery_new(&dc, w.log, &w.events, &w.delivery, &why) != 0)
		fail_msg("%s", text_str(&why));
	if (delivery_relay(w.delivery))
		pthread_create(&w.relay_thread, NULL, relay_main, delivery_relay(w.delivery));
	while ((item = spool_log_recovered(w.log)))
		delivery_add(w.delivery, item, clock_mono_us());
}

static void close_log(void)
{
	if (delivery_relay(w.delivery)) {
		atomic_store(&w.relay_stop, true);
		relay_end(delivery_relay(w.delivery));
		pthread_join(w.relay_thread, NULL);
		atomic_store(&w.relay_stop, false);
	}
	delivery_free(w.delivery);
	spool_log_close(w.log);
}

static void begin_with(bool chunking, bool pipelining, const char *relay)
{
	struct fake_lmtp_config config = {w.path, chunking, pipelining};

	memset(&w, 0, sizeof(w));
	w.relay = relay;
	w.expire_s = 3600;
	snprintf(w.path, sizeof(w.path), "/tmp/fake-lmtp.%d", (int)getpid());
	snprintf(w.address, sizeof(w.address), "unix:%s", w.path);
	w.next_id = clock_unix_us() << QUEUE_ID_LCORE_BITS;
	w.sim = log_sim_new(1);
	w.server = fake_lmtp_new(&config);
	assert_int_equal(chunk_pool_init(&w.pool, 4 << 20, NULL), 0);
	assert_int_equal(log_ring_init(&w.events, "test"), 0);
	open_log();
}

static void begin(bool chunking, bool pipelining)
{
	begin_with(chunking, pipelining, NULL);
}

static void end(void)
{
	close_log();
	fake_lmtp_free(w.server);
	if (w.relay_server)
		fake_lmtp_free(w.relay_server);
	log_sim_free(w.sim);
	log_ring_fini(&w.events);
	chunk_pool_collect(&w.pool);
	chunk_pool_fini(&w.pool);
}

static void on_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	assert_int_equal(ack->error, 0);
	if (ack->cookie.word[0]) {
		struct delivery_mail *mail = (struct delivery_mail *)(uintptr_t)ack->cookie.word[0];

		mail->item = ack->item;
		mail->error = 0;
		delivery_committed(w.delivery, mail);
		return;
	}
	delivery_add(w.delivery, ack->item, clock_mono_us());
}

static void commit_own(struct delivery_mail *mail)
{
	struct spool_cookie cookie = {{(uintptr_t)mail, 0}};

	w.asked++;
	mail->error =
		w.refuse ? -EIO
			 : spool_log_commit_bytes(w.log, &mail->envelope, mail->content, cookie);
	if (!mail->error)
		return;
	w.refuse--;
	delivery_committed(w.delivery, mail);
}

static void take_notes(void)
{
	struct delivery_note n;

	while (delivery_next_note(w.delivery, &n)) {
		if (n.kind == DELIVERY_NOTE_DONE)
			spool_log_done(w.log, n.queue_id, n.recipient, n.outcome);
		else if (n.kind == DELIVERY_NOTE_MAIL)
			commit_own(n.mail);
		else
			spool_log_shelve(w.log, n.queue_id, n.shelf, n.since_s);
		w.done += n.kind == DELIVERY_NOTE_DONE;
		w.held += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_ON_HOLD;
		w.dead += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_ON_DEAD;
		w.released += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_IN_QUEUE;
	}
	spool_log_sync(w.log, on_ack, NULL);
}

static void step(void)
{
	delivery_run_once(w.delivery, -1, 1);
	fake_lmtp_step(w.server);
	if (w.relay_server)
		fake_lmtp_step(w.relay_server);
	take_notes();
}

/* Runs until it is true, or for too long. */
#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		uint64_t until_ = clock_mono_us() + PATIENCE_US;                                   \
		while (!(condition)) {                                                             \
			if (clock_mono_us() > until_)                                              \
				fail_msg("never: %s", #condition);                                 \
			step();                                                                    \
		}                                                                                  \
	} while (0)

static void begin_relay(void)
{
	struct fake_lmtp_config config = {NULL, false, false};
	struct fake_lmtp *server = fake_lmtp_new(&config);
	char url[64];

	snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", fake_lmtp_port(server));
	begin_with(true, true, url);
	w.relay_server = server;
	snprintf(w.url, sizeof(w.url), "%s", url);
	w.relay = w.url;
}

/* `to`: addresses separated by blanks; those with a '!' in front get the Junk copy. */
static uint64_t submit_from(const char *from, const char *to, struct bytes body, uint32_t flags)
{
	struct chunk_range range = {chunk_get(&w.pool, CHUNK_LARGE), 0, (uint32_t)body.len};
	struct spool_recipient recipients[16];
	struct bytes rest = bytes_str(to), one;
	static const struct spool_cut cut = {0, 6};
	struct spool_envelope e = {
		.queue_id = w.next_id += 1 << QUEUE_ID_LCORE_BITS,
		.received_unix_us = clock_unix_us(),
		.flags = flags,
		.reverse_path = bytes_str(from),
		.client = BYTES("client"),
		.recipients = recipients,
		.prepend = BYTES("Received: here\r\n"),
		.quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n"),
		.n_cuts = bytes_starts(body, BYTES("C: x\r\n")) ? 1 : 0,
		.cuts = &cut,
		.content_octets = body.len,
	};

	while (bytes_split(&rest, ' ', &one)) {
		bool quarantine = bytes_starts(one, BYTES("!"));

		recipients[e.n_recipients].address = bytes_from(one, quarantine);
		recipients[e.n_recipients++].flags = quarantine ? SPOOL_RCPT_QUARANTINE : 0;
	}
	chunk_append(range.chunk, body);
	assert_int_equal(spool_log_commit(w.log, &e, &range, 1, (struct spool_cookie){{0, 0}}), 0);
	chunk_release(range.chunk);
	spool_log_sync(w.log, on_ack, NULL);
	return e.queue_id;
}

static uint64_t submit_flags(const char *to, struct bytes body, uint32_t flags)
{
	return submit_from("sender@example.com", to, body, flags);
}

static uint64_t submit_authentic(const char *from, const char *to)
{
	return submit_from(
		from, to, BYTES("Subject: s\r\n\r\nbody\r\n"), SPOOL_MAIL_SENDER_AUTHENTIC);
}

static uint64_t submit(const char *to)
{
	return submit_flags(to, BYTES("C: x\r\nSubject: s\r\n\r\n.body\r\n"), 0);
}

static void find_status(void *arg, const struct delivery_status *status)
{
	struct delivery_status *wanted = arg;

	if (status->queue_id == wanted->queue_id)
		*wanted = *status;
}

/* -1: not in the queue. */
static int state_of(uint64_t queue_id)
{
	struct delivery_status s = {.queue_id = queue_id, .state = (enum delivery_state) - 1};

	delivery_list(w.delivery, find_status, &s);
	return (int)s.state;
}

static uint64_t count_of(const struct counter_block *b, const char *name)
{
	for (size_t i = 0; i < b->set->count; i++)
		if (strcmp(b->set->entries[i].name, name) == 0)
			return counter_get(&b->values[i]);
	fail_msg("no counter %s", name);
	return 0;
}

static bool logged(const char *text)
{
	const struct log_record *r;
	bool found = false;

	while ((r = spsc_peek(&w.events.ring))) {
		char line[LOG_RECORD_SIZE];

		snprintf(line, sizeof(line), "%.*s", (int)r->len, r->text);
		found |= strstr(line, text) != NULL;
		spsc_pop(&w.events.ring);
	}
	return found;
}

#define SENT_BODY "Received: here\r\nSubject: s\r\n\r\n.body\r\n"

static void a_mail_is_sent_with_its_fields_in_front_and_without_what_is_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t id;

		begin(i & 1, i & 2);
		id = submit("a@example.org b@example.org");
		RUN_UNTIL(state_of(id) == -1);
		assert_int_equal(fake_lmtp_count(w.server), 1);
		assert_string_equal(fake_lmtp_at(w.server, 0)->from, "sender@example.com");
		assert_string_equal(fake_lmtp_at(w.server, 0)->to, "a@example.org b@example.org");
		/* The server does not undo the dot-stuffing of DATA. */
		assert_string_equal(fake_lmtp_at(w.server, 0)->body,
			i & 1 ? SENT_BODY : "Received: here\r\nSubject: s\r\n\r\n..body\r\n");
		assert_int_equal(w.done, 2);
		assert_true(logged("to=<b@example.org> relay=unix:"));
		close_log();
		open_log();
		assert_int_equal(state_of(id), -1);
		end();
	}
}

static void quarantined_recipients_get_a_copy_of_their_own(void **state)
{
	uint64_t id;

	(void)state;
	begin(true, true);
	id = submit("a@x !b@x c@x");
	RUN_UNTIL(state_of(id) == -1);
	assert_int_equal(fake_lmtp_count(w.server), 2);
	assert_string_equal(fake_lmtp_at(w.server, 0)->to, "a@x c@x");
	assert_string_equal(fake_lmtp_at(w.server, 0)->body, SENT_BODY);
	assert_string_equal(fake_lmtp_at(w.server, 1)->to, "b@x");
	assert_string_equal(
		fake_lmtp_at(w.server, 1)->body, "X-Postern-Quarantine: yes\r\n" SENT_BODY);
	end();
}

static void a_temporary_failure_is_tried_again_and_only_for_those_it_hit(void **state)
{
	uint64_t id;

	(void)state;
	begin(true, true);
	fake_lmtp_ill(w.server, true);
	id = submit("a@x t@x l@x");
	RUN_UNTIL(state_of(id) == DELIVERY_DEFERRED);
	assert_true(logged("dsn=4.2.1 status=deferred"));
	assert_int_equal(w.done, 1);
	fake_lmtp_ill(w.server, false);
	RUN_UNTIL(state_of(id) == -1);
	assert_int_equal(fake_lmtp_count(w.server), 2);
	assert_string_equal(fake_lmtp_at(w.server, 1)->to, "t@x l@x");
	assert_int_equal(w.done, 3);
	end();
}

static void a_permanent_failure_goes_to_hold_and_stays_there_after_a_restart(void **state)
{
	uint64_t id;

	(void)state;
	begin(true, true);
	id = submit("a@x p@x");
	RUN_UNTIL(w.held == 1);
	assert_int_equal(state_of(id), DELIVERY_HELD);
	assert_true(logged("dsn=5.1.1 status=held reply=\"550 5.1.1 no such user\""));
	close_log();
	open_log();
	assert_int_equal(state_of(id), DELIVERY_HELD);
	assert_int_equal(delivery_unhold(w.delivery, id), 1);
	RUN_UNTIL(w.held == 2);
	assert_int_equal(fake_lmtp_count(w.server), 1);
	assert_int_equal(w.released, 1);
	assert_int_equal(delivery_delete(w.delivery, id), 1);
	assert_int_equal(state_of(id), -1);
	take_notes();
	close_log();
	open_log();
	assert_int_equal(state_of(id), -1);
	end();
}

static void bare_line_ends_to_a_server_without_bdat_go_to_hold(void **state)
{
	uint64_t id;

	(void)state;
	begin(false, true);
	id = submit_flags("a@x", BYTES("Subject: s\r\n\r\n\n.\nRSET\r\n"), SPOOL_MAIL_BARE_EOL);
	RUN_UNTIL(state_of(id) == DELIVERY_HELD);
	assert_int_equal(fake_lmtp_count(w.server), 0);
	end();
}

static void a_lost_final_reply_is_counted_as_a_possible_duplicate(void **state)
{
	uint64_t id;

	(void)state;
	begin(true, true);
	fake_lmtp_ill(w.server, true);
	id = submit("h@x");
	RUN_UNTIL(state_of(id) == DELIVERY_DEFERRED);
	assert_true(logged("duplicate=possible"));
	assert_int_equal(count_of(delivery_counters(w.delivery), "delivery_unsure"), 1);
	fake_lmtp_ill(w.server, false);
	assert_int_equal(delivery_flush(w.delivery, id), 1);
	RUN_UNTIL(state_of(id) == -1);
	end();
}

static void a_backend_that_is_away_costs_no_mail_an_attempt(void **state)
{
	uint64_t ids[50];

	(void)state;
	begin(true, true);
	fake_lmtp_stop(w.server);
	for (unsigned i = 0; i < 50; i++)
		ids[i] = submit("a@x");
	for (unsigned i = 0; i < 50; i++)
		step();
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(state_of(ids[i]), DELIVERY_WAITING);
	assert_true(logged("event=backend-down"));
	fake_lmtp_start(w.server);
	RUN_UNTIL(fake_lmtp_count(w.server) == 50 && w.done == 50);
	assert_true(logged("event=backend-up"));
	end();
}

static void a_server_that_closed_an_idle_connection_costs_no_mail_an_attempt(void **state)
{
	uint64_t id;

	(void)state;
	begin(true, true);
	id = submit("a@x");
	RUN_UNTIL(state_of(id) == -1);
	fake_lmtp_stop(w.server);
	fake_lmtp_start(w.server);
	id = submit("b@x");
	RUN_UNTIL(state_of(id) == -1);
	assert_false(logged("status=deferred"));
	end();
}

static void operators_hold_and_release(void **state)
{
	uint64_t a, b;

	(void)state;
	begin(true, true);
	fake_lmtp_stop(w.server);
	a = submit("a@x");
	b = submit("b@x");
	assert_int_equal(delivery_hold(w.delivery, a), 1);
	assert_int_equal(delivery_hold(w.delivery, a), 0);
	fake_lmtp_start(w.server);
	RUN_UNTIL(state_of(b) == -1);
	assert_int_equal(state_of(a), DELIVERY_HELD);
	assert_int_equal(delivery_unhold(w.delivery, 0), 1);
	RUN_UNTIL(state_of(a) == -1);
	end();
}

static void with_a_relay_what_may_not_bounce_is_dead_until_an_operator_revives_it(void **state)
{
	uint64_t id;

	(void)state;
	begin_with(true, true, "smtp://127.0.0.1:9");
	id = submit("a@x p@x");
	RUN_UNTIL(w.dead == 1);
	assert_int_equal(state_of(id), DELIVERY_DEAD);
	assert_true(logged("event=dead reason=undeliverable"));
	assert_int_equal(count_of(delivery_counters(w.delivery), "delivery_dead"), 1);
	close_log();
	open_log();
	assert_int_equal(state_of(id), DELIVERY_DEAD);
	assert_int_equal(delivery_flush(w.delivery, id), 0);
	assert_int_equal(delivery_requeue(w.delivery, id), 1);
	RUN_UNTIL(w.dead == 2);
	assert_int_equal(w.released, 1);
	assert_int_equal(w.done, 1);
	end();
}

static void a_dead_mail_is_gone_when_its_time_is_over_and_that_is_logged(void **state)
{
	uint64_t id;

	(void)state;
	begin_with(true, true, "smtp://127.0.0.1:9");
	id = submit("p@x");
	RUN_UNTIL(w.dead == 1);
	close_log();
	w.dead_keep_s = 1; /* counted from its death, not from the restart */
	open_log();
	RUN_UNTIL(state_of(id) == -1);
	assert_true(logged("event=removed reason=dead-kept-long-enough"));
	assert_int_equal(count_of(delivery_counters(w.delivery), "delivery_dead_expired"), 1);
	assert_int_equal(w.done, 1);
	end();
}

static uint64_t count_mine(const char *name)
{
	return count_of(delivery_counters(w.delivery), name);
}

static void an_authentic_sender_is_told_of_what_failed_and_only_of_that(void **state)
{
	const struct fake_lmtp_mail *bounce;
	uint64_t id;

	(void)state;
	begin_relay();
	id = submit_authentic("sender@example.com", "a@x p@x !p2@x b@x");
	RUN_UNTIL(fake_lmtp_count(w.relay_server) == 1);
	bounce = fake_lmtp_at(w.relay_server, 0);
	assert_string_equal(bounce->from, "");
	assert_string_equal(bounce->to, "sender@example.com");
	assert_non_null(strstr(bounce->body, "Final-Recipient: rfc822; p@x\r\n"));
	assert_non_null(strstr(bounce->body, "Final-Recipient: rfc822; p2@x\r\n"));
	assert_null(strstr(bounce->body, "a@x"));
	RUN_UNTIL(w.done == 5);
	assert_int_equal(state_of(id), -1);
	assert_int_equal(count_mine("delivery_bounces"), 1);
	assert_int_equal(count_mine("delivery_bounced"), 2);
	assert_true(logged("event=bounced bounce="));
	assert_int_equal(w.dead, 0);
	end();
}

static void nobody_is_told_who_may_not_be(void **state)
{
	(void)state;
	begin_relay();
	submit_authentic("", "p@x");
	submit("p@x");
	RUN_UNTIL(w.dead == 2);
	assert_int_equal(w.asked, 0);
	end();
}

static void the_original_is_done_only_once_its_bounce_is_on_disk(void **state)
{
	uint64_t id;

	(void)state;
	begin_relay();
	fake_lmtp_stop(w.relay_server);
	w.refuse = 1;
	id = submit_authentic("sender@example.com", "p@x");
	RUN_UNTIL(w.asked == 1);
	assert_int_equal(w.done, 0);
	assert_int_equal(state_of(id), DELIVERY_ACTIVE);
	RUN_UNTIL(w.done == 1);
	assert_int_equal(w.asked, 2);
	assert_int_equal(state_of(id), -1);
	take_notes();
	close_log();
	fake_lmtp_start(w.relay_server);
	open_log();
	RUN_UNTIL(fake_lmtp_count(w.relay_server) == 1);
	RUN_UNTIL(w.done == 2);
	end();
}

static void a_bounce_is_tried_again_and_dies_where_the_relay_refuses_it(void **state)
{
	(void)state;
	begin_relay();
	fake_lmtp_ill(w.relay_server, true);
	submit_authentic("t@example.com", "p@x");
	submit_authentic("l@example.com", "p@x");
	submit_authentic("p@example.com", "p@x");
	RUN_UNTIL(w.dead == 1);
	assert_true(logged("dsn=5.1.1 status=failed reply=\"550 5.1.1 no such user\""));
	RUN_UNTIL(count_of(delivery_relay_counters(w.delivery), "relay_deferred") >= 2);
	fake_lmtp_ill(w.relay_server, false);
	RUN_UNTIL(fake_lmtp_count(w.relay_server) == 2);
	RUN_UNTIL(w.done == 5);
	assert_int_equal(w.asked, 3);
	end();
}

static void a_mail_whose_time_is_over_with_no_backend_in_sight_bounces(void **state)
{
	(void)state;
	begin_relay();
	close_log();
	w.expire_s = 1;
	open_log();
	fake_lmtp_stop(w.server);
	submit_authentic("sender@example.com", "a@x");
	RUN_UNTIL(fake_lmtp_count(w.relay_server) == 1);
	assert_non_null(strstr(
		fake_lmtp_at(w.relay_server, 0)->body, "Action: failed\r\nStatus: 4.4.7\r\n"));
	assert_int_equal(count_mine("delivery_expired"), 1);
	end();
}

static void many_mails_all_arrive_once(void **state)
{
	(void)state;
	begin(true, true);
	for (unsigned i = 0; i < 300; i++)
		submit("a@x");
	RUN_UNTIL(w.done == 300);
	assert_int_equal(fake_lmtp_count(w.server), 300);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_sent_with_its_fields_in_front_and_without_what_is_cut),
		cmocka_unit_test(quarantined_recipients_get_a_copy_of_their_own),
		cmocka_unit_test(a_temporary_failure_is_tried_again_and_only_for_those_it_hit),
		cmocka_unit_test(a_permanent_failure_goes_to_hold_and_stays_there_after_a_restart),
		cmocka_unit_test(bare_line_ends_to_a_server_without_bdat_go_to_hold),
		cmocka_unit_test(a_lost_final_reply_is_counted_as_a_possible_duplicate),
		cmocka_unit_test(a_backend_that_is_away_costs_no_mail_an_attempt),
		cmocka_unit_test(a_server_that_closed_an_idle_connection_costs_no_mail_an_attempt),
		cmocka_unit_test(operators_hold_and_release),
		cmocka_unit_test(
			with_a_relay_what_may_not_bounce_is_dead_until_an_operator_revives_it),
		cmocka_unit_test(a_dead_mail_is_gone_when_its_time_is_over_and_that_is_logged),
		cmocka_unit_test(an_authentic_sender_is_told_of_what_failed_and_only_of_that),
		cmocka_unit_test(nobody_is_told_who_may_not_be),
		cmocka_unit_test(the_original_is_done_only_once_its_bounce_is_on_disk),
		cmocka_unit_test(a_bounce_is_tried_again_and_dies_where_the_relay_refuses_it),
		cmocka_unit_test(a_mail_whose_time_is_over_with_no_backend_in_sight_bounces),
		cmocka_unit_test(many_mails_all_arrive_once),
	};

	return cmocka_run_group_tests_name("spool/queue delivery", tests, NULL, NULL);
}
