#include <errno.h>
#include <stdio.h>

#include "spool/lmtp/backends_priv.h"

/* What TLS puts between a connection's client and its socket. */

#define PLAIN_OCTETS 16384u /* a record's */

static void ended(struct connection *c, int error)
{
	char text[LMTP_TEXT_MAX];

	if (error == -EPIPE) {
		lmtp_client_ended(&c->client, "the server ended TLS");
	} else if (error == -EPROTO) {
		snprintf(text, sizeof(text), "TLS: %s", c->backend->tls.failure(c->tls));
		lmtp_client_ended(&c->client, text);
	} else {
		lmtp_client_ended(&c->client, "no memory for TLS");
	}
}

void backends_tls_start(struct connection *c)
{
	c->tls = c->backend->tls.open(c->backend->tls.arg);
	if (!c->tls)
		ended(c, -ENOMEM);
}

void backends_tls_input(struct connection *c, struct bytes wire, uint64_t now_us)
{
	const struct backend_tls *tls = &c->backend->tls;
	uint8_t plain[PLAIN_OCTETS];
	size_t n = 1;
	int r = tls->feed(c->tls, wire);

	while (r == 0 && n && c->client.state != LMTP_FAILED) {
		r = tls->read(c->tls, plain, sizeof(plain), &n);
		if (r == 0 && n)
			lmtp_client_input(&c->client, bytes_of(plain, n), now_us);
	}
	if (r != 0)
		ended(c, r);
}

size_t backends_tls_output(struct connection *c, uint8_t *buf, size_t cap, uint64_t now_us)
{
	const struct backend_tls *tls = &c->backend->tls;
	uint8_t plain[PLAIN_OCTETS];
	size_t len = 0;

	for (;;) {
		size_t n;
		int r;

		len += tls->output(c->tls, buf + len, cap - len);
		if (len == cap || !tls->is_open(c->tls))
			return len;
		n = lmtp_client_output(&c->client, plain, sizeof(plain), now_us);
		if (n == 0)
			return len;
		r = tls->write(c->tls, bytes_of(plain, n));
		if (r != 0) {
			ended(c, r);
			return 0;
		}
	}
}

/* It matters to nobody but the server's log whether that arrives. */
void backends_tls_end(struct connection *c)
{
	const struct backend_tls *tls = &c->backend->tls;
	uint8_t last[PLAIN_OCTETS];
	size_t n;

	tls->bye(c->tls);
	n = tls->output(c->tls, last, sizeof(last));
	if (n && c->out_at == c->out_len)
		(void)!send(c->fd, last, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	tls->close(c->tls);
	c->tls = NULL;
}
