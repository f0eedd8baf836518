#include "spool/queue/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "spool/queue/delivery_priv.h"

#define EXPIRE_DEFAULT_S    (5u * 86400)
#define DEAD_KEEP_DEFAULT_S (30u * 86400)

COUNTERS_DEFINE(delivery, DELIVERY_COUNTERS)

static uint64_t next_random(struct delivery *d)
{
	d->random = d->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return d->random >> 20;
}

/* --- what is said --------------------------------------------------------------------------- */

static const char *id_text(const struct index_entry *e, char out[QUEUE_ID_TEXT_SIZE])
{
	return queue_id_format(spool_item_queue_id(e->item), out);
}

static void say_result(struct delivery *d, const struct job *job, unsigned i, const char *relay)
{
	static const char *const words[] = {"deferred", "sent", "deferred", "held", "failed"};
	const struct lmtp_recipient *r = &job->mail.recipients[i];
	char id[QUEUE_ID_TEXT_SIZE], to[LOG_VALUE_MAX];
	uint64_t received_us = job->view.envelope.received_unix_us, now_us = clock_unix_us();
	struct text t;

	text_init(&t, to, sizeof(to));
	text_putc(&t, '<');
	text_put(&t, bytes_slice(r->address, 0, sizeof(to) - 3));
	text_putc(&t, '>');
	log_event(d->events, LOG_SEV_INFO, id_text(job->entry, id),
		"to=%s relay=%s delay=%llu dsn=%s status=%s%s reply=%s", LOG_VALUE(text_bytes(&t)),
		relay,
		(unsigned long long)(now_us > received_us ? (now_us - received_us) / SECOND_US : 0),
		r->result.dsn,
		words[r->result.outcome + (d->relay && r->result.outcome == LMTP_PERMANENT)],
		r->result.unsure ? " duplicate=possible" : "",
		LOG_VALUE(bytes_str(r->result.text)));
}

void delivery_say(struct delivery *d, const struct index_entry *e, const char *what)
{
	char id[QUEUE_ID_TEXT_SIZE];

	log_event(d->events, LOG_SEV_INFO, id_text(e, id), "event=%s", what);
}

void delivery_note_done(struct delivery *d, const struct index_entry *e, uint32_t recipient,
	enum spool_outcome outcome)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.recipient = recipient,
		.kind = DELIVERY_NOTE_DONE,
		.outcome = outcome};

	notes_put(&d->notes, &note);
}

static void note_shelf(struct delivery *d, const struct index_entry *e, enum spool_shelf shelf)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.kind = DELIVERY_NOTE_SHELF,
		.shelf = shelf,
		.since_s = (uint32_t)(clock_unix_us() / SECOND_US)};

	notes_put(&d->notes, &note);
}

/* --- states --------------------------------------------------------------------------------- */

static void remember_reply(struct delivery *d, struct index_entry *e, const char *text)
{
	replies_drop(&d->replies, e->reply);
	e->reply = replies_add(&d->replies, text);
}

static uint64_t expiry_us(const struct index_entry *e)
{
	return e->expires_s * SECOND_US;
}

/* One that has expired gets a last attempt, if a backend is there in time. */
void delivery_to_waiting(struct delivery *d, struct index_entry *e)
{
	uint64_t last_us = d->now_us + d->retry.min_us;

	index_move(&d->index, e, spool_item_relay(e->item) ? DELIVERY_OUTGOING : DELIVERY_WAITING,
		false);
	wheel_arm(&d->wheel, &e->timer, expiry_us(e) > last_us ? expiry_us(e) : last_us);
}

static void to_deferred(struct delivery *d, struct index_entry *e)
{
	if (e->attempts < UINT16_MAX)
		e->attempts++;
	index_move(&d->index, e, DELIVERY_DEFERRED, false);
	wheel_arm(&d->wheel, &e->timer,
		d->now_us + retry_wait_us(&d->retry, e->attempts, next_random(d)));
	/* It has time: its bytes can be read again. */
	spool_log_forget(d->log, e->item);
}

void delivery_to_held(struct delivery *d, struct index_entry *e, const char *why)
{
	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_HELD, false);
	spool_log_forget(d->log, e->item);
	note_shelf(d, e, SPOOL_ON_HOLD);
	delivery_say(d, e, why);
	counter_inc(&d->counters.v[DELIVERY_HOLD]);
}

