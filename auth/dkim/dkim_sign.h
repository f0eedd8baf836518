#pragma once

#include "auth/dkim/dkim_canon.h"
#include "auth/dkim/dkim_header.h"

struct text;

/*
 * Signing (RFC 6376 §5, RFC 8463), for the tool and for tests: not made for the path of mails. Uses
 * the heap.
 */

/* Signed where the message has them, each once more than it stands there, so that none can be
 * added. */
#define DKIM_SIGN_NAMES_DEFAULT                                                                    \
	"from:to:cc:subject:date:reply-to:message-id:in-reply-to:references:mime-version:"         \
	"content-type:content-transfer-encoding"

struct dkim_signer;

/*
 * A private key in PEM. 0, -EINVAL (no key), -ENOTSUP (neither RSA of at least 1024 bits nor
 * Ed25519) or -ENOMEM.
 */
int dkim_signer_new(struct bytes pem, struct dkim_signer **out);
/* A new key: RSA of `rsa_bits`, or Ed25519 where that is 0. */
int dkim_signer_generate(unsigned rsa_bits, struct dkim_signer **out);
void dkim_signer_free(struct dkim_signer *signer);

const char *dkim_signer_algorithm(const struct dkim_signer *signer); /* a= */
/* The private key, PEM of PKCS #8. */
int dkim_signer_pem(const struct dkim_signer *signer, struct text *out);
/* The text of the key record: "v=DKIM1; k=...; p=...". */
int dkim_signer_record(const struct dkim_signer *signer, struct text *out);

/* Base64 of the signature over a digest. Any thread; an RSA key takes some 300 us. */
int dkim_sign_digest(const struct dkim_signer *signer, const uint8_t digest[32], struct text *out);
/* The same over the named fields and `raw`, a signature field up to and with "b=" at its end. */
int dkim_sign_raw(const struct dkim_signer *signer, struct dkim_header *header,
	enum dkim_canon canon, struct bytes names, struct bytes raw, struct text *out);
/* Of a list of names, for h=: those that are there, each `more` times oftener than it is there. */
void dkim_sign_choose_names(
	const struct dkim_header *header, struct bytes of, unsigned more, struct text *names);
/* The value of h=, folded at colons. */
void dkim_sign_put_names(struct text *out, struct bytes names);
/* Up to some 2000 octets, unfolded. */
void dkim_sign_put_base64(struct text *out, struct bytes octets);
/* The hash of a body, of `length` octets of it at most; and that in base64. */
void dkim_sign_body_digest(
	enum dkim_canon canon, uint64_t length, struct bytes body, uint8_t digest[32]);
void dkim_sign_body_hash(
	enum dkim_canon canon, uint64_t length, struct bytes body, struct text *out);

struct dkim_sign_options {
	struct bytes domain, selector;
	struct bytes names; /* h=; absent: DKIM_SIGN_NAMES_DEFAULT */
	enum dkim_canon header, body;
	uint64_t now_unix_s; /* t= */
};

/*
 * The DKIM-Signature field for a message with CRLF line ends, folded, with its CRLF. 0, -EINVAL (a
 * message without From, or names without it), -ENOMEM or -ENOSPC.
 */
int dkim_sign(const struct dkim_signer *signer, const struct dkim_sign_options *options,
	struct bytes text, struct text *out);
