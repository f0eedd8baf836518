#include "spool/lmtp/backends.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "spool/lmtp/backend_address.h"

COUNTERS_DEFINE(backends, BACKENDS_COUNTERS)

#define OUT_OCTETS  65536u
#define IN_OCTETS   16384u
#define EVENTS_MAX  64
#define READS_MAX   16 /* of one socket in a row */
#define JITTER_PART 2  /* a wait is shortened by up to a half */

struct backend;

struct connection {
	struct backend *backend;
	int fd; /* -1: none */
	bool connecting, want_write, proven;
	uint64_t connect_deadline_us, idle_since_us;
	struct lmtp_mail *mail;
	struct lmtp_client client;
	size_t out_at, out_len;
	uint8_t *out;
};

struct backend {
	char name[BACKENDS_ADDRESS_MAX];
	struct backend_address address;
	struct connection *connections;
	unsigned max;
	bool down;
	uint64_t backoff_us, down_until_us;
};

struct backends {
	int epoll;
	int wake_fd;
	const char *hostname;
	uint64_t connect_timeout_us, reply_timeout_us, random;
	struct backends_events events;
	struct backend list[BACKENDS_MAX];
	unsigned n, turn;
	unsigned waiting;
	struct epoll_event ready[EVENTS_MAX];
	int n_ready;
	struct backends_counters counters;
};

static uint64_t next_random(struct backends *b)
{
	uint64_t z = (b->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* --- health --------------------------------------------------------------------------------- */

static void went_down(struct backends *b, struct backend *k, const char *reason, uint64_t now_us)
{
	uint64_t wait;

	k->backoff_us = k->backoff_us ? k->backoff_us * 2 : BACKENDS_BACKOFF_MIN_US;
	if (k->backoff_us > BACKENDS_BACKOFF_MAX_US)
		k->backoff_us = BACKENDS_BACKOFF_MAX_US;
	wait = k->backoff_us - next_random(b) % (k->backoff_us / JITTER_PART);
	k->down = true;
	k->down_until_us = now_us + wait;
	b->events.health(b->events.arg, k->name, reason, wait);
}

static void came_up(struct backends *b, struct backend *k)
{
	if (k->down)
		b->events.health(b->events.arg, k->name, NULL, 0);
	k->down = false;
	k->backoff_us = 0;
}

void backends_retry_now(struct backends *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		b->list[i].backoff_us = 0;
		b->list[i].down_until_us = 0;
	}
}

/* --- connections ---------------------------------------------------------------------------- */

static void watch(struct backends *b, struct connection *c, bool write, bool add)
{
	struct epoll_event e = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c};

	if (!add && c->want_write == write)
		return;
	c->want_write = write;
	epoll_ctl(b->epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e);
}

/* No event of this round may reach it any more. */
static void close_connection(struct backends *b, struct connection *c)
{
	for (int i = 0; i < b->n_ready; i++)
		if (b->ready[i].data.ptr == c)
			b->ready[i].data.ptr = NULL;
	close(c->fd);
	c->fd = -1;
	free(c->out);
	c->out = NULL;
}

static void mail_over(struct backends *b, struct connection *c, bool untried)
{
	struct lmtp_mail *mail = c->mail;

	c->mail = NULL;
	if (!mail)
		return;
	counter_inc(&b->counters.v[untried ? BACKENDS_UNTRIED : BACKENDS_MAILS]);
	b->events.done(b->events.arg, mail, c->backend->name, untried);
}

static void connection_failed(struct backends *b, struct connection *c, uint64_t now_us)
{
	bool had_mail = c->mail != NULL;

	if (had_mail && !c->client.untried)
		counter_inc(&b->counters.v[BACKENDS_BROKEN]);
	mail_over(b, c, c->client.untried);
	/* A server that hangs up on an idle or well-used connection is not down. */
	if (!c->proven) {
		counter_inc(&b->counters.v[BACKENDS_UNREACHED]);
		went_down(b, c->backend, lmtp_client_failure(&c->client), now_us);
	}
	close_connection(b, c);
}

/* Looks at where the client stands after something happened. */
static void review(struct backends *b, struct connection *c, uint64_t now_us)
{
	switch (c->client.state) {
	case LMTP_FAILED: connection_failed(b, c, now_us); break;
	case LMTP_READY:
		if (!c->proven)
			counter_inc(&b->counters.v[BACKENDS_CONNECTED]);
		if (!c->proven || c->mail)
			c->idle_since_us = now_us;
		c->proven = true;
		came_up(b, c->backend);
		mail_over(b, c, false);
		break;
	case LMTP_OPENING:
	case LMTP_BUSY: break;
	}
}

static void ended(struct connection *c, const char *what, int error)
{
	char text[LMTP_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	lmtp_client_ended(&c->client, text);
}

/* Sends what the client has to send, as far as the socket takes it. */
static void push(struct backends *b, struct connection *c, uint64_t now_us)
{
	while (c->client.state != LMTP_FAILED) {
		ssize_t n;

		if (c->out_at == c->out_len) {
			c->out_at = 0;
			c->out_len = lmtp_client_output(&c->client, c->out, OUT_OCTETS, now_us);
			if (c->out_len == 0) {
				watch(b, c, false, false);
				return;
			}
		}
		n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			watch(b, c, true, false);
			return;
		}
		if (n < 0 && errno != EINTR)
			ended(c, "cannot send", errno);
		if (n > 0)
			c->out_at += (size_t)n;
	}
}