/* Its time among the dead ends `keep_us` from now. */
static void keep_dead(struct delivery *d, struct index_entry *e, uint64_t keep_us)
{
	index_move(&d->index, e, DELIVERY_DEAD, false);
	wheel_arm(&d->wheel, &e->timer, d->now_us + keep_us);
}

static void to_dead(struct delivery *d, struct index_entry *e, const char *why)
{
	keep_dead(d, e, d->dead_keep_us);
	spool_log_forget(d->log, e->item);
	note_shelf(d, e, SPOOL_ON_DEAD);
	delivery_say(d, e, why);
	counter_inc(&d->counters.v[DELIVERY_DIE]);
}

void delivery_revive(struct delivery *d, struct index_entry *e)
{
	wheel_disarm(&d->wheel, &e->timer);
	note_shelf(d, e, SPOOL_IN_QUEUE);
	index_forget_failed(e);
	e->attempts = 0;
	d->now_us = clock_mono_us();
	e->expires_s = (uint32_t)((d->now_us + d->expire_us) / SECOND_US + 1);
	delivery_to_waiting(d, e);
}

static void drop(struct delivery *d, struct index_entry *e, const char *what)
{
	wheel_disarm(&d->wheel, &e->timer);
	delivery_say(d, e, what);
	replies_drop(&d->replies, e->reply);
	index_remove(&d->index, e);
}

void delivery_end_rest(
	struct delivery *d, struct index_entry *e, enum spool_outcome outcome, const char *what)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			delivery_note_done(d, e, i, outcome);
	drop(d, e, what);
}

/*
 * For good undeliverable. Where bounces are made, what may not bounce is dead; else it is for the
 * operator to decide. A bounce of our own can go nowhere else.
 */
static void give_up(struct delivery *d, struct index_entry *e, bool expired)
{
	bool dead = d->relay || spool_item_relay(e->item);

	if (expired)
		counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
	if (dead)
		to_dead(d, e, expired ? "dead reason=expired" : "dead reason=undeliverable");
	else
		delivery_to_held(
			d, e, expired ? "held reason=expired" : "held reason=undeliverable");
}

static bool someone_left(const struct index_entry *e)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			return true;
	return false;
}

void delivery_decide(struct delivery *d, struct index_entry *e, uint32_t temporary)
{
	uint8_t asked = e->flags;

	e->flags = 0;
	if (asked & INDEX_DELETE)
		delivery_end_rest(d, e, SPOOL_DELETED, "deleted");
	else if (asked & INDEX_HOLD && someone_left(e))
		delivery_to_held(d, e, "held reason=operator");
	else if (temporary && d->now_us >= expiry_us(e))
		give_up(d, e, true);
	else if (temporary)
		to_deferred(d, e);
	else if (someone_left(e))
		give_up(d, e, false);
	else
		drop(d, e, "removed");
}

/* --- attempts ------------------------------------------------------------------------------- */

static void take_result(struct delivery *d, struct job *job, unsigned i)
{
	const struct lmtp_result *r = &job->mail.recipients[i].result;
	uint32_t number = job->numbers[i];
	bool told = r->outcome == LMTP_DELIVERED ||
		    job_failed(job, number, r->outcome != LMTP_PERMANENT, r->dsn, r->text) == 0;

	if (r->unsure)
		counter_inc(&d->counters.v[DELIVERY_UNSURE]);
	switch (told ? r->outcome : LMTP_TEMPORARY) {
	case LMTP_DELIVERED:
		counter_inc(&d->counters.v[DELIVERY_SENT]);
		index_set_done(job->entry, number);
		delivery_note_done(d, job->entry, number, SPOOL_DELIVERED);
		break;
	case LMTP_PERMANENT:
		counter_inc(&d->counters.v[DELIVERY_FAIL]);
		index_set_failed(job->entry, number);
		remember_reply(d, job->entry, r->text);
		break;
	case LMTP_PENDING:
	case LMTP_TEMPORARY:
		counter_inc(&d->counters.v[DELIVERY_DEFER]);
		job->temporary++;
		remember_reply(d, job->entry, r->text);
		break;
	}
}

