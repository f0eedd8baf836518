#include "gateway/fake_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fake_auth fake_auth;

static struct auth_engine *make_engine(const struct config *config)
{
	struct auth_config ac = auth_config_default;
	struct auth_engine *engine;

	ac.authserv_id = ac.hostname = "mx.example";
	ac.max_mails = config->limits.mails;
	ac.max_header_bytes = config->limits.header_bytes;
	assert_int_equal(auth_engine_new(&ac, NULL, NULL, &engine), 0);
	return engine;
}

static void add_lcore(struct worker *worker, const struct config *config, unsigned index)
{
	struct auth_lcore *lcore;
	struct auth_pair *pair;

	assert_int_equal(auth_lcore_new(index, &lcore), 0);
	lcore->engine = make_engine(config);
	assert_int_equal(asker_init(&lcore->asker, 1 + index, NULL, &lcore->bell), 0);
	assert_int_equal(auth_pair_new(worker->index, index, config->limits.mails, &worker->bell,
				 &lcore->bell, &pair),
		0);
	verifier_rings_add(worker->rings, pair);
	assert_int_equal(auth_lcore_add(lcore, pair, config->limits.mails), 0);
	fake_auth.lcores[fake_auth.n++] = lcore;
}

void fake_auth_build(struct worker *worker, const struct config *config)
{
	const struct siphash_key key = {1, 2};

	assert_int_equal(asker_init(&worker->asker, 0, NULL, &worker->bell), 0);
	assert_int_equal(early_new(NULL, NULL, key, &worker->asker.early), 0);
	if (config->lcores.auth == 0) {
		worker->verifier = &verifier_inline;
		worker->auth = make_engine(config);
		return;
	}
	worker->verifier = &verifier_rings;
	worker->rings = calloc(1, sizeof(*worker->rings));
	assert_int_equal(verifier_rings_init(worker->rings, config->limits.mails,
				 verifier_rings_text_max(config)),
		0);
	for (unsigned i = 0; i < config->lcores.auth; i++)
		add_lcore(worker, config, i);
}

void fake_auth_take_down(void)
{
	for (unsigned i = 0; i < fake_auth.n; i++)
		auth_lcore_free(fake_auth.lcores[i]);
	fake_auth = (struct fake_auth){0};
}

unsigned fake_auth_round(uint64_t now_us)
{
	unsigned done = 0;

	for (unsigned i = 0; i < fake_auth.n && !fake_auth.asleep && !fake_auth.has_threads; i++)
		done += auth_lcore_round(fake_auth.lcores[i], now_us);
	return done;
}

struct asker *fake_auth_asker(struct worker *worker, unsigned index)
{
	if (index == 0)
		return &worker->asker;
	return index <= fake_auth.n ? &fake_auth.lcores[index - 1]->asker : NULL;
}

void fake_auth_nothing_is_left(const struct worker *worker)
{
	const struct verifier_rings *rings = worker->rings;

	if (!rings)
		return;
	assert_int_equal(rings->slots.in_use, 0);
	assert_int_equal(rings->awaited, 0);
	assert_true(TAILQ_EMPTY(&rings->waiting));
	for (unsigned i = 0; i < rings->n_pairs; i++) {
		assert_int_equal(rings->pairs[i]->open, 0);
		assert_int_equal(rings->pairs[i]->sent, rings->pairs[i]->taken);
	}
	for (unsigned i = 0; i < fake_auth.n; i++)
		for (unsigned j = 0; j < fake_auth.lcores[i]->io[0].n_jobs; j++)
			assert_null(fake_auth.lcores[i]->io[0].jobs[j].mail);
}
