#include "gateway/fake_session.h"

#include "gateway/mail_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Large mails, and many of them, with the spool in the test's hands. */

#define ENVELOPE(from)                                                                             \
	"EHLO client.example\r\nMAIL FROM:<" from ">\r\nRCPT TO:<bob@lab.example>\r\nDATA\r\n"     \
	"From: " from "\r\nSubject: x\r\n\r\n"
#define PIECE 60000u

#define CONNS 20

static struct fake_conn conns[CONNS];

static uint64_t counted(enum gateway_counter id)
{
	return counter_get(&fakes.worker.counters.v[id]);
}

#define ROOMY "limits: {connections: 16, mails: 16, mail_memory: 16M, message_size: 8M}\n"
/* 16 MiB, of which 14 are for large chunks. */
#define TIGHT                                                                                      \
	"limits: {connections: 40, mails: 40, mail_memory: 16M, message_size: 8M, "                \
	"client_connections: 0}\n"

static void open_mail(struct fake_conn *conn, const char *envelope)
{
	fake_conn_open(conn, "192.0.2.1");
	fake_conn_say(conn, envelope);
}

/* One more piece of content, unless an earlier one still waits to be read. False: it does. */
static bool say_piece(struct fake_conn *conn)
{
	static char line[PIECE + 1];

	if (conn->in_len > 0)
		return false;
	memset(line, 'x', PIECE);
	for (unsigned i = 998; i < PIECE; i += 1000)
		memcpy(line + i, "\r\n", 2);
	conn->in_from = 0;
	fake_conn_say(conn, line);
	return true;
}

static void say(struct fake_conn *conn, const char *text)
{
	if (conn->in_len == 0)
		conn->in_from = 0;
	fake_conn_say(conn, text);
}

static bool is_open(const struct fake_conn *conn)
{
	return !conn->closed && !conn->aborted && !conn->released;
}

static void take_all(void)
{
	while (fakes.n_at_spooler)
		fakes_commit(0);
}

static void a_large_mail_goes_ahead_while_it_arrives_and_is_committed_whole(void **state)
{
	uint64_t most = 0;

	(void)state;
	fakes_configure(ROOMY);
	open_mail(&conns[0], ENVELOPE("a@plain.example"));
	for (unsigned i = 0; i < 100; i++) {
		assert_true(say_piece(&conns[0]));
		if (chunk_pool_in_use(&fakes.worker.chunks) > most)
			most = chunk_pool_in_use(&fakes.worker.chunks);
		take_all();
	}
	assert_true(fakes.octets_ahead > 4000000);
	assert_true(most < MAIL_STREAM_OCTETS + MAIL_STREAM_BATCH);
	assert_int_equal(counted(GATEWAY_STREAMED), 1);
	assert_int_equal(counted(GATEWAY_SPILLED), 0);
	say(&conns[0], ".\r\n");
	assert_int_equal(fakes.n_at_spooler, 1);
	assert_int_equal(fakes.at_spooler[0].kind, SPOOL_REQUEST_COMMIT);
	{
		const struct mail *mail = fakes.at_spooler[0].mail;
		uint64_t rest = 0;

		for (unsigned i = 0; i < mail->n_ranges; i++)
			rest += chunk_range_len(mail->ranges[i]);
		assert_int_equal(fakes.octets_ahead + rest, mail->envelope.content_octets);
	}
	fakes_commit(0);
	say(&conns[0], "QUIT\r\n");
	assert_string_equal(fake_conn_codes(&conns[0]), "220 250 250 250 354 250 221");
	fakes_nothing_is_left();
}

static void a_peer_is_not_read_from_until_the_spool_has_caught_up(void **state)
{
	unsigned pieces = 0;

	(void)state;
	fakes_configure(ROOMY);
	open_mail(&conns[0], ENVELOPE("a@plain.example"));
	while (say_piece(&conns[0]))
		assert_true(++pieces < 100);
	assert_int_equal(counted(GATEWAY_HELD_BACK), 1);
	assert_true(chunk_pool_in_use(&fakes.worker.chunks) <
		    MAIL_STREAM_WINDOW + MAIL_STREAM_BATCH + 2 * PIECE);
	/* The wait is ours, so that silence is not the peer's fault. */
	fakes_wait(3600000);
	assert_false(conns[0].closed);
	take_all();
	assert_int_equal(conns[0].in_len, 0);
	assert_true(say_piece(&conns[0]));
	take_all();
	say(&conns[0], ".\r\n");
	take_all();
	say(&conns[0], "QUIT\r\n");
	assert_string_equal(fake_conn_codes(&conns[0]), "220 250 250 250 354 250 221");
	fakes_nothing_is_left();
}

