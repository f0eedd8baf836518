/*
 * Batched RSA against OpenSSL, by each path of this CPU: a key of each size class, any signature,
 * any digest, any fill.
 */
#include "auth/crypto/evp_verify.h"
#include "auth/crypto/rsa_testing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_KEYS 6

static const char *const paths[] = {"avx512-ifma", "avx2"};
#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

static struct rsa_testing keys[N_KEYS];
static struct pubkey *parsed[N_PATHS][N_KEYS]; /* NULL: the CPU lacks that path */
static struct evp_verify evp;
static struct crypto_queue *queue;

static void setup(void)
{
	static const unsigned sizes[N_KEYS] = {512, 1024, 1031, 2048, 3072, 4096};
	uint64_t seed = 5;
	for (int i = 0; i < N_KEYS; i++)
		rsa_testing_init(&keys[i], sizes[i], 65537, &seed);
	for (size_t p = 0; p < N_PATHS; p++)
		for (int i = 0; i < N_KEYS && crypto_rsa_use(paths[p]); i++)
			parsed[p][i] = rsa_testing_pubkey(&keys[i]);
	queue = crypto_queue_new();
	if (!queue || evp_verify_init(&evp) < 0)
		abort();
}

static void done(struct pubkey_job *job)
{
	const bool *expected = job->owner;
	if ((job->verdict == PUBKEY_GOOD) != *expected)
		abort();
}

/* Each six octets: key, kind, where to change the signature, by what, twice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pubkey_job jobs[RSA_BATCH_MAX];
	bool expected[RSA_BATCH_MAX];
	unsigned key_of[RSA_BATCH_MAX], n = 0;
	static uint8_t signature[RSA_BATCH_MAX][RSA_MAX_OCTETS + 8];
	uint64_t seed = size;

	if (!queue)
		setup();
	for (; n < RSA_BATCH_MAX && size >= 6; n++, data += 6, size -= 6) {
		struct pubkey_job *job = &jobs[n];
		struct rsa_testing *key = &keys[key_of[n] = data[0] % N_KEYS];
		enum rsa_testing_kind kind = data[1] % RSA_TESTING_KINDS;
		size_t len = rsa_testing_sign(key, kind, job->digest, signature[n], &seed);
		signature[n][(data[2] | data[3] << 8) % len] ^= data[4];
		job->digest[data[5] >> 3] ^= data[5] & 7;
		job->signature = bytes_of(signature[n], len);
		job->done = done;
		job->owner = &expected[n];
		expected[n] = evp_verify(&evp, key->key, job->signature, job->digest);
	}
	for (size_t p = 0; p < N_PATHS; p++) {
		if (!crypto_rsa_use(paths[p]))
			continue;
		for (unsigned i = 0; i < n; i++) {
			jobs[i].key = parsed[p][key_of[i]];
			crypto_add_pubkey(queue, &jobs[i]);
		}
		while (crypto_pending(queue))
			crypto_run(queue, 0, true, 1000000);
	}
	return 0;
}
