#include "gateway/daemon.h"

#include "gateway/daemon_control.h"
#include "gateway/daemon_priv.h"
#include "gateway/privileges.h"
#include "gateway/session.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mail on its way to delivery, and notes on their way back, before either side waits. */
#define DELIVERY_RING 65536

/* --- devices ------------------------------------------------------------------------------------
 */

/* Of the memory for packets, the part that receive buffers may hold back. */
#define RECEIVE_SHARE 2
#define PACKET_OCTETS 2600 /* one buffer, all in (FACTS §5) */

static int open_ports(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	unsigned packets = (unsigned)(config->lcores.memory / PACKET_OCTETS / 2 / config->n_listen);
	int error = port_env_init(config->lcores.io, (unsigned)(config->lcores.memory >> 20), why);

	if (error)
		return error;
	d->env = true;
	for (unsigned i = 0; error == 0 && i < config->n_listen; i++) {
		const struct config_listen *listen = &config->listen[i];
		struct port_config pc = {
			.device = listen->device,
			.queues = config->lcores.io,
			.packets = packets,
			.addresses = listen->addresses,
			.n_addresses = listen->n_addresses,
			.ports = listen->ports,
			.n_ports = listen->n_ports,
		};

		if (!config_listen_is_kernel(listen))
			error = port_open(&pc, &d->ports[i], why);
	}
	return error;
}

/* Several lcores on one device hand each other the packets of their flows. */
static int make_meshes(struct daemon *d)
{
	uint8_t rss_key[RSS_KEY_LEN]; /* random per boot: no peer can aim at one lcore */
	int error = 0;

	if (d->config->lcores.io == 1)
		return 0;
	if (getrandom(rss_key, sizeof(rss_key), 0) != sizeof(rss_key))
		return -errno;
	for (unsigned i = 0; error == 0 && i < d->config->n_listen; i++)
		if (d->ports[i])
			error = lcore_mesh_new(d->config->lcores.io, rss_key, &d->meshes[i]);
	return error;
}

/* --- names, answers, spool ----------------------------------------------------------------------
 */

static int make_recipients(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;

	return recipients_new(config->domains, config->n_domains, config->postmaster,
		config->recipients.file, &d->recipients, why);
}

static int make_resolver(struct daemon *d, struct text *why)
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
		.max_open = WORKER_DNS_CREDIT,
	};
	struct dns_cache_config cc = {
		.max_bytes = config->dns.cache_bytes,
		.ttl_min_s = 1,
		.ttl_max_s = 86400,
		.ttl_negative_max_s = 3600,
		.ttl_failure_s = 5,
	};
	int error = epoch_init(&d->epoch, config->lcores.io);

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

static int open_spool(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	struct spool_log_config sc = {
		.path = config->spool.path,
		.segment_bytes = config->spool.segment_bytes,
		.max_bytes = config->spool.max_bytes,
		.max_messages = config->spool.max_messages,
		.memory_bytes = config->spool.memory_bytes,
		.durability =
			config->spool.durability == CONFIG_FSYNC ? SPOOL_FSYNC : SPOOL_NO_SYNC,
		.batch_bytes = 1u << 20,
	};
	int error = spool_log_open(&sc, NULL, &d->spooler.log, why);

	d->filler.log = d->spooler.log;
	return error;
}

static int make_delivery(struct daemon *d, struct text *why)
{
	const struct config *config = d->config;
	struct delivery_config dc = {
		.n_backends = config->delivery.n_backends,
		.hostname = config->hostname,
		.retry_min_s = config->delivery.retry_min_s,
		.retry_max_s = config->delivery.retry_max_s,
		.expire_s = config->delivery.expire_s,
		.dead_keep_s = config->spool.dead_keep_s,
		.connect_timeout_ms = config->delivery.connect_timeout_ms,
		.reply_timeout_ms = config->delivery.reply_timeout_ms,
	};

	for (unsigned i = 0; i < dc.n_backends; i++)
		dc.backends[i] = (struct delivery_backend){config->delivery.backends[i].lmtp,
			config->delivery.backends[i].connections};
	if (getrandom(&dc.seed, sizeof(dc.seed), 0) != sizeof(dc.seed))
		return -errno;
	return delivery_new(&dc, d->spooler.log, &d->delivery.events, &d->delivery.delivery, why);
}