static void what_was_sent_ahead_of_a_lost_or_refused_mail_is_aborted(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		fakes_configure(ROOMY);
		open_mail(&conns[0],
			how == 0 ? ENVELOPE("a@strict.example") : ENVELOPE("a@plain.example"));
		for (unsigned i = 0; i < 20; i++)
			assert_true(say_piece(&conns[0]));
		assert_int_equal(fakes.n_at_spooler, 1);
		if (how == 0) {
			take_all();
			say(&conns[0], ".\r\n"); /* refused by policy */
			assert_int_equal(fakes.n_at_spooler, 1);
			take_all();
			assert_string_equal(fake_conn_codes(&conns[0]), "220 250 250 250 354 550");
		} else if (how == 1) {
			fake_conn_break(&conns[0]); /* with content at the spooler */
			assert_int_equal(fakes.n_at_spooler, 2);
			assert_int_equal(fakes.worker.mails.in_use, 1);
		} else if (how == 2) {
			take_all();
			fake_conn_break(&conns[0]);
		} else {
			fakes_commit(-EIO);
			assert_true(say_piece(&conns[0]));
			take_all();
			say(&conns[0], ".\r\n");
			assert_string_equal(fake_conn_codes(&conns[0]), "220 250 250 250 354 451");
			assert_int_equal(counted(GATEWAY_STREAM_FAILED), 1);
		}
		take_all();
		assert_int_equal(fakes.n_aborts, 1);
		assert_int_equal(counted(GATEWAY_STREAM_ABORTED), 1);
		if (is_open(&conns[0]))
			fake_conn_break(&conns[0]);
		fakes_nothing_is_left();
	}
}

static void a_disk_that_is_full_says_452_even_where_the_mail_was_whole_by_then(void **state)
{
	(void)state;
	fakes_configure(ROOMY);
	open_mail(&conns[0], ENVELOPE("a@plain.example"));
	for (unsigned i = 0; i < 19; i++)
		assert_true(say_piece(&conns[0]));
	say(&conns[0], ".\r\n");
	assert_int_equal(fakes.n_at_spooler, 2);
	fakes_commit(-ENOSPC);
	fakes_commit(-EIO);
	assert_string_equal(fake_conn_codes(&conns[0]), "220 250 250 250 354 452");
	fake_conn_break(&conns[0]);
	fakes_nothing_is_left();
}

static void where_memory_is_short_smaller_mails_go_ahead_too(void **state)
{
	unsigned i;

	(void)state;
	fakes_configure(TIGHT);
	for (i = 0; i < CONNS; i++)
		open_mail(&conns[i], ENVELOPE("a@plain.example"));
	for (unsigned round = 0; round < 15; round++)
		for (i = 0; i < CONNS; i++) {
			assert_true(say_piece(&conns[i]));
			fakes_wait(20);
			take_all();
		}
	assert_int_equal(counted(GATEWAY_STREAMED), 0);
	assert_true(counted(GATEWAY_SPILLED) > 0);
	assert_int_equal(counted(GATEWAY_MAILS_SHED), 0);
	for (i = 0; i < CONNS; i++) {
		assert_int_equal(conns[i].in_len, 0);
		say(&conns[i], ".\r\nQUIT\r\n");
		take_all();
		assert_string_equal(fake_conn_codes(&conns[i]), "220 250 250 250 354 250 221");
	}
	fakes_nothing_is_left();
}

/* Takes all the memory there is; those strung together are to be released. */
static struct chunk *take_memory(void)
{
	struct chunk_pool *pool = &fakes.worker.chunks;
	struct chunk *taken = NULL, *chunk;

	while ((chunk = chunk_get(pool, CHUNK_LARGE))) {
		chunk->next = taken;
		taken = chunk;
	}
	return taken;
}

static void give_memory(struct chunk *taken)
{
	for (struct chunk *next; taken; taken = next) {
		next = taken->next;
		chunk_release(taken);
	}
}

static void where_that_is_not_enough_the_slowest_is_given_up_and_the_others_go_on(void **state)
{
	struct chunk *taken;

	(void)state;
	fakes_configure(TIGHT);
	for (unsigned i = 0; i < 3; i++)
		open_mail(&conns[i], ENVELOPE("a@plain.example"));
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < (i ? 3 : 2); j++)
			assert_true(say_piece(&conns[j]));
	taken = take_memory();
	fakes_wait(1);
	assert_true(say_piece(&conns[0])); /* arrives, and is not read */
	assert_false(say_piece(&conns[0]));
	assert_int_equal(counted(GATEWAY_MAILS_SHED), 0);
	fakes_wait(15);
	assert_int_equal(counted(GATEWAY_MAILS_SHED), 1);
	assert_true(conns[2].closed);
	assert_string_equal(fake_conn_codes(&conns[2]), "220 250 250 250 354 421");
	give_memory(taken);
	fakes_wait(20);
	for (unsigned i = 0; i < 2; i++) {
		take_all();
		say(&conns[i], ".\r\nQUIT\r\n");
		take_all();
		assert_string_equal(fake_conn_codes(&conns[i]), "220 250 250 250 354 250 221");
	}
	assert_int_equal(counted(GATEWAY_MAILS_SHED), 1);
	take_all();
	fakes_nothing_is_left();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fakes_setup, fakes_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_mail_goes_ahead_while_it_arrives_and_is_committed_whole),
		TEST(a_peer_is_not_read_from_until_the_spool_has_caught_up),
		TEST(what_was_sent_ahead_of_a_lost_or_refused_mail_is_aborted),
		TEST(a_disk_that_is_full_says_452_even_where_the_mail_was_whole_by_then),
		TEST(where_memory_is_short_smaller_mails_go_ahead_too),
		TEST(where_that_is_not_enough_the_slowest_is_given_up_and_the_others_go_on),
	};

	return cmocka_run_group_tests_name("gateway/mail_stream", tests, NULL, NULL);
}
