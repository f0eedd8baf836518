#include "auth/trace_format.h"
#include "gateway/fake_session.h"
#include "gateway/shed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * Sessions and mails as a peer, the spooler and the clock see them: SMTP, evaluation and policy are
 * real, the connection, the spool and the resolver are not.
 */

#define ENVELOPE                                                                                   \
	"EHLO client.example\r\nMAIL FROM:<a@plain.example>\r\nRCPT TO:<bob@lab.example>\r\n"      \
	"DATA\r\n"
#define CONTENT "From: a@plain.example\r\nSubject: x\r\n\r\nHello\r\n.\r\n"

static struct fake_conn conn, other;

static uint64_t counted(enum gateway_counter id)
{
	return counter_get(&fakes.worker.counters.v[id]);
}

static void open_conn(void)
{
	fake_conn_open(&conn, "192.0.2.1");
}

/* --- the way of a mail --------------------------------------------------------------------------
 */

static void a_mail_is_answered_when_it_is_durable_and_not_before(void **state)
{
	char wanted[64];

	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354");
	assert_int_equal(fakes.n_at_spooler, 1);
	assert_int_equal(fakes.at_spooler[0].mail->envelope.n_recipients, 1);
	assert_true(fakes.spool_reserved > 0);
	snprintf(wanted, sizeof(wanted), "250 2.0.0 Ok: queued as %s\r\n",
		fakes.at_spooler[0].mail->id);
	fakes_commit(0);
	assert_string_equal(fake_conn_heard(&conn), wanted);
	fake_conn_say(&conn, "QUIT\r\n");
	assert_string_equal(fake_conn_codes(&conn), "221");
	assert_true(conn.closed);
	assert_int_equal(counted(GATEWAY_ACCEPTED), 1);
	fakes_nothing_is_left();
}

static void it_is_the_same_however_its_octets_come(void **state)
{
	static const size_t portions[] = {1, 2, 3, 7, 64};

	(void)state;
	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		open_conn();
		conn.portion = portions[i];
		fake_conn_say(&conn, ENVELOPE CONTENT "QUIT\r\n");
		assert_int_equal(fakes.n_at_spooler, 1);
		assert_int_equal(fakes.at_spooler[0].mail->octets, strlen(CONTENT) - 3);
		fakes_commit(0);
		assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354 250 221");
		assert_true(conn.closed);
		fakes_nothing_is_left();
	}
}

