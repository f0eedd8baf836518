/*
 * Public keys as they stand in p=: RSA as SubjectPublicKeyInfo (RFC 5280 §4.1) or, as the text of
 * RFC 6376 §3.6.1 says, as bare RSAPublicKey (RFC 8017 A.1.1); Ed25519 as 32 octets (RFC 8463
 * §4.2). RSA is parsed by hand: OpenSSL's decoders take a hundred times as long.
 */
#include "auth/crypto/crypto_cpu.h"
#include "auth/crypto/der.h"
#include "auth/crypto/pubkey_priv.h"
#include "auth/crypto/rsa_batch.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define ED25519_OCTETS 32

struct rsa_parts {
	struct bytes n, e;
};

static bool take_rsa_public_key(struct cursor *in, struct rsa_parts *parts)
{
	struct bytes sequence;
	if (!der_take(in, DER_SEQUENCE, &sequence))
		return false;
	struct cursor c = cursor_of(sequence);
	return der_take_positive(&c, &parts->n) && der_take_positive(&c, &parts->e) &&
	       cursor_done(&c) && cursor_done(in);
}

/* AlgorithmIdentifier { rsaEncryption, NULL }; some keys in the wild lack the NULL. */
static bool is_rsa_encryption(struct bytes algorithm)
{
	static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
	struct cursor c = cursor_of(algorithm);
	struct bytes oid, null;
	if (!der_take(&c, DER_OID, &oid) || !bytes_eq(oid, bytes_of(oid_rsa, sizeof(oid_rsa))))
		return false;
	return cursor_done(&c) ||
	       (der_take(&c, DER_NULL, &null) && null.len == 0 && cursor_done(&c));
}

static bool take_spki(struct cursor *in, struct rsa_parts *parts)
{
	struct bytes spki, algorithm, key;
	if (!der_take(in, DER_SEQUENCE, &spki) || !cursor_done(in))
		return false;
	struct cursor c = cursor_of(spki);
	if (!der_take(&c, DER_SEQUENCE, &algorithm) || !is_rsa_encryption(algorithm))
		return false;
	if (!der_take(&c, DER_BIT_STRING, &key) || !cursor_done(&c))
		return false;
	struct cursor bits = cursor_of(key);
	return cursor_next(&bits) == 0 && take_rsa_public_key(&bits, parts);
}

static EVP_PKEY *evp_rsa(const struct rsa_parts *parts)
{
	EVP_PKEY *pkey = NULL;
	BIGNUM *n = BN_bin2bn(parts->n.data, (int)parts->n.len, NULL);
	BIGNUM *e = BN_bin2bn(parts->e.data, (int)parts->e.len, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;

	if (n && e && build && ctx && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return pkey;
}

static unsigned bits_of(struct bytes magnitude)
{
	return (unsigned)(magnitude.len * 8) - (unsigned)__builtin_clz(magnitude.data[0]) + 24;
}

static enum pubkey_error rsa_init(struct pubkey *key, struct bytes der)
{
	struct rsa_parts parts;
	struct cursor whole = cursor_of(der), bare = cursor_of(der);
	if (!take_spki(&whole, &parts) && !take_rsa_public_key(&bare, &parts))
		return PUBKEY_MALFORMED;
	key->bits = bits_of(parts.n);
	if (key->bits > PUBKEY_MAX_RSA_BITS)
		return PUBKEY_TOO_LARGE;
	/* A longer exponent only makes verification slow; no signer uses one. */
	if (parts.e.len > sizeof(key->exponent))
		return PUBKEY_MALFORMED;
	for (size_t i = 0; i < parts.e.len; i++)
		key->exponent = key->exponent << 8 | parts.e.data[i];
	key->n_len = parts.n.len;
	memcpy(key->n, parts.n.data, parts.n.len);
	key->evp = evp_rsa(&parts);
	if (!key->evp)
		return PUBKEY_NO_MEMORY;
	key->lane = rsa_batch_lane(key->bits, key->exponent, key->n[key->n_len - 1] & 1);
	if (rsa_batch_size(key->lane) == 1)
		return PUBKEY_OK;
	key->batch = rsa_batch_constants_new(key);
	return key->batch ? PUBKEY_OK : PUBKEY_NO_MEMORY;
}

static enum pubkey_error ed25519_init(struct pubkey *key, struct bytes raw)
{
	if (raw.len != ED25519_OCTETS)
		return PUBKEY_MALFORMED;
	key->bits = 256;
	key->lane = CRYPTO_LANE_ED25519;
	key->evp = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.data, raw.len);
	return key->evp ? PUBKEY_OK : PUBKEY_NO_MEMORY;
}

enum pubkey_error pubkey_new(
	enum pubkey_algorithm algorithm, struct bytes der_or_raw, struct pubkey **out)
{
	struct pubkey *key = calloc(1, sizeof(*key));
	if (!key)
		return PUBKEY_NO_MEMORY;
	key->algorithm = algorithm;
	enum pubkey_error error =
		algorithm == PUBKEY_RSA ? rsa_init(key, der_or_raw) : ed25519_init(key, der_or_raw);
	if (error != PUBKEY_OK) {
		pubkey_free(key);
		return error;
	}
	*out = key;
	return PUBKEY_OK;
}

void pubkey_free(struct pubkey *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->evp);
	free(key->batch);
	free(key);
}

enum pubkey_algorithm pubkey_algorithm(const struct pubkey *key)
{
	return key->algorithm;
}

unsigned pubkey_bits(const struct pubkey *key)
{
	return key->bits;
}
