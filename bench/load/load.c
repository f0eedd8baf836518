#include "bench/load/load.h"

#include "base/clock.h"
#include "base/wheel.h"

#include <errno.h>
#include <stdlib.h>

#define SECOND_US UINT64_C(1000000)
/* After QUIT the server closes first, so that the TIME-WAIT is its; it may take so long. */
#define GOODBYE_US SECOND_US
/* A failed connection is tried again after this, doubled with each failure in a row. */
#define RETRY_US    10000u
#define RETRY_SHIFT 7u
/* Mails under way when the time is up may end for so long. */
#define GRACE_US (10 * SECOND_US)
/* Of one round: sessions begun, NOOPs, SYNs. */
#define ROUND_OPENS 64u
#define ROUND_NOOPS 64u
#define ROUND_SYNS  64u
/* Sessions that are looked at for one that can take a NOOP. */
#define NOOP_TRIES 8u
/* What is received at a time. */
#define RECEIVE_MAX 4096u
/* The longest wait where nothing is due. */
#define WAIT_MAX_US 100000u
/* For what was said at the very end to go out. */
#define LAST_ROUNDS_US 200000u

enum phase {
	PHASE_NONE,    /* never begun, or over */
	PHASE_WAITING, /* in the list of those to be opened */
	PHASE_RETRY,   /* its timer puts it there */
	PHASE_OPENING, /* up to the answer to EHLO */
	PHASE_TALKING,
	PHASE_HELD,    /* idle */
	PHASE_CLOSING, /* waits for the server's FIN */
};

struct session {
	struct smtp_client client;
	void *conn;
	struct session *next; /* to be opened */
	struct wheel_timer timer;
	uint64_t since_us, sent_us;
	uint32_t mails; /* sent on this connection */
	uint32_t octets;
	uint8_t phase;
	uint8_t failures; /* in a row */
	bool idle, tried, quitting;
};

struct load {
	const struct load_options *options;
	const struct load_mails *mails;
	struct transport *transport;
	char words_buf[2048];
	struct smtp_client_words words;
	struct load_stats stats;
	struct load_progress progress;
	struct wheel wheel;
	struct session *sessions; /* the idle ones first */
	uint32_t n_sessions;
	struct session *first, **last; /* to be opened */
	uint32_t opening, active;      /* being opened; neither held nor over */
	uint32_t idle_tried;
	uint32_t next_mail;
	uint64_t now_us, began_us, stop_us, last_good_us, noop_us, flood_us, answers_before;
	uint64_t noops_sent;
	uint64_t random;
	bool mailing, stopping;
};

/* --- what a session is to do next ---------------------------------------------------------------
 */

static void put_last(struct load *load, struct session *s)
{
	s->phase = PHASE_WAITING;
	s->next = NULL;
	*load->last = s;
	load->last = &s->next;
}

static bool total_reached(const struct load *load)
{
	return load->options->total && load->stats.started >= load->options->total;
}

/* Whether a connection that has ended is followed by another. */
static bool goes_on(const struct load *load, const struct session *s)
{
	if (load->stopping)
		return false;
	if (s->idle)
		return load->options->time_s > 0;
	if (total_reached(load))
		return false;
	return load->options->time_s || load->options->total;
}

static void leave_phase(struct load *load, struct session *s)
{
	if (s->phase == PHASE_OPENING)
		load->opening--;
	if (s->phase == PHASE_HELD)
		load->stats.held--;
	if (s->conn)
		load->stats.open--;
	wheel_disarm(&load->wheel, &s->timer);
	s->conn = NULL;
	s->phase = PHASE_NONE;
}

/* The connection is gone, one way or the other. */
static void session_over(struct load *load, struct session *s, bool failed)
{
	bool was_held = s->phase == PHASE_HELD;

	leave_phase(load, s);
	if (was_held)
		load->active++;
	if (!goes_on(load, s)) {
		load->active--;
		return;
	}
	if (!failed) {
		s->failures = 0;
		put_last(load, s);
		return;
	}
	s->phase = PHASE_RETRY;
	wheel_arm(&load->wheel, &s->timer, load->now_us + ((uint64_t)RETRY_US << s->failures));
	if (s->failures < RETRY_SHIFT)
		s->failures++;
}

/* Held or failed once: the mails need not wait for this one any more. */
static void note_tried(struct load *load, struct session *s)
{
	if (s->idle && !s->tried) {
		s->tried = true;
		load->idle_tried++;
	}
}

