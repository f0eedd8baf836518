#include "gateway/fake_session.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * An io lcore and auth lcores: what crosses between them, and what becomes of it when the mail is
 * gone. In most tests the auth lcores run when the test lets them; in the last they are threads.
 */

#define MAIL_FROM "MAIL FROM:<a@plain.example>\r\n"
#define ENVELOPE  "EHLO client.example\r\n" MAIL_FROM "RCPT TO:<bob@lab.example>\r\nDATA\r\n"
#define HEADER    "From: a@plain.example\r\nSubject: x\r\n\r\n"
#define BODY      "Hello\r\n"
#define END       ".\r\n"

#define SMALL "lcores: {auth: 2}\nlimits: {connections: 20, mails: 16, client_connections: 0}\n"
#define ROOMY                                                                                      \
	"lcores: {auth: 1}\nlimits: {connections: 20, mails: 16, mail_memory: 64M, "               \
	"message_size: 32M, header_size: 16K, client_connections: 0}\n"

static struct fake_conn conn, conns[20];

static uint64_t counted(enum gateway_counter id)
{
	return counter_get(&fakes.worker.counters.v[id]);
}

static uint64_t auth_counted(unsigned index, enum auth_lcore_counter id)
{
	return counter_get(&fake_auth.lcores[index]->counts[id]);
}

static void wake(void)
{
	fake_auth.asleep = false;
	fakes_run();
}

static void start(const char *yaml)
{
	fakes_configure(yaml);
	fake_conn_open(&conn, "192.0.2.1");
}

/* --- a mail that is given up ---------------------------------------------------------------------
 */

/* What came before its end: each is one step further on its way. */
static const char *const stages[] = {
	"EHLO client.example\r\n" MAIL_FROM,
	ENVELOPE,
	ENVELOPE "From: a@pl",
	ENVELOPE HEADER,
	ENVELOPE HEADER BODY,
	ENVELOPE HEADER BODY END,
};
#define N_STAGES (sizeof(stages) / sizeof(stages[0]))

static void a_mail_given_up_in_any_state_gives_all_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_STAGES * 2; i++) {
		start(SMALL);
		fakes.dns_silent = true; /* so that there is no verdict */
		/* The auth lcore has seen all of it, or nothing yet. */
		fake_auth.asleep = i % 2 != 0;
		fake_conn_say(&conn, stages[i / 2]);
		assert_int_equal(fakes.worker.mails.in_use, 1);
		fake_conn_break(&conn);
		assert_int_equal(fakes.worker.mails.in_use, 0);
		wake();
		fakes_nothing_is_left();
		assert_int_equal(auth_counted(0, AUTH_LCORE_ABORTED), 1);
	}
}

static void a_verdict_for_a_mail_that_is_gone_is_dropped(void **state)
{
	(void)state;
	start(SMALL);
	fake_auth.asleep = true;
	fake_conn_say(&conn, ENVELOPE HEADER BODY END);
	/* Without the io lcore: the verdict is on its way. */
	fake_auth.asleep = false;
	while (fake_auth_round(fakes.worker.now_us) + fakes_answer_questions() > 0)
		;
	assert_int_equal(auth_counted(0, AUTH_LCORE_VERDICTS), 1);
	session_ready(conn.user, TCP_READY_FAILED);
	fakes_run();
	assert_int_equal(counted(GATEWAY_VERDICTS_GONE), 1);
	assert_int_equal(fakes.n_at_spooler, 0);
	assert_int_equal(auth_counted(0, AUTH_LCORE_ABORTED), 0);
	fakes_nothing_is_left();
}

static void a_verdict_that_was_given_up_on_as_it_came_is_taken_once(void **state)
{
	(void)state;
	start(SMALL "auth: {patience: 5s}\n");
	fakes.dns_silent = true;
	fake_conn_say(&conn, ENVELOPE HEADER BODY END);
	fake_auth.asleep = true;
	fakes_wait(6000);
	assert_int_equal(counted(GATEWAY_IMPATIENT), 1);
	/* The answers and the verdict are there before it hears that nobody waits any more. */
	fakes.dns_silent = false;
	fakes_answer_questions();
	wake();
	assert_int_equal(fakes.n_at_spooler, 1);
	fakes_commit(0);
	fake_conn_say(&conn, "QUIT\r\n");
	fakes_nothing_is_left();
}

