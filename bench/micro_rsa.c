/*
 * RSA verification: up to 8 keys whose signatures meet in one run of the queue, raw octets in,
 * against EVP_PKEY_verify with key and context kept.
 */
#include "auth/crypto/crypto.h"
#include "bench/micro.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define RSA_MAX_OCTETS (PUBKEY_MAX_RSA_BITS / 8)
#define KEYS           8

struct rsa {
	struct crypto_queue *queue;
	EVP_PKEY *private_key[KEYS];
	EVP_PKEY_CTX *verify[KEYS];
	struct pubkey *key[KEYS];
	struct pubkey_job jobs[KEYS];
	uint8_t signature[KEYS][RSA_MAX_OCTETS];
	uint8_t digest[KEYS][32];
	unsigned keys;   /* of KEYS */
	unsigned rounds; /* over all keys, in one call: about a millisecond */
	unsigned good;
};

static void done(struct pubkey_job *job)
{
	struct rsa *rsa = job->owner;
	rsa->good += job->verdict == PUBKEY_GOOD;
}

static bool key_setup(struct rsa *rsa, unsigned i, unsigned bits)
{
	unsigned char *der = NULL;
	size_t len = RSA_MAX_OCTETS;
	EVP_PKEY *pkey = rsa->private_key[i] = EVP_RSA_gen(bits);
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(pkey, NULL);
	EVP_PKEY_CTX *verify = rsa->verify[i] = EVP_PKEY_CTX_new(pkey, NULL);

	for (int k = 0; k < 32; k++)
		rsa->digest[i][k] = (uint8_t)(17 * (int)i + k);
	bool good = EVP_PKEY_sign_init(sign) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(sign, RSA_PKCS1_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(sign, EVP_sha256()) == 1 &&
		    EVP_PKEY_sign(sign, rsa->signature[i], &len, rsa->digest[i], 32) == 1 &&
		    EVP_PKEY_verify_init(verify) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(verify, RSA_PKCS1_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(verify, EVP_sha256()) == 1;
	EVP_PKEY_CTX_free(sign);
	int der_len = i2d_PUBKEY(pkey, &der);
	good = good && der_len > 0 &&
	       pubkey_new(PUBKEY_RSA, bytes_of(der, (size_t)der_len), &rsa->key[i]) == PUBKEY_OK;
	OPENSSL_free(der);
	rsa->jobs[i] = (struct pubkey_job){.key = rsa->key[i],
		.signature = bytes_of(rsa->signature[i], len),
		.done = done,
		.owner = rsa};
	memcpy(rsa->jobs[i].digest, rsa->digest[i], 32);
	return good;
}

static void teardown(void *state)
{
	struct rsa *rsa = state;
	for (unsigned i = 0; i < rsa->keys; i++) {
		EVP_PKEY_CTX_free(rsa->verify[i]);
		EVP_PKEY_free(rsa->private_key[i]);
		pubkey_free(rsa->key[i]);
	}
	crypto_queue_free(rsa->queue);
	free(rsa);
}

static void *setup(const struct micro *micro)
{
	struct rsa *rsa;
	if (micro->path && !crypto_rsa_use(micro->path)) {
		fprintf(stderr, "%s: this CPU has no %s\n", micro->name, micro->path);
		return NULL;
	}
	rsa = calloc(1, sizeof(*rsa));
	if (!rsa)
		return NULL;
	rsa->queue = crypto_queue_new();
	rsa->keys = micro->fill;
	rsa->rounds = 65536 * KEYS / (micro->size * rsa->keys);
	for (unsigned i = 0; i < rsa->keys; i++)
		if (!key_setup(rsa, i, micro->size)) {
			fprintf(stderr, "%s: no key\n", micro->name);
			return NULL;
		}
	return rsa;
}

static void check(const struct rsa *rsa)
{
	if (rsa->good != rsa->keys * rsa->rounds) {
		fprintf(stderr, "%u of %u signatures verified\n", rsa->good,
			rsa->keys * rsa->rounds);
		exit(1);
	}
}

static uint64_t ours(void *state)
{
	struct rsa *rsa = state;
	rsa->good = 0;
	for (unsigned round = 0; round < rsa->rounds; round++) {
		for (unsigned i = 0; i < rsa->keys; i++)
			crypto_add_pubkey(rsa->queue, &rsa->jobs[i]);
		while (crypto_pending(rsa->queue))
			crypto_run(rsa->queue, 0, true, 1000000);
	}
	check(rsa);
	return rsa->keys * rsa->rounds;
}

static uint64_t reference(void *state)
{
	struct rsa *rsa = state;
	rsa->good = 0;
	for (unsigned round = 0; round < rsa->rounds; round++)
		for (unsigned i = 0; i < rsa->keys; i++)
			rsa->good += EVP_PKEY_verify(rsa->verify[i], rsa->signature[i],
					     rsa->jobs[i].signature.len, rsa->digest[i], 32) == 1;
	check(rsa);
	return rsa->keys * rsa->rounds;
}

#define MICRO_RSA_DEFINE(id, bits, title, way, n)                                                  \
	const struct micro micro_rsa_##id = {.name = title,                                        \
		.unit = "verifies/s",                                                              \
		.setup = setup,                                                                    \
		.ours = ours,                                                                      \
		.reference = reference,                                                            \
		.teardown = teardown,                                                              \
		.size = bits,                                                                      \
		.fill = n,                                                                         \
		.path = way};
MICRO_RSA(MICRO_RSA_DEFINE)
