/*
 * The jobs of one thread. A queue for each size class of public keys, so that a flood of dear ones
 * delays nobody else: the classes take turns, one batch a turn, the turn kept from run to run.
 */
#include "auth/crypto/evp_verify.h"
#include "auth/crypto/hash_batch.h"
#include "auth/crypto/rsa_batch.h"

#include <stdlib.h>

COUNTERS_DEFINE(crypto, CRYPTO_COUNTERS)

struct lane {
	struct pubkey_job *first, **last;
	unsigned n;
};

struct crypto_queue {
	struct lane lanes[CRYPTO_LANES];
	unsigned turn; /* the lane that comes next */
	unsigned n_pubkey;
	struct hash_job *hashes, **hashes_last;
	unsigned n_hash;
	uint64_t now_us; /* of the last run: when jobs added since came in, at the earliest */
	struct evp_verify evp;
	struct hash_batch hash_batch;
	struct crypto_counters counters;
};

struct crypto_queue *crypto_queue_new(void)
{
	struct crypto_queue *queue =
		aligned_alloc(64, (sizeof(struct crypto_queue) + 63) & ~(size_t)63);
	if (!queue)
		return NULL;
	memset(queue, 0, sizeof(*queue));
	if (evp_verify_init(&queue->evp) < 0) {
		free(queue);
		return NULL;
	}
	for (unsigned i = 0; i < CRYPTO_LANES; i++)
		queue->lanes[i].last = &queue->lanes[i].first;
	queue->hashes_last = &queue->hashes;
	crypto_counters_init(&queue->counters);
	return queue;
}

void crypto_queue_free(struct crypto_queue *queue)
{
	if (!queue)
		return;
	evp_verify_fini(&queue->evp);
	free(queue);
}

/* --- hashes ---------------------------------------------------------------------------------- */

void crypto_add_hash(struct crypto_queue *queue, struct hash_job *job)
{
	if (job->queued)
		return;
	job->queued = true;
	job->next = NULL;
	job->link = queue->hashes_last;
	*job->link = job;
	queue->hashes_last = &job->next;
	queue->n_hash++;
}

void crypto_cancel_hash(struct crypto_queue *queue, struct hash_job *job)
{
	if (!job->queued)
		return;
	job->queued = false;
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	else
		queue->hashes_last = job->link;
	queue->n_hash--;
}

void crypto_flush_hash(struct crypto_queue *queue, struct hash_job *job)
{
	if (!job->queued)
		return;
	crypto_cancel_hash(queue, job);
	counter_add(&queue->counters.v[CRYPTO_HASHED_OCTETS],
		hash_batch_run(&queue->hash_batch, &job, 1));
	if (job->ran)
		job->ran(job);
}

/* Jobs that `ran` adds again wait for the next call. */
static unsigned run_hashes(struct crypto_queue *queue)
{
	unsigned left = queue->n_hash, done = left;
	while (left) {
		struct hash_job *jobs[HASH_BATCH_MAX];
		unsigned n = 0;
		for (; n < HASH_BATCH_MAX && n < left && queue->hashes; n++) {
			jobs[n] = queue->hashes;
			crypto_cancel_hash(queue, jobs[n]);
		}
		if (n == 0)
			break; /* one was cancelled by another's callback */
		left -= n;
		counter_add(&queue->counters.v[CRYPTO_HASHED_OCTETS],
			hash_batch_run(&queue->hash_batch, jobs, n));
		counter_inc(&queue->counters.v[CRYPTO_HASH_RUNS]);
		for (unsigned i = 0; i < n; i++)
			if (jobs[i]->ran)
				jobs[i]->ran(jobs[i]);
	}
	return done - left;
}

/* --- public keys ----------------------------------------------------------------------------- */

void crypto_add_pubkey(struct crypto_queue *queue, struct pubkey_job *job)
{
	struct lane *lane = &queue->lanes[job->key->lane];
	job->verdict = PUBKEY_PENDING;
	job->lane = (uint8_t)job->key->lane;
	job->queued = true;
	job->since_us = queue->now_us;
	job->next = NULL;
	job->link = lane->last;
	*job->link = job;
	lane->last = &job->next;
	lane->n++;
	queue->n_pubkey++;
}

