/*
 * Batched RSA against OpenSSL by every path that this CPU has, key by key of every size class, on
 * right and on cunningly wrong signatures. Moduli are products of small primes: such a key is made
 * in no time at any size, and both sides must treat it like any other.
 */
#include "auth/crypto/evp_verify.h"
#include "auth/crypto/rsa_testing.h"
#include "base/testing.h"

#include <stdlib.h>

static const unsigned sizes[] = {496, 512, 520, 1023, 1024, 1031, 1038, 1039, 1280, 1536, 2047,
	2048, 2056, 2078, 2079, 3072, 3106, 3107, 3118, 3119, 4095, 4096};
#define N_SIZES      (sizeof(sizes) / sizeof(sizes[0]))
#define KEYS_OF_SIZE 2

static const char *const paths[] = {"avx512-ifma", "avx2", "openssl"};
#define N_PATHS  (sizeof(paths) / sizeof(paths[0]))
#define BY_BATCH (N_PATHS - 1) /* OpenSSL is what they are compared with */

static struct rsa_testing keys[N_SIZES][KEYS_OF_SIZE];
static struct pubkey *parsed[N_PATHS][N_SIZES][KEYS_OF_SIZE]; /* NULL: the CPU lacks that path */

static int make_keys(void **state)
{
	uint64_t seed = 1;
	(void)state;
	for (size_t i = 0; i < N_SIZES; i++)
		for (int k = 0; k < KEYS_OF_SIZE; k++) {
			rsa_testing_init(&keys[i][k], sizes[i], 65537, &seed);
			for (size_t p = 0; p < N_PATHS; p++)
				if (crypto_rsa_use(paths[p]))
					parsed[p][i][k] = rsa_testing_pubkey(&keys[i][k]);
		}
	return 0;
}

static int drop_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SIZES; i++)
		for (int k = 0; k < KEYS_OF_SIZE; k++) {
			rsa_testing_fini(&keys[i][k]);
			for (size_t p = 0; p < N_PATHS; p++)
				pubkey_free(parsed[p][i][k]);
		}
	return 0;
}

/* One signature, verified by OpenSSL and then by one path after the other. */
struct check {
	struct pubkey_job job;
	size_t size, key;
	enum rsa_testing_kind kind;
	uint8_t signature[RSA_MAX_OCTETS + 8];
	bool expected;
};

struct tally {
	unsigned long checks, good;
};

static struct tally tallies[N_PATHS][N_SIZES];
static size_t path_now;

static void done(struct pubkey_job *job)
{
	const struct check *check = job->owner;
	struct tally *tally = &tallies[path_now][check->size];
	tally->checks++;
	tally->good += check->expected;
	if ((job->verdict == PUBKEY_GOOD) != check->expected)
		fail_msg("%s, %u bits, kind %d: OpenSSL says %d", paths[path_now],
			sizes[check->size], check->kind, check->expected);
}

static void make_check(struct check *check, size_t size, size_t k, enum rsa_testing_kind kind,
	struct evp_verify *evp, uint64_t *seed)
{
	struct rsa_testing *key = &keys[size][k];
	check->size = size;
	check->key = k;
	check->kind = kind;
	size_t len = rsa_testing_sign(key, kind, check->job.digest, check->signature, seed);
	check->job.signature = bytes_of(check->signature, len);
	check->job.done = done;
	check->job.owner = check;
	check->expected = evp_verify(evp, key->key, check->job.signature, check->job.digest);
}

/* n checks by the first n_paths that there are. */
static void run_checks(struct crypto_queue *queue, struct check *checks, unsigned n, size_t n_paths)
{
	for (path_now = 0; path_now < n_paths; path_now++) {
		if (!crypto_rsa_use(paths[path_now]))
			continue;
		for (unsigned i = 0; i < n; i++) {
			checks[i].job.key = parsed[path_now][checks[i].size][checks[i].key];
			crypto_add_pubkey(queue, &checks[i].job);
		}
		while (crypto_pending(queue))
			crypto_run(queue, 0, true, 1000000);
	}
}

