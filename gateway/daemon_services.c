#include "gateway/daemon_priv.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

/* What the threads beside the io lcores work with: names, answers, spool, delivery, log. */

/* Mail on its way to delivery, and notes on their way back, before either side waits. */
#define DELIVERY_RING 65536
/* Bounces on their way back from the log: those asked for, and one for each attempt under way. */
#define BOUNCE_RING        (DELIVERY_MAILS_MAX + 3072)
#define RELAY_PASSWORD_MAX 256

int daemon_make_recipients(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;

	return recipients_new(config->domains, config->n_domains, config->postmaster,
		config->recipients.file, &d->recipients, why);
}

int daemon_make_resolver(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	struct resolver_config rc = {
		.mode = config->dns.zone            ? RESOLVER_ZONE
			: config->dns.n_forward > 0 ? RESOLVER_FORWARD
						    : RESOLVER_RECURSIVE,
		.n_forward = config->dns.n_forward,
		.zone_file = config->dns.zone,
		.root_key = config->dns.root_key,
		.timeout_ms = config->dns.timeout_ms,
		.max_open = ASKER_CREDIT,
	};
	struct dns_cache_config cc = {
		.max_bytes = config->dns.cache_bytes,
		.ttl_min_s = 1,
		.ttl_max_s = 86400,
		.ttl_negative_max_s = 3600,
		.ttl_failure_s = 5,
	};
	int error = epoch_init(&d->epoch, config->lcores.io + config->lcores.auth);

	if (getrandom(&cc.key, sizeof(cc.key), 0) != sizeof(cc.key))
		return -errno;
	memcpy(rc.forward, config->dns.forward, sizeof(rc.forward));
	if (error)
		return error;
	d->epoch_ready = true;
	error = doorbell_init(&d->resolver.bell);
	if (error == 0)
		error = dns_cache_new(&cc, &d->epoch, &d->resolver.cache);
	if (error == 0)
		error = resolver_new(&rc, d->resolver.cache, &auth_dns_parsers,
			resolver_thread_done, &d->resolver, &d->resolver.resolver, why);
	return error;
}

int daemon_open_spool(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	struct spool_log_config sc = {
		.path = config->spool.path,
		.segment_bytes = config->spool.segment_bytes,
		.max_bytes = config->spool.max_bytes,
		.max_messages = config->spool.max_messages,
		.memory_bytes = config->spool.memory_bytes,
		.retention_us = config->spool.retention_s * UINT64_C(1000000),
		.durability =
			config->spool.durability == CONFIG_FSYNC ? SPOOL_FSYNC : SPOOL_NO_SYNC,
		.batch_bytes = 1u << 20,
	};
	int error = spool_log_open(&sc, NULL, &d->spooler.log, why);

	/* What was damaged, and passed over: mail may be missing. */
	if (error == 0 && why->len > 0) {
		log_event(&d->events, LOG_SEV_ERROR, NULL, "event=spool-damaged found=%s",
			LOG_VALUE(text_bytes(why)));
		text_reset(why);
	}
	d->filler.log = d->spooler.log;
	d->spooler.done_sync_us = config->spool.done_sync_ms * UINT64_C(1000);
	return error;
}

/* The first line of the file. */
static int read_password(const char *path, char out[RELAY_PASSWORD_MAX], struct text *why)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(out, RELAY_PASSWORD_MAX, file);
	int error = file ? 0 : -errno;

	if (file)
		fclose(file);
	if (!read) {
		text_printf(why, "relay.password_file: cannot read %s: %s", path,
			error ? strerror(-error) : "it is empty");
		return error ? error : -EINVAL;
	}
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

static struct delivery_backend backend_of(const struct config_backend *b, struct backend_tls tls)
{
	return (struct delivery_backend){
		.address = b->lmtp,
		.connections = b->connections,
		.tls = tls,
		.starttls = b->tls == CONFIG_BACKEND_TLS_STARTTLS,
	};
}

static int relay_of(const struct config *config, char password[RELAY_PASSWORD_MAX],
	struct relay_config *out, struct text *why)
{
	*out = (struct relay_config){
		.url = config->relay.url,
		.user = config->relay.user,
		.password = password,
		.tls = config->relay.tls,
		.ca_file = config->relay.ca_file,
		.connections = config->relay.connections,
		.connect_timeout_ms = config->relay.connect_timeout_ms,
		.reply_timeout_ms = config->relay.reply_timeout_ms,
	};
	if (!config->relay.url || !config->relay.password_file)
		return 0;
	return read_password(config->relay.password_file, password, why);
}

