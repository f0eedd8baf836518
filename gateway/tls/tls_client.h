/*
 * TLS towards a server (RFC 8446, RFC 5246), without I/O: octets of the wire go in and out, plain
 * octets go in and out, and nothing is said in plain before the server has shown that it is the one
 * it should be: by a certificate that a CA vouches for and that has its name (RFC 6125), or by the
 * key that is expected.
 *
 *	new;  loop: output -> wire, wire -> feed, read until it gives nothing;  write when that
 *	takes it;  bye, output;  free
 */
#pragma once

#include "base/bytes.h"

#define TLS_CLIENT_PIN_OCTETS  32u /* SHA-256 */
#define TLS_CLIENT_FAILURE_MAX 160u

struct tls_client_config {
	const char *ca_file; /* PEM; NULL: the certificates that the system trusts */
	const char *name;    /* DNS name or address that the certificate is to have */
	/*
	 * SHA-256 of the server's public key (its SubjectPublicKeyInfo), in hex, with or without
	 * colons; NULL: none. With it and no ca_file, the key alone counts.
	 */
	const char *pin;
};

/* What all connections to one server share. Read by any thread once it is made. */
struct tls_client_context;

/* 0 or -errno with the reason. */
int tls_client_context_new(
	const struct tls_client_config *config, struct tls_client_context **out, struct text *why);
void tls_client_context_free(struct tls_client_context *context);
/* False: it is no pin as above. */
bool tls_client_pin_parse(struct bytes text, uint8_t pin[TLS_CLIENT_PIN_OCTETS]);

/* One connection. */
struct tls_client;

/* NULL: no memory. The context is borrowed. */
struct tls_client *tls_client_new(struct tls_client_context *context);
void tls_client_free(struct tls_client *client);

/* What the wire brought. 0 or -ENOMEM. */
int tls_client_feed(struct tls_client *client, struct bytes wire);
/*
 * The plain octets that it holds, at most `cap`; *len 0: none for now. 0; -EPIPE: the server has
 * ended the session; -EPROTO: it failed, tls_client_failure() says why.
 */
int tls_client_read(struct tls_client *client, uint8_t *buf, size_t cap, size_t *len);
/* Plain octets to send. 0; -EAGAIN: not before the handshake is over; -EPROTO as above. */
int tls_client_write(struct tls_client *client, struct bytes plain);
/* Whether tls_client_write() takes something. */
bool tls_client_is_open(const struct tls_client *client);
/* What is to go to the wire, at most `cap`; 0: nothing. */
size_t tls_client_output(struct tls_client *client, uint8_t *buf, size_t cap);
/* We have nothing more to say: one more output. */
void tls_client_bye(struct tls_client *client);
/* Why it failed. */
const char *tls_client_failure(const struct tls_client *client);
