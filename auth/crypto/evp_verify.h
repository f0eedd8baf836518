#pragma once

#include "auth/crypto/pubkey_priv.h"

/* One signature at a time, by OpenSSL. Contexts are kept by key: making one costs as much as an
 * RSA-2048 verify. */

#define EVP_VERIFY_CONTEXTS 64 /* keys whose context is kept */

struct evp_verify {
	EVP_PKEY_CTX *rsa[EVP_VERIFY_CONTEXTS];
	EVP_MD_CTX *ed25519;
};

/* 0 or -ENOMEM */
int evp_verify_init(struct evp_verify *verify);
void evp_verify_fini(struct evp_verify *verify);
bool evp_verify(struct evp_verify *verify, const struct pubkey *key, struct bytes signature,
	const uint8_t digest[32]);