static void print_tallies(void)
{
	for (size_t p = 0; p < BY_BATCH; p++)
		for (size_t i = 0; i < N_SIZES; i++)
			if (tallies[p][i].checks)
				print_message("%s %u: %lu checked, %lu of them good\n", paths[p],
					sizes[i], tallies[p][i].checks, tallies[p][i].good);
}

/* POSTERN_TEST_CHECKS and TEST_SEED make it as long and as new as one likes. */
static void agrees_with_openssl(void **state)
{
	static struct check checks[64];
	const char *text = getenv("POSTERN_TEST_CHECKS");
	unsigned long left = text ? strtoul(text, NULL, 10) : 1000;
	struct crypto_queue *queue = crypto_queue_new();
	struct evp_verify evp;
	uint64_t seed = test_seed(20261124);

	(void)state;
	memset(tallies, 0, sizeof(tallies));
	assert_int_equal(evp_verify_init(&evp), 0);
	while (left > 0) {
		unsigned n = 1 + (unsigned)(rsa_testing_random(&seed) % 64);
		n = n < left ? n : (unsigned)left;
		left -= n;
		for (unsigned i = 0; i < n; i++)
			make_check(&checks[i], rsa_testing_random(&seed) % N_SIZES,
				rsa_testing_random(&seed) % KEYS_OF_SIZE,
				rsa_testing_random(&seed) % RSA_TESTING_KINDS, &evp, &seed);
		run_checks(queue, checks, n, BY_BATCH);
	}
	if (text)
		print_tallies();
	evp_verify_fini(&evp);
	crypto_queue_free(queue);
}

/* Every fill of a batch: the class has none left over, or some, or too few to be worth it. */
static void each_kind_and_size_by_each_fill(void **state)
{
	static struct check checks[RSA_BATCH_MAX + 1];
	struct crypto_queue *queue = crypto_queue_new();
	struct evp_verify evp;
	uint64_t seed = 7;

	(void)state;
	assert_int_equal(evp_verify_init(&evp), 0);
	for (size_t i = 0; i < N_SIZES; i++)
		for (unsigned kind = 0; kind < RSA_TESTING_KINDS; kind++) {
			unsigned n = 1 + kind % (RSA_BATCH_MAX + 1);
			for (unsigned k = 0; k < n; k++)
				make_check(&checks[k], i, k % KEYS_OF_SIZE,
					(kind + k) % RSA_TESTING_KINDS, &evp, &seed);
			if (kind == RSA_TESTING_RIGHT && sizes[i] >= 512)
				assert_true(checks[0].expected);
			run_checks(queue, checks, n, N_PATHS);
		}
	evp_verify_fini(&evp);
	crypto_queue_free(queue);
}

static void other_exponents_and_even_moduli_go_to_openssl(void **state)
{
	static const uint64_t exponents[] = {3, 17, 257, 65539, 4294967297};
	uint64_t seed = 3;

	(void)state;
	for (size_t p = 0; p < N_PATHS; p++) {
		if (!crypto_rsa_use(paths[p]))
			continue;
		for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
			struct rsa_testing key;
			rsa_testing_init(&key, 1024, exponents[i], &seed);
			assert_int_equal(key.key->lane, CRYPTO_LANE_RSA_ONE);
			assert_null(key.key->batch);
			rsa_testing_fini(&key);
		}
		assert_int_equal(rsa_batch_lane(2048, 65537, false), CRYPTO_LANE_RSA_ONE);
		assert_int_equal(rsa_batch_lane(2048, 65537, true), CRYPTO_LANE_RSA_2048);
		assert_int_equal(rsa_batch_lane(4159, 65537, true), CRYPTO_LANE_RSA_ONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_and_size_by_each_fill),
		cmocka_unit_test(agrees_with_openssl),
		cmocka_unit_test(other_exponents_and_even_moduli_go_to_openssl),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
