#include "auth/crypto/rsa_testing.h"

#include <stdlib.h>

#define CHECKED(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

uint64_t rsa_testing_random(uint64_t *seed)
{
	/* splitmix64 */
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void rsa_testing_bytes(uint8_t *out, size_t len, uint64_t *seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)rsa_testing_random(seed);
}

static bool is_prime_32(uint64_t p)
{
	for (uint64_t d = 3; d * d <= p; d += 2)
		if (p % d == 0)
			return false;
	return p & 1;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	return b ? gcd(b, a % b) : a;
}

/* A prime below 2^20 with which e has an inverse, other than those before. */
static uint64_t next_prime(uint64_t p, uint64_t e)
{
	do
		p -= 2;
	while (!is_prime_32(p) || gcd(e, p - 1) != 1);
	return p;
}

/* Multiplies distinct primes up to about 20 bits below the size, then one that makes it exact. */
static void make_modulus(BIGNUM *n, BIGNUM *phi, unsigned bits, uint64_t e, uint64_t *seed)
{
	uint64_t p = (1u << 20) - 1 - 2 * (rsa_testing_random(seed) % 20000);
	CHECKED(BN_one(n) && BN_one(phi));
	while ((unsigned)BN_num_bits(n) < bits - 40) {
		p = next_prime(p, e);
		CHECKED(BN_mul_word(n, p) && BN_mul_word(phi, p - 1));
	}
	for (uint64_t q = (2ull << (bits - 1 - (unsigned)BN_num_bits(n))) | 1;; q += 2) {
		BIGNUM *whole = BN_dup(n);
		CHECKED(whole && BN_mul_word(whole, q));
		bool exact = (unsigned)BN_num_bits(whole) == bits;
		BN_free(whole);
		if (exact && q > 1u << 20 && is_prime_32(q) && gcd(e, q - 1) == 1) {
			CHECKED(BN_mul_word(n, q) && BN_mul_word(phi, q - 1));
			return;
		}
	}
}

static size_t put_header(uint8_t *out, uint8_t tag, size_t len)
{
	size_t octets = len > 0xff ? 2 : len > 0x7f ? 1 : 0, n = 0;
	out[n++] = tag;
	if (octets)
		out[n++] = (uint8_t)(0x80 | octets);
	if (octets == 2)
		out[n++] = (uint8_t)(len >> 8);
	out[n++] = (uint8_t)len;
	return n;
}

static size_t put_integer(uint8_t *out, const BIGNUM *value)
{
	bool sign = BN_num_bits(value) % 8 == 0; /* an octet that says it is positive */
	size_t len = (size_t)BN_num_bytes(value) + sign;
	size_t n = put_header(out, 0x02, len);
	CHECKED(BN_bn2binpad(value, out + n, (int)len) == (int)len);
	return n + len;
}

/* RSAPublicKey (RFC 8017 A.1.1) */
static void make_der(struct rsa_testing *key, const BIGNUM *e)
{
	uint8_t content[RSA_TESTING_DER_MAX];
	size_t len = put_integer(content, key->n);
	len += put_integer(content + len, e);
	size_t n = put_header(key->der, 0x30, len);
	memcpy(key->der + n, content, len);
	key->der_len = n + len;
}

struct pubkey *rsa_testing_pubkey(const struct rsa_testing *key)
{
	struct pubkey *parsed;
	CHECKED(pubkey_new(PUBKEY_RSA, bytes_of(key->der, key->der_len), &parsed) == PUBKEY_OK);
	return parsed;
}

void rsa_testing_init(struct rsa_testing *key, unsigned bits, uint64_t exponent, uint64_t *seed)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *phi = BN_new(), *e = BN_new();
	*key = (struct rsa_testing){0};
	key->n = BN_new();
	CHECKED(ctx && phi && e && key->n && BN_set_word(e, exponent));
	make_modulus(key->n, phi, bits, exponent, seed);
	key->d = BN_mod_inverse(NULL, e, phi, ctx);
	CHECKED(key->d);
	make_der(key, e);
	key->key = rsa_testing_pubkey(key);
	BN_free(phi);
	BN_free(e);
	BN_CTX_free(ctx);
}

void rsa_testing_fini(struct rsa_testing *key)
{
	BN_free(key->n);
	BN_free(key->d);
	pubkey_free(key->key);
}

/* --- signatures ------------------------------------------------------------------------------ */

