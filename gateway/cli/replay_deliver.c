#include "gateway/cli/replay_deliver.h"

#include "base/clock.h"
#include "base/queue_id.h"
#include "gateway/cli/queue_mail.h"
#include "gateway/lmtp_tls.h"
#include "spool/lmtp/backends.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* A backend that is away for so long is not there. */
#define CONNECT_PATIENCE_US 30000000u

struct replay_deliver {
	struct backends *backends;
	struct lmtp_tls *tls;
	bool over, untried;
};

static void on_done(void *arg, struct lmtp_mail *mail, const char *backend, bool untried)
{
	struct replay_deliver *d = arg;

	(void)mail, (void)backend;
	d->over = !untried;
	d->untried = untried;
}

static void on_health(void *arg, const char *backend, const char *reason, uint64_t wait_us)
{
	(void)arg, (void)wait_us;
	if (reason)
		fprintf(stderr, "postern: %s: %s\n", backend, reason);
}

int replay_deliver_new(const struct config *config, struct replay_deliver **out, struct text *why)
{
	struct replay_deliver *d = calloc(1, sizeof(*d));
	struct backends_events events = {d, on_done, on_health};
	struct backends_config bc = {
		.n = config->delivery.n_backends,
		.hostname = config->hostname,
		.connect_timeout_us = config->delivery.connect_timeout_ms * UINT64_C(1000),
		.reply_timeout_us = config->delivery.reply_timeout_ms * UINT64_C(1000),
		.seed = clock_unix_us(),
	};
	int error;

	if (!d)
		return -ENOMEM;
	error = lmtp_tls_new(config, &d->tls, why);
	for (unsigned i = 0; error == 0 && i < bc.n; i++) {
		const struct config_backend *b = &config->delivery.backends[i];

		bc.list[i].address = b->lmtp;
		bc.list[i].connections = 1;
		bc.list[i].tls = lmtp_tls_of(d->tls, i);
		bc.list[i].starttls = b->tls == CONFIG_BACKEND_TLS_STARTTLS;
	}
	if (error == 0)
		error = backends_new(&bc, &events, &d->backends, why);
	if (error) {
		replay_deliver_free(d);
		return error;
	}
	*out = d;
	return 0;
}

void replay_deliver_free(struct replay_deliver *d)
{
	if (!d)
		return;
	backends_free(d->backends);
	lmtp_tls_free(d->tls);
	free(d);
}

/* Until the mail is over; false: no backend took it on. */
static bool send_mail(struct replay_deliver *d, struct lmtp_mail *mail)
{
	uint64_t begun_us = clock_mono_us();
	bool sent = false;

	d->over = false;
	while (!d->over) {
		uint64_t now_us = clock_mono_us();

		backends_want(d->backends, !sent, now_us);
		if (!sent)
			sent = backends_send(d->backends, mail, now_us);
		if (!sent && now_us - begun_us > CONNECT_PATIENCE_US)
			return false;
		d->untried = false;
		backends_flush(d->backends, now_us);
		backends_wait(d->backends, -1, 10);
		backends_handle(d->backends, clock_mono_us());
		sent = sent && !d->untried;
	}
	return true;
}

static void print(const char *id, const struct lmtp_recipient *r, bool json)
{
	if (!json) {
		printf("%s  %-8s  <%.*s>  %s\n", id, lmtp_outcome_name(r->result.outcome),
			BYTES_FMT(r->address), r->result.text);
		return;
	}
	json_t *line = json_pack("{s:s, s:s, s:s%, s:s}", "id", id, "result",
		lmtp_outcome_name(r->result.outcome), "to", (const char *)r->address.data,
		r->address.len, "reply", r->result.text);

	if (line)
		json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static bool send_group(struct replay_deliver *d, const struct spool_view *view, bool quarantine,
	struct lmtp_recipient *to, bool json)
{
	const struct spool_envelope *e = &view->envelope;
	struct bytes parts[QUEUE_MAIL_PARTS];
	struct lmtp_mail mail = {
		.reverse_path = e->reverse_path,
		.eight_bit = (e->flags & SPOOL_MAIL_8BIT) != 0,
		.utf8 = (e->flags & SPOOL_MAIL_UTF8) != 0,
		.bare_eol = (e->flags & SPOOL_MAIL_BARE_EOL) != 0,
		.parts = parts,
		.n_parts = queue_mail_parts(view, quarantine, parts),
		.recipients = to,
	};
	char id[QUEUE_ID_TEXT_SIZE];
	bool good = true;

	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (queue_mail_is_junk(e, i) == quarantine)
			to[mail.n_recipients++] =
				(struct lmtp_recipient){.address = e->recipients[i].address};
	if (mail.n_recipients == 0)
		return true;
	if (!send_mail(d, &mail))
		for (unsigned i = 0; i < mail.n_recipients; i++)
			snprintf(
				to[i].result.text, sizeof(to[i].result.text), "no backend answers");
	queue_id_format(e->queue_id, id);
	for (unsigned i = 0; i < mail.n_recipients; i++) {
		print(id, &to[i], json);
		good &= to[i].result.outcome == LMTP_DELIVERED;
	}
	return good;
}

bool replay_deliver_mail(struct replay_deliver *d, const struct spool_view *view, bool json)
{
	struct lmtp_recipient *to = calloc(view->envelope.n_recipients, sizeof(*to));
	bool good = to && send_group(d, view, false, to, json);

	good = to && send_group(d, view, true, to, json) && good;
	free(to);
	return good;
}
