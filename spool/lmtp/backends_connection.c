#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/lmtp/backends_priv.h"

/* One connection to a backend: its socket, the mails on it, and what they tell of the backend. */

#define IN_OCTETS   16384u
#define READS_MAX   16 /* of one socket in a row */
#define JITTER_PART 2  /* a wait is shortened by up to a half */

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
void backends_close(struct backends *b, struct connection *c)
{
	for (int i = 0; i < b->n_ready; i++)
		if (b->ready[i].data.ptr == c)
			b->ready[i].data.ptr = NULL;
	if (c->tls)
		backends_tls_end(c);
	close(c->fd);
	c->fd = -1;
	free(c->out);
	c->out = NULL;
	if (b->filling == c)
		b->filling = NULL;
}

/* What the backend took for a mail, of those that were just over. */
static void learn_pace(struct connection *c, unsigned n_mails, uint64_t now_us)
{
	struct backend *k = c->backend;
	uint64_t each = now_us > c->served_us ? (now_us - c->served_us) / n_mails : 0;
	uint32_t sample = each < BACKENDS_AHEAD_US * 2 ? (uint32_t)each : BACKENDS_AHEAD_US * 2;

	c->served_us = now_us;
	if (sample < k->pace_us)
		k->pace_us = sample;
	else
		k->pace_us += (sample - k->pace_us + BACKENDS_PACE_PART - 1) / BACKENDS_PACE_PART;
}

unsigned backends_depth(const struct backend *k)
{
	unsigned depth = BACKENDS_AHEAD_US / (k->pace_us ? k->pace_us : 1);

	if (depth > BACKENDS_AHEAD_MAILS)
		return BACKENDS_AHEAD_MAILS;
	return depth ? depth : 1;
}

bool backends_has_room(const struct connection *c)
{
	if (c->fd < 0 || !c->proven)
		return false;
	return c->client.state == LMTP_READY ||
	       (lmtp_client_takes(&c->client) && c->octets < BACKENDS_AHEAD_OCTETS &&
		       c->client.n_mails < backends_depth(c->backend));
}

/* A server that has hung up has nothing more to say. */
static bool is_there(const struct connection *c)
{
	uint8_t octet;

	return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool backends_may_hurry(const struct connection *c, uint64_t now_us)
{
	return backends_depth(c->backend) > 1 && now_us - c->heard_us < BACKENDS_WARM_US &&
	       (c->client.n_mails > 0 || is_there(c));
}

static void mails_over(struct backends *b, struct connection *c, uint64_t now_us)
{
	struct lmtp_mail *mail;
	unsigned tried = 0;

	while ((mail = lmtp_client_over(&c->client))) {
		c->octets -= mail->octets;
		tried += !mail->untried;
		counter_inc(&b->counters.v[mail->untried ? BACKENDS_UNTRIED : BACKENDS_MAILS]);
		b->events.done(b->events.arg, mail, c->backend->name, mail->untried);
	}
	if (tried && c->client.state != LMTP_FAILED)
		learn_pace(c, tried, now_us);
}

static bool has_tried(const struct lmtp_client *client)
{
	for (const struct lmtp_mail *mail = client->over; mail; mail = mail->next)
		if (!mail->untried)
			return true;
	return false;
}

static void connection_failed(struct backends *b, struct connection *c, uint64_t now_us)
{
	if (has_tried(&c->client))
		counter_inc(&b->counters.v[BACKENDS_BROKEN]);
	mails_over(b, c, now_us);
	/* A server that hangs up on an idle or well-used connection is not down. */
	if (!c->proven) {
		counter_inc(&b->counters.v[BACKENDS_UNREACHED]);
		went_down(b, c->backend, lmtp_client_failure(&c->client), now_us);
	}
	backends_close(b, c);
}

void backends_review(struct backends *b, struct connection *c, uint64_t now_us)
{
	c->to_review = false;
	switch (c->client.state) {
	case LMTP_FAILED: connection_failed(b, c, now_us); break;
	case LMTP_READY:
		if (!c->proven)
			counter_inc(&b->counters.v[BACKENDS_CONNECTED]);
		if (!c->proven || c->client.over)
			c->idle_since_us = now_us;
		c->proven = true;
		came_up(b, c->backend);
		mails_over(b, c, now_us);
		break;
	case LMTP_BUSY: mails_over(b, c, now_us); break;
	case LMTP_OPENING: break;
	}
}

static void ended(struct connection *c, const char *what, int error)
{
	char text[LMTP_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	lmtp_client_ended(&c->client, text);
}

static size_t output(struct connection *c, uint64_t now_us)
{
	return c->tls ? backends_tls_output(c, c->out, OUT_OCTETS, now_us)
		      : lmtp_client_output(&c->client, c->out, OUT_OCTETS, now_us);
}

static void input(struct connection *c, struct bytes octets, uint64_t now_us)
{
	c->heard_us = now_us;
	if (c->tls) {
		backends_tls_input(c, octets, now_us);
		return;
	}
	lmtp_client_input(&c->client, octets, now_us);
	if (lmtp_client_turns(&c->client)) {
		lmtp_client_secured(&c->client);
		backends_tls_start(c);
	}
}

/* Sends what the client has to send, as far as the socket takes it. */
void backends_push(struct backends *b, struct connection *c, uint64_t now_us)
{
	c->to_send = false;
	while (c->client.state != LMTP_FAILED) {
		ssize_t n;

		if (c->out_at == c->out_len) {
			c->out_at = 0;
			c->out_len = output(c, now_us);
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
		if (n > 0) {
			c->out_at += (size_t)n;
			lmtp_client_progress(&c->client, now_us);
		}
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
			input(c, bytes_of(buf, (size_t)n), now_us);
		if (n > 0 && (size_t)n < sizeof(buf))
			return; /* that was all */
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

void backends_on_event(struct backends *b, struct connection *c, uint64_t now_us)
{
	if (c->connecting)
		connected(c);
	if (c->client.state != LMTP_FAILED)
		pull(c, now_us);
	if (c->client.state != LMTP_FAILED)
		backends_push(b, c, now_us);
	backends_review(b, c, now_us);
}

static int make_socket(const struct backend *k)
{
	int fd = socket(k->address.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd >= 0 && k->address.addr.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

void backends_open(struct backends *b, struct connection *c, uint64_t now_us)
{
	struct backend *k = c->backend;
	int fd, error;

	if (k->lookup)
		backend_lookup_use(k->lookup, now_us, &k->address);
	fd = make_socket(k);
	error = fd < 0 ? errno : 0;

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
	c->to_send = c->to_review = false;
	c->octets = 0;
	c->out_at = c->out_len = 0;
	c->connect_deadline_us = now_us + b->connect_timeout_us;
	lmtp_client_init(&c->client, b->hostname, b->reply_timeout_us, now_us);
	c->client.starttls = k->starttls;
	if (k->tls.open && !k->starttls)
		backends_tls_start(c);
	watch(b, c, c->connecting || c->tls, true);
}
