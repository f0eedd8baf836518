#include "auth/crypto/hash_batch.h"
#include "auth/crypto/rsa_batch.h"
#include "auth/crypto/rsa_testing.h"

#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* --- public keys ----------------------------------------------------------------------------- */

static struct rsa_testing small_key, big_key, odd_key;
static struct pubkey *ed25519_key;

static int make_keys(void **state)
{
	uint64_t seed = 9;
	uint8_t raw[32];
	(void)state;
	rsa_testing_bytes(raw, sizeof(raw), &seed);
	assert_int_equal(
		pubkey_new(PUBKEY_ED25519, bytes_of(raw, sizeof(raw)), &ed25519_key), PUBKEY_OK);
	rsa_testing_init(&small_key, 1024, 65537, &seed);
	rsa_testing_init(&big_key, 4096, 65537, &seed);
	rsa_testing_init(&odd_key, 1024, 3, &seed);
	return 0;
}

static int drop_keys(void **state)
{
	(void)state;
	rsa_testing_fini(&small_key);
	rsa_testing_fini(&big_key);
	rsa_testing_fini(&odd_key);
	pubkey_free(ed25519_key);
	return 0;
}

static void mark(struct pubkey_job *job)
{
	*(bool *)job->owner = true;
}

#define MANY 64

struct crowd {
	struct pubkey_job job[MANY];
	bool done[MANY];
	uint8_t signature[MANY][RSA_MAX_OCTETS + 8];
};

static void add_job(struct crypto_queue *queue, struct crowd *crowd, unsigned i,
	const struct pubkey *key, size_t len)
{
	crowd->job[i].key = key;
	crowd->job[i].signature = bytes_of(crowd->signature[i], len);
	crowd->job[i].done = mark;
	crowd->job[i].owner = &crowd->done[i];
	crowd->done[i] = false;
	crypto_add_pubkey(queue, &crowd->job[i]);
}

static void add(
	struct crypto_queue *queue, struct crowd *crowd, unsigned i, struct rsa_testing *key)
{
	uint64_t seed = i;
	size_t len = rsa_testing_sign(
		key, RSA_TESTING_RIGHT, crowd->job[i].digest, crowd->signature[i], &seed);
	add_job(queue, crowd, i, key->key, len);
}

static unsigned count_done(const struct crowd *crowd, unsigned from, unsigned to)
{
	unsigned n = 0;
	for (unsigned i = from; i < to; i++)
		n += crowd->done[i] && crowd->job[i].verdict == PUBKEY_GOOD;
	return n;
}

static void a_batch_waits_until_full_idle_or_overdue(void **state)
{
	static struct crowd crowd;
	struct crypto_queue *queue = crypto_queue_new();
	unsigned full = rsa_batch_size(CRYPTO_LANE_RSA_1024);

	(void)state;
	crypto_run(queue, 1000, false, 1000);
	add(queue, &crowd, 0, &small_key);
	if (full == 1) { /* without batches nothing waits */
		assert_int_equal(crypto_deadline_us(queue), 0);
		assert_int_equal(crypto_run(queue, 1000, false, 1000), 1);
		crypto_queue_free(queue);
		return;
	}
	assert_int_equal(crypto_deadline_us(queue), 1000 + CRYPTO_BATCH_WAIT_US);
	assert_int_equal(crypto_run(queue, 1000 + CRYPTO_BATCH_WAIT_US - 1, false, 1000), 0);
	assert_int_equal(crypto_run(queue, 1000 + CRYPTO_BATCH_WAIT_US, false, 1000), 1);
	add(queue, &crowd, 0, &small_key);
	assert_int_equal(crypto_run(queue, 2000, true, 1000), 1);
	for (unsigned i = 0; i < full; i++)
		add(queue, &crowd, i, &small_key);
	assert_int_equal(crypto_deadline_us(queue), 0);
	assert_int_equal(crypto_run(queue, 2000, false, 1000), full);
	assert_int_equal(count_done(&crowd, 0, full), full);
	assert_int_equal(crypto_deadline_us(queue), UINT64_MAX);
	crypto_queue_free(queue);
}