static void what_the_spool_cannot_keep_is_put_off(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	fake_conn_codes(&conn);
	fakes_commit(-EIO);
	assert_string_equal(fake_conn_codes(&conn), "451");
	fake_conn_say(&conn, ENVELOPE CONTENT);
	fake_conn_codes(&conn);
	fakes_commit(-ENOSPC);
	assert_string_equal(fake_conn_codes(&conn), "452");
	assert_int_equal(counted(GATEWAY_SPOOL_FAILED), 2);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void data_is_refused_while_the_spool_is_full(void **state)
{
	(void)state;
	fakes.spool_is_full = true;
	open_conn();
	fake_conn_say(&conn, ENVELOPE);
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 452");
	fakes.spool_is_full = false;
	fake_conn_say(&conn, "DATA\r\n" CONTENT);
	fakes_commit(0);
	assert_string_equal(fake_conn_codes(&conn), "354 250");
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void more_than_declared_needs_more_of_the_spool(void **state)
{
	static char text[70000];

	(void)state;
	open_conn();
	fake_conn_say(&conn,
		"EHLO x\r\nMAIL FROM:<a@plain.example> SIZE=100\r\nRCPT TO:<bob@lab.example>\r\n"
		"DATA\r\n");
	assert_int_equal(fakes.spool_reserved, 100);
	memset(text, 'x', sizeof(text) - 1);
	fake_conn_say(&conn, "Subject: x\r\n\r\n");
	fake_conn_say(&conn, text);
	assert_int_equal(fakes.spool_reserved, 128 << 10);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void a_peer_that_goes_after_the_end_of_data_leaves_its_mail(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	fake_conn_break(&conn);
	assert_true(conn.released);
	assert_int_equal(fakes.worker.mails.in_use, 1);
	fakes_commit(0);
	assert_int_equal(counted(GATEWAY_ORPHANS), 1);
	fakes_nothing_is_left();
}

static void a_peer_that_goes_before_the_verdict_leaves_nothing(void **state)
{
	(void)state;
	fakes.dns_silent = true;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	assert_int_equal(fakes.n_at_spooler, 0);
	assert_int_equal(fakes.worker.mails.in_use, 1);
	fake_conn_break(&conn);
	fakes.dns_silent = false;
	fakes_run();
	assert_int_equal(fakes.n_at_spooler, 0);
	fakes_nothing_is_left();
}

static void rset_and_quit_leave_nothing(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, "EHLO x\r\nMAIL FROM:<a@plain.example>\r\nRCPT TO:<b@lab.example>\r\n"
			     "RSET\r\nMAIL FROM:<a@plain.example>\r\nQUIT\r\n");
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 250 250 221");
	fakes_nothing_is_left();
}

/* --- verdicts -----------------------------------------------------------------------------------
 */

#define STRICT "DATA\r\nFrom: a@strict.example\r\n\r\nHello\r\n.\r\n"

static void a_rejected_mail_is_never_handed_on(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn,
		"EHLO x\r\nMAIL FROM:<a@strict.example>\r\nRCPT TO:<bob@lab.example>\r\n" STRICT);
	assert_non_null(strstr(fake_conn_heard(&conn),
		"550 5.7.1 Email rejected per DMARC policy for strict.example\r\n"));
	assert_int_equal(fakes.n_at_spooler, 0);
	assert_int_equal(counted(GATEWAY_REJECTED), 1);
	fake_conn_say(&conn, "QUIT\r\n");
	fakes_nothing_is_left();
}

static void with_postmaster_among_them_the_others_get_quarantine(void **state)
{
	const struct spool_recipient *to;

	(void)state;
	open_conn();
	fake_conn_say(&conn, "EHLO x\r\nMAIL FROM:<a@strict.example>\r\n"
			     "RCPT TO:<bob@lab.example>\r\nRCPT TO:<postmaster>\r\n" STRICT);
	assert_int_equal(fakes.n_at_spooler, 1);
	to = fakes.at_spooler[0].mail->envelope.recipients;
	assert_int_equal(to[0].flags, SPOOL_RCPT_QUARANTINE);
	assert_int_equal(to[1].flags, 0);
	assert_true(bytes_eq(to[1].address, BYTES("pm@lab.example")));
	fakes_commit(0);
	assert_int_equal(counted(GATEWAY_QUARANTINED), 1);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void a_failed_look_up_that_could_refuse_puts_off(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn,
		"EHLO x\r\nMAIL FROM:<a@broken.example>\r\nRCPT TO:<bob@lab.example>\r\n"
		"DATA\r\nFrom: a@broken.example\r\n\r\nHello\r\n.\r\n");
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354 451");
	assert_int_equal(counted(GATEWAY_DEFERRED), 1);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void silent_look_ups_are_given_up_in_time(void **state)
{
	(void)state;
	fakes.dns_silent = true;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	fakes_wait(4900);
	assert_int_equal(counted(GATEWAY_IMPATIENT), 0);
	fakes_wait(300);
	assert_int_equal(counted(GATEWAY_IMPATIENT), 1);
	if (fakes.n_at_spooler)
		fakes_commit(0);
	assert_int_equal(fakes.worker.mails.in_use, 0);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void a_header_section_without_end_is_refused_at_the_true_end(void **state)
{
	static char text[20000];
	size_t len = 0;

	(void)state;
	while (len + 100 < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "X-Filler: %060u\r\n", 1u);
	open_conn();
	fake_conn_say(&conn, ENVELOPE);
	fake_conn_say(&conn, text);
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354");
	assert_int_equal(fakes.worker.mails.in_use, 0);
	fake_conn_say(&conn, "\r\nbody\r\n.\r\nNOOP\r\n");
	assert_string_equal(fake_conn_codes(&conn), "552 250");
	assert_int_equal(conn.window, SESSION_WINDOW_COMMANDS);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

/* --- peers --------------------------------------------------------------------------------------
 */

static void a_half_closed_peer_gets_its_replies(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	fake_conn_say(&conn, NULL);
	assert_false(conn.closed);
	fakes_commit(0);
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354 250");
	assert_true(conn.closed);
	fakes_nothing_is_left();
}

static void a_peer_that_does_not_read_is_not_read_from(void **state)
{
	static char noops[60000];

	(void)state;
	for (size_t i = 0; i + 6 < sizeof(noops); i += 6)
		memcpy(noops + i, "NOOP\r\n", 7);
	open_conn();
	conn.room = 100;
	fake_conn_say(&conn, noops);
	assert_true(conn.in_len > 0);
	assert_int_equal(fakes.worker.rests.in_use, 1);
	fake_conn_say(&conn, "QUIT\r\n");
	while (conn.in_len > 0)
		fake_conn_read(&conn, 1000);
	/* The last word is not lost. */
	assert_false(conn.closed);
	fake_conn_read(&conn, SIZE_MAX);
	assert_true(conn.closed);
	conn.out[conn.out_len] = '\0';
	assert_string_equal(conn.out + conn.out_len - 15, "221 2.0.0 Bye\r\n");
	fakes_nothing_is_left();
}

static void one_that_never_reads_is_cut_off(void **state)
{
	(void)state;
	open_conn();
	conn.room = 0;
	fake_conn_say(&conn, "NOOP\r\n");
	fakes_wait(19000);
	assert_false(conn.aborted);
	fakes_wait(2000);
	assert_true(conn.aborted);
	assert_int_equal(counted(GATEWAY_NOT_READING), 1);
	fakes_nothing_is_left();
}

static void silence_between_commands_ends_with_421(void **state)
{
	(void)state;
	open_conn();
	fakes_wait(15000);
	fake_conn_say(&conn, "NOOP\r\n");
	fakes_wait(19000);
	assert_string_equal(fake_conn_codes(&conn), "220 250");
	fakes_wait(1500);
	assert_string_equal(fake_conn_codes(&conn), "421");
	assert_true(conn.closed);
	fakes_nothing_is_left();
}

static void a_line_that_dribbles_in_is_silence(void **state)
{
	(void)state;
	open_conn();
	fake_conn_codes(&conn);
	for (unsigned i = 0; i < 21 && !conn.closed; i++) {
		fake_conn_say(&conn, "N");
		fakes_wait(1000);
	}
	assert_string_equal(fake_conn_codes(&conn), "421");
	assert_true(conn.closed);
	fakes_nothing_is_left();
}

static void silence_in_the_content_ends_with_421(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE "Subject: x\r\n\r\nhalf of a");
	fake_conn_codes(&conn);
	fakes_wait(9900);
	assert_false(conn.closed);
	fakes_wait(200);
	assert_string_equal(fake_conn_codes(&conn), "421");
	fakes_nothing_is_left();
}

static void an_odd_end_mark_is_waited_on_for_less(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE "Subject: x\r\n\r\nbody\n.\n");
	fake_conn_codes(&conn);
	fakes_wait(2100);
	assert_string_equal(fake_conn_codes(&conn), "550 421");
	assert_int_equal(counted(GATEWAY_ODD_END), 1);
	fakes_nothing_is_left();
}

static void content_must_come_at_a_pace(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE "Subject: x\r\n\r\n");
	fake_conn_codes(&conn);
	for (unsigned i = 0; i < 60 && !conn.closed; i++) {
		fake_conn_say(&conn, "x");
		fakes_wait(1000);
		assert_true(i < 9 ? !conn.closed : i < 11 || conn.closed);
	}
	assert_string_equal(fake_conn_codes(&conn), "421");
	assert_int_equal(counted(GATEWAY_SLOW), 1);
	fakes_nothing_is_left();
}

static void one_client_cannot_have_all_connections(void **state)
{
	static struct fake_conn conns[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		fake_conn_open(&conns[i], "192.0.2.1");
	open_conn();
	assert_string_equal(fake_conn_codes(&conn), "421");
	assert_true(conn.closed);
	assert_int_equal(counted(GATEWAY_CLIENT_FULL), 1);
	fake_conn_open(&other, "192.0.2.2");
	assert_string_equal(fake_conn_codes(&other), "220");
	fake_conn_break(&conns[0]);
	open_conn();
	assert_string_equal(fake_conn_codes(&conn), "220");
	for (unsigned i = 1; i < 3; i++)
		fake_conn_break(&conns[i]);
	fake_conn_break(&conn);
	fake_conn_break(&other);
	fakes_nothing_is_left();
}

/* --- too little for all --------------------------------------------------------------------------
 */

static struct fake_conn crowd[16]; /* as many as there are sessions */

static void open_crowd(void)
{
	for (unsigned i = 0; i < 16; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "192.0.2.%u", i + 10);
		fake_conn_open(&crowd[i], ip);
		fake_conn_codes(&crowd[i]);
	}
}

static void end_crowd(void)
{
	for (unsigned i = 0; i < 16; i++)
		if (!crowd[i].closed)
			fake_conn_break(&crowd[i]);
	fakes_nothing_is_left();
}

static void a_refusal_that_cannot_be_said_is_a_reset(void **state)
{
	(void)state;
	open_crowd();
	fakes.starved = true;
	open_conn();
	assert_string_equal(fake_conn_codes(&conn), "");
	assert_true(conn.aborted);
	assert_false(conn.closed);
	end_crowd();
}

/* DESIGN §5: TCP, SMTP and table of an idle connection, even where each comes from an address of
 * its own. */
static void an_idle_connection_takes_1_KiB_at_most(void **state)
{
	const struct worker *worker = &fakes.worker;

	(void)state;
	open_conn();
	fake_conn_say(
		&conn, "EHLO a-host-with-a-name-as-long-as-names-are.mail.client.example\r\n");
	assert_string_equal(fake_conn_codes(&conn), "220 250");
	assert_int_equal(worker->sessions.in_use, 1);
	assert_int_equal(worker->clients.entries.in_use, 1);
	assert_int_equal(worker->lines.in_use, 0);
	assert_int_equal(worker->blocks.in_use, 0);
	assert_int_equal(worker->rests.in_use, 0);
	assert_int_equal(worker->mails.in_use, 0);
	assert_in_range(TCP_CONNECTION_OCTETS + worker->sessions.object_size +
				worker->clients.entries.object_size + 2 * sizeof(void *),
		1, 1024);
	fake_conn_say(&conn, "QUIT\r\n");
	fakes_nothing_is_left();
}

static void a_full_table_says_so(void **state)
{
	(void)state;
	open_crowd();
	open_conn();
	assert_string_equal(fake_conn_codes(&conn), "421");
	assert_int_equal(counted(GATEWAY_SESSIONS_FULL), 1);
	assert_int_equal(counted(GATEWAY_SHED), 0);
	end_crowd();
}

static void a_full_table_closes_the_longest_idle(void **state)
{
	(void)state;
	open_crowd();
	fakes_wait(1500);
	fake_conn_say(&crowd[0], "NOOP\r\n");
	open_conn();
	assert_string_equal(fake_conn_codes(&conn), "220");
	assert_string_equal(fake_conn_codes(&crowd[1]), "421");
	assert_true(crowd[1].closed);
	assert_false(crowd[0].closed);
	assert_int_equal(counted(GATEWAY_SHED), 1);
	assert_int_equal(counted(GATEWAY_SESSIONS_FULL), 0);
	fake_conn_break(&conn);
	end_crowd();
}

static void nobody_is_closed_within_a_transaction(void **state)
{
	(void)state;
	open_crowd();
	for (unsigned i = 0; i < 16; i++)
		if (i != 7)
			fake_conn_say(&crowd[i], "EHLO x\r\nMAIL FROM:<a@plain.example>\r\n");
	fakes_wait(1500);
	assert_true(shed_longest_idle(&fakes.worker));
	assert_true(crowd[7].closed);
	assert_false(shed_longest_idle(&fakes.worker));
	end_crowd();
}

static void data_is_put_off_before_anybody_is_closed(void **state)
{
	(void)state;
	open_conn();
	fakes.worker.pressure = TCP_PRESSURE_NARROW;
	fake_conn_say(&conn, ENVELOPE);
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 250 354");
	fake_conn_say(&conn, CONTENT);
	fakes_commit(0);
	fake_conn_codes(&conn);
	fakes.worker.pressure = TCP_PRESSURE_BUSY;
	fake_conn_say(&conn, ENVELOPE);
	assert_string_equal(fake_conn_codes(&conn), "250 250 250 452");
	assert_int_equal(counted(GATEWAY_DATA_REFUSED), 1);
	assert_int_equal(counted(GATEWAY_SHED), 0);
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

/* --- the daemon ---------------------------------------------------------------------------------
 */

static void draining_says_421_to_the_idle_and_finishes_what_is_in_data(void **state)
{
	(void)state;
	open_conn();
	fake_conn_open(&other, "192.0.2.2");
	fake_conn_say(&conn, ENVELOPE "Subject: x\r\n");
	fake_conn_codes(&conn);
	fake_conn_codes(&other);
	assert_false(worker_drain(&fakes.worker));
	assert_string_equal(fake_conn_codes(&other), "421");
	assert_true(other.closed);
	fake_conn_open(&other, "192.0.2.2");
	assert_string_equal(fake_conn_codes(&other), "421");
	fake_conn_say(&conn, "\r\nbody\r\n.\r\n");
	assert_false(worker_drain(&fakes.worker));
	fakes_commit(0);
	assert_true(worker_drain(&fakes.worker));
	assert_string_equal(fake_conn_codes(&conn), "250 421");
	assert_true(conn.closed);
	fakes_nothing_is_left();
}

static void draining_ends_in_time(void **state)
{
	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE "Subject: x\r\n");
	assert_false(worker_drain(&fakes.worker));
	fakes.worker.now_us += 31 * UINT64_C(1000000);
	assert_true(worker_drain(&fakes.worker));
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void new_settings_hold_from_the_next_round_on(void **state)
{
	char buffer[256];
	struct settings settings = {.config = fakes.config};
	const char *const domains[] = {"new.example"};
	struct text why;

	(void)state;
	text_init(&why, buffer, sizeof(buffer));
	assert_int_equal(
		recipients_new(domains, 1, "pm@new.example", NULL, &settings.recipients, &why), 0);
	open_conn();
	fake_conn_say(
		&conn, "EHLO x\r\nMAIL FROM:<a@plain.example>\r\nRCPT TO:<bob@new.example>\r\n");
	assert_string_equal(fake_conn_codes(&conn), "220 250 250 550");
	atomic_store(&fakes.worker.offered, &settings);
	fakes_run();
	assert_ptr_equal(atomic_load(&fakes.worker.adopted), &settings);
	fake_conn_say(&conn, "RCPT TO:<bob@new.example>\r\nRCPT TO:<bob@lab.example>\r\n");
	assert_string_equal(fake_conn_codes(&conn), "250 550");
	fake_conn_break(&conn);
	fakes.worker.recipients = fakes.recipients;
	recipients_free(settings.recipients);
	fakes_nothing_is_left();
}

static void the_trace_of_a_mail_is_kept_with_its_end(void **state)
{
	char buffer[TRACE_RING_RECORD + 1], words_room[8192];
	struct text text, words;
	uint64_t id;

	(void)state;
	open_conn();
	fake_conn_say(&conn, ENVELOPE CONTENT);
	id = fakes.at_spooler[0].mail->queue_id;
	assert_true(fakes.at_spooler[0].mail->envelope.trace.len > 0);
	fakes_commit(0);
	text_init(&text, buffer, sizeof(buffer));
	assert_true(trace_ring_find(fakes.worker.traces, id, &text));
	text_init(&words, words_room, sizeof(words_room));
	trace_format_text(text_bytes(&text), &words);
	text = words;
	assert_non_null(strstr(text_str(&text), "from <a@plain.example>\n"));
	assert_non_null(strstr(text_str(&text), "to <bob@lab.example>\n"));
	assert_non_null(strstr(text_str(&text), " decided: accept\n"));
	assert_non_null(strstr(text_str(&text), " queued\n"));
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

static void a_greeting_asks_what_its_mail_will_need_and_once(void **state)
{
	const counter *asked = early_counters(fakes.worker.asker.early)->values;
	char buffer[TRACE_RING_RECORD + 1], room[8192];
	struct text text, words;
	uint64_t id;

	(void)state;
	fakes.dns_silent = true;
	open_conn();
	fake_conn_say(&conn, "EHLO mx.strict.example\r\n");
	assert_int_equal(asked[EARLY_ASKED], 2); /* names of the client, SPF of HELO */
	for (unsigned i = 0; i < 50; i++) {
		char line[64];
		snprintf(line, sizeof(line), "EHLO m%u.strict.example\r\n", i);
		fake_conn_say(&conn, line);
	}
	assert_int_equal(asked[EARLY_ASKED], 2);
	fakes.dns_silent = false;
	fakes_wait(1000);
	fake_conn_say(&conn, "EHLO mx.strict.example\r\nMAIL FROM:<a@plain.example>\r\n"
			     "RCPT TO:<bob@lab.example>\r\nDATA\r\n" CONTENT);
	id = fakes.at_spooler[0].mail->queue_id;
	fakes_commit(0);
	text_init(&text, buffer, sizeof(buffer));
	assert_true(trace_ring_find(fakes.worker.traces, id, &text));
	text_init(&words, room, sizeof(room));
	trace_format_text(text_bytes(&text), &words);
	assert_non_null(strstr(text_str(&words),
		"+0 asked TXT mx.strict.example: already 1000000 us before the mail\n"));
	assert_non_null(strstr(text_str(&words), "in-addr.arpa: already 1000000 us"));
	fake_conn_break(&conn);
	fakes_nothing_is_left();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fakes_setup, fakes_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mail_is_answered_when_it_is_durable_and_not_before),
		TEST(it_is_the_same_however_its_octets_come),
		TEST(what_the_spool_cannot_keep_is_put_off),
		TEST(data_is_refused_while_the_spool_is_full),
		TEST(more_than_declared_needs_more_of_the_spool),
		TEST(a_peer_that_goes_after_the_end_of_data_leaves_its_mail),
		TEST(a_peer_that_goes_before_the_verdict_leaves_nothing),
		TEST(rset_and_quit_leave_nothing),
		TEST(a_rejected_mail_is_never_handed_on),
		TEST(with_postmaster_among_them_the_others_get_quarantine),
		TEST(a_failed_look_up_that_could_refuse_puts_off),
		TEST(silent_look_ups_are_given_up_in_time),
		TEST(a_header_section_without_end_is_refused_at_the_true_end),
		TEST(a_half_closed_peer_gets_its_replies),
		TEST(a_peer_that_does_not_read_is_not_read_from),
		TEST(one_that_never_reads_is_cut_off),
		TEST(silence_between_commands_ends_with_421),
		TEST(a_line_that_dribbles_in_is_silence),
		TEST(silence_in_the_content_ends_with_421),
		TEST(an_odd_end_mark_is_waited_on_for_less),
		TEST(content_must_come_at_a_pace),
		TEST(one_client_cannot_have_all_connections),
		TEST(a_refusal_that_cannot_be_said_is_a_reset),
		TEST(an_idle_connection_takes_1_KiB_at_most),
		TEST(a_full_table_says_so),
		TEST(a_full_table_closes_the_longest_idle),
		TEST(nobody_is_closed_within_a_transaction),
		TEST(data_is_put_off_before_anybody_is_closed),
		TEST(draining_says_421_to_the_idle_and_finishes_what_is_in_data),
		TEST(draining_ends_in_time),
		TEST(new_settings_hold_from_the_next_round_on),
		TEST(the_trace_of_a_mail_is_kept_with_its_end),
		TEST(a_greeting_asks_what_its_mail_will_need_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