int daemon_make_delivery(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	struct delivery_config dc = {
		.n_backends = config->delivery.n_backends,
		.hostname = config->hostname,
		.retry_min_s = config->delivery.retry_min_s,
		.retry_max_s = config->delivery.retry_max_s,
		.expire_s = config->delivery.expire_s,
		.warn_s = config->delivery.warn_s,
		.digest_s = config->spool.report_s,
		.postmaster = config->postmaster,
		.dead_keep_s = config->spool.dead_keep_s,
		.bounce_anyone = config->relay.bounce == CONFIG_BOUNCE_ALL,
		.connect_timeout_ms = config->delivery.connect_timeout_ms,
		.reply_timeout_ms = config->delivery.reply_timeout_ms,
	};

	char password[RELAY_PASSWORD_MAX] = "";
	int error;

	error = lmtp_tls_new(config, &d->lmtp_tls, why);
	if (error)
		return error;
	for (unsigned i = 0; i < dc.n_backends; i++)
		dc.backends[i] =
			backend_of(&config->delivery.backends[i], lmtp_tls_of(d->lmtp_tls, i));
	if (getrandom(&dc.seed, sizeof(dc.seed), 0) != sizeof(dc.seed))
		return -errno;
	error = relay_of(config, password, &dc.relay, why);
	if (error == 0)
		error = delivery_new(
			&dc, d->spooler.log, &d->delivery.events, &d->delivery.delivery, why);
	explicit_bzero(password, sizeof(password));
	if (error == 0)
		d->relay.relay = delivery_relay(d->delivery.delivery);
	return error;
}

static const log_sink_fn sinks[] = {
	[CONFIG_LOG_TEXT] = log_sink_text,
	[CONFIG_LOG_JSON] = log_sink_json,
	[CONFIG_LOG_JOURNAL] = log_sink_journal,
};

int daemon_make_logs(struct daemon *d)
{
	int error = log_ring_init(&d->spooler.events, "spooler");

	logger_init(&d->logger.logger);
	d->logger.sink = sinks[d->config->log.format];
	d->logger.out.fd = STDERR_FILENO;
	if (error == 0)
		error = log_ring_init(&d->delivery.events, "delivery");
	if (error == 0)
		error = logger_add(&d->logger.logger, &d->spooler.events);
	if (error == 0)
		error = log_ring_init(&d->events, "main");
	if (error == 0)
		error = logger_add(&d->logger.logger, &d->delivery.events);
	if (error == 0)
		error = logger_add(&d->logger.logger, &d->events);
	return error;
}

int daemon_make_bells(struct daemon *d)
{
	int error = doorbell_init(&d->spooler.bell);

	if (error == 0)
		error = doorbell_init(&d->filler.bell);
	if (error == 0)
		error = doorbell_init(&d->delivery.bell);
	d->spooler.filler = &d->filler.bell;
	pthread_mutex_init(&d->delivery.lock, NULL);
	return error;
}

void daemon_drop_bounces(struct daemon *d)
{
	struct delivery_mail *mail;

	while (d->spooler.bounces_back && handoff_take(d->spooler.bounces_back, &mail, 1))
		spool_item_release(mail->item); /* in the log, and so found at the next start */
}

int daemon_join_spooler_and_delivery(struct daemon *d)
{
	int error = handoff_new("to_delivery", DELIVERY_RING, sizeof(struct spool_item *),
		&d->delivery.bell, &d->spooler.to_delivery);

	if (error == 0)
		error = handoff_new("from_delivery", DELIVERY_RING, sizeof(struct delivery_note),
			&d->spooler.bell, &d->spooler.from_delivery);
	if (error == 0)
		error = handoff_new("bounces_back", BOUNCE_RING, sizeof(struct delivery_mail *),
			&d->delivery.bell, &d->spooler.bounces_back);
	d->delivery.bounces_back = d->spooler.bounces_back;
	d->delivery.from_spooler = d->spooler.to_delivery;
	d->delivery.to_spooler = d->spooler.from_delivery;
	return error;
}
