#include "auth/dkim/dkim_sign.h"

#include "auth/crypto/crypto.h"
#include "auth/dkim/dkim_message.h"
#include "auth/dkim/dkim_tags.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define MIN_RSA_BITS    1024 /* RFC 8301 §3.2 */
#define FOLD_COLUMN     72
#define DER_MAX         2200
#define NO_HEADER_LIMIT (64u << 20)

struct dkim_signer {
	EVP_PKEY *pkey;
	bool ed25519;
};

/* --- keys ------------------------------------------------------------------------------------ */

static int signer_of(EVP_PKEY *pkey, struct dkim_signer **out)
{
	int type = EVP_PKEY_get_base_id(pkey);
	bool fits = type == EVP_PKEY_ED25519 ||
		    (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) >= MIN_RSA_BITS);
	struct dkim_signer *signer = fits ? calloc(1, sizeof(*signer)) : NULL;
	if (!signer) {
		EVP_PKEY_free(pkey);
		return fits ? -ENOMEM : -ENOTSUP;
	}
	signer->pkey = pkey;
	signer->ed25519 = type == EVP_PKEY_ED25519;
	*out = signer;
	return 0;
}

int dkim_signer_new(struct bytes pem, struct dkim_signer **out)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	/* An empty passphrase, so that no one is asked for one. */
	EVP_PKEY *pkey =
		bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
	BIO_free(bio);
	return pkey ? signer_of(pkey, out) : -EINVAL;
}

int dkim_signer_generate(unsigned rsa_bits, struct dkim_signer **out)
{
	EVP_PKEY *pkey =
		rsa_bits ? EVP_RSA_gen(rsa_bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return pkey ? signer_of(pkey, out) : -ENOMEM;
}

void dkim_signer_free(struct dkim_signer *signer)
{
	if (!signer)
		return;
	EVP_PKEY_free(signer->pkey);
	free(signer);
}

const char *dkim_signer_algorithm(const struct dkim_signer *signer)
{
	return signer->ed25519 ? "ed25519-sha256" : "rsa-sha256";
}

int dkim_signer_pem(const struct dkim_signer *signer, struct text *out)
{
	char *data;
	BIO *bio = BIO_new(BIO_s_mem());
	int good =
		bio && PEM_write_bio_PKCS8PrivateKey(bio, signer->pkey, NULL, NULL, 0, NULL, NULL);
	if (good) {
		long len = BIO_get_mem_data(bio, &data);
		text_put(out, bytes_of(data, (size_t)len));
	}
	BIO_free(bio);
	return !good ? -ENOMEM : out->overflow ? -ENOSPC : 0;
}

void dkim_sign_put_base64(struct text *out, struct bytes octets)
{
	unsigned char encoded[DER_MAX * 4 / 3 + 4];
	int n = EVP_EncodeBlock(encoded, octets.data, (int)octets.len);
	text_put(out, bytes_of(encoded, (size_t)n));
}

int dkim_signer_record(const struct dkim_signer *signer, struct text *out)
{
	uint8_t der[DER_MAX], *end = der;
	size_t len = sizeof(der);

	if (signer->ed25519) {
		if (EVP_PKEY_get_raw_public_key(signer->pkey, der, &len) != 1)
			return -ENOMEM;
	} else {
		int n = i2d_PUBKEY(signer->pkey, NULL);
		if (n <= 0 || n > DER_MAX)
			return -ENOTSUP;
		len = (size_t)i2d_PUBKEY(signer->pkey, &end);
	}
	text_printf(out, "v=DKIM1; k=%s; p=", signer->ed25519 ? "ed25519" : "rsa");
	dkim_sign_put_base64(out, bytes_of(der, len));
	return out->overflow ? -ENOSPC : 0;
}

/* --- signatures ------------------------------------------------------------------------------ */

static bool sign_digest(
	const struct dkim_signer *signer, const uint8_t digest[32], uint8_t *out, size_t *len)
{
	bool good = false;
	if (signer->ed25519) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->pkey) == 1 &&
		       EVP_DigestSign(ctx, out, len, digest, 32) == 1;
		EVP_MD_CTX_free(ctx);
		return good;
	}
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(signer->pkey, NULL);
	good = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_sign(ctx, out, len, digest, 32) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

int dkim_sign_digest(const struct dkim_signer *signer, const uint8_t digest[32], struct text *out)
{
	uint8_t signature[DER_MAX];
	size_t len = sizeof(signature);

	if (!sign_digest(signer, digest, signature, &len))
		return -ENOMEM;
	dkim_sign_put_base64(out, bytes_of(signature, len));
	return out->overflow ? -ENOSPC : 0;
}

int dkim_sign_raw(const struct dkim_signer *signer, struct dkim_header *header,
	enum dkim_canon canon, struct bytes names, struct bytes raw, struct text *out)
{
	/* Of this kind, for it is the signer's own choice which From is signed. */
	const struct dkim_sig sig = {
		.kind = DKIM_SIG_AMS, .header = canon, .names = names, .raw = raw};
	uint8_t digest[32];

	if (dkim_header_hash(header, &sig, NO_HEADER_LIMIT, digest))
		return -EINVAL;
	return dkim_sign_digest(signer, digest, out);
}

void dkim_sign_body_digest(
	enum dkim_canon canon, uint64_t length, struct bytes body, uint8_t digest[32])
{
	struct dkim_canon_body state;
	struct sha256_state sha;
	uint8_t scratch[HASH_SCRATCH];
	struct bytes piece;

