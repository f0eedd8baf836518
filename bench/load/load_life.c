#include "bench/load/load_priv.h"

/* A failed connection is tried again after this, doubled with each failure in a row. */
#define RETRY_US    10000u
#define RETRY_SHIFT 7u

void load_life_offer(struct load *load, struct load_session *s)
{
	s->phase = LOAD_PHASE_WAITING;
	s->next = NULL;
	*load->last = s;
	load->last = &s->next;
}

bool load_life_total_reached(const struct load *load)
{
	return load->options->total && load->stats.started >= load->options->total;
}

/* Whether a connection that has ended is followed by another. */
bool load_life_goes_on(const struct load *load, const struct load_session *s)
{
	if (load->stopping)
		return false;
	if (s->idle)
		return load->options->time_s > 0;
	if (load_life_total_reached(load))
		return false;
	return load->options->time_s || load->options->total;
}

static void leave_phase(struct load *load, struct load_session *s)
{
	if (s->phase == LOAD_PHASE_OPENING)
		load->opening--;
	if (s->phase == LOAD_PHASE_HELD)
		load->stats.held--;
	if (s->conn)
		load->stats.open--;
	wheel_disarm(&load->wheel, &s->timer);
	s->conn = NULL;
	s->phase = LOAD_PHASE_NONE;
}

/* The connection is gone, one way or the other. */
void load_life_over(struct load *load, struct load_session *s, bool failed)
{
	bool was_held = s->phase == LOAD_PHASE_HELD;

	leave_phase(load, s);
	if (was_held)
		load->active++;
	if (!load_life_goes_on(load, s)) {
		load->active--;
		return;
	}
	if (!failed) {
		s->failures = 0;
		load_life_offer(load, s);
		return;
	}
	s->phase = LOAD_PHASE_RETRY;
	wheel_arm(&load->wheel, &s->timer, load->now_us + ((uint64_t)RETRY_US << s->failures));
	if (s->failures < RETRY_SHIFT)
		s->failures++;
}

/* Held or failed once: the mails need not wait for this one any more. */
static void note_tried(struct load *load, struct load_session *s)
{
	if (s->idle && !s->tried) {
		s->tried = true;
		load->idle_tried++;
	}
}

void load_life_fail(struct load *load, struct load_session *s, enum load_error error)
{
	void *conn = s->conn;

	note_tried(load, s);
	load_stats_error(&load->stats, error);
	load_life_over(load, s, true);
	if (conn)
		load->transport->ops->abort(load->transport, conn);
}

void load_life_close(struct load *load, struct load_session *s)
{
	void *conn = s->conn;

	load_life_over(load, s, false);
	load->transport->ops->close(load->transport, conn);
}

void load_life_wait(struct load *load, struct load_session *s, uint64_t us)
{
	wheel_arm(&load->wheel, &s->timer, load->now_us + us);
}

void load_life_wait_reply(struct load *load, struct load_session *s)
{
	load_life_wait(load, s, load->options->timeout_s * LOAD_SECOND_US);
}

void load_life_hold(struct load *load, struct load_session *s)
{
	if (s->phase != LOAD_PHASE_HELD) {
		load->active--;
		load->stats.held++;
		if (load->stats.held > load->stats.held_peak)
			load->stats.held_peak = load->stats.held;
		note_tried(load, s);
	}
	s->phase = LOAD_PHASE_HELD;
	wheel_disarm(&load->wheel, &s->timer);
}