/* --- workers ------------------------------------------------------------------------------------
 */

static struct net_config net_of(const struct config_listen *listen, const uint64_t key[2])
{
	struct net_config net = {
		.n_addresses = listen->n_addresses,
		.gateway4 = listen->gateway4,
		.gateway6 = listen->gateway6,
		.hash_key = {key[0], key[1]},
	};

	memcpy(net.addresses, listen->addresses, sizeof(net.addresses));
	return net;
}

static struct tcp_config tcp_of(
	const struct config *config, const uint8_t secret[16], uint64_t seed)
{
	struct tcp_config tcp = {
		.max_connections = config->limits.connections,
		.max_half_open = config->limits.half_open,
		.max_time_wait = config->limits.connections,
		.send_block_count = config->limits.connections / 4 + 64,
		.receive_bytes_max = (uint32_t)(config->lcores.memory / RECEIVE_SHARE > UINT32_MAX
							? UINT32_MAX
							: config->lcores.memory / RECEIVE_SHARE),
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
	const struct {
		const char *name;
		unsigned count, size;
		struct doorbell *consumer;
		struct handoff **out;
	} rings[] = {
		{"to_resolver", WORKER_DNS_CREDIT, sizeof(struct dns_request), &d->resolver.bell,
			&worker->to_resolver},
		{"from_resolver", WORKER_DNS_CREDIT, sizeof(struct dns_reply), &worker->bell,
			&worker->from_resolver},
		{"to_spooler", d->config->limits.mails, sizeof(struct mail *), &d->spooler.bell,
			&worker->to_spooler},
		{"from_spooler", d->config->limits.mails, sizeof(struct spool_reply), &worker->bell,
			&worker->from_spooler},
	};
	int error = 0;

	for (unsigned i = 0; error == 0 && i < sizeof(rings) / sizeof(rings[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s%u", rings[i].name, worker->index);
		error = handoff_new(
			name, rings[i].count, rings[i].size, rings[i].consumer, rings[i].out);
	}
	return error;
}

static int add_auth(struct daemon *d, struct worker *worker)
{
	const struct config *config = d->config;
	struct auth_config ac = auth_config_default;

	ac.authserv_id = config->authserv_id;
	ac.hostname = config->hostname;
	ac.dkim.signatures = config->auth.max_signatures;
	ac.dkim.body_tail = config->auth.body_tail;
	ac.max_mails = config->limits.mails;
	ac.max_header_bytes = config->limits.header_bytes;
	ac.max_received = config->auth.max_received;
	worker->epoch = epoch_reader_at(&d->epoch, worker->index);
	return auth_engine_new(&ac, d->resolver.cache, worker->epoch, &worker->auth);
}

static void register_counters(struct daemon *d, struct worker *worker)
{
	counters_register(&d->counters, &worker->counters.block);
	counters_register(&d->counters, auth_counters(worker->auth));
	for (unsigned i = 0; i < worker->n_lcores; i++) {
		counters_register(&d->counters, net_counters(lcore_net(worker->lcores[i])));
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
		error = add_auth(d, worker);
	for (unsigned i = 0; error == 0 && i < config->n_listen; i++)
		error = add_listen(d, worker, i, secrets, why);
	if (error == 0)
		register_counters(d, worker);
	return error;
}

static int make_workers(struct daemon *d, struct text *why)
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
	d->resolver.workers = d->spooler.workers = d->workers;
	d->resolver.n_workers = d->spooler.n_workers = d->n_workers;
	d->resolver.epoch = &d->epoch;
	return error;
}

/* The workers are made before the spool is opened, since that is the business of a lesser user. */
static void join_workers_and_spool(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_workers; i++) {
		d->workers[i]->recipients = d->recipients;
		d->workers[i]->spool = d->spooler.log;
		queue_id_prime(&d->workers[i]->ids, spool_log_highest_queue_id(d->spooler.log));
	}
	counters_register(&d->counters, resolver_counters(d->resolver.resolver));
	counters_register(&d->counters, spool_log_counters(d->spooler.log));
	counters_register(&d->counters, delivery_counters(d->delivery.delivery));
}

/* --- the other threads' things -------------------------------------------------------------------
 */

static const log_sink_fn sinks[] = {
	[CONFIG_LOG_TEXT] = log_sink_text,
	[CONFIG_LOG_JSON] = log_sink_json,
	[CONFIG_LOG_JOURNAL] = log_sink_journal,
};

static int make_logs(struct daemon *d)
{
	int error = log_ring_init(&d->spooler.events, "spooler");

	logger_init(&d->logger.logger);
	d->logger.sink = sinks[d->config->log.format];
	d->logger.fd = STDERR_FILENO;
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

static int make_bells(struct daemon *d)
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

static int join_spooler_and_delivery(struct daemon *d)
{
	int error = handoff_new("to_delivery", DELIVERY_RING, sizeof(struct spool_item *),
		&d->delivery.bell, &d->spooler.to_delivery);

	if (error == 0)
		error = handoff_new("from_delivery", DELIVERY_RING, sizeof(struct delivery_note),
			&d->spooler.bell, &d->spooler.from_delivery);
	d->delivery.from_spooler = d->spooler.to_delivery;
	d->delivery.to_spooler = d->spooler.from_delivery;
	return error;
}

/* --- threads ------------------------------------------------------------------------------------
 */

struct other {
	const char *name;
	void *(*main)(void *arg);
	size_t at; /* of its struct in struct daemon */
	size_t thread, stop, bell;
};

#define OTHER(name, member, type)                                                                  \
	{                                                                                          \
		name, member##_main, offsetof(struct daemon, member),                              \
			offsetof(struct type, thread), offsetof(struct type, stop),                \
			offsetof(struct type, bell)                                                \
	}

/* In the order they start; they end in the reverse: delivery before the spooler that notes its
 * results. */
static const struct other others[] = {
	{"logger", logger_main, offsetof(struct daemon, logger),
		offsetof(struct logger_thread, thread), offsetof(struct logger_thread, stop), 0},
	OTHER("filler", filler, filler_thread),
	OTHER("spooler", spooler, spooler_thread),
	OTHER("delivery", delivery, delivery_thread),
	OTHER("resolver", resolver, resolver_thread),
};
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	port_env_register_thread(worker->index);
	worker_run(worker);
	return NULL;
}

static int start_others(struct daemon *d)
{
	for (; d->threads < N_OTHERS; d->threads++) {
		const struct other *o = &others[d->threads];
		char *at = (char *)d + o->at;
		pthread_t *thread = (pthread_t *)(at + o->thread);
		int error = pthread_create(thread, NULL, o->main, at);

		if (error)
			return -error;
		pthread_setname_np(*thread, o->name);
	}
	return 0;
}

static int start_threads(struct daemon *d)
{
	int error = start_others(d);

	for (; error == 0 && d->n_running < d->n_workers; d->n_running++) {
		char name[16];

		error = -pthread_create(&d->worker_threads[d->n_running], NULL, worker_main,
			d->workers[d->n_running]);
		if (error)
			break;
		snprintf(name, sizeof(name), "io%u", d->n_running);
		pthread_setname_np(d->worker_threads[d->n_running], name);
	}
	return error;
}

static void stop_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_running; i++) {
		atomic_store_explicit(&d->workers[i]->stop, true, memory_order_release);
		doorbell_ring(&d->workers[i]->bell);
	}
	for (unsigned i = 0; i < d->n_running; i++)
		pthread_join(d->worker_threads[i], NULL);
}

