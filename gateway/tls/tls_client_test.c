#include "gateway/tls/tls_client.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing.h"

/* A server with a certificate of its own making, in memory. */
struct server {
	EVP_PKEY *key;
	X509 *certificate;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	char ca_file[64];
	char pin[2 * TLS_CLIENT_PIN_OCTETS + 1];
};

static void add_names(X509 *x, const char *names)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static void make_certificate(struct server *s, const char *names, long days)
{
	X509_NAME *name = X509_NAME_new();

	s->key = EVP_EC_gen("P-256");
	s->certificate = X509_new();
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"store", -1, -1, 0);
	X509_set_version(s->certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(s->certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(s->certificate), -86400L * 30);
	X509_gmtime_adj(X509_getm_notAfter(s->certificate), 86400L * days);
	X509_set_subject_name(s->certificate, name);
	X509_set_issuer_name(s->certificate, name);
	X509_set_pubkey(s->certificate, s->key);
	add_names(s->certificate, names);
	assert_true(X509_sign(s->certificate, s->key, EVP_sha256()) > 0);
	X509_NAME_free(name);
}

static void write_pin(struct server *s)
{
	unsigned char *der = NULL, digest[32];
	int n = i2d_PUBKEY(s->key, &der);

	EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	for (unsigned i = 0; i < sizeof(digest); i++)
		snprintf(s->pin + 2 * i, 3, i % 2 ? "%02X" : "%02x", digest[i]);
}

static void server_init(struct server *s, const char *names, long days)
{
	FILE *f;

	memset(s, 0, sizeof(*s));
	make_certificate(s, names, days);
	write_pin(s);
	snprintf(s->ca_file, sizeof(s->ca_file), "/tmp/tls_client_test.XXXXXX");
	f = fdopen(mkstemp(s->ca_file), "w");
	assert_non_null(f);
	PEM_write_X509(f, s->certificate);
	fclose(f);
	s->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(s->context, s->certificate);
	SSL_CTX_use_PrivateKey(s->context, s->key);
	s->ssl = SSL_new(s->context);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_accept_state(s->ssl);
}

static void server_fini(struct server *s)
{
	unlink(s->ca_file);
	SSL_free(s->ssl);
	SSL_CTX_free(s->context);
	X509_free(s->certificate);
	EVP_PKEY_free(s->key);
}

static struct tls_client_context *context_of(const char *ca_file, const char *name, const char *pin)
{
	struct tls_client_config config = {.ca_file = ca_file, .name = name, .pin = pin};
	struct tls_client_context *context;
	char buf[256];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (tls_client_context_new(&config, &context, &why) != 0)
		fail_msg("%s", text_str(&why));
	return context;
}

/* What the server hears, and says with `echo`. */
struct talk {
	char heard[64], read[64];
	size_t n_heard, n_read;
	int error; /* of reading */
};

/* Octets go over in pieces of `piece`, until nobody has any more. */
static void carry(struct server *s, struct tls_client *c, size_t piece, struct talk *t)
{
	uint8_t buf[512];
	bool moved = true;

	assert_true(piece <= sizeof(buf));
	while (moved && t->error == 0) {
		size_t n = tls_client_output(c, buf, piece);
		int got;

		moved = n > 0;
		if (n)
			BIO_write(s->in, buf, (int)n);
		got = SSL_read(s->ssl, t->heard + t->n_heard, (int)(sizeof(t->heard) - t->n_heard));
		if (got > 0) {
			SSL_write(s->ssl, t->heard + t->n_heard, got);
			t->n_heard += (size_t)got;
		}
		got = BIO_read(s->out, buf, (int)piece);
		moved |= got > 0;
		if (got > 0)
			assert_int_equal(tls_client_feed(c, bytes_of(buf, (size_t)got)), 0);
		do {
			t->error = tls_client_read(
				c, (uint8_t *)t->read + t->n_read, sizeof(t->read) - t->n_read, &n);
			t->n_read += n;
		} while (n && t->error == 0);
	}
}