void crypto_cancel_pubkey(struct crypto_queue *queue, struct pubkey_job *job)
{
	struct lane *lane = &queue->lanes[job->lane];
	if (!job->queued)
		return;
	job->queued = false;
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	else
		lane->last = job->link;
	lane->n--;
	queue->n_pubkey--;
}

static bool lane_is_due(const struct crypto_queue *queue, enum crypto_lane lane, bool idle)
{
	const struct lane *l = &queue->lanes[lane];
	return l->n >= rsa_batch_size(lane) ||
	       (l->n && (idle || queue->now_us - l->first->since_us >= CRYPTO_BATCH_WAIT_US));
}

static void verify_one(struct crypto_queue *queue, struct pubkey_job *job)
{
	bool ed25519 = job->key->algorithm == PUBKEY_ED25519;
	bool good = evp_verify(&queue->evp, job->key, job->signature, job->digest);
	job->verdict = good ? PUBKEY_GOOD : PUBKEY_BAD;
	counter_inc(&queue->counters.v[ed25519 ? CRYPTO_ED25519 : CRYPTO_RSA_SINGLE]);
}

static unsigned run_batch(struct crypto_queue *queue, enum crypto_lane lane)
{
	struct pubkey_job *jobs[RSA_BATCH_MAX];
	unsigned n = 0;

	while (n < rsa_batch_size(lane) && queue->lanes[lane].n) {
		jobs[n] = queue->lanes[lane].first;
		crypto_cancel_pubkey(queue, jobs[n++]);
	}
	bool batch = rsa_batch_size(lane) > 1 && n >= rsa_batch_worth(lane);
	if (batch) {
		rsa_batch_verify(lane, jobs, n);
		counter_inc(&queue->counters.v[CRYPTO_RSA_BATCHES]);
		counter_add(&queue->counters.v[CRYPTO_RSA_BATCHED], n);
	}
	for (unsigned i = 0; i < n; i++) {
		jobs[i]->batch = batch ? (uint8_t)n : 1;
		if (!batch)
			verify_one(queue, jobs[i]);
		if (jobs[i]->verdict == PUBKEY_GOOD)
			counter_inc(&queue->counters.v[CRYPTO_GOOD]);
		jobs[i]->done(jobs[i]);
	}
	return n;
}

unsigned crypto_run(struct crypto_queue *queue, uint64_t now_us, bool idle, uint32_t budget_us)
{
	uint64_t spent_ns = 0;

	queue->now_us = now_us;
	unsigned done = run_hashes(queue);
	for (unsigned passed = 0; passed < CRYPTO_LANES;) {
		enum crypto_lane lane = queue->turn;
		if (!lane_is_due(queue, lane, idle)) {
			queue->turn = (queue->turn + 1) % CRYPTO_LANES;
			passed++;
			continue;
		}
		if (spent_ns >= (uint64_t)budget_us * 1000 && spent_ns) {
			counter_inc(&queue->counters.v[CRYPTO_BUDGET_HIT]);
			break;
		}
		queue->turn = (queue->turn + 1) % CRYPTO_LANES;
		passed = 0;
		unsigned n = run_batch(queue, lane);
		spent_ns += rsa_batch_cost_ns(lane, n);
		done += n;
	}
	return done;
}

uint64_t crypto_deadline_us(const struct crypto_queue *queue)
{
	uint64_t deadline_us = queue->hashes ? 0 : UINT64_MAX;
	for (unsigned i = 0; i < CRYPTO_LANES; i++) {
		const struct lane *lane = &queue->lanes[i];
		if (!lane->n)
			continue;
		uint64_t due_us = lane->n >= rsa_batch_size(i)
					  ? 0
					  : lane->first->since_us + CRYPTO_BATCH_WAIT_US;
		if (due_us < deadline_us)
			deadline_us = due_us;
	}
	return deadline_us;
}

unsigned crypto_pending(const struct crypto_queue *queue)
{
	return queue->n_hash + queue->n_pubkey;
}

uint64_t crypto_now_us(const struct crypto_queue *queue)
{
	return queue->now_us;
}

const struct counter_block *crypto_counters(const struct crypto_queue *queue)
{
	return &queue->counters.block;
}
