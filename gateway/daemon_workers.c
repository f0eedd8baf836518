#include "gateway/daemon_priv.h"
#include "gateway/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* How long is waited for lcores to go over to what they were given. */
#define TAKEN_WAIT_MS 500

/* The io lcores: each its queues, connections, evaluation and hand-overs. */

static struct net_config net_of(const struct config_listen *listen, const uint64_t key[2])
{
	struct net_config net = {
		.n_addresses = listen->n_addresses,
		.gateway4 = listen->gateway4,
		.gateway6 = listen->gateway6,
		.hash_key = {key[0], key[1]},
	};

	memcpy(net.addresses, listen->addresses, sizeof(listen->addresses));
	return net;
}

/*
 * Of the memory for packets, what all stacks together may hold back for slow consumers: clearly
 * less than there are buffers, or the device has none left to receive into.
 */
#define RECEIVE_SHARE 4

static uint32_t receive_bytes(const struct config *config)
{
	uint64_t octets =
		config->lcores.memory / RECEIVE_SHARE / config->n_listen / config->lcores.io;

	return octets > UINT32_MAX ? UINT32_MAX : (uint32_t)octets;
}

static struct tcp_config tcp_of(
	const struct config *config, const uint8_t secret[16], uint64_t seed)
{
	struct tcp_config tcp = {
		.max_connections = worker_tcp_connections(config),
		.max_half_open = config->limits.half_open,
		.max_time_wait = config->limits.connections,
		.send_block_count = worker_send_blocks(config),
		.receive_bytes_max = receive_bytes(config),
		.send_buffer_max = 65536,
		.linger_bytes = config->limits.linger_bytes,
		.linger_ms = config->limits.linger_ms,
		.keepalive_s = 7200,
		.seed = seed,
	};

	memcpy(tcp.secret, secret, sizeof(tcp.secret));
	return tcp;
}

/* What all lcores have in common, random per boot (DESIGN §3, RFC 6528). */
struct secrets {
	uint64_t hash_key[2];
	struct siphash_key clients;
	struct siphash_key early;
	uint8_t tcp[16];
	uint64_t seed;
};

/* Descriptors to sleep on; where a device has none the lcore only naps. */
static void add_fds(struct worker *worker, unsigned n)
{
	worker->n_fds += n;
	worker->fdless_device |= n == 0;
}

static int add_lcore(
	struct daemon *d, struct worker *worker, unsigned i, const struct secrets *secrets)
{
	const struct config *config = d->config;
	const struct config_listen *listen = &config->listen[i];
	struct lcore_config lc = {
		.index = worker->index,
		.count = config->lcores.io,
		.mesh = d->meshes[i],
		.net = net_of(listen, secrets->hash_key),
		.tcp = tcp_of(config, secrets->tcp, secrets->seed + worker->index),
	};
	struct lcore *lcore;
	int error = lcore_new(d->ports[i], worker->index, &lc, clock_mono_us(), &lcore);

	if (error)
		return error;
	if (d->meshes[i])
		lcore_mesh_set_bell(d->meshes[i], worker->index, &worker->bell);
	worker->listens[worker->n_lcores] = listen;
	worker->lcores[worker->n_lcores++] = lcore;
	for (unsigned p = 0; error == 0 && p < listen->n_ports; p++)
		error = tcp_listen(lcore_tcp(lcore), listen->ports[p], SESSION_WINDOW_COMMANDS);
	add_fds(worker, port_fds(d->ports[i], worker->index, worker->fds + worker->n_fds));
	return error;
}

/* Senders on this machine: all their connections belong to the first lcore. */
static int add_kernel(struct daemon *d, struct worker *worker, const struct config_listen *listen,
	struct text *why)
{
	int error = 0;

	if (worker->index > 0)
		return 0;
	if (!worker->kernel) {
		error = kernel_port_new(d->config->limits.connections, &worker->kernel);
		if (error)
			return error;
		worker->fds[worker->n_fds] = kernel_port_fd(worker->kernel);
		add_fds(worker, 1);
	}
	for (unsigned a = 0; a < listen->n_addresses; a++)
		for (unsigned p = 0; error == 0 && p < listen->n_ports; p++)
			error = kernel_port_listen(
				worker->kernel, &listen->addresses[a].addr, listen->ports[p], why);
	return error;
}

static int add_listen(struct daemon *d, struct worker *worker, unsigned i,
	const struct secrets *secrets, struct text *why)
{
	const struct config_listen *listen = &d->config->listen[i];

	return config_listen_is_kernel(listen) ? add_kernel(d, worker, listen, why)
					       : add_lcore(d, worker, i, secrets);
}

