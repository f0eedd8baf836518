#include "gateway/daemon.h"

#include "gateway/daemon_control.h"
#include "gateway/daemon_priv.h"
#include "gateway/privileges.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void daemon_set_log_level(struct daemon *d, int level)
{
	for (uint32_t i = 0; i < d->logger.logger.ring_count; i++)
		atomic_store(&d->logger.logger.rings[i]->max_severity, level);
}

/* Devices, names, sockets, keys: what may need privileges (DESIGN §3). */
static int build_privileged(struct daemon *d, struct text *why)
{
	int error = daemon_open_ports(d, why);

	if (error == 0)
		error = daemon_make_meshes(d);
	if (error == 0)
		error = daemon_make_resolver(d, why);
	if (error == 0)
		error = sealer_init(&d->sealer, d->config, why);
	if (error == 0)
		error = daemon_make_workers(d, why);
	if (error == 0)
		error = daemon_make_auth(d, why);
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
	int error = daemon_make_recipients(d, why);

	if (error == 0)
		error = daemon_open_spool(d, why);
	if (error == 0)
		error = daemon_make_delivery(d, why);
	if (error == 0)
		error = daemon_join_spooler_and_delivery(d);
	if (error == 0)
		daemon_join_workers_and_spool(d);
	if (error == 0)
		error = daemon_access_start(d, why);
	return error;
}

static int build(struct daemon *d, struct text *why)
{
	int error = privileges_no_new();

	if (error == 0)
		error = daemon_make_logs(d);
	if (error == 0)
		error = daemon_make_bells(d);
	if (error == 0)
		error = build_privileged(d, why);
	if (error == 0)
		error = drop_privileges(d, why);
	if (error == 0)
		error = build_unprivileged(d, why);
	if (error)
		return error;
	daemon_set_log_level(d, d->config->log.level);
	return daemon_start_threads(d);
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
	daemon_stop_workers(d);
	daemon_stop_others(d);
	daemon_drop_bounces(d);
	delivery_free(d->delivery.delivery);
	lmtp_tls_free(d->lmtp_tls);
	if (d->spooler.log)
		spool_log_close(d->spooler.log);
	resolver_free(d->resolver.resolver);
	for (unsigned i = 0; i < d->n_auths; i++)
		auth_lcore_free(d->auths[i]);
	for (unsigned i = 0; i < d->n_workers; i++) {
		worker_fini(d->workers[i]);
		log_ring_fini(&d->workers[i]->log);
		free(d->workers[i]);
	}
	sealer_fini(&d->sealer);
	dns_cache_free(d->resolver.cache);
	if (d->epoch_ready)
		epoch_fini(&d->epoch);
	handoff_free(d->spooler.to_delivery);
	handoff_free(d->spooler.from_delivery);
	handoff_free(d->spooler.bounces_back);
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
	daemon_access_end(d);
	daemon_capture_end(d);
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
	log_event(&d->events, LOG_SEV_NOTICE, NULL, "event=started io=%u rsa=%s hash=%s",
		config->lcores.io, crypto_rsa_path(), crypto_hash_path());
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
