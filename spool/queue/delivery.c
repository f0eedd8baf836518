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
	delivery_send(d);
	/* Notes that could not be handed over wait for the spooler, which does not ring for that.
	 */
	backends_wait(d->backends, wake_fd, wait_ms(d, d->notes.count ? 1 : timeout_ms));
	d->now_us = clock_mono_us();
	backends_handle(d->backends, d->now_us);
	if (d->relay)
		relay_handle(d->relay);
	delivery_bounce_again(d);
	delivery_run_timers(d);
	delivery_digest(d, clock_unix_us() / SECOND_US);
	delivery_send(d);
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
	if (spool_item_late(item))
		e->flags |= INDEX_WARNED;
	if (spool_item_held(item))
		index_move(&d->index, e, DELIVERY_HELD, false);
	else if (spool_item_dead(item, &since_s))
		delivery_keep_dead(d, e, dead_left_us(d, since_s));
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
	struct backends_events events = {d, delivery_on_done, delivery_on_health};
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
		config.list[i].tls = c->backends[i].tls;
		config.list[i].starttls = c->backends[i].starttls;
	}
	return backends_new(&config, &events, &d->backends, why);
}

static int make_relay(struct delivery *d, const struct relay_config *c, struct text *why)
{
	struct relay_events events = {d, delivery_on_relay_done};
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
	d->warn_us = config->warn_s * SECOND_US;
	d->digest_s = config->digest_s;
	snprintf(d->postmaster, sizeof(d->postmaster), "%s",
		config->postmaster ? config->postmaster : "");
	delivery_digest_plan(d, clock_unix_us() / SECOND_US);
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
