/* Hash jobs, 16 streams of 20 KB side by side, against EVP one stream after the other. */
#include "auth/crypto/crypto.h"
#include "bench/micro.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define STREAMS 16
#define OCTETS  20480

struct stream {
	struct hash_job job;
	struct bytes rest;
};

struct hash {
	struct crypto_queue *queue;
	EVP_MD_CTX *evp;
	struct stream stream[STREAMS];
	uint8_t octets[STREAMS][OCTETS];
	uint8_t digest[2][STREAMS][32];
};

static bool pull(struct hash_job *job, uint8_t *scratch, struct bytes *piece)
{
	struct stream *stream = (struct stream *)job;
	(void)scratch;
	*piece = stream->rest;
	stream->rest.len = 0;
	return piece->len > 0;
}

static void *setup(const struct micro *micro)
{
	struct hash *hash = calloc(1, sizeof(*hash));
	(void)micro;
	if (!hash)
		return NULL;
	hash->queue = crypto_queue_new();
	hash->evp = EVP_MD_CTX_new();
	for (unsigned i = 0; i < STREAMS; i++)
		for (unsigned k = 0; k < OCTETS; k++)
			hash->octets[i][k] = (uint8_t)(k * (i + 3) + k / 255);
	return hash;
}

static void teardown(void *state)
{
	struct hash *hash = state;
	if (memcmp(hash->digest[0], hash->digest[1], sizeof(hash->digest[0])) != 0)
		abort();
	crypto_queue_free(hash->queue);
	EVP_MD_CTX_free(hash->evp);
	free(hash);
}

static uint64_t ours(void *state)
{
	struct hash *hash = state;
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *stream = &hash->stream[i];
		stream->job = (struct hash_job){.pull = pull};
		stream->rest = bytes_of(hash->octets[i], OCTETS);
		sha256_init(&stream->job.state);
		crypto_add_hash(hash->queue, &stream->job);
	}
	crypto_run(hash->queue, 0, true, 0);
	for (unsigned i = 0; i < STREAMS; i++)
		sha256_final(&hash->stream[i].job.state, hash->digest[0][i]);
	return STREAMS * OCTETS;
}

static uint64_t reference(void *state)
{
	struct hash *hash = state;
	for (unsigned i = 0; i < STREAMS; i++) {
		EVP_DigestInit_ex2(hash->evp, EVP_sha256(), NULL);
		EVP_DigestUpdate(hash->evp, hash->octets[i], OCTETS);
		EVP_DigestFinal_ex(hash->evp, hash->digest[1][i], NULL);
	}
	return STREAMS * OCTETS;
}

const struct micro micro_sha256 = {
	"sha256", "octets/s", setup, ours, reference, teardown};
