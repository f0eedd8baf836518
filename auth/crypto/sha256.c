/* SHA-256 (FIPS 180-4) over state in plain memory: one stream, with SHA-NI where the CPU has it. */
#define OPENSSL_SUPPRESS_DEPRECATED /* EVP's contexts cannot be made of a state */
#include "auth/crypto/crypto_cpu.h"
#include "auth/crypto/sha256_priv.h"

#include <openssl/sha.h>

const uint32_t sha256_k[64] __attribute__((aligned(64))) = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

/* By OpenSSL's own assembler for older CPUs; its context is made of the state and taken apart. */
void sha256_blocks_openssl(uint32_t h[8], const uint8_t *data, size_t blocks)
{
	SHA256_CTX context = {.md_len = SHA256_DIGEST_LENGTH};

	memcpy(context.h, h, sizeof(context.h));
	SHA256_Update(&context, data, 64 * blocks);
	memcpy(h, context.h, sizeof(context.h));
}

sha256_blocks_fn sha256_blocks = sha256_blocks_openssl;

__attribute__((constructor)) static void sha256_choose(void)
{
	if (crypto_cpu.sha)
		sha256_blocks = sha256_blocks_ni;
}

const char *crypto_hash_path(void)
{
	if (crypto_cpu.avx512)
		return crypto_cpu.sha ? "avx512+sha-ni" : "avx512+openssl";
	return crypto_cpu.sha ? "sha-ni" : "openssl";
}

void sha256_init(struct sha256_state *state)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	memcpy(state->h, start, sizeof(start));
	state->octets = 0;
}

void sha256_update(struct sha256_state *state, struct bytes bytes)
{
	size_t have = state->octets % 64;
	if (bytes.len == 0)
		return;
	state->octets += bytes.len;
	if (have) {
		size_t take = bytes.len < 64 - have ? bytes.len : 64 - have;
		memcpy(state->block + have, bytes.data, take);
		bytes = bytes_from(bytes, take);
		if (have + take < 64)
			return;
		sha256_blocks(state->h, state->block, 1);
	}
	if (bytes.len >= 64) {
		sha256_blocks(state->h, bytes.data, bytes.len / 64);
		bytes = bytes_from(bytes, bytes.len / 64 * 64);
	}
	if (bytes.len)
		memcpy(state->block, bytes.data, bytes.len);
}

void sha256_final(const struct sha256_state *state, uint8_t digest[32])
{
	uint8_t tail[128] = {0};
	size_t have = state->octets % 64;
	size_t blocks = have < 56 ? 1 : 2;
	uint64_t bits = __builtin_bswap64(state->octets * 8);
	uint32_t h[8];

	memcpy(h, state->h, sizeof(h));
	memcpy(tail, state->block, have);
	tail[have] = 0x80;
	memcpy(tail + 64 * blocks - 8, &bits, 8);
	sha256_blocks(h, tail, blocks);
	for (int i = 0; i < 8; i++) {
		uint32_t v = __builtin_bswap32(h[i]);
		memcpy(digest + 4 * i, &v, 4);
	}
}
