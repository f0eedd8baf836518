#include "bench/load/load_priv.h"

/* After QUIT the server closes first, so that the TIME-WAIT is its; it may take so long. */
#define GOODBYE_US LOAD_SECOND_US
/* What is received at a time. */
#define RECEIVE_MAX 4096u

void load_talk_pump(struct load *load, struct load_session *s)
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

void load_talk_quit(struct load *load, struct load_session *s)
{
	s->quitting = true;
	smtp_client_quit(&s->client);
	load_life_wait_reply(load, s);
}

static void send_mail_or_quit(struct load *load, struct load_session *s)
{
	const struct load_options *o = load->options;
	struct bytes wire;

	if (load->stopping || load_life_total_reached(load) || (o->mails && s->mails >= o->mails)) {
		load_talk_quit(load, s);
		return;
	}
	wire = load->mails->wires[load->next_mail++ % load->mails->count];
	s->mails++;
	s->octets = (uint32_t)wire.len;
	s->since_us = load->now_us;
	load->stats.started++;
	smtp_client_mail(&s->client, wire);
	load_life_wait_reply(load, s);
}

static void record(struct load *load, enum load_time what, uint64_t us)
{
	histogram_add(&load->stats.times[what], us);
	if (what == LOAD_TIME_MAIL)
		histogram_add(&load->progress.mail, us);
	if (what == LOAD_TIME_NOOP)
		histogram_add(&load->progress.noop, us);
}

static void on_greeted(struct load *load, struct load_session *s)
{
	load->stats.greeted++;
	load->last_good_us = load->now_us;
	record(load, LOAD_TIME_GREETING, load->now_us - s->since_us);
	load->opening--;
	s->failures = 0;
	s->phase = LOAD_PHASE_TALKING;
	if (s->idle)
		load_life_hold(load, s);
	else
		send_mail_or_quit(load, s);
}

static void judge_mail(struct load *load, struct load_session *s)
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

/* All the way to 221, counted from the first try. */
static void note_done(struct load *load, struct load_session *s)
{
	uint64_t took_us = load->now_us - s->offered_us;

	load->stats.sessions_done++;
	if (took_us <= LOAD_SESSION_US)
		load->stats.sessions_in_time++;
	record(load, LOAD_TIME_SESSION, took_us);
	s->offered_us = 0;
}

/* 221, or 421 in the middle of something. */
static void on_bye(struct load *load, struct load_session *s)
{
	if (!s->quitting || smtp_client_code(&s->client) == 421) {
		load->stats.said_421++;
		if (smtp_client_result(&s->client) == 421)
			load->stats.refused++;
	} else if (!s->idle) {
		note_done(load, s);
	}
	if (s->phase == LOAD_PHASE_HELD) {
		load->stats.held--;
		load->active++;
	}
	s->phase = LOAD_PHASE_CLOSING;
	load_life_wait(load, s, GOODBYE_US);
}

/* False: the connection is gone. */
static bool on_event(struct load *load, struct load_session *s, enum smtp_client_event event)
{
	if (event != SMTP_CLIENT_EV_BROKEN)
		load_stats_reply(&load->stats, &s->client);
	switch (event) {
	case SMTP_CLIENT_EV_INPUT: return true;
	case SMTP_CLIENT_EV_REPLY: load_life_wait_reply(load, s); return true;
	case SMTP_CLIENT_EV_READY: on_greeted(load, s); return true;
	case SMTP_CLIENT_EV_MAIL_DONE:
		judge_mail(load, s);
		send_mail_or_quit(load, s);
		return true;
	case SMTP_CLIENT_EV_NOOP_DONE:
		record(load, LOAD_TIME_NOOP, load->now_us - s->since_us);
		load->stats.noops++;
		load_life_hold(load, s);
		return true;
	case SMTP_CLIENT_EV_BYE: on_bye(load, s); return true;
	case SMTP_CLIENT_EV_REFUSED: load_life_fail(load, s, LOAD_NOT_GREETED); return false;
	case SMTP_CLIENT_EV_BROKEN: load_life_fail(load, s, LOAD_NOT_SMTP); return false;
	}
	return true;
}

static void peer_ended(struct load *load, struct load_session *s, bool reset)
{
	if (s->phase == LOAD_PHASE_CLOSING)
		load_life_close(load, s);
	else
		load_life_fail(load, s, reset ? LOAD_RESET : LOAD_CLOSED);
}

/* All that has come. False: the connection is gone. */
static bool receive(struct load *load, struct load_session *s)
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
			if (s->phase == LOAD_PHASE_CLOSING)
				break;
			load_talk_pump(load, s);
		}
	}
	if (n == TRANSPORT_AGAIN)
		return true;
	peer_ended(load, s, n == TRANSPORT_LOST);
	return false;
}

static void on_opened(struct load *load, struct load_session *s)
{
	load->stats.connected++;
	record(load, LOAD_TIME_CONNECT, load->now_us - s->since_us);
	s->since_us = load->now_us;
	load_life_wait_reply(load, s);
}

void load_talk_event(struct load *load, const struct transport_event *event)
{
	struct load_session *s = event->user;

	if (event->what & TRANSPORT_FAILED) {
		if (s->phase == LOAD_PHASE_CLOSING)
			peer_ended(load, s, true);
		else
			load_life_fail(load, s, event->error);
		return;
	}
	if (event->what & TRANSPORT_OPENED)
		on_opened(load, s);
	if ((event->what & TRANSPORT_READABLE) && !receive(load, s))
		return;
	if (event->what & TRANSPORT_WRITABLE)
		load_talk_pump(load, s);
}