static void job_over(struct delivery *d, struct job *job)
{
	struct index_entry *e = job->entry;
	uint32_t temporary = job->temporary;
	int bounced = delivery_bounce(d, job, temporary && d->now_us >= expiry_us(e));

	job_close(job);
	if (bounced > 0)
		return; /* delivery_committed() goes on */
	if (bounced < 0) {
		index_forget_failed(e); /* when there is memory again */
		temporary++;
	}
	delivery_decide(d, e, temporary);
}

static void resume(struct delivery *d, struct job *job)
{
	job->next = d->resume;
	d->resume = job;
}

static void on_done(void *arg, struct lmtp_mail *mail, const char *backend, bool untried)
{
	struct delivery *d = arg;
	struct job *job = job_of(mail);

	if (untried) {
		resume(d, job);
		return;
	}
	for (unsigned i = 0; i < mail->n_recipients; i++) {
		say_result(d, job, i, backend);
		take_result(d, job, i);
	}
	job->group++;
	if (job_next(job))
		resume(d, job);
	else
		job_over(d, job);
}

static void on_relay_done(void *arg, struct lmtp_mail *mail, const char *relay)
{
	on_done(arg, mail, relay, false);
}

static void on_health(void *arg, const char *backend, const char *reason, uint64_t wait_us)
{
	struct delivery *d = arg;

	if (reason)
		log_event(d->events, LOG_SEV_WARNING, NULL,
			"event=backend-down relay=%s wait_ms=%llu reason=%s", backend,
			(unsigned long long)(wait_us / 1000), LOG_VALUE(bytes_str(reason)));
	else
		log_event(d->events, LOG_SEV_NOTICE, NULL, "event=backend-up relay=%s", backend);
}

/* The bytes cannot be had: gone with the mail, out of memory, or rotten on disk. */
static void unreadable(struct delivery *d, struct index_entry *e, int error)
{
	char text[REPLIES_TEXT_MAX];

	counter_inc(&d->counters.v[DELIVERY_UNREADABLE]);
	snprintf(text, sizeof(text), "451 4.3.0 cannot read the spool: %s", strerror(-error));
	remember_reply(d, e, text);
	if (error == -ENOENT)
		drop(d, e, "removed");
	else if (error == -EBADMSG)
		delivery_to_held(d, e, "held reason=unreadable");
	else
		to_deferred(d, e);
}

static void begin(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_ACTIVE, false);
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0)
		unreadable(d, e, r);
	else if (job_next(job))
		resume(d, job);
	else
		job_over(d, job);
}

/* No slot, or it cannot even be begun: later. */
static void begin_outgoing(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_ACTIVE, false);
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0) {
		unreadable(d, e, r);
	} else if (!job_next(job)) {
		job_over(d, job);
	} else if (!relay_send(d->relay, &job->mail)) {
		job_close(job);
		to_deferred(d, e);
	}
}

static void send_outgoing(struct delivery *d)
{
	struct index_list *list = &d->index.lists[DELIVERY_OUTGOING];

	while (d->relay && !d->finishing && d->notes.count < NOTES_MANY && list->first &&
		relay_has_room(d->relay))
		begin_outgoing(d, list->first);
}

static uint64_t waiting(const struct delivery *d)
{
	uint64_t n = d->index.lists[DELIVERY_WAITING].count;

	for (const struct job *job = d->resume; job; job = job->next)
		n++;
	return n;
}

static void send_what_may(struct delivery *d)
{
	while (!d->finishing && d->notes.count < NOTES_MANY && d->own.count < DELIVERY_MAILS_MAX &&
		backends_free_connection(d->backends)) {
		struct job *job = d->resume;

		if (!job) {
			if (!d->index.lists[DELIVERY_WAITING].first)
				break;
			begin(d, d->index.lists[DELIVERY_WAITING].first);
			continue;
		}
		d->resume = job->next;
		if (!backends_send(d->backends, &job->mail, d->now_us)) {
			resume(d, job);
			break;
		}
	}
	backends_want(d->backends, (unsigned)(waiting(d) & INT32_MAX), d->now_us);
	send_outgoing(d);
}

/* All that is left has failed for its age, in the words of the last reply. */
static int fail_rest(struct delivery *d, struct job *job)
{
	const struct index_entry *e = job->entry;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < e->n_recipients; i++)
		if (!index_is_done(e, i) && !index_is_failed(e, i))
			r = job_failed(job, i, true, "", replies_text(&d->replies, e->reply));
	return r;
}

