#include "gateway/tls/tls_client.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_client_context {
	SSL_CTX *ssl;
	bool pinned, chain; /* what the server's certificate must agree with */
	uint8_t pin[TLS_CLIENT_PIN_OCTETS];
	char name[256]; /* for SNI; empty: it is an address */
};

struct tls_client {
	SSL *ssl;
	BIO *in, *out; /* of the wire; `ssl` owns them */
	bool failed;
	char failure[TLS_CLIENT_FAILURE_MAX];
};

/* --- what a server must show ------------------------------------------------------------------ */

static int hex_digit(uint8_t c)
{
	if (ascii_is_digit((char)c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tls_client_pin_parse(struct bytes text, uint8_t pin[TLS_CLIENT_PIN_OCTETS])
{
	size_t digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.data[i]);

		if (text.data[i] == ':' && digits % 2 == 0 && digits > 0)
			continue;
		if (digit < 0 || digits == 2 * TLS_CLIENT_PIN_OCTETS)
			return false;
		pin[digits / 2] = (uint8_t)(digits % 2 ? pin[digits / 2] << 4 | digit : digit);
		digits++;
	}
	return digits == 2 * TLS_CLIENT_PIN_OCTETS;
}

static bool has_pinned_key(const struct tls_client_context *c, X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char *der = NULL;
	unsigned len = 0;
	int octets = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	bool same = octets > 0 &&
		    EVP_Digest(der, (size_t)octets, digest, &len, EVP_sha256(), NULL) == 1 &&
		    len == TLS_CLIENT_PIN_OCTETS && memcmp(digest, c->pin, len) == 0;

	OPENSSL_free(der);
	return same;
}

/* In place of OpenSSL's own look at the chain, which it may include. */
static int verify(X509_STORE_CTX *store, void *arg)
{
	const struct tls_client_context *c = arg;
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (c->chain && X509_verify_cert(store) <= 0)
		return 0;
	if (c->pinned && (!certificate || !has_pinned_key(c, certificate))) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static bool expect_name(struct tls_client_context *c, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c->ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return true;
	ERR_clear_error();
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	snprintf(c->name, sizeof(c->name), "%s", name);
	return strlen(name) < sizeof(c->name) &&
	       X509_VERIFY_PARAM_set1_host(param, name, strlen(name)) == 1;
}

static int trust(
	struct tls_client_context *c, const struct tls_client_config *config, struct text *why)
{
	if (config->pin && !tls_client_pin_parse(bytes_str(config->pin), c->pin)) {
		text_printf(why, "a pin is the SHA-256 of a public key: 64 hexadecimal digits");
		return -EINVAL;
	}
	c->pinned = config->pin != NULL;
	c->chain = !c->pinned || config->ca_file;
	if (c->chain && (!config->name || !expect_name(c, config->name))) {
		text_printf(why, "no name that the server's certificate could be checked for");
		return -EINVAL;
	}
	if (config->ca_file && SSL_CTX_load_verify_file(c->ssl, config->ca_file) != 1) {
		text_printf(why, "cannot read certificates from %s", config->ca_file);
		return -EINVAL;
	}
	if (!config->ca_file)
		SSL_CTX_set_default_verify_paths(c->ssl);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ssl, verify, c);
	return 0;
}

int tls_client_context_new(
	const struct tls_client_config *config, struct tls_client_context **out, struct text *why)
{
	struct tls_client_context *c = calloc(1, sizeof(*c));
	int r = 0;

	*out = NULL;
	if (c)
		c->ssl = SSL_CTX_new(TLS_client_method());
	if (!c || !c->ssl) {
		text_printf(why, "no memory for TLS");
		r = -ENOMEM;
	}
	if (r == 0) {
		SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
		r = trust(c, config, why);
	}
	ERR_clear_error();
	if (r != 0) {
		tls_client_context_free(c);
		return r;
	}
	*out = c;
	return 0;
}

void tls_client_context_free(struct tls_client_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}

/* --- a connection ----------------------------------------------------------------------------- */

struct tls_client *tls_client_new(struct tls_client_context *context)
{
	struct tls_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ssl = SSL_new(context->ssl);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (!c->ssl || !c->in || !c->out) {
		SSL_free(c->ssl);
		BIO_free(c->in);
		BIO_free(c->out);
		free(c);
		return NULL;
	}
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	if (context->name[0])
		SSL_set_tlsext_host_name(c->ssl, context->name);
	SSL_do_handshake(c->ssl); /* as far as our first words */
	ERR_clear_error();
	return c;
}

void tls_client_free(struct tls_client *c)
{
	if (!c)
		return;
	SSL_free(c->ssl);
	free(c);
}

static const char *words_for(long verdict)
{
	return verdict == X509_V_ERR_APPLICATION_VERIFICATION
		       ? "its public key is not the pinned one"
		       : X509_verify_cert_error_string(verdict);
}

/* -EPROTO; the first reason is kept. */
static int fail(struct tls_client *c)
{
	long verdict = SSL_get_verify_result(c->ssl);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (!c->failed && verdict != X509_V_OK)
		snprintf(c->failure, sizeof(c->failure), "the server's certificate: %s",
			words_for(verdict));
	else if (!c->failed)
		snprintf(c->failure, sizeof(c->failure), "%s",
			reason ? reason : "the server does not keep to the protocol");
	c->failed = true;
	ERR_clear_error();
	return -EPROTO;
}

int tls_client_feed(struct tls_client *c, struct bytes wire)
{
	while (wire.len) {
		int part = wire.len < INT_MAX ? (int)wire.len : INT_MAX;
		int n = BIO_write(c->in, wire.data, part);

		if (n <= 0)
			return -ENOMEM;
		wire = bytes_from(wire, (size_t)n);
	}
	return 0;
}

int tls_client_read(struct tls_client *c, uint8_t *buf, size_t cap, size_t *len)
{
	int r;

	*len = 0;
	if (c->failed)
		return -EPROTO;
	ERR_clear_error();
	r = SSL_read_ex(c->ssl, buf, cap, len);
	if (r == 1)
		return 0;
	*len = 0;
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return 0;
	case SSL_ERROR_ZERO_RETURN: return -EPIPE;
	default: return fail(c);
	}
}

bool tls_client_is_open(const struct tls_client *c)
{
	return !c->failed && SSL_is_init_finished(c->ssl);
}

int tls_client_write(struct tls_client *c, struct bytes plain)
{
	size_t n = 0;

	if (c->failed)
		return -EPROTO;
	if (!tls_client_is_open(c))
		return -EAGAIN;
	if (plain.len == 0)
		return 0;
	ERR_clear_error();
	/* Memory takes all of it, or there is none left. */
	return SSL_write_ex(c->ssl, plain.data, plain.len, &n) == 1 && n == plain.len ? 0 : fail(c);
}

size_t tls_client_output(struct tls_client *c, uint8_t *buf, size_t cap)
{
	int n = BIO_read(c->out, buf, cap < INT_MAX ? (int)cap : INT_MAX);

	return n > 0 ? (size_t)n : 0;
}

void tls_client_bye(struct tls_client *c)
{
	if (tls_client_is_open(c))
		SSL_shutdown(c->ssl);
	ERR_clear_error();
}

const char *tls_client_failure(const struct tls_client *c)
{
	return c->failure;
}