/* The encoded message of that kind, k octets. */
static void encode(
	uint8_t *em, size_t k, enum rsa_testing_kind kind, const uint8_t digest[32], uint64_t *seed)
{
	static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	static const uint8_t no_null[] = {0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
		0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20};
	bool bare = kind == RSA_TESTING_NO_NULL;
	size_t info_len = bare ? sizeof(no_null) : sizeof(info);
	size_t after = kind == RSA_TESTING_GARBAGE_AFTER && k > 75 ? k - 75 : 0;
	size_t at = k - 32 - after;

	memset(em, 0xff, k);
	em[0] = 0;
	em[1] = kind == RSA_TESTING_BLOCK_TYPE_2 ? 2 : 1;
	memcpy(em + at, digest, 32);
	rsa_testing_bytes(em + at + 32, after, seed);
	memcpy(em + at - info_len, bare ? no_null : info, info_len);
	em[at - info_len - 1] = kind == RSA_TESTING_NO_SEPARATOR ? 0xff : 0;
	if (kind == RSA_TESTING_PADDING_BROKEN)
		em[2 + rsa_testing_random(seed) % 8] ^= 1 << rsa_testing_random(seed) % 8;
}

static void apply_private(const struct rsa_testing *key, const uint8_t *em, size_t k, uint8_t *out)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *m = BN_bin2bn(em, (int)k, NULL);
	CHECKED(ctx && m && BN_mod_exp(m, m, key->d, key->n, ctx));
	CHECKED(BN_bn2binpad(m, out, (int)k) == (int)k);
	BN_free(m);
	BN_CTX_free(ctx);
}

/* out = n + sign * out, where it fits. */
static void from_modulus(const struct rsa_testing *key, uint8_t *out, size_t k, bool add)
{
	BIGNUM *s = BN_bin2bn(out, (int)k, NULL), *r = BN_new();
	CHECKED(s && r);
	CHECKED(add ? BN_add(r, key->n, s) : BN_sub(r, key->n, s));
	BN_bn2binpad(r, out, (int)k); /* leaves out as it is where r is too long */
	BN_free(s);
	BN_free(r);
}

static void sign(struct rsa_testing *key, enum rsa_testing_kind kind, size_t k, uint64_t *seed)
{
	uint8_t em[RSA_MAX_OCTETS], other[32];

	rsa_testing_bytes(key->digest[kind], 32, seed);
	memcpy(other, key->digest[kind], 32);
	if (kind == RSA_TESTING_OTHER_DIGEST)
		other[rsa_testing_random(seed) % 32] ^= 0x10;
	encode(em, k, kind, other, seed);
	apply_private(key, em, k, key->signature[kind]);
	key->is_signed[kind] = true;
}

size_t rsa_testing_sign(struct rsa_testing *key, enum rsa_testing_kind kind, uint8_t digest[32],
	uint8_t *out, uint64_t *seed)
{
	size_t k = (size_t)BN_num_bytes(key->n);

	if (!key->is_signed[kind] || rsa_testing_random(seed) % RSA_TESTING_AGAIN == 0)
		sign(key, kind, k, seed);
	memcpy(out, key->signature[kind], k);
	memcpy(digest, key->digest[kind], 32);
	switch (kind) {
	case RSA_TESTING_BIT_FLIPPED:
		out[rsa_testing_random(seed) % k] ^= (uint8_t)(1 << rsa_testing_random(seed) % 8);
		break;
	case RSA_TESTING_RANDOM: rsa_testing_bytes(out, k, seed); break;
	case RSA_TESTING_ZERO: memset(out, 0, k); break;
	case RSA_TESTING_ONE:
	case RSA_TESTING_MODULUS_LESS_1:
		memset(out, 0, k);
		out[k - 1] = 1;
		if (kind == RSA_TESTING_MODULUS_LESS_1)
			from_modulus(key, out, k, false);
		break;
	case RSA_TESTING_MODULUS: BN_bn2binpad(key->n, out, (int)k); break;
	case RSA_TESTING_PLUS_MODULUS: from_modulus(key, out, k, true); break;
	case RSA_TESTING_NEGATED: from_modulus(key, out, k, false); break;
	case RSA_TESTING_SHORT: return k - 1;
	case RSA_TESTING_LONG:
		memmove(out + 1, out, k);
		out[0] = 0;
		return k + 1;
	default: break;
	}
	return k;
}