/* It never got a last attempt. */
static void expire(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	if (!d->relay || spool_item_relay(e->item)) {
		give_up(d, e, true);
		return;
	}
	if (d->own.count >= DELIVERY_MAILS_MAX) {
		wheel_arm(&d->wheel, &e->timer, d->now_us + SECOND_US);
		return;
	}
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0) {
		unreadable(d, e, r);
		return;
	}
	r = fail_rest(d, job);
	if (r == 0)
		r = delivery_bounce(d, job, true);
	job_close(job);
	if (r > 0) {
		counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
		index_move(&d->index, e, DELIVERY_ACTIVE, false);
	} else if (r == 0) {
		give_up(d, e, true);
	} else {
		to_deferred(d, e);
	}
}

static void bury(struct delivery *d, struct index_entry *e)
{
	counter_inc(&d->counters.v[DELIVERY_DEAD_END]);
	delivery_end_rest(d, e, SPOOL_EXPIRED, "removed reason=dead-kept-long-enough");
}

static void on_timer(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_DEFERRED)
		delivery_to_waiting(d, e);
	else if (e->state == DELIVERY_WAITING || e->state == DELIVERY_OUTGOING)
		expire(d, e);
	else if (e->state == DELIVERY_DEAD)
		bury(d, e);
}

static void run_timers(struct delivery *d)
{
	struct wheel_timer *t;

	while ((t = wheel_pop_expired(&d->wheel, d->now_us)))
		on_timer(d, WHEEL_OWNER(t, struct index_entry, timer));
}

static int wait_ms(const struct delivery *d, int timeout_ms)
{
	uint64_t next = wheel_next_us(&d->wheel), other = backends_next_us(d->backends);
	uint64_t ms;

	next = other < next ? other : next;
	if (d->own.refused && d->own.retry_us < next)
		next = d->own.retry_us;
	if (next == UINT64_MAX)
		return timeout_ms;
	ms = next > d->now_us ? (next - d->now_us + 999) / 1000 : 0;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < ms ? timeout_ms : (int)(ms & INT32_MAX);
}

void delivery_run_once(struct delivery *d, int wake_fd, int timeout_ms)
{
	d->now_us = clock_mono_us();
	send_what_may(d);
	/* Notes that could not be handed over wait for the spooler, which does not ring for that.
	 */
	backends_wait(d->backends, wake_fd, wait_ms(d, d->notes.count ? 1 : timeout_ms));
	d->now_us = clock_mono_us();
	backends_handle(d->backends, d->now_us);
	if (d->relay)
		relay_handle(d->relay);
	delivery_bounce_again(d);
	run_timers(d);
	send_what_may(d);
	counter_set(&d->counters.v[DELIVERY_QUEUE], d->index.entries.in_use);
	counter_set(&d->counters.v[DELIVERY_DEAD_NOW], d->index.lists[DELIVERY_DEAD].count);
}

void delivery_finish(struct delivery *d)
{
	d->finishing = true;
}

bool delivery_busy(const struct delivery *d)
{
	uint64_t resting = 0;

	for (const struct job *job = d->resume; job; job = job->next)
		resting++;
	return d->notes.count > 0 || d->index.lists[DELIVERY_ACTIVE].count > resting;
}

bool delivery_next_note(struct delivery *d, struct delivery_note *note)
{
	return notes_take(&d->notes, note);
}

/* --- arrival -------------------------------------------------------------------------------- */

static uint32_t expires_s(const struct delivery *d, uint64_t queue_id, uint64_t now_us)
{
	uint64_t unix_us = clock_unix_us(), born_us = queue_id_unix_us(queue_id);
	uint64_t age = unix_us > born_us ? unix_us - born_us : 0;
	uint64_t left = age < d->expire_us ? d->expire_us - age : 0;

	return (uint32_t)((now_us + left) / SECOND_US + 1);
}

/* What is left of its time among the dead. */
static uint64_t dead_left_us(const struct delivery *d, uint32_t since_s)
{
	uint64_t unix_us = clock_unix_us(), since_us = since_s * SECOND_US;
	uint64_t age = unix_us > since_us ? unix_us - since_us : 0;

	return age < d->dead_keep_us ? d->dead_keep_us - age : 0;
}