static void stop_others(struct daemon *d)
{
	while (d->threads > 0) {
		const struct other *o = &others[--d->threads];
		char *at = (char *)d + o->at;

		atomic_store_explicit((_Atomic bool *)(at + o->stop), true, memory_order_release);
		if (o->bell)
			doorbell_ring((struct doorbell *)(at + o->bell));
		pthread_join(*(pthread_t *)(at + o->thread), NULL);
	}
}

/* --- the whole ----------------------------------------------------------------------------------
 */

void daemon_set_log_level(struct daemon *d, int level)
{
	for (uint32_t i = 0; i < d->logger.logger.ring_count; i++)
		atomic_store(&d->logger.logger.rings[i]->max_severity, level);
}

/* Devices, names, sockets, keys: what may need privileges (DESIGN §3). */
static int build_privileged(struct daemon *d, struct text *why)
{
	int error = open_ports(d, why);

	if (error == 0)
		error = make_meshes(d);
	if (error == 0)
		error = make_resolver(d, why);
	if (error == 0)
		error = make_workers(d, why);
	if (error == 0) {
		d->control = control_listen(d->config->control.socket, why);
		error = d->control < 0 ? d->control : 0;
	}
	return error;
}

static int drop_privileges(struct daemon *d, struct text *why)
{
	const char *user = d->config->control.user;
	int error = 0;

	if (!user)
		return 0;
	if (mkdir(d->config->spool.path, 0700) == 0)
		error = privileges_give(user, d->config->spool.path, why);
	if (error == 0)
		error = privileges_give(user, d->config->control.socket, why);
	return error ? error : privileges_drop(user, why);
}