static int add_handoffs(struct daemon *d, struct worker *worker)
{
	const bool seals = d->sealer.signer != NULL;
	const struct {
		const char *name;
		unsigned count, size;
		struct doorbell *consumer;
		struct handoff **out;
	} rings[] = {
		{"to_spooler", d->config->limits.mails * WORKER_REQUESTS_PER_MAIL,
			sizeof(struct spool_request), &d->spooler.bell, &worker->to_spooler},
		{"from_spooler", d->config->limits.mails * WORKER_REQUESTS_PER_MAIL,
			sizeof(struct spool_reply), &worker->bell, &worker->from_spooler},
		/* Only where mail is sealed: */
		{"to_sealer", d->config->limits.mails, sizeof(struct mail *), &d->sealer.bell,
			&worker->to_sealer},
		{"sealed", d->config->limits.mails, sizeof(struct mail *), &d->spooler.bell,
			&worker->sealed},
	};
	const unsigned n = sizeof(rings) / sizeof(rings[0]) - (seals ? 0 : 2);
	int error = 0;

	worker->seal_key = seals ? &d->sealer.key : NULL;
	for (unsigned i = 0; error == 0 && i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s%u", rings[i].name, worker->index);
		error = handoff_new(
			name, rings[i].count, rings[i].size, rings[i].consumer, rings[i].out);
	}
	return error;
}

/* Whoever verifies its mails: it asks ahead of them itself. */
static int add_asker(struct daemon *d, struct worker *worker, const struct secrets *secrets)
{
	int error = asker_init(&worker->asker, worker->index, &d->resolver.bell, &worker->bell);

	d->resolver.askers[d->resolver.n_askers++] = &worker->asker;
	return error ? error
		     : early_new(d->resolver.cache, epoch_reader_at(&d->epoch, worker->index),
			       secrets->early, &worker->asker.early);
}

static void register_counters(struct daemon *d, struct worker *worker)
{
	counters_register(&d->counters, early_counters(worker->asker.early));
	counters_register(&d->counters, &worker->counters.block);
	if (worker->kernel)
		counters_register(&d->counters, kernel_port_counters(worker->kernel));
	for (unsigned i = 0; i < worker->n_lcores; i++) {
		counters_register(&d->counters, net_counters(lcore_net(worker->lcores[i])));
		counters_register(&d->counters, lcore_counters(worker->lcores[i]));
		counters_register(&d->counters, tcp_counters(lcore_tcp(worker->lcores[i])));
	}
}

static int make_worker(
	struct daemon *d, unsigned index, const struct secrets *secrets, struct text *why)
{
	const struct config *config = d->config;
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) / 64 * 64);
	int error = worker ? worker_init(worker, index, config, secrets->clients) : -ENOMEM;

	if (error) {
		free(worker);
		return error;
	}
	d->workers[d->n_workers++] = worker;
	error = log_ring_init(&worker->log, "io");
	if (error == 0)
		error = logger_add(&d->logger.logger, &worker->log);
	if (error == 0)
		error = add_handoffs(d, worker);
	if (error == 0)
		error = add_asker(d, worker, secrets);
	for (unsigned i = 0; error == 0 && i < config->n_listen; i++)
		error = add_listen(d, worker, i, secrets, why);
	if (error == 0)
		register_counters(d, worker);
	return error;
}

int daemon_make_workers(struct daemon *d, struct text *why)
{
	struct secrets secrets;
	int error = 0;

	if (getrandom(&secrets, sizeof(secrets), 0) != sizeof(secrets))
		return -errno;
	for (unsigned i = 0; error == 0 && i < d->config->lcores.io; i++)
		error = make_worker(d, i, &secrets, why);
	if (error && why->len == 0)
		text_printf(why,
			"io lcore: %s: limits in the configuration may ask for more memory "
			"than there is",
			strerror(-error));
	d->logger.traces.workers = d->workers;
	d->logger.traces.n_workers =
		d->config->log.trace_lines && d->config->log.format == CONFIG_LOG_JSON
			? d->n_workers
			: 0;
	d->spooler.workers = d->sealer.workers = d->workers;
	d->spooler.n_workers = d->sealer.n_workers = d->n_workers;
	d->resolver.epoch = &d->epoch;
	return error;
}

/* The workers are made before the spool is opened, since that is the business of a lesser user. */
void daemon_join_workers_and_spool(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_workers; i++) {
		d->workers[i]->recipients = d->recipients;
		d->workers[i]->spool = d->spooler.log;
		queue_id_prime(&d->workers[i]->ids, spool_log_highest_queue_id(d->spooler.log));
	}
	counters_register(&d->counters, resolver_counters(d->resolver.resolver));
	counters_register(&d->counters, spool_log_counters(d->spooler.log));
	if (d->sealer.signer)
		counters_register(&d->counters, &d->sealer.counters.block);
	counters_register(&d->counters, delivery_counters(d->delivery.delivery));
	counters_register(&d->counters, delivery_backend_counters(d->delivery.delivery));
	if (d->relay.relay)
		counters_register(&d->counters, delivery_relay_counters(d->delivery.delivery));
}

bool daemon_is_taken(const struct daemon *d, size_t latest)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		if (!latest_is_taken((const struct latest *)((const char *)d->workers[i] + latest)))
			return false;
	return true;
}

bool daemon_wait_until_taken(const struct daemon *d, size_t latest)
{
	for (unsigned ms = 0; ms < TAKEN_WAIT_MS && !daemon_is_taken(d, latest); ms++)
		usleep(1000);
	return daemon_is_taken(d, latest);
}