void delivery_add(struct delivery *d, struct spool_item *item, uint64_t now_us)
{
	struct index_entry *e = index_add(&d->index, item);
	uint32_t since_s;

	if (!e) {
		counter_inc(&d->counters.v[DELIVERY_CROWDED]);
		spool_item_release(item); /* the next start finds it in the log */
		return;
	}
	e->n_recipients = (uint16_t)spool_item_recipients(item);
	e->expires_s = expires_s(d, spool_item_queue_id(item), now_us);
	if (spool_item_held(item))
		index_move(&d->index, e, DELIVERY_HELD, false);
	else if (spool_item_dead(item, &since_s))
		keep_dead(d, e, dead_left_us(d, since_s));
	else
		delivery_to_waiting(d, e);
}

const struct counter_block *delivery_counters(const struct delivery *d)
{
	return &d->counters.block;
}

struct relay *delivery_relay(const struct delivery *d)
{
	return d->relay;
}

const struct counter_block *delivery_relay_counters(const struct delivery *d)
{
	return d->relay ? relay_counters(d->relay) : NULL;
}

const struct counter_block *delivery_backend_counters(const struct delivery *d)
{
	return backends_counters(d->backends);
}

/* --- life ----------------------------------------------------------------------------------- */

static int make_backends(struct delivery *d, const struct delivery_config *c, struct text *why)
{
	struct backends_events events = {d, on_done, on_health};
	struct backends_config config = {
		.n = c->n_backends,
		.hostname = d->hostname,
		.connect_timeout_us = c->connect_timeout_ms * UINT64_C(1000),
		.reply_timeout_us = c->reply_timeout_ms * UINT64_C(1000),
		.seed = c->seed,
	};

	if (c->n_backends > DELIVERY_MAX_BACKENDS) {
		text_printf(why, "at most %d backends", DELIVERY_MAX_BACKENDS);
		return -EINVAL;
	}
	for (unsigned i = 0; i < c->n_backends; i++) {
		config.list[i].address = c->backends[i].address;
		config.list[i].connections = c->backends[i].connections;
	}
	return backends_new(&config, &events, &d->backends, why);
}

static int make_relay(struct delivery *d, const struct relay_config *c, struct text *why)
{
	struct relay_events events = {d, on_relay_done};
	struct relay_config config = *c;
	int r;

	config.hostname = d->hostname;
	r = relay_new(&config, &events, &d->relay, why);
	return r == 0 ? backends_watch(d->backends, relay_fd(d->relay)) : r;
}

int delivery_new(const struct delivery_config *config, struct spool_log *log,
	struct log_ring *events, struct delivery **out, struct text *why)
{
	struct delivery *d = calloc(1, sizeof(*d));
	int r;

	*out = NULL;
	if (!d || index_init(&d->index) != 0) {
		free(d);
		text_printf(why, "no memory for the queue");
		return -ENOMEM;
	}
	d->log = log;
	d->events = events;
	d->retry.min_us = (config->retry_min_s ? config->retry_min_s : 1) * SECOND_US;
	d->retry.max_us = config->retry_max_s * SECOND_US;
	if (d->retry.max_us < d->retry.min_us)
		d->retry.max_us = d->retry.min_us;
	d->expire_us = (config->expire_s ? config->expire_s : EXPIRE_DEFAULT_S) * SECOND_US;
	d->dead_keep_us =
		(config->dead_keep_s ? config->dead_keep_s : DEAD_KEEP_DEFAULT_S) * SECOND_US;
	d->bounce_anyone = config->bounce_anyone;
	own_mails_init(&d->own, spool_log_highest_queue_id(log));
	d->random = config->seed;
	d->now_us = clock_mono_us();
	snprintf(d->hostname, sizeof(d->hostname), "%s",
		config->hostname ? config->hostname : "localhost");
	wheel_init(&d->wheel, d->now_us);
	replies_init(&d->replies);
	delivery_counters_init(&d->counters);
	r = make_backends(d, config, why);
	if (r == 0 && config->relay.url)
		r = make_relay(d, &config->relay, why);
	if (r != 0) {
		delivery_free(d);
		return r;
	}
	*out = d;
	return 0;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	backends_free(d->backends);
	relay_free(d->relay);
	own_mails_fini(&d->own);
	while (d->jobs)
		job_close(d->jobs);
	index_fini(&d->index);
	notes_fini(&d->notes);
	free(d);
}
