#include "gateway/daemon_priv.h"

#include <errno.h>
#include <stdlib.h>

/* Who verifies mail: the io lcores themselves, or auth lcores (`lcores.auth`). */

static struct auth_config auth_config_of(const struct daemon *d, unsigned max_mails)
{
	const struct config *config = d->config;
	struct auth_config ac = auth_config_default;

	ac.authserv_id = config->authserv_id;
	ac.hostname = config->hostname;
	ac.dkim.signatures = config->auth.max_signatures;
	ac.dkim.body_tail = config->auth.body_tail;
	ac.max_mails = max_mails;
	ac.max_header_bytes = config->limits.header_bytes;
	ac.max_received = config->auth.max_received;
	ac.secondary_wait_ms = config->auth.secondary_wait_ms;
	ac.hash_all = d->sealer.signer != NULL;
	return ac;
}

/* `reader` among the cache's readers, which are numbered as the resolver's askers. */
static int add_engine(
	struct daemon *d, unsigned reader, unsigned max_mails, struct auth_engine **engine)
{
	const struct auth_config ac = auth_config_of(d, max_mails);
	int error =
		auth_engine_new(&ac, d->resolver.cache, epoch_reader_at(&d->epoch, reader), engine);

	if (error == 0)
		counters_register(&d->counters, auth_counters(*engine));
	return error;
}

static int verify_inline(struct daemon *d)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < d->n_workers; i++) {
		struct worker *worker = d->workers[i];

		worker->verifier = &verifier_inline;
		error = add_engine(d, i, d->config->limits.mails, &worker->auth);
	}
	return error;
}

static int add_rings(struct worker *worker, const struct config *config)
{
	worker->rings = calloc(1, sizeof(*worker->rings));
	if (!worker->rings)
		return -ENOMEM;
	worker->verifier = &verifier_rings;
	return verifier_rings_init(
		worker->rings, config->limits.mails, verifier_rings_text_max(config));
}

static int join(struct auth_lcore *lcore, struct worker *worker, unsigned mails)
{
	struct auth_pair *pair;
	int error = auth_pair_new(
		worker->index, lcore->index, mails, &worker->bell, &lcore->bell, &pair);

	if (error)
		return error;
	verifier_rings_add(worker->rings, pair);
	return auth_lcore_add(lcore, pair, mails);
}

static int add_lcore(struct daemon *d, unsigned index)
{
	const struct config *config = d->config;
	unsigned share = verifier_rings_share(config->limits.mails, config->lcores.auth);
	struct auth_lcore *lcore;
	int error = auth_lcore_new(index, &lcore);

	if (error)
		return error;
	d->auths[d->n_auths++] = lcore;
	auth_lcore_set_busy(lcore, config->lcores.poll == CONFIG_POLL_BUSY);
	error = asker_init(&lcore->asker, d->resolver.n_askers, &d->resolver.bell, &lcore->bell);
	d->resolver.askers[d->resolver.n_askers++] = &lcore->asker;
	if (error == 0)
		error = add_engine(d, lcore->asker.index, share * d->n_workers, &lcore->engine);
	for (unsigned i = 0; error == 0 && i < d->n_workers; i++)
		error = join(lcore, d->workers[i], config->limits.mails);
	counters_register(&d->counters, &lcore->block);
	return error;
}

int daemon_make_auth(struct daemon *d, struct text *why)
{
	int error = 0;

	if (d->config->lcores.auth == 0)
		error = verify_inline(d);
	for (unsigned i = 0; error == 0 && d->config->lcores.auth && i < d->n_workers; i++)
		error = add_rings(d->workers[i], d->config);
	for (unsigned i = 0; error == 0 && i < d->config->lcores.auth; i++)
		error = add_lcore(d, i);
	if (error && why->len == 0)
		text_printf(why,
			"verification: %s: limits in the configuration may ask for more memory "
			"than there is",
			strerror(-error));
	return error;
}
