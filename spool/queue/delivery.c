#include "spool/queue/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "spool/lmtp/backends.h"
#include "spool/queue/index.h"
#include "spool/queue/job.h"
#include "spool/queue/notes.h"
#include "spool/queue/replies.h"
#include "spool/queue/retry.h"

#define SECOND_US        UINT64_C(1000000)
#define EXPIRE_DEFAULT_S (5u * 86400)

#define DELIVERY_COUNTERS(X)                                                                       \
	X(DELIVERY_SENT, "delivery_sent", "recipients delivered")                                  \
	X(DELIVERY_DEFER, "delivery_deferred", "temporary failures of recipients")                 \
	X(DELIVERY_FAIL, "delivery_failed", "permanent failures of recipients")                    \
	X(DELIVERY_HOLD, "delivery_held", "mails put on hold")                                     \
	X(DELIVERY_EXPIRE, "delivery_expired", "of those, for their age")                          \
	X(DELIVERY_UNSURE, "delivery_unsure",                                                      \
		"recipients tried again though a final reply may have been lost")                  \
	X(DELIVERY_UNREADABLE, "delivery_unreadable", "mails whose bytes could not be read back")  \
	X(DELIVERY_CROWDED, "delivery_crowded", "mails beyond the index's bound, until restart")   \
	X(DELIVERY_QUEUE, "delivery_queue", "mails in the queue (gauge)")

COUNTERS_DECLARE(delivery, DELIVERY_COUNTERS)
COUNTERS_DEFINE(delivery, DELIVERY_COUNTERS)

struct delivery {
	struct spool_log *log;
	struct log_ring *events;
	struct backends *backends;
	struct retry_policy retry;
	uint64_t expire_us;
	uint64_t random;
	uint64_t now_us;
	struct wheel wheel;
	struct index index;
	struct replies replies;
	struct notes notes;
	struct job *jobs;   /* all */
	struct job *resume; /* those with a transaction to begin */
	char hostname[256];
	bool finishing; /* no more transactions are begun */
	struct delivery_counters counters;
};

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
	static const char *const words[] = {"deferred", "sent", "deferred", "held"};
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
		r->result.dsn, words[r->result.outcome],
		r->result.unsure ? " duplicate=possible" : "",
		LOG_VALUE(bytes_str(r->result.text)));
}

static void say(struct delivery *d, const struct index_entry *e, const char *what)
{
	char id[QUEUE_ID_TEXT_SIZE];

	log_event(d->events, LOG_SEV_INFO, id_text(e, id), "event=%s", what);
}

static void note_done(struct delivery *d, const struct index_entry *e, uint32_t recipient,
	enum spool_outcome outcome)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.recipient = recipient,
		.kind = DELIVERY_NOTE_DONE,
		.outcome = outcome};

	notes_put(&d->notes, &note);
}

static void note_held(struct delivery *d, const struct index_entry *e, bool held)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.kind = held ? DELIVERY_NOTE_HELD : DELIVERY_NOTE_RELEASED};

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
static void to_waiting(struct delivery *d, struct index_entry *e)
{
	uint64_t last_us = d->now_us + d->retry.min_us;

	index_move(&d->index, e, DELIVERY_WAITING, false);
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

static void to_held(struct delivery *d, struct index_entry *e, const char *why)
{
	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_HELD, false);
	spool_log_forget(d->log, e->item);
	note_held(d, e, true);
	say(d, e, why);
	counter_inc(&d->counters.v[DELIVERY_HOLD]);
}

static void drop(struct delivery *d, struct index_entry *e, const char *what)
{
	wheel_disarm(&d->wheel, &e->timer);
	say(d, e, what);
	replies_drop(&d->replies, e->reply);
	index_remove(&d->index, e);
}

static void delete_rest(struct delivery *d, struct index_entry *e)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			note_done(d, e, i, SPOOL_DELETED);
	drop(d, e, "deleted");
}

static void hold_expired(struct delivery *d, struct index_entry *e)
{
	counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
	to_held(d, e, "held reason=expired");
}

static bool someone_left(const struct index_entry *e)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			return true;
	return false;
}

/* An attempt is over. */
static void decide(struct delivery *d, struct index_entry *e, uint32_t temporary)
{
	uint8_t asked = e->flags;

	e->flags = 0;
	if (asked & INDEX_DELETE)
		delete_rest(d, e);
	else if (asked & INDEX_HOLD && someone_left(e))
		to_held(d, e, "held reason=operator");
	else if (temporary && d->now_us >= expiry_us(e))
		hold_expired(d, e);
	else if (temporary)
		to_deferred(d, e);
	else if (someone_left(e))
		to_held(d, e, "held reason=undeliverable");
	else
		drop(d, e, "removed");
}

/* --- attempts ------------------------------------------------------------------------------- */