static void places_are_free_again_once_the_auth_lcore_says_so(void **state)
{
	(void)state;
	start(SMALL);
	fake_auth.asleep = true;
	for (unsigned i = 0; i < 16; i++) {
		fake_conn_open(&conns[i], "192.0.2.1");
		fake_conn_say(&conns[i], "EHLO client.example\r\n" MAIL_FROM);
		assert_string_equal(fake_conn_codes(&conns[i]), "220 250 250");
		fake_conn_say(&conns[i], "RSET\r\n");
		assert_string_equal(fake_conn_codes(&conns[i]), "250");
	}
	fake_conn_say(&conn, "EHLO client.example\r\n" MAIL_FROM);
	assert_string_equal(fake_conn_codes(&conn), "220 250 452");
	assert_int_equal(counted(GATEWAY_VERIFIER_FULL), 1);
	wake();
	fake_conn_say(&conn, MAIL_FROM);
	assert_string_equal(fake_conn_codes(&conn), "250");
	fake_conn_break(&conn);
	for (unsigned i = 0; i < 16; i++)
		fake_conn_break(&conns[i]);
	fakes_nothing_is_left();
}

/* --- content -------------------------------------------------------------------------------------
 */

/* More than the window of the pair, in lines; returns its octets. */
static size_t say_much(struct fake_conn *to, size_t octets)
{
	static char line[60001];
	size_t said = 0;

	memset(line, 'x', sizeof(line) - 1);
	for (size_t i = 998; i < sizeof(line) - 1; i += 1000)
		memcpy(line + i, "\r\n", 2);
	for (; said < octets && to->in_len == 0; said += sizeof(line) - 1) {
		to->in_from = 0;
		fake_conn_say(to, line);
	}
	return said;
}

static void commit_all(void)
{
	while (fakes.n_at_spooler > 0)
		fakes_commit(0);
}

static void a_peer_is_not_read_from_until_the_auth_lcore_has_caught_up(void **state)
{
	size_t said = 0;

	(void)state;
	start(ROOMY);
	fake_conn_say(&conn, ENVELOPE HEADER);
	fake_conn_heard(&conn);
	fake_auth.asleep = true;
	while (conn.in_len == 0) {
		said += say_much(&conn, 60000);
		commit_all();
	}
	assert_in_range(said, AUTH_PAIR_WINDOW / 2, AUTH_PAIR_WINDOW + (1u << 20));
	assert_true(counted(GATEWAY_VERIFIER_BEHIND) > 0);
	assert_true(counted(GATEWAY_HELD_BACK) > 0);
	/* It is asleep for long, but nobody is at fault. */
	fakes_wait(400000);
	assert_false(conn.aborted || conn.closed);
	wake();
	commit_all();
	assert_int_equal(conn.in_len, 0);
	conn.in_from = 0;
	fake_conn_say(&conn, END);
	commit_all();
	assert_string_equal(fake_conn_codes(&conn), "250");
	fake_conn_say(&conn, "QUIT\r\n");
	fakes_nothing_is_left();
}

static void a_mail_that_waits_for_credit_can_be_given_up(void **state)
{
	(void)state;
	start(ROOMY);
	fake_conn_say(&conn, ENVELOPE HEADER);
	fake_auth.asleep = true;
	while (conn.in_len == 0) {
		say_much(&conn, 60000);
		commit_all();
	}
	fake_conn_break(&conn);
	commit_all();
	/* What the auth lcore has borrowed is still there. */
	assert_true(chunk_pool_in_use(&fakes.worker.chunks) > 0);
	wake();
	commit_all();
	fakes_nothing_is_left();
}

static void what_cannot_be_verified_is_refused_at_the_true_end(void **state)
{
	static char header[20000];
	size_t len = 0;

	(void)state;
	while (len + 100 < sizeof(header))
		len += (size_t)snprintf(
			header + len, sizeof(header) - len, "X-Filler: %060u\r\n", 1u);
	for (unsigned asleep = 0; asleep < 2; asleep++) {
		start(ROOMY);
		fake_conn_say(&conn, ENVELOPE);
		fake_conn_heard(&conn);
		/* It hears of it while content is arriving, or only when all is there. */
		fake_auth.asleep = asleep != 0;
		fake_conn_say(&conn, header);
		fake_conn_say(&conn, "\r\n" BODY END);
		assert_string_equal(fake_conn_codes(&conn), asleep ? "" : "552");
		wake();
		assert_string_equal(fake_conn_codes(&conn), asleep ? "552" : "");
		assert_int_equal(counted(GATEWAY_CONTENT_REFUSED), 1);
		fake_conn_say(&conn, "QUIT\r\n");
		fakes_nothing_is_left();
	}
}

