/* A record is read or refused; what is read is a key of the sizes that we take. */
#include "auth/dkim/dkim_key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dkim_key key;
	struct pubkey *pubkey;

	dkim_key_parse(bytes_of(data, size), &key);
	if ((key.status == DKIM_KEY_OK) != (key.pubkey != NULL))
		abort();
	if (key.pubkey && pubkey_bits(key.pubkey) > PUBKEY_MAX_RSA_BITS)
		abort();
	dkim_key_fini(&key);
	/* The DER reader by itself, which base64 hides from the fuzzer. */
	if (pubkey_new(PUBKEY_RSA, bytes_of(data, size), &pubkey) == PUBKEY_OK)
		pubkey_free(pubkey);
	return 0;
}
