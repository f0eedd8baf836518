#include "bench/load/load_priv.h"

#include "base/clock.h"
#include "base/pages.h"

#include <errno.h>
#include <stdlib.h>

/* Mails under way when the time is up may end for so long. */
#define GRACE_US (10 * LOAD_SECOND_US)
/* For what was said at the very end to go out. */
#define LAST_ROUNDS_US 200000u
/* What is still open then has had its chance to say goodbye. */
#define GOODBYES_US (60 * LOAD_SECOND_US)

static void on_timer(struct load *load, struct load_session *s)
{
	switch (s->phase) {
	case LOAD_PHASE_RETRY:
		if (load_life_goes_on(load, s))
			load_life_offer(load, s);
		else
			load_life_over(load, s, false);
		break;
	case LOAD_PHASE_OPENING:
		load_life_fail(load, s,
			smtp_client_state(&s->client) == SMTP_CLIENT_GREETING &&
					load->stats.connected == 0
				? LOAD_CONNECT_TIMEOUT
				: LOAD_TIMEOUT);
		break;
	case LOAD_PHASE_CLOSING: load_life_close(load, s); break;
	case LOAD_PHASE_TALKING:
	case LOAD_PHASE_HELD: load_life_fail(load, s, LOAD_TIMEOUT); break;
	default: break;
	}
}

static void run_timers(struct load *load)
{
	struct wheel_timer *timer;

	while ((timer = wheel_pop_expired(&load->wheel, load->now_us)))
		on_timer(load, WHEEL_OWNER(timer, struct load_session, timer));
}

/* Nothing new is begun; what waits to be opened is not opened any more. */
static void begin_stopping(struct load *load)
{
	load->stopping = true;
	load->stop_us = load->now_us + GRACE_US;
	if (load->options->time_s || load->stats.window_to_us == 0)
		load->stats.window_to_us = load->now_us;
	while (load->first) {
		struct load_session *s = load->first;

		load->first = s->next;
		load_life_over(load, s, false);
	}
	load->last = &load->first;
}

/* Every connection fails, and none has come through for as long as a reply may take. */
static bool is_hopeless(const struct load *load)
{
	uint64_t patience = load->options->timeout_s * LOAD_SECOND_US;

	if (load->stats.greeted == 0)
		return load->stats.n_errors >= (uint64_t)load->n_sessions + 3;
	return load->options->time_s == 0 && load->stats.n_errors &&
	       load->now_us - load->last_good_us > 2 * patience;
}

static bool is_over(struct load *load, bool stop)
{
	if (!load->mailing && load->idle_tried == load->options->idle)
		load_pace_begin(load);
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

static void one_round(struct load *load, struct clock_fast *clock)
{
	const struct transport_ops *ops = load->transport->ops;
	struct transport_event event;

	ops->poll(load->transport, load->now_us, load_pace_next_us(load));
	load->now_us = clock_fast_us(clock);
	while (ops->next(load->transport, &event))
		load_talk_event(load, &event);
	run_timers(load);
	load_pace_round(load);
	ops->flush(load->transport, load->now_us);
}

/* Held sessions say QUIT, and end as others do; what is in the middle of something is cut. */
static void say_goodbye_to(struct load *load, struct load_session *s)
{
	void *conn = s->conn;

	if (s->phase == LOAD_PHASE_HELD && smtp_client_state(&s->client) == SMTP_CLIENT_READY) {
		load_talk_quit(load, s);
		load_talk_pump(load, s);
		return;
	}
	if (smtp_client_in_mail(&s->client))
		load_stats_error(&load->stats, LOAD_TIMEOUT);
	load_life_over(load, s, false);
	load->transport->ops->abort(load->transport, conn);
}

/* A million goodbyes at once would not fit into the device: as many as may open at once. */
static void say_goodbye(struct load *load, struct clock_fast *clock)
{
	const uint32_t held = load->stats.held; /* what is told of the run */
	uint64_t until_us = load->now_us + GOODBYES_US;
	int64_t untold = load->stats.open;
	uint32_t i = 0;

	while (load->stats.open > 0 && load->now_us < until_us) {
		for (; i < load->n_sessions && load->stats.open - untold < load->options->opening;
			i++) {
			if (!load->sessions[i].conn)
				continue;
			untold--;
			say_goodbye_to(load, &load->sessions[i]);
		}
		one_round(load, clock);
	}
	until_us = load->now_us + LAST_ROUNDS_US;
	while (load->now_us < until_us)
		one_round(load, clock);
	load->stats.held = held;
}

static void start(struct load *load, struct clock_fast *clock)
{
	clock_fast_init(clock);
	load->now_us = load->start_us = load->last_good_us = load->progress.at_us =
		clock_fast_us(clock);
	load->random = load->now_us;
	wheel_init(&load->wheel, load->now_us);
	load->active = load->options->idle;
	for (uint32_t i = 0; i < load->options->idle; i++) {
		load->sessions[i].idle = true;
		load_life_offer(load, &load->sessions[i]);
	}
}

static void end_second(struct load *load, FILE *progress)
{
	if (progress)
		load_progress_print(
			&load->progress, &load->stats, load->start_us, load->now_us, progress);
	load_progress_next(&load->progress, &load->stats, load->now_us);
}

void load_run(struct load *load, const volatile sig_atomic_t *stop, FILE *progress)
{
	struct clock_fast clock;

	start(load, &clock);
	while (!is_over(load, *stop)) {
		one_round(load, &clock);
		if (load->now_us - load->progress.at_us >= LOAD_SECOND_US)
			end_second(load, progress);
	}
	if (load->stats.window_to_us == 0)
		load->stats.window_to_us = load->now_us;
	if (load->options->flood_rate)
		load->stats.syn_answers =
			load->transport->ops->flood_answers(load->transport) - load->answers_before;
	say_goodbye(load, &clock);
}

static size_t sessions_size(const struct load *load)
{
	return load->n_sessions * sizeof(*load->sessions);
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
		load->sessions = pages_reserve(sessions_size(load));
		rc = load->sessions ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		load_free(load);
		return rc;
	}
	if (load->sessions) /* a million of them are looked at in no order */
		pages_want_huge(load->sessions, sessions_size(load));
	*out = load;
	return 0;
}

const struct load_stats *load_stats_of(const struct load *load)
{
	return &load->stats;
}

void load_free(struct load *load)
{
	pages_release(load->sessions, sessions_size(load));
	free(load);
}