static void session_fail(struct load *load, struct session *s, enum load_error error)
{
	void *conn = s->conn;

	note_tried(load, s);
	load_stats_error(&load->stats, error);
	session_over(load, s, true);
	if (conn)
		load->transport->ops->abort(load->transport, conn);
}

static void session_close(struct load *load, struct session *s)
{
	void *conn = s->conn;

	session_over(load, s, false);
	load->transport->ops->close(load->transport, conn);
}

static void wait_for(struct load *load, struct session *s, uint64_t us)
{
	wheel_arm(&load->wheel, &s->timer, load->now_us + us);
}

static void wait_for_reply(struct load *load, struct session *s)
{
	wait_for(load, s, load->options->timeout_s * SECOND_US);
}

static void pump(struct load *load, struct session *s)
{
	struct bytes out;

	while ((out = smtp_client_out(&s->client)).len) {
		size_t n = load->transport->ops->send(load->transport, s->conn, out);

		if (n == 0)
			return;
		smtp_client_sent(&s->client, n);
	}
	s->sent_us = load->now_us;
}

static void quit(struct load *load, struct session *s)
{
	s->quitting = true;
	smtp_client_quit(&s->client);
	wait_for_reply(load, s);
}

static void send_mail_or_quit(struct load *load, struct session *s)
{
	const struct load_options *o = load->options;
	struct bytes wire;

	if (load->stopping || total_reached(load) || (o->mails && s->mails >= o->mails)) {
		quit(load, s);
		return;
	}
	wire = load->mails->wires[load->next_mail++ % load->mails->count];
	s->mails++;
	s->octets = (uint32_t)wire.len;
	s->since_us = load->now_us;
	load->stats.started++;
	smtp_client_mail(&s->client, wire);
	wait_for_reply(load, s);
}

static void hold(struct load *load, struct session *s)
{
	if (s->phase != PHASE_HELD) {
		load->active--;
		load->stats.held++;
		if (load->stats.held > load->stats.held_peak)
			load->stats.held_peak = load->stats.held;
		note_tried(load, s);
	}
	s->phase = PHASE_HELD;
	wheel_disarm(&load->wheel, &s->timer);
}

/* --- what the server said -----------------------------------------------------------------------
 */

static void record(struct load *load, enum load_time what, uint64_t us)
{
	histogram_add(&load->stats.times[what], us);
	if (what == LOAD_TIME_MAIL)
		histogram_add(&load->progress.mail, us);
}

static void on_greeted(struct load *load, struct session *s)
{
	load->stats.greeted++;
	load->last_good_us = load->now_us;
	record(load, LOAD_TIME_GREETING, load->now_us - s->since_us);
	load->opening--;
	s->failures = 0;
	s->phase = PHASE_TALKING;
	if (s->idle)
		hold(load, s);
	else
		send_mail_or_quit(load, s);
}

static void judge_mail(struct load *load, struct session *s)
{
	struct load_stats *stats = &load->stats;

	if (smtp_client_result(&s->client) / 100 != 2) {
		stats->refused++;
		return;
	}
	stats->accepted++;
	load->last_good_us = load->now_us;
	record(load, LOAD_TIME_MAIL, load->now_us - s->since_us);
	record(load, LOAD_TIME_COMMIT, load->now_us - s->sent_us);
	if (load->now_us < stats->window_from_us || load->stopping)
		return;
	stats->counted++;
	stats->octets += s->octets;
	if (load->options->time_s == 0)
		stats->window_to_us = load->now_us;
}

/* 221, or 421 in the middle of something. */
static void on_bye(struct load *load, struct session *s)
{
	if (!s->quitting || smtp_client_code(&s->client) == 421) {
		load->stats.said_421++;
		if (smtp_client_result(&s->client) == 421)
			load->stats.refused++;
	}
	if (s->phase == PHASE_HELD) {
		load->stats.held--;
		load->active++;
	}
	s->phase = PHASE_CLOSING;
	wait_for(load, s, GOODBYE_US);
}