/* Files that belong to the user the daemon runs as. */
static int build_unprivileged(struct daemon *d, struct text *why)
{
	int error = make_recipients(d, why);

	if (error == 0)
		error = open_spool(d, why);
	if (error == 0)
		error = make_delivery(d, why);
	if (error == 0)
		error = join_spooler_and_delivery(d);
	if (error == 0)
		join_workers_and_spool(d);
	return error;
}

static int build(struct daemon *d, struct text *why)
{
	int error = privileges_no_new();

	if (error == 0)
		error = make_logs(d);
	if (error == 0)
		error = make_bells(d);
	if (error == 0)
		error = build_privileged(d, why);
	if (error == 0)
		error = drop_privileges(d, why);
	if (error == 0)
		error = build_unprivileged(d, why);
	if (error)
		return error;
	daemon_set_log_level(d, d->config->log.level);
	return start_threads(d);
}

static void free_settings(struct daemon *d)
{
	while (d->settings) {
		struct settings *next = d->settings->next;

		settings_free(d->settings);
		d->settings = next;
	}
	recipients_free(d->recipients);
}

static void take_down(struct daemon *d)
{
	stop_workers(d);
	stop_others(d);
	delivery_free(d->delivery.delivery);
	if (d->spooler.log)
		spool_log_close(d->spooler.log);
	resolver_free(d->resolver.resolver);
	for (unsigned i = 0; i < d->n_workers; i++) {
		worker_fini(d->workers[i]);
		log_ring_fini(&d->workers[i]->log);
		free(d->workers[i]);
	}
	dns_cache_free(d->resolver.cache);
	if (d->epoch_ready)
		epoch_fini(&d->epoch);
	handoff_free(d->spooler.to_delivery);
	handoff_free(d->spooler.from_delivery);
	for (unsigned i = 0; i < d->config->n_listen; i++) {
		lcore_mesh_free(d->meshes[i]);
		if (d->ports[i])
			port_close(d->ports[i]);
	}
	if (d->env)
		port_env_fini();
	if (d->control >= 0) {
		close(d->control);
		unlink(d->config->control.socket);
	}
	free_settings(d);
	log_ring_fini(&d->events);
	log_ring_fini(&d->spooler.events);
	log_ring_fini(&d->delivery.events);
	free(d);
}

int daemon_start(const struct config *config, struct daemon **out, struct text *why)
{
	struct daemon *d = aligned_alloc(64, (sizeof(*d) + 63) / 64 * 64);
	cpu_set_t cpus;
	int error;

	if (!d)
		return -ENOMEM;
	memset(d, 0, sizeof(*d));
	d->config = config;
	d->control = -1;
	counters_registry_init(&d->counters);
	/* DPDK pins the thread that starts it, and what is created after that inherits it (FACTS
	 * §3). */
	sched_getaffinity(0, sizeof(cpus), &cpus);
	error = build(d, why);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (error) {
		if (why->len == 0)
			text_printf(why, "%s", strerror(-error));
		take_down(d);
		return error;
	}
	*out = d;
	return 0;
}

void daemon_stop(struct daemon *daemon)
{
	take_down(daemon);
}

int daemon_control_fd(const struct daemon *daemon)
{
	return daemon->control;
}

void daemon_control(struct daemon *daemon)
{
	control_serve(daemon->control, daemon_commands, daemon_n_commands, daemon);
}