static void talks_in_pieces(const char *ca_file, const char *name, const char *pin)
{
	static const size_t pieces[] = {1, 7, 512};

	for (unsigned i = 0; i < 3; i++) {
		struct tls_client_context *context;
		struct tls_client *c;
		struct talk t = {0};
		struct server s;

		server_init(&s, "DNS:store.example.org,IP:192.0.2.7", 30);
		context = context_of(ca_file ? s.ca_file : NULL, name, pin ? s.pin : NULL);
		c = tls_client_new(context);
		assert_int_equal(tls_client_write(c, BYTES("too early")), -EAGAIN);
		carry(&s, c, pieces[i], &t);
		assert_true(tls_client_is_open(c));
		assert_int_equal(tls_client_write(c, BYTES("LHLO mx\r\n")), 0);
		carry(&s, c, pieces[i], &t);
		assert_int_equal(t.n_heard, 9);
		assert_memory_equal(t.heard, "LHLO mx\r\n", 9);
		assert_int_equal(t.n_read, 9);
		assert_memory_equal(t.read, "LHLO mx\r\n", 9);
		tls_client_bye(c);
		carry(&s, c, pieces[i], &t);
		assert_true(SSL_get_shutdown(s.ssl) & SSL_RECEIVED_SHUTDOWN);
		tls_client_free(c);
		tls_client_context_free(context);
		server_fini(&s);
	}
}

static void talks_to_a_server_of_that_name_that_a_ca_vouches_for(void **state)
{
	(void)state;
	talks_in_pieces("its own", "store.example.org", NULL);
	talks_in_pieces("its own", "192.0.2.7", NULL);
}

static void talks_to_the_pinned_key_whatever_the_chain(void **state)
{
	(void)state;
	talks_in_pieces(NULL, NULL, "its own");
	talks_in_pieces("its own", "store.example.org", "its own");
}

static void says_nothing_to(
	long days, bool trusted, const char *name, const char *pin, const char *reason)
{
	struct tls_client_context *context;
	struct tls_client *c;
	struct talk t = {0};
	struct server s;

	server_init(&s, "DNS:store.example.org", days);
	context = context_of(trusted ? s.ca_file : NULL, name, pin);
	c = tls_client_new(context);
	carry(&s, c, 512, &t);
	assert_int_equal(t.error, -EPROTO);
	assert_false(tls_client_is_open(c));
	assert_int_equal(tls_client_write(c, BYTES("LHLO mx\r\n")), -EPROTO);
	if (!strstr(tls_client_failure(c), reason))
		fail_msg("'%s' does not say '%s'", tls_client_failure(c), reason);
	assert_int_equal(t.n_heard, 0);
	tls_client_free(c);
	tls_client_context_free(context);
	server_fini(&s);
}

static void says_nothing_to_a_server_that_may_be_another(void **state)
{
	static const char other_pin[] = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:"
					"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

	(void)state;
	says_nothing_to(30, false, "store.example.org", NULL, "self-signed certificate");
	says_nothing_to(30, true, "other.example.org", NULL, "ostname mismatch");
	says_nothing_to(30, true, "192.0.2.8", NULL, "IP address mismatch");
	says_nothing_to(-1, true, "store.example.org", NULL, "expired");
	says_nothing_to(30, false, NULL, other_pin, "not the pinned one");
	says_nothing_to(30, true, "store.example.org", other_pin, "not the pinned one");
}

static void says_what_is_wrong_with_octets_that_are_no_tls(void **state)
{
	struct tls_client_context *context = context_of(NULL, "store.example.org", NULL);
	struct tls_client *c = tls_client_new(context);
	uint8_t buf[64];
	size_t n;

	(void)state;
	assert_int_equal(tls_client_feed(c, BYTES("220 store LMTP ready\r\n")), 0);
	assert_int_equal(tls_client_read(c, buf, sizeof(buf), &n), -EPROTO);
	assert_int_equal(n, 0);
	assert_string_equal(tls_client_failure(c), "wrong version number");
	tls_client_free(c);
	tls_client_context_free(context);
}

static void refuses_what_it_cannot_check_by(void **state)
{
	static const struct tls_client_config cases[] = {
		{.name = NULL},
		{.name = "store.example.org", .ca_file = "/nonexistent/ca.pem"},
		{.pin = "00"},
		{.pin = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefff"},
		{.pin = "0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
		{.pin = "x0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_client_context *context;
		char buf[256];
		struct text why;

		text_init(&why, buf, sizeof(buf));
		assert_int_equal(tls_client_context_new(&cases[i], &context, &why), -EINVAL);
		assert_null(context);
		assert_true(why.len > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks_to_a_server_of_that_name_that_a_ca_vouches_for),
		cmocka_unit_test(talks_to_the_pinned_key_whatever_the_chain),
		cmocka_unit_test(says_nothing_to_a_server_that_may_be_another),
		cmocka_unit_test(says_what_is_wrong_with_octets_that_are_no_tls),
		cmocka_unit_test(refuses_what_it_cannot_check_by),
	};

	return cmocka_run_group_tests_name("gateway/tls tls_client", tests, NULL, NULL);
}