	dkim_canon_body_init(&state, canon);
	sha256_init(&sha);
	while (dkim_canon_body_step(&state, &body, scratch, sizeof(scratch), &piece) ||
		dkim_canon_body_end(&state, scratch, sizeof(scratch), &piece)) {
		piece = bytes_slice(piece, 0,
			length - sha.octets < piece.len ? length - sha.octets : piece.len);
		sha256_update(&sha, piece);
	}
	sha256_final(&sha, digest);
}

void dkim_sign_body_hash(
	enum dkim_canon canon, uint64_t length, struct bytes body, struct text *out)
{
	uint8_t digest[32];

	dkim_sign_body_digest(canon, length, body, digest);
	dkim_sign_put_base64(out, bytes_of(digest, sizeof(digest)));
}

/* --- names ----------------------------------------------------------------------------------- */

static unsigned count_fields(const struct dkim_header *header, struct bytes name)
{
	unsigned n = 0;
	for (size_t i = 0; i < DKIM_HEADER_BUCKETS; i++)
		for (const struct dkim_header_entry *e = header->bottom[i]; e; e = e->above)
			n += bytes_eq_nocase(e->name, name);
	return n;
}

void dkim_sign_choose_names(
	const struct dkim_header *header, struct bytes of, unsigned more, struct text *names)
{
	for (struct bytes name; dkim_tags_next_item(&of, &name);) {
		unsigned n = count_fields(header, name);
		for (unsigned i = 0; n && i < n + more; i++) {
			if (names->len)
				text_putc(names, ':');
			text_put(names, name);
		}
	}
}

void dkim_sign_put_names(struct text *out, struct bytes names)
{
	size_t column = 3;
	for (struct bytes rest = names, name; dkim_tags_next_item(&rest, &name);) {
		if (column + name.len + 1 > FOLD_COLUMN) {
			text_put(out, BYTES("\r\n\t"));
			column = 8;
		}
		text_put(out, name);
		column += name.len + 1;
		if (rest.data)
			text_putc(out, ':');
	}
}

static bool has_name(struct bytes names, struct bytes wanted)
{
	for (struct bytes name; dkim_tags_next_item(&names, &name);)
		if (bytes_eq_nocase(name, wanted))
			return true;
	return false;
}

/* --- a message ------------------------------------------------------------------------------- */

static const char *canon_word(enum dkim_canon canon)
{
	return canon == DKIM_RELAXED ? "relaxed" : "simple";
}

/* Our own choice signs what is there, and once more than that; a list given is taken as it is. */
static int choose_names(const struct dkim_sign_options *options, const struct dkim_header *header,
	struct text *names)
{
	if (options->names.data)
		text_put(names, options->names);
	else
		dkim_sign_choose_names(header, BYTES(DKIM_SIGN_NAMES_DEFAULT), 1, names);
	return !names->overflow && has_name(text_bytes(names), BYTES("from")) &&
			       count_fields(header, BYTES("from"))
		       ? 0
		       : -EINVAL;
}

/* The field up to and with "b=". */
static void put_unsigned(const struct dkim_signer *signer, const struct dkim_sign_options *o,
	struct bytes names, struct bytes body, struct text *out)
{
	text_printf(out, "DKIM-Signature: v=1; a=%s; c=%s/%s; d=", dkim_signer_algorithm(signer),
		canon_word(o->header), canon_word(o->body));
	text_put(out, o->domain);
	text_put(out, BYTES("; s="));
	text_put(out, o->selector);
	text_printf(out, ";\r\n\tt=%llu; h=", (unsigned long long)o->now_unix_s);
	dkim_sign_put_names(out, names);
	text_put(out, BYTES(";\r\n\tbh="));
	dkim_sign_body_hash(o->body, DKIM_SIG_NO_LENGTH, body, out);
	text_put(out, BYTES(";\r\n\tb="));
}

static void put_folded(struct text *out, struct bytes base64)
{
	for (size_t i = 0; i < base64.len; i += FOLD_COLUMN) {
		text_put(out, BYTES("\r\n\t"));
		text_put(out, bytes_slice(base64, i, FOLD_COLUMN));
	}
}

static int put_field(const struct dkim_signer *signer, const struct dkim_sign_options *o,
	struct dkim_message *message, struct text *out)
{
	char room[1024], b_room[DER_MAX];
	struct text names, b;
	size_t start = out->len;

	text_init(&names, room, sizeof(room));
	text_init(&b, b_room, sizeof(b_room));
	int error = choose_names(o, &message->header, &names);
	if (error)
		return error;
	put_unsigned(signer, o, text_bytes(&names), message->body, out);
	if (out->overflow)
		return -ENOSPC;
	error = dkim_sign_raw(signer, &message->header, o->header, text_bytes(&names),
		bytes_of(out->data + start, out->len - start), &b);
	put_folded(out, text_bytes(&b));
	text_put(out, BYTES("\r\n"));
	return error ? error : out->overflow ? -ENOSPC : 0;
}

int dkim_sign(const struct dkim_signer *signer, const struct dkim_sign_options *options,
	struct bytes text, struct text *out)
{
	struct dkim_message message;
	int error = dkim_message_open(&message, text, NULL, NULL);

	if (error == 0)
		error = put_field(signer, options, &message, out);
	dkim_message_close(&message);
	return error;
}
