#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/lmtp/backends_priv.h"

COUNTERS_DEFINE(backends, BACKENDS_COUNTERS)

/* --- choice --------------------------------------------------------------------------------- */

static bool is_free(const struct connection *c)
{
	return c->fd >= 0 && c->client.state == LMTP_READY && c->client.n_mails == 0;
}

static unsigned count(const struct backend *k, bool busy)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->max; i++)
		if (k->connections[i].fd >= 0)
			n += busy ? k->connections[i].client.n_mails > 0
				  : !k->connections[i].proven;
	return n;
}

/* A free connection to the backend that is least busy, in turn where they are equal. */
static struct connection *choose_free(struct backends *b)
{
	struct connection *best = NULL;
	unsigned best_busy = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct backend *k = &b->list[(b->turn + i) % b->n];
		unsigned busy = count(k, true);

		if (best && busy >= best_busy)
			continue;
		for (unsigned j = 0; j < k->max; j++)
			if (is_free(&k->connections[j])) {
				best = &k->connections[j];
				best_busy = busy;
				break;
			}
	}
	return best;
}

/* The connection with the fewest mails of those that may have more. */
static struct connection *choose_roomy(const struct backends *b)
{
	struct connection *best = NULL;

	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++) {
			struct connection *c = &b->list[i].connections[j];

			if (backends_has_room(c) &&
				(!best || c->client.n_mails < best->client.n_mails))
				best = c;
		}
	return best;
}

/* One that was just given a mail takes more of them by the same system call. */
static struct connection *choose(struct backends *b)
{
	struct connection *c = b->filling;

	if (c && c->to_send && backends_has_room(c))
		return c;
	c = choose_free(b);
	if (c)
		b->turn = (b->turn + 1) % b->n;
	return c ? c : choose_roomy(b);
}

bool backends_take(const struct backends *b)
{
	return choose_roomy(b) != NULL;
}

bool backends_send(struct backends *b, struct lmtp_mail *mail, uint64_t now_us)
{
	struct connection *c = choose(b);

	if (!c)
		return false;
	if (c->client.n_mails == 0)
		c->served_us = now_us;
	c->client.hurry = backends_may_hurry(c, now_us);
	lmtp_client_send(&c->client, mail, now_us);
	c->octets += mail->octets;
	c->to_send = true;
	b->filling = c;
	return true;
}

void backends_flush(struct backends *b, uint64_t now_us)
{
	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++) {
			struct connection *c = &b->list[i].connections[j];

			if (c->fd < 0 || !c->to_send)
				continue;
			backends_push(b, c, now_us);
			/* Over at once, or broken: backends_handle() deals with it. */
			c->to_review = c->client.state == LMTP_FAILED || c->client.over;
		}
	b->filling = NULL;
}

static struct connection *unused(const struct backend *k)
{
	for (unsigned i = 0; i < k->max; i++)
		if (k->connections[i].fd < 0)
			return &k->connections[i];
	return NULL;
}

/* One more connection to this backend, if it may have one: a single one tries whether it is back.
 */
static bool extend(struct backends *b, struct backend *k, uint64_t now_us)
{
	struct connection *c = unused(k);

	if (!c || (k->down && (now_us < k->down_until_us || count(k, false) > 0)))
		return false;
	backends_open(b, c, now_us);
	return c->fd >= 0;
}

static unsigned count_opening_and_free(const struct backends *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++) {
			const struct connection *c = &b->list[i].connections[j];

			n += c->fd >= 0 && (!c->proven || is_free(c));
		}
	return n;
}

void backends_retry_now(struct backends *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		b->list[i].backoff_us = 0;
		b->list[i].down_until_us = 0;
	}
}

void backends_want(struct backends *b, unsigned waiting, uint64_t now_us)
{
	unsigned have = count_opening_and_free(b);
	bool opened = true;

	b->waiting = waiting;
	while (have < waiting && opened) {
		opened = false;
		for (unsigned i = 0; i < b->n && have < waiting; i++)
			if (extend(b, &b->list[(b->turn + i) % b->n], now_us)) {
				opened = true;
				have++;
			}
	}
}

/* --- the loop ------------------------------------------------------------------------------- */

static void watch_wake(struct backends *b, int wake_fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	if (wake_fd == b->wake_fd)
		return;
	if (b->wake_fd >= 0)
		epoll_ctl(b->epoll, EPOLL_CTL_DEL, b->wake_fd, NULL);
	b->wake_fd = wake_fd;
	if (wake_fd >= 0)
		epoll_ctl(b->epoll, EPOLL_CTL_ADD, wake_fd, &e);
}

