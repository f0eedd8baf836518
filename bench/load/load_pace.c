#include "bench/load/load_priv.h"

/* Of one round: sessions begun, NOOPs, SYNs. */
#define ROUND_OPENS 64u
#define ROUND_NOOPS 64u
#define ROUND_SYNS  32u
/* Sessions that are looked at for one that can take a NOOP. */
#define NOOP_TRIES 8u
/* The longest wait where nothing is due. */
#define WAIT_MAX_US 100000u

static void open_session(struct load *load, struct load_session *s)
{
	int rc;

	smtp_client_init(&s->client, &load->words);
	s->mails = 0;
	s->quitting = false;
	s->phase = LOAD_PHASE_OPENING;
	s->since_us = load->now_us;
	if (!s->idle && s->offered_us == 0) {
		s->offered_us = load->now_us;
		load->stats.sessions_begun++;
	}
	load->opening++;
	rc = load->transport->ops->connect(load->transport, s, load->now_us, &s->conn);
	if (rc < 0) {
		s->conn = NULL;
		load_life_fail(load, s, TRANSPORT_ERROR_OF(rc));
		return;
	}
	load->stats.open++;
	load_life_wait_reply(load, s);
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
		struct load_session *s = load->first;

		if (load->opening >= opening_max(load))
			return;
		load->first = s->next;
		if (!load->first)
			load->last = &load->first;
		open_session(load, s);
	}
}

/* The sessions to be held have been seen to: now the mails, and the time that counts. */
void load_pace_begin(struct load *load)
{
	const struct load_options *o = load->options;

	load->mailing = true;
	for (uint32_t i = o->idle; i < load->n_sessions; i++)
		load_life_offer(load, &load->sessions[i]);
	load->active += o->connections;
	load->began_us = load->now_us;
	load->stats.window_from_us = load->now_us + o->warmup_s * LOAD_SECOND_US;
	load->stop_us = o->time_s ? load->now_us + o->time_s * LOAD_SECOND_US : UINT64_MAX;
	if (o->flood_rate)
		load->answers_before = load->transport->ops->flood_answers(load->transport);
}

static uint64_t next_random(struct load *load)
{
	uint64_t z = (load->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 27;
}

static void noop_somewhere(struct load *load)
{
	for (unsigned i = 0; i < NOOP_TRIES; i++) {
		struct load_session *s =
			&load->sessions[(next_random(load) >> 16) % load->options->idle];

		if (s->phase != LOAD_PHASE_HELD ||
			smtp_client_state(&s->client) != SMTP_CLIENT_READY)
			continue;
		s->since_us = load->now_us;
		smtp_client_noop(&s->client);
		load_life_wait_reply(load, s);
		load_talk_pump(load, s);
		return;
	}
}

/* How many of `rate` a second are due by now, `done` of them being done. */
static unsigned due(const struct load *load, uint64_t rate, uint64_t done, unsigned most)
{
	uint64_t wanted = (load->now_us - load->began_us) * rate / LOAD_SECOND_US;

	if (wanted <= done)
		return 0;
	return wanted - done < most ? (unsigned)(wanted - done) : most;
}

/* Each as late as this thread is; how late that was is told beside what they took. */
static void send_noops(struct load *load)
{
	uint64_t rate = load->options->noop_rate;
	unsigned n = due(load, rate, load->noops_sent, ROUND_NOOPS);

	for (unsigned i = 0; i < n; i++) {
		uint64_t due_us = load->began_us + load->noops_sent++ * LOAD_SECOND_US / rate;

		histogram_add(&load->stats.times[LOAD_TIME_LATE], load->now_us - due_us);
		noop_somewhere(load);
	}
}

void load_pace_round(struct load *load)
{
	const struct load_options *o = load->options;
	unsigned n;

	open_some(load);
	if (!load->mailing || load->stopping)
		return;
	if (o->noop_rate)
		send_noops(load);
	n = o->flood_rate ? due(load, o->flood_rate, load->stats.syns, ROUND_SYNS) : 0;
	if (n)
		load->stats.syns += load->transport->ops->flood(load->transport, n, load->now_us);
}

uint64_t load_pace_next_us(const struct load *load)
{
	uint64_t next = wheel_next_us(&load->wheel), most = load->now_us + WAIT_MAX_US;
	const struct load_options *o = load->options;

	if (load->first && load->opening < opening_max(load))
		return load->now_us;
	if (o->flood_rate && load->mailing)
		return load->now_us;
	if (o->noop_rate && load->mailing && most > load->now_us + LOAD_SECOND_US / o->noop_rate)
		most = load->now_us + LOAD_SECOND_US / o->noop_rate;
	if (load->stop_us > load->now_us && load->stop_us < most)
		most = load->stop_us;
	return next < most ? next : most;
}
