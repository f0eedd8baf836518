/*
 * Batched RSA against OpenSSL, key by key of every size class, on right and on cunningly wrong
 * signatures. Moduli are products of small primes: such a key is made in no time at any size, and
 * both sides must treat it like any other.
 */
#include "auth/crypto/evp_verify.h"
#include "auth/crypto/rsa_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const unsigned sizes[] = {496, 512, 520, 1023, 1024, 1031, 1038, 1039, 1280, 1536, 2047,
	2048, 2056, 2078, 2079, 3072, 3118, 3119, 4095, 4096};
#define N_SIZES      (sizeof(sizes) / sizeof(sizes[0]))
#define KEYS_OF_SIZE 2

static struct rsa_testing keys[N_SIZES][KEYS_OF_SIZE];

static int make_keys(void **state)
{
	uint64_t seed = 1;
	(void)state;
	for (size_t i = 0; i < N_SIZES; i++)
		for (int k = 0; k < KEYS_OF_SIZE; k++)
			rsa_testing_init(&keys[i][k], sizes[i], 65537, &seed);
	return 0;
}

static int drop_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SIZES; i++)
		for (int k = 0; k < KEYS_OF_SIZE; k++)
			rsa_testing_fini(&keys[i][k]);
	return 0;
}

struct check {
	struct pubkey_job job;
	uint8_t signature[RSA_MAX_OCTETS + 8];
	enum rsa_testing_kind kind;
	bool expected;
};

static unsigned n_good, n_done;

static void done(struct pubkey_job *job)
{
	const struct check *check = job->owner;
	n_done++;
	n_good += check->expected;
	if ((job->verdict == PUBKEY_GOOD) != check->expected)
		fail_msg("%u bits, kind %d: OpenSSL says %d", pubkey_bits(job->key), check->kind,
			check->expected);
}

static void make_check(struct check *check, struct rsa_testing *key, enum rsa_testing_kind kind,
	struct evp_verify *evp, uint64_t *seed)
{
	check->kind = kind;
	size_t len = rsa_testing_sign(key, kind, check->job.digest, check->signature, seed);
	check->job.key = key->key;
	check->job.signature = bytes_of(check->signature, len);
	check->job.done = done;
	check->job.owner = check;
	check->expected = evp_verify(evp, key->key, check->job.signature, check->job.digest);
}

/* POSTERN_TEST_ROUNDS makes it as long as one likes. */
static void agrees_with_openssl(void **state)
{
	static struct check checks[64];
	const char *rounds_text = getenv("POSTERN_TEST_ROUNDS");
	unsigned long rounds = rounds_text ? strtoul(rounds_text, NULL, 10) : 30;
	struct crypto_queue *queue = crypto_queue_new();
	struct evp_verify evp;
	uint64_t seed = 20261124;

	(void)state;
	assert_int_equal(evp_verify_init(&evp), 0);
	for (unsigned long round = 0; round < rounds; round++) {
		unsigned n = 1 + (unsigned)(rsa_testing_random(&seed) % 64);
		for (unsigned i = 0; i < n; i++) {
			struct rsa_testing *key = &keys[rsa_testing_random(&seed) % N_SIZES]
						       [rsa_testing_random(&seed) % KEYS_OF_SIZE];
			make_check(&checks[i], key, rsa_testing_random(&seed) % RSA_TESTING_KINDS,
				&evp, &seed);
			crypto_add_pubkey(queue, &checks[i].job);
		}
		while (crypto_pending(queue))
			crypto_run(queue, round, true, 1000000);
	}
	assert_true(n_good > n_done / 16 && n_good < n_done / 2);
	evp_verify_fini(&evp);
	crypto_queue_free(queue);
}

static void each_kind_and_size_alone(void **state)
{
	struct crypto_queue *queue = crypto_queue_new();
	struct evp_verify evp;
	uint64_t seed = 7;

	(void)state;
	assert_int_equal(evp_verify_init(&evp), 0);
	for (size_t i = 0; i < N_SIZES; i++)
		for (int kind = 0; kind < RSA_TESTING_KINDS; kind++) {
			struct check check;
			make_check(&check, &keys[i][0], kind, &evp, &seed);
			if (kind == RSA_TESTING_RIGHT && sizes[i] >= 512)
				assert_true(check.expected);
			crypto_add_pubkey(queue, &check.job);
			crypto_run(queue, 0, true, 1000000);
		}
	evp_verify_fini(&evp);
	crypto_queue_free(queue);
}

static void other_exponents_and_even_moduli_go_to_openssl(void **state)
{
	static const uint64_t exponents[] = {3, 17, 257, 65539, 4294967297};
	uint64_t seed = 3;

	(void)state;
	for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
		struct rsa_testing key;
		rsa_testing_init(&key, 1024, exponents[i], &seed);
		assert_int_equal(key.key->lane, CRYPTO_LANE_RSA_ONE);
		assert_null(key.key->batch);
		rsa_testing_fini(&key);
	}
	assert_int_equal(rsa_batch_lane(2048, 65537, false), CRYPTO_LANE_RSA_ONE);
	assert_int_equal(rsa_batch_lane(2048, 65537, true), CRYPTO_LANE_RSA_40);
	assert_int_equal(rsa_batch_lane(4159, 65537, true), CRYPTO_LANE_RSA_ONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_and_size_alone),
		cmocka_unit_test(agrees_with_openssl),
		cmocka_unit_test(other_exponents_and_even_moduli_go_to_openssl),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