int backends_watch(struct backends *b, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

void backends_wait(struct backends *b, int wake_fd, int timeout_ms)
{
	watch_wake(b, wake_fd);
	b->n_ready = epoll_wait(b->epoll, b->ready, EVENTS_MAX, timeout_ms);
	if (b->n_ready < 0)
		b->n_ready = 0;
}

static uint64_t deadline_of(const struct connection *c)
{
	if (c->to_review)
		return 0;
	if (c->connecting)
		return c->connect_deadline_us;
	if (c->client.state == LMTP_READY)
		return c->idle_since_us + BACKENDS_IDLE_US;
	return lmtp_client_deadline(&c->client);
}

static void tick(struct backends *b, struct connection *c, uint64_t now_us)
{
	if (c->connecting) {
		lmtp_client_ended(&c->client, "no connection in time");
	} else if (c->client.state == LMTP_READY) {
		lmtp_client_quit(&c->client);
		backends_push(b, c, now_us);
		lmtp_client_ended(&c->client, "idle");
	} else {
		lmtp_client_tick(&c->client, now_us);
	}
	backends_review(b, c, now_us);
}

void backends_handle(struct backends *b, uint64_t now_us)
{
	for (int i = 0; i < b->n_ready; i++)
		if (b->ready[i].data.ptr)
			backends_on_event(b, b->ready[i].data.ptr, now_us);
	b->n_ready = 0;
	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++) {
			struct connection *c = &b->list[i].connections[j];

			if (c->fd >= 0 && c->to_review)
				backends_review(b, c, now_us);
			if (c->fd >= 0 && now_us >= deadline_of(c))
				tick(b, c, now_us);
		}
}

uint64_t backends_next_us(const struct backends *b)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < b->n; i++) {
		const struct backend *k = &b->list[i];

		if (b->waiting && k->down && count(k, false) == 0 && k->down_until_us < next)
			next = k->down_until_us;
		for (unsigned j = 0; j < k->max; j++)
			if (k->connections[j].fd >= 0 && deadline_of(&k->connections[j]) < next)
				next = deadline_of(&k->connections[j]);
	}
	return next;
}

const struct counter_block *backends_counters(const struct backends *b)
{
	return &b->counters.block;
}

/* --- life ----------------------------------------------------------------------------------- */

static int backend_init(
	struct backend *k, const struct backends_config *config, unsigned i, struct text *why)
{
	const char *address = config->list[i].address;
	unsigned connections = config->list[i].connections;
	int r = backend_address_parse(address, &k->address, why);

	if (r != 0)
		return r;
	snprintf(k->name, sizeof(k->name), "%s", address);
	k->pace_us = BACKENDS_AHEAD_US;
	k->max = connections ? connections : 1;
	if (k->max > BACKENDS_CONNECTIONS_MAX)
		k->max = BACKENDS_CONNECTIONS_MAX;
	k->connections = calloc(k->max, sizeof(*k->connections));
	if (!k->connections) {
		text_printf(why, "no memory for connections");
		return -ENOMEM;
	}
	k->lookup = backend_lookup_new(address, 0);
	k->tls = config->list[i].tls;
	k->starttls = config->list[i].starttls;
	for (unsigned j = 0; j < k->max; j++) {
		k->connections[j].backend = k;
		k->connections[j].fd = -1;
	}
	return 0;
}

int backends_new(const struct backends_config *config, const struct backends_events *events,
	struct backends **out, struct text *why)
{
	struct backends *b = calloc(1, sizeof(*b));
	int r = 0;

	*out = NULL;
	if (!b)
		return -ENOMEM;
	b->hostname = config->hostname;
	b->connect_timeout_us = config->connect_timeout_us;
	b->reply_timeout_us = config->reply_timeout_us;
	b->random = config->seed;
	b->events = *events;
	b->wake_fd = -1;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	backends_counters_init(&b->counters);
	if (b->epoll < 0)
		r = -errno;
	if (config->n == 0 || config->n > BACKENDS_MAX) {
		text_printf(why, "1 to %u backends", BACKENDS_MAX);
		r = -EINVAL;
	}
	for (; r == 0 && b->n < config->n; b->n++)
		r = backend_init(&b->list[b->n], config, b->n, why);
	if (r != 0) {
		backends_free(b);
		return r;
	}
	*out = b;
	return 0;
}

void backends_free(struct backends *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < b->n; i++) {
		for (unsigned j = 0; j < b->list[i].max; j++)
			if (b->list[i].connections && b->list[i].connections[j].fd >= 0)
				backends_close(b, &b->list[i].connections[j]);
		backend_lookup_free(b->list[i].lookup);
		free(b->list[i].connections);
	}
	if (b->epoll >= 0)
		close(b->epoll);
	free(b);
}
