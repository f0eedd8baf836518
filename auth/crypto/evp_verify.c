#include "auth/crypto/evp_verify.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

int evp_verify_init(struct evp_verify *verify)
{
	*verify = (struct evp_verify){.ed25519 = EVP_MD_CTX_new()};
	return verify->ed25519 ? 0 : -ENOMEM;
}

void evp_verify_fini(struct evp_verify *verify)
{
	for (unsigned i = 0; i < EVP_VERIFY_CONTEXTS; i++)
		EVP_PKEY_CTX_free(verify->rsa[i]);
	EVP_MD_CTX_free(verify->ed25519);
}

static EVP_PKEY_CTX *rsa_context_new(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	if (ctx && EVP_PKEY_verify_init(ctx) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* A context holds its key, so a kept pointer cannot come to mean another key. */
static EVP_PKEY_CTX *rsa_context(struct evp_verify *verify, EVP_PKEY *pkey)
{
	size_t slot = ((uintptr_t)pkey >> 4) * 0x9e3779b97f4a7c15u >> 32;
	EVP_PKEY_CTX **kept = &verify->rsa[slot % EVP_VERIFY_CONTEXTS];
	if (!*kept || EVP_PKEY_CTX_get0_pkey(*kept) != pkey) {
		EVP_PKEY_CTX_free(*kept);
		*kept = rsa_context_new(pkey);
	}
	return *kept;
}

bool evp_verify(struct evp_verify *verify, const struct pubkey *key, struct bytes signature,
	const uint8_t digest[32])
{
	bool good = false;
	if (key->algorithm == PUBKEY_RSA) {
		EVP_PKEY_CTX *ctx = rsa_context(verify, key->evp);
		good = ctx && EVP_PKEY_verify(ctx, signature.data, signature.len, digest, 32) == 1;
	} else if (EVP_DigestVerifyInit(verify->ed25519, NULL, NULL, NULL, key->evp) == 1) {
		good = EVP_DigestVerify(
			       verify->ed25519, signature.data, signature.len, digest, 32) == 1;
	}
	if (!good)
		ERR_clear_error();
	return good;
}