static void pull(struct connection *c, uint64_t now_us)
{
	uint8_t buf[IN_OCTETS];

	for (unsigned i = 0; i < READS_MAX && c->client.state != LMTP_FAILED; i++) {
		ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			ended(c, "cannot receive", errno);
		if (n == 0)
			lmtp_client_ended(&c->client, "the server closed the connection");
		if (n > 0)
			lmtp_client_input(&c->client, bytes_of(buf, (size_t)n), now_us);
	}
}

static void connected(struct connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	c->connecting = false;
	if (error)
		ended(c, "cannot connect", error);
}

static void on_event(struct backends *b, struct connection *c, uint64_t now_us)
{
	if (c->connecting)
		connected(c);
	if (c->client.state != LMTP_FAILED)
		pull(c, now_us);
	if (c->client.state != LMTP_FAILED)
		push(b, c, now_us);
	review(b, c, now_us);
}

static int make_socket(const struct backend *k)
{
	int fd = socket(k->address.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd >= 0 && k->address.addr.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void open_connection(struct backends *b, struct connection *c, uint64_t now_us)
{
	struct backend *k = c->backend;
	int fd = make_socket(k), error = fd < 0 ? errno : 0;

	/* A listener's full queue is EAGAIN on a unix socket. */
	if (!error && connect(fd, (struct sockaddr *)&k->address.addr, k->address.len) != 0)
		error = errno;
	if (!error || error == EINPROGRESS)
		c->out = malloc(OUT_OCTETS);
	if ((error && error != EINPROGRESS) || !c->out) {
		if (fd >= 0)
			close(fd);
		counter_inc(&b->counters.v[BACKENDS_UNREACHED]);
		went_down(b, k, strerror(error ? error : ENOMEM), now_us);
		return;
	}
	c->fd = fd;
	c->connecting = error == EINPROGRESS;
	c->proven = false;
	c->mail = NULL;
	c->out_at = c->out_len = 0;
	c->connect_deadline_us = now_us + b->connect_timeout_us;
	lmtp_client_init(&c->client, b->hostname, b->reply_timeout_us, now_us);
	watch(b, c, c->connecting, true);
}

/* --- choice --------------------------------------------------------------------------------- */

static bool is_free(const struct connection *c)
{
	return c->fd >= 0 && c->client.state == LMTP_READY;
}

static unsigned count(const struct backend *k, bool busy)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->max; i++)
		if (k->connections[i].fd >= 0)
			n += busy ? k->connections[i].mail != NULL : !k->connections[i].proven;
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

bool backends_free_connection(const struct backends *b)
{
	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++)
			if (is_free(&b->list[i].connections[j]))
				return true;
	return false;
}

bool backends_send(struct backends *b, struct lmtp_mail *mail, uint64_t now_us)
{
	struct connection *c = choose_free(b);

	if (!c)
		return false;
	b->turn = (b->turn + 1) % b->n;
	c->mail = mail;
	lmtp_client_send(&c->client, mail, now_us);
	push(b, c, now_us);
	/* Over at once, or broken: dealt with in the next round, not from within this call. */
	if (c->client.state != LMTP_BUSY)
		watch(b, c, true, false);
	return true;
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
	open_connection(b, c, now_us);
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
		push(b, c, now_us);
		lmtp_client_ended(&c->client, "idle");
	} else {
		lmtp_client_tick(&c->client, now_us);
	}
	review(b, c, now_us);
}

void backends_handle(struct backends *b, uint64_t now_us)
{
	for (int i = 0; i < b->n_ready; i++)
		if (b->ready[i].data.ptr)
			on_event(b, b->ready[i].data.ptr, now_us);
	b->n_ready = 0;
	for (unsigned i = 0; i < b->n; i++)
		for (unsigned j = 0; j < b->list[i].max; j++) {
			struct connection *c = &b->list[i].connections[j];

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
	struct backend *k, const char *address, unsigned connections, struct text *why)
{
	int r = backend_address_parse(address, &k->address, why);

	if (r != 0)
		return r;
	snprintf(k->name, sizeof(k->name), "%s", address);
	k->max = connections ? connections : 1;
	if (k->max > BACKENDS_CONNECTIONS_MAX)
		k->max = BACKENDS_CONNECTIONS_MAX;
	k->connections = calloc(k->max, sizeof(*k->connections));
	if (!k->connections) {
		text_printf(why, "no memory for connections");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < k->max; i++) {
		k->connections[i].backend = k;
		k->connections[i].fd = -1;
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
		r = backend_init(&b->list[b->n], config->list[b->n].address,
			config->list[b->n].connections, why);
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
				close_connection(b, &b->list[i].connections[j]);
		free(b->list[i].connections);
	}
	if (b->epoll >= 0)
		close(b->epoll);
	free(b);
}
