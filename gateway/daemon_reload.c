#include "gateway/control/config_reload.h"
#include "gateway/daemon.h"
#include "gateway/daemon_priv.h"

#include <errno.h>
#include <time.h>

/*
 * SIGHUP reads the file again, all or nothing (DESIGN §7): a file with anything wrong changes
 * nothing. Workers are offered the new settings and go over to them each between two poll rounds;
 * once all have, the old ones are freed.
 */

/* A worker goes over within a poll round; one that does not in this time is not waited for. */
#define ADOPT_MS 5000

static void log_errors(struct daemon *d, const char *path, const struct config_errors *errors)
{
	for (unsigned i = 0; i < errors->n; i++)
		log_event(&d->events, LOG_SEV_ERROR, NULL,
			"event=reload-refused file=%s line=%u column=%u text=%s",
			LOG_VALUE(bytes_str(path)), errors->error[i].line, errors->error[i].column,
			LOG_VALUE(bytes_str(errors->error[i].text)));
}

static void log_restart(void *arg, const char *path)
{
	struct daemon *d = arg;

	log_event(&d->events, LOG_SEV_WARNING, NULL, "event=reload-ignored reason=restart key=%s",
		path);
}

static struct settings *read_settings(struct daemon *d, const char *path)
{
	struct settings *settings = NULL;
	struct config_errors errors;
	struct config *config;
	char buffer[512];
	struct text why;

	if (config_load(path, &config, &errors) != 0) {
		log_errors(d, path, &errors);
		return NULL;
	}
	text_init(&why, buffer, sizeof(buffer));
	if (settings_new(config, &settings, &why) != 0) {
		log_event(&d->events, LOG_SEV_ERROR, NULL, "event=reload-refused file=%s text=%s",
			LOG_VALUE(bytes_str(path)), LOG_VALUE(text_bytes(&why)));
		return NULL;
	}
	return settings;
}

static bool all_adopted(const struct daemon *d, const struct settings *settings)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		if (atomic_load_explicit(&d->workers[i]->adopted, memory_order_acquire) != settings)
			return false;
	return true;
}

static bool offer(struct daemon *d, struct settings *settings)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < d->n_workers; i++) {
		atomic_store_explicit(&d->workers[i]->offered, settings, memory_order_release);
		doorbell_ring(&d->workers[i]->bell);
	}
	for (unsigned ms = 0; ms < ADOPT_MS && !all_adopted(d, settings); ms++)
		nanosleep(&nap, NULL);
	return all_adopted(d, settings);
}

/* The newest first; those before it go, but the first, from which the daemon was made. */
static void forget_old(struct daemon *d)
{
	while (d->settings->next) {
		struct settings *old = d->settings->next;

		d->settings->next = old->next;
		settings_free(old);
	}
}

int daemon_reload(struct daemon *d, const char *path)
{
	struct settings *settings = read_settings(d, path);
	unsigned ignored;

	if (!settings)
		return -EINVAL;
	ignored = config_reload_differences(d->config, settings->config, log_restart, d);
	settings->next = d->settings;
	d->settings = settings;
	if (!offer(d, settings)) {
		log_event(&d->events, LOG_SEV_ERROR, NULL, "event=reload-late reason=worker-busy");
		return -ETIMEDOUT;
	}
	forget_old(d);
	for (unsigned i = 0; i < d->n_auths; i++)
		auth_lcore_set_busy(d->auths[i], settings->config->lcores.poll == CONFIG_POLL_BUSY);
	daemon_set_log_level(d, settings->config->log.level);
	log_event(&d->events, LOG_SEV_NOTICE, NULL, "event=reloaded ignored=%u", ignored);
	return 0;
}