static void mails_are_spread_evenly(void **state)
{
	(void)state;
	start(SMALL);
	for (unsigned i = 0; i < 16; i++) {
		fake_conn_open(&conns[i], "192.0.2.1");
		fake_conn_say(&conns[i], "EHLO client.example\r\n" MAIL_FROM);
	}
	assert_int_equal(fakes.worker.rings->pairs[0]->open, 8);
	assert_int_equal(fakes.worker.rings->pairs[1]->open, 8);
	fake_conn_break(&conn);
	for (unsigned i = 0; i < 16; i++)
		fake_conn_break(&conns[i]);
	fakes_nothing_is_left();
}

/* --- threads -------------------------------------------------------------------------------------
 */

#define THREADED_MAILS 400
#define ROUNDS_MAX     100000000u

/* Rounds of the io lcore until the peer has heard the end of its mail, or the mail is gone. */
static void run_until_answered(struct fake_conn *conns_of, unsigned n)
{
	unsigned heard = 0;

	for (unsigned round = 0; heard < n; round++) {
		assert_true(round < ROUNDS_MAX);
		fakes_run();
		while (fakes.n_at_spooler > 0)
			fakes_commit(0);
		heard = 0;
		for (unsigned i = 0; i < n; i++)
			heard += conns_of[i].released || conns_of[i].out_len > 0;
		sched_yield();
	}
}

static void start_threads(void)
{
	fake_auth.has_threads = true;
	for (unsigned i = 0; i < fake_auth.n; i++)
		assert_int_equal(pthread_create(&fake_auth.lcores[i]->thread, NULL, auth_lcore_main,
					 fake_auth.lcores[i]),
			0);
}

static void stop_threads(void)
{
	for (unsigned i = 0; i < fake_auth.n; i++) {
		atomic_store(&fake_auth.lcores[i]->stop, true);
		doorbell_ring(&fake_auth.lcores[i]->bell);
		pthread_join(fake_auth.lcores[i]->thread, NULL);
	}
	fake_auth.has_threads = false;
}

static void mails_come_and_go_while_auth_lcores_run(void **state)
{
	unsigned taken = 0;

	(void)state;
	start(SMALL);
	start_threads();
	for (unsigned i = 0; i < THREADED_MAILS / 8; i++) {
		for (unsigned j = 0; j < 8; j++) {
			fake_conn_open(&conns[j], "192.0.2.1");
			fake_conn_say(&conns[j],
				j % 2 ? ENVELOPE HEADER BODY END : stages[(i + j) % N_STAGES]);
			fake_conn_heard(&conns[j]);
			if (j % 2 == 0)
				fake_conn_break(&conns[j]);
		}
		run_until_answered(conns, 8);
		for (unsigned j = 1; j < 8; j += 2) {
			taken += strncmp(fake_conn_heard(&conns[j]), "250 2.0.0", 9) == 0;
			fake_conn_break(&conns[j]);
		}
	}
	fake_conn_break(&conn);
	/* The last words of the auth lcores. */
	for (unsigned round = 0; fakes.worker.rings->slots.in_use > 0; round++) {
		assert_true(round < ROUNDS_MAX);
		fakes_run();
		sched_yield();
	}
	stop_threads();
	while (fakes.n_at_spooler > 0)
		fakes_commit(0);
	assert_int_equal(taken, THREADED_MAILS / 2);
	fakes_nothing_is_left();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fakes_setup, fakes_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mail_given_up_in_any_state_gives_all_back),
		TEST(a_verdict_for_a_mail_that_is_gone_is_dropped),
		TEST(a_verdict_that_was_given_up_on_as_it_came_is_taken_once),
		TEST(places_are_free_again_once_the_auth_lcore_says_so),
		TEST(a_peer_is_not_read_from_until_the_auth_lcore_has_caught_up),
		TEST(a_mail_that_waits_for_credit_can_be_given_up),
		TEST(what_cannot_be_verified_is_refused_at_the_true_end),
		TEST(mails_are_spread_evenly),
		TEST(mails_come_and_go_while_auth_lcores_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