/* False: the connection is gone. */
static bool on_event(struct load *load, struct session *s, enum smtp_client_event event)
{
	if (event != SMTP_CLIENT_EV_BROKEN)
		load_stats_reply(&load->stats, &s->client);
	switch (event) {
	case SMTP_CLIENT_EV_INPUT: return true;
	case SMTP_CLIENT_EV_REPLY: wait_for_reply(load, s); return true;
	case SMTP_CLIENT_EV_READY: on_greeted(load, s); return true;
	case SMTP_CLIENT_EV_MAIL_DONE:
		judge_mail(load, s);
		send_mail_or_quit(load, s);
		return true;
	case SMTP_CLIENT_EV_NOOP_DONE:
		record(load, LOAD_TIME_NOOP, load->now_us - s->since_us);
		load->stats.noops++;
		hold(load, s);
		return true;
	case SMTP_CLIENT_EV_BYE: on_bye(load, s); return true;
	case SMTP_CLIENT_EV_REFUSED: session_fail(load, s, LOAD_NOT_GREETED); return false;
	case SMTP_CLIENT_EV_BROKEN: session_fail(load, s, LOAD_NOT_SMTP); return false;
	}
	return true;
}

static void peer_ended(struct load *load, struct session *s, bool reset)
{
	if (s->phase == PHASE_CLOSING)
		session_close(load, s);
	else
		session_fail(load, s, reset ? LOAD_RESET : LOAD_CLOSED);
}

/* All that has come. False: the connection is gone. */
static bool receive(struct load *load, struct session *s)
{
	uint8_t buf[RECEIVE_MAX];
	long n;

	while ((n = load->transport->ops->receive(load->transport, s->conn, buf, sizeof(buf))) >
		0) {
		struct bytes input = bytes_of(buf, (size_t)n);
		enum smtp_client_event event;

		while ((event = smtp_client_input(&s->client, &input)) != SMTP_CLIENT_EV_INPUT) {
			if (!on_event(load, s, event))
				return false;
			if (s->phase == PHASE_CLOSING)
				break;
			pump(load, s);
		}
	}
	if (n == TRANSPORT_AGAIN)
		return true;
	peer_ended(load, s, n == TRANSPORT_LOST);
	return false;
}

static void on_opened(struct load *load, struct session *s)
{
	load->stats.connected++;
	record(load, LOAD_TIME_CONNECT, load->now_us - s->since_us);
	s->since_us = load->now_us;
	wait_for_reply(load, s);
}

static void on_transport(struct load *load, const struct transport_event *event)
{
	struct session *s = event->user;

	if (event->what & TRANSPORT_FAILED) {
		if (s->phase == PHASE_CLOSING)
			peer_ended(load, s, true);
		else
			session_fail(load, s, event->error);
		return;
	}
	if (event->what & TRANSPORT_OPENED)
		on_opened(load, s);
	if ((event->what & TRANSPORT_READABLE) && !receive(load, s))
		return;
	if (event->what & TRANSPORT_WRITABLE)
		pump(load, s);
}

/* --- opening ------------------------------------------------------------------------------------
 */

static void open_session(struct load *load, struct session *s)
{
	int rc;

	smtp_client_init(&s->client, &load->words);
	s->mails = 0;
	s->quitting = false;
	s->phase = PHASE_OPENING;
	s->since_us = load->now_us;
	load->opening++;
	rc = load->transport->ops->connect(load->transport, s, load->now_us, &s->conn);
	if (rc < 0) {
		s->conn = NULL;
		session_fail(load, s, TRANSPORT_ERROR_OF(rc));
		return;
	}
	load->stats.open++;
	wait_for_reply(load, s);
}

/* The first goes alone: packets to a neighbour not known yet are held, but only a few. */
static uint32_t opening_max(const struct load *load)
{
	bool answered = load->stats.connected || load->stats.n_errors;

	return answered ? load->options->opening : 1;
}

static void open_some(struct load *load)
{
	for (unsigned i = 0; i < ROUND_OPENS && load->first; i++) {
		struct session *s = load->first;

		if (load->opening >= opening_max(load))
			return;
		load->first = s->next;
		if (!load->first)
			load->last = &load->first;
		open_session(load, s);
	}
}

/* The sessions to be held have been seen to: now the mails, and the time that counts. */
static void begin_mailing(struct load *load)
{
	const struct load_options *o = load->options;

	load->mailing = true;
	for (uint32_t i = o->idle; i < load->n_sessions; i++)
		put_last(load, &load->sessions[i]);
	load->active += o->connections;
	load->began_us = load->noop_us = load->flood_us = load->now_us;
	load->stats.window_from_us = load->now_us + o->warmup_s * SECOND_US;
	load->stop_us = o->time_s ? load->now_us + o->time_s * SECOND_US : UINT64_MAX;
	if (o->flood_rate)
		load->answers_before = load->transport->ops->flood_answers(load->transport);
}