/* The last 8 of the crowd are RSA-1024, behind 48 of the flood: the two take turns. */
static void behind_a_flood(struct crypto_queue *queue, struct crowd *crowd)
{
	for (unsigned i = 48; i < 56; i++)
		add(queue, crowd, i, &small_key);
	unsigned runs = 0, flood = 0;
	while (count_done(crowd, 48, 56) < 8 && ++runs < 32)
		crypto_run(queue, 0, false, 60);
	for (unsigned i = 0; i < 48; i++)
		flood += crowd->done[i];
	/* No more than a batch for a batch, one for one. */
	assert_in_range(flood, 1, 16);
	while (crypto_pending(queue))
		crypto_run(queue, 0, true, 1000);
	crypto_queue_free(queue);
}

static void a_flood_of_dear_keys_delays_nobody_else(void **state)
{
	static struct crowd crowd;
	struct crypto_queue *queue = crypto_queue_new();

	(void)state;
	for (unsigned i = 0; i < 48; i++)
		add(queue, &crowd, i, &big_key);
	behind_a_flood(queue, &crowd);
	assert_int_equal(count_done(&crowd, 0, 56), 56);
}

static void a_flood_of_ed25519_delays_nobody_else(void **state)
{
	static struct crowd crowd;
	struct crypto_queue *queue = crypto_queue_new();

	(void)state;
	for (unsigned i = 0; i < 48; i++)
		add_job(queue, &crowd, i, ed25519_key, 64);
	behind_a_flood(queue, &crowd);
	assert_int_equal(count_done(&crowd, 0, 56), 8);
}

static void check_costs(enum crypto_lane lane)
{
	unsigned size = rsa_batch_size(lane), worth = rsa_batch_worth(lane);
	uint32_t one = 0, full = rsa_batch_cost_ns(lane, size);

	for (unsigned n = 1; n < worth; n++) {
		one = rsa_batch_cost_ns(lane, 1);
		assert_int_equal(rsa_batch_cost_ns(lane, n), n * one);
	}
	for (unsigned n = worth; n <= size && size > 1; n++)
		assert_int_equal(rsa_batch_cost_ns(lane, n), full);
	/* It is worth it, and a dearer class costs more. */
	assert_true(full > 0 && (worth == 1 || full < size * one));
	if (lane > CRYPTO_LANE_RSA_1024)
		assert_true(full > rsa_batch_cost_ns(lane - 1, size));
}

static void the_budget_knows_each_path(void **state)
{
	static const char *const paths[] = {"avx512-ifma", "avx2", "openssl"};
	const char *before = crypto_rsa_path();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		if (!crypto_rsa_use(paths[i]))
			continue;
		assert_string_equal(crypto_rsa_path(), paths[i]);
		for (enum crypto_lane l = CRYPTO_LANE_RSA_1024; l <= CRYPTO_LANE_RSA_4096; l++)
			check_costs(l);
		assert_int_equal(rsa_batch_cost_ns(CRYPTO_LANE_ED25519, 2),
			2 * rsa_batch_cost_ns(CRYPTO_LANE_ED25519, 1));
	}
	assert_true(crypto_rsa_use(before));
}

static void cancelled_jobs_are_never_done(void **state)
{
	static struct crowd crowd;
	struct crypto_queue *queue = crypto_queue_new();

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		add(queue, &crowd, i, i & 1 ? &small_key : &odd_key);
	crypto_cancel_pubkey(queue, &crowd.job[0]);
	crypto_cancel_pubkey(queue, &crowd.job[7]);
	crypto_cancel_pubkey(queue, &crowd.job[19]);
	crypto_cancel_pubkey(queue, &crowd.job[19]);
	assert_int_equal(crypto_pending(queue), 17);
	add(queue, &crowd, 20, &small_key);
	while (crypto_pending(queue))
		crypto_run(queue, 0, true, 1000);
	assert_int_equal(count_done(&crowd, 0, 21), 18);
	assert_false(crowd.done[0] || crowd.done[7] || crowd.done[19]);
	crypto_queue_free(queue);
}