static void take_result(struct delivery *d, struct job *job, unsigned i)
{
	const struct lmtp_result *r = &job->mail.recipients[i].result;
	uint32_t number = job->numbers[i];

	if (r->unsure)
		counter_inc(&d->counters.v[DELIVERY_UNSURE]);
	switch (r->outcome) {
	case LMTP_DELIVERED:
		counter_inc(&d->counters.v[DELIVERY_SENT]);
		index_set_done(job->entry, number);
		note_done(d, job->entry, number, SPOOL_DELIVERED);
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

	job_close(job);
	decide(d, e, temporary);
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
		to_held(d, e, "held reason=unreadable");
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

static uint64_t waiting(const struct delivery *d)
{
	uint64_t n = d->index.lists[DELIVERY_WAITING].count;

	for (const struct job *job = d->resume; job; job = job->next)
		n++;
	return n;
}

static void send_what_may(struct delivery *d)
{
	while (!d->finishing && d->notes.count < NOTES_MANY &&
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
}

static void on_timer(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_DEFERRED)
		to_waiting(d, e);
	else if (e->state == DELIVERY_WAITING)
		hold_expired(d, e);
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
	run_timers(d);
	send_what_may(d);
	counter_set(&d->counters.v[DELIVERY_QUEUE], d->index.entries.in_use);
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

void delivery_add(struct delivery *d, struct spool_item *item, uint64_t now_us)
{
	struct index_entry *e = index_add(&d->index, item);

	if (!e) {
		counter_inc(&d->counters.v[DELIVERY_CROWDED]);
		spool_item_release(item); /* the next start finds it in the log */
		return;
	}
	e->n_recipients = (uint16_t)spool_item_recipients(item);
	e->expires_s = expires_s(d, spool_item_queue_id(item), now_us);
	if (spool_item_held(item))
		index_move(&d->index, e, DELIVERY_HELD, false);
	else
		wheel_arm(&d->wheel, &e->timer, expiry_us(e));
}

/* --- operators ------------------------------------------------------------------------------ */

typedef bool (*entry_fn)(struct delivery *d, struct index_entry *e);

static unsigned for_matching(struct delivery *d, uint64_t queue_id, entry_fn fn)
{
	struct index_entry *next;
	unsigned n = 0;

	/* One that fn moves to a later list is met twice; the second time fn has nothing to do. */
	for (unsigned state = 0; state < INDEX_STATES; state++)
		for (struct index_entry *e = d->index.lists[state].first; e; e = next) {
			next = e->next;
			if (queue_id == 0 || spool_item_queue_id(e->item) == queue_id)
				n += fn(d, e);
		}
	return n;
}

static bool hold_one(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_HELD)
		return false;
	if (e->state == DELIVERY_ACTIVE)
		e->flags |= INDEX_HOLD;
	else
		to_held(d, e, "held reason=operator");
	return true;
}

static bool unhold_one(struct delivery *d, struct index_entry *e)
{
	if (e->state != DELIVERY_HELD)
		return false;
	note_held(d, e, false);
	say(d, e, "released");
	index_forget_failed(e);
	e->attempts = 0;
	e->expires_s = (uint32_t)((clock_mono_us() + d->expire_us) / SECOND_US + 1);
	to_waiting(d, e);
	return true;
}

static bool flush_one(struct delivery *d, struct index_entry *e)
{
	if (e->state != DELIVERY_DEFERRED)
		return false;
	to_waiting(d, e);
	return true;
}

static bool delete_one(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_ACTIVE)
		e->flags |= INDEX_DELETE;
	else
		delete_rest(d, e);
	return true;
}

unsigned delivery_hold(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, hold_one);
}

unsigned delivery_unhold(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, unhold_one);
}

unsigned delivery_flush(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, flush_one);
}

unsigned delivery_delete(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, delete_one);
}

void delivery_list(
	struct delivery *d, void (*fn)(void *arg, const struct delivery_status *status), void *arg)
{
	for (unsigned state = 0; state < INDEX_STATES; state++)
		for (const struct index_entry *e = d->index.lists[state].first; e; e = e->next) {
			struct delivery_status status = {
				.queue_id = spool_item_queue_id(e->item),
				.state = (enum delivery_state)e->state,
				.attempts = e->attempts,
				.next_try_us =
					state == DELIVERY_DEFERRED ? e->timer.deadline_us : 0,
				.last_reply = replies_text(&d->replies, e->reply),
			};

			fn(arg, &status);
		}
}

const struct counter_block *delivery_counters(const struct delivery *d)
{
	return &d->counters.block;
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
	d->random = config->seed;
	d->now_us = clock_mono_us();
	snprintf(d->hostname, sizeof(d->hostname), "%s",
		config->hostname ? config->hostname : "localhost");
	wheel_init(&d->wheel, d->now_us);
	replies_init(&d->replies);
	delivery_counters_init(&d->counters);
	r = make_backends(d, config, why);
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
	while (d->jobs)
		job_close(d->jobs);
	index_fini(&d->index);
	notes_fini(&d->notes);
	free(d);
}