/* --- pace ---------------------------------------------------------------------------------------
 */

static uint64_t next_random(struct load *load)
{
	uint64_t z = (load->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 27;
}

static void noop_somewhere(struct load *load)
{
	for (unsigned i = 0; i < NOOP_TRIES; i++) {
		struct session *s =
			&load->sessions[(next_random(load) >> 16) % load->options->idle];

		if (s->phase != PHASE_HELD || smtp_client_state(&s->client) != SMTP_CLIENT_READY)
			continue;
		s->since_us = load->now_us;
		smtp_client_noop(&s->client);
		wait_for_reply(load, s);
		pump(load, s);
		return;
	}
}

/* How many of `rate` a second are due since `from_us`, `done` of them being done. */
static unsigned due(
	const struct load *load, uint64_t from_us, uint64_t rate, uint64_t done, unsigned most)
{
	uint64_t wanted = (load->now_us - from_us) * rate / SECOND_US;

	if (wanted <= done)
		return 0;
	return wanted - done < most ? (unsigned)(wanted - done) : most;
}

static void keep_pace(struct load *load)
{
	const struct load_options *o = load->options;
	unsigned n;

	if (!load->mailing || load->stopping)
		return;
	n = o->noop_rate ? due(load, load->noop_us, o->noop_rate, load->noops_sent, ROUND_NOOPS)
			 : 0;
	for (unsigned i = 0; i < n; i++)
		noop_somewhere(load);
	load->noops_sent += n;
	n = o->flood_rate ? due(load, load->flood_us, o->flood_rate, load->stats.syns, ROUND_SYNS)
			  : 0;
	if (n)
		load->stats.syns += load->transport->ops->flood(load->transport, n, load->now_us);
}

static uint64_t next_deadline(const struct load *load)
{
	uint64_t next = wheel_next_us(&load->wheel), most = load->now_us + WAIT_MAX_US;
	const struct load_options *o = load->options;

	if (load->first && load->opening < opening_max(load))
		return load->now_us;
	if (o->flood_rate && load->mailing)
		return load->now_us;
	if (o->noop_rate && load->mailing && most > load->now_us + SECOND_US / o->noop_rate)
		most = load->now_us + SECOND_US / o->noop_rate;
	if (load->stop_us > load->now_us && load->stop_us < most)
		most = load->stop_us;
	return next < most ? next : most;
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void on_timer(struct load *load, struct session *s)
{
	switch (s->phase) {
	case PHASE_RETRY:
		if (goes_on(load, s))
			put_last(load, s);
		else
			session_over(load, s, false);
		break;
	case PHASE_OPENING:
		session_fail(load, s,
			smtp_client_state(&s->client) == SMTP_CLIENT_GREETING &&
					load->stats.connected == 0
				? LOAD_CONNECT_TIMEOUT
				: LOAD_TIMEOUT);
		break;
	case PHASE_CLOSING: session_close(load, s); break;
	case PHASE_TALKING:
	case PHASE_HELD: session_fail(load, s, LOAD_TIMEOUT); break;
	default: break;
	}
}

static void run_timers(struct load *load)
{
	struct wheel_timer *timer;

	while ((timer = wheel_pop_expired(&load->wheel, load->now_us)))
		on_timer(load, WHEEL_OWNER(timer, struct session, timer));
}

/* Nothing new is begun; what waits to be opened is not opened any more. */
static void begin_stopping(struct load *load)
{
	load->stopping = true;
	load->stop_us = load->now_us + GRACE_US;
	if (load->options->time_s || load->stats.window_to_us == 0)
		load->stats.window_to_us = load->now_us;
	while (load->first) {
		struct session *s = load->first;

		load->first = s->next;
		session_over(load, s, false);
	}
	load->last = &load->first;
}

/* Every connection fails, and none has come through for as long as a reply may take. */
static bool is_hopeless(const struct load *load)
{
	uint64_t patience = load->options->timeout_s * SECOND_US;

	if (load->stats.greeted == 0)
		return load->stats.n_errors >= (uint64_t)load->n_sessions + 3;
	return load->options->time_s == 0 && load->stats.n_errors &&
	       load->now_us - load->last_good_us > 2 * patience;
}

static bool is_over(struct load *load, bool stop)
{
	if (!load->mailing && load->idle_tried == load->options->idle)
		begin_mailing(load);
	if (!load->stopping && is_hopeless(load)) {
		load->stats.gave_up = true;
		begin_stopping(load);
	}
	if (!load->stopping && (stop || load->now_us >= load->stop_us))
		begin_stopping(load);
	if (load->stopping)
		return load->active == 0 || load->now_us >= load->stop_us;
	/* Held sessions alone wait for the time. */
	return load->mailing && load->active == 0 && load->options->time_s == 0;
}

/* --- the run ------------------------------------------------------------------------------------
 */

static void one_round(struct load *load, struct clock_fast *clock)
{
	const struct transport_ops *ops = load->transport->ops;
	struct transport_event event;

	ops->poll(load->transport, load->now_us, next_deadline(load));
	load->now_us = clock_fast_us(clock);
	while (ops->next(load->transport, &event))
		on_transport(load, &event);
	run_timers(load);
	open_some(load);
	keep_pace(load);
	ops->flush(load->transport, load->now_us);
}

/* What is still open is told goodbye, and that goes out. */
static void say_goodbye(struct load *load, struct clock_fast *clock)
{
	const struct transport_ops *ops = load->transport->ops;
	uint64_t until_us;

	for (uint32_t i = 0; i < load->n_sessions; i++) {
		struct session *s = &load->sessions[i];
		void *conn = s->conn;
		bool clean = s->phase == PHASE_HELD &&
			     smtp_client_state(&s->client) == SMTP_CLIENT_READY;

		if (!conn)
			continue;
		if (clean) {
			smtp_client_quit(&s->client);
			pump(load, s);
		} else if (smtp_client_in_mail(&s->client)) {
			load_stats_error(&load->stats, LOAD_TIMEOUT);
		}
		s->conn = NULL;
		(clean ? ops->close : ops->abort)(load->transport, conn);
	}
	until_us = load->now_us + LAST_ROUNDS_US;
	while (load->now_us < until_us) {
		struct transport_event event;

		ops->poll(load->transport, load->now_us, load->now_us + 1000);
		load->now_us = clock_fast_us(clock);
		while (ops->next(load->transport, &event))
			;
		ops->flush(load->transport, load->now_us);
	}
}

static void start(struct load *load, struct clock_fast *clock)
{
	clock_fast_init(clock);
	load->now_us = load->began_us = load->last_good_us = load->progress.at_us =
		clock_fast_us(clock);
	load->random = load->now_us;
	wheel_init(&load->wheel, load->now_us);
	load->active = load->options->idle;
	for (uint32_t i = 0; i < load->options->idle; i++) {
		load->sessions[i].idle = true;
		put_last(load, &load->sessions[i]);
	}
}

void load_run(struct load *load, const volatile sig_atomic_t *stop, FILE *progress)
{
	struct clock_fast clock;
	uint64_t start_us;

	start(load, &clock);
	start_us = load->now_us;
	while (!is_over(load, *stop)) {
		one_round(load, &clock);
		if (load->now_us - load->progress.at_us >= SECOND_US && progress)
			load_progress_print(
				&load->progress, &load->stats, start_us, load->now_us, progress);
	}
	if (load->stats.window_to_us == 0)
		load->stats.window_to_us = load->now_us;
	if (load->options->flood_rate)
		load->stats.syn_answers =
			load->transport->ops->flood_answers(load->transport) - load->answers_before;
	say_goodbye(load, &clock);
}

int load_new(const struct load_options *options, const struct load_mails *mails,
	struct transport *transport, struct load **out, struct text *why)
{
	struct load *load = calloc(1, sizeof(*load));
	struct text memory;
	int rc;

	if (!load)
		return -ENOMEM;
	load->options = options;
	load->mails = mails;
	load->transport = transport;
	load->last = &load->first;
	load->stop_us = UINT64_MAX;
	load->n_sessions = options->idle + options->connections;
	text_init(&memory, load->words_buf, sizeof(load->words_buf));
	rc = smtp_client_words_init(&load->words, options->helo, options->from, options->to,
		options->pipelining, &memory);
	if (rc < 0)
		text_printf(why, "--helo, --from or --to is too long or holds what no command may");
	if (rc == 0 && load->n_sessions) {
		load->sessions = calloc(load->n_sessions, sizeof(*load->sessions));
		rc = load->sessions ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		load_free(load);
		return rc;
	}
	*out = load;
	return 0;
}

const struct load_stats *load_stats_of(const struct load *load)
{
	return &load->stats;
}

void load_free(struct load *load)
{
	free(load->sessions);
	free(load);
}