/* --- hashes ---------------------------------------------------------------------------------- */

struct stream {
	struct hash_job job;
	struct bytes rest;
	size_t portion;
	bool in_scratch;
	unsigned ran;
};

static bool pull(struct hash_job *job, uint8_t *scratch, struct bytes *piece)
{
	struct stream *stream = (struct stream *)job;
	if (stream->rest.len == 0)
		return false;
	*piece = bytes_slice(stream->rest, 0, stream->portion);
	stream->rest = bytes_from(stream->rest, stream->portion);
	if (stream->in_scratch) {
		memcpy(scratch, piece->data, piece->len);
		piece->data = scratch;
	}
	return true;
}

static void ran(struct hash_job *job)
{
	((struct stream *)job)->ran++;
}

/* Any number of streams, of any lengths, in pieces of any size, from scratch or not. */
static void streams_side_by_side_hash_as_if_alone(void **state)
{
	static uint8_t input[60000];
	static struct stream streams[40];
	struct crypto_queue *queue = crypto_queue_new();
	uint64_t seed = 4;

	(void)state;
	rsa_testing_bytes(input, sizeof(input), &seed);
	for (unsigned n = 1; n <= 40; n += n < 18 ? 1 : 11) {
		size_t from[40], len[40];
		for (unsigned i = 0; i < n; i++) {
			struct stream *s = &streams[i];
			from[i] = rsa_testing_random(&seed) % 10000;
			len[i] = rsa_testing_random(&seed) % (i % 3 ? 50000 : 200);
			*s = (struct stream){.job = {.pull = pull, .ran = ran},
				.rest = bytes_of(input + from[i], len[i]),
				.portion = 1 + rsa_testing_random(&seed) % HASH_SCRATCH,
				.in_scratch = i & 1};
			sha256_init(&s->job.state);
			crypto_add_hash(queue, &s->job);
			crypto_add_hash(queue, &s->job);
		}
		assert_int_equal(crypto_run(queue, 0, false, 0), n);
		for (unsigned i = 0; i < n; i++) {
			uint8_t expected[32], digest[32];
			SHA256(input + from[i], len[i], expected);
			sha256_final(&streams[i].job.state, digest);
			assert_memory_equal(digest, expected, 32);
			assert_int_equal(streams[i].ran, 1);
		}
	}
	crypto_queue_free(queue);
}

static void cancelled_hashes_do_not_run(void **state)
{
	struct stream streams[3];
	struct crypto_queue *queue = crypto_queue_new();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		streams[i] = (struct stream){
			.job = {.pull = pull, .ran = ran}, .rest = BYTES("abc"), .portion = 2};
		sha256_init(&streams[i].job.state);
		crypto_add_hash(queue, &streams[i].job);
	}
	crypto_cancel_hash(queue, &streams[1].job);
	crypto_flush_hash(queue, &streams[2].job);
	assert_int_equal(streams[2].ran, 1);
	assert_int_equal(crypto_run(queue, 0, false, 0), 1);
	assert_int_equal(streams[0].ran, 1);
	assert_int_equal(streams[1].ran, 0);
	crypto_queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_waits_until_full_idle_or_overdue),
		cmocka_unit_test(a_flood_of_dear_keys_delays_nobody_else),
		cmocka_unit_test(a_flood_of_ed25519_delays_nobody_else),
		cmocka_unit_test(the_budget_knows_each_path),
		cmocka_unit_test(cancelled_jobs_are_never_done),
		cmocka_unit_test(streams_side_by_side_hash_as_if_alone),
		cmocka_unit_test(cancelled_hashes_do_not_run),
	};
	static const char *const paths[] = {"openssl", "avx2", "avx512-ifma"};
	int failed = 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (crypto_rsa_use(paths[i]))
			failed +=
				cmocka_run_group_tests_name(paths[i], tests, make_keys, drop_keys);
	return failed;
}
