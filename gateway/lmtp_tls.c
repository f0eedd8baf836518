#include "gateway/lmtp_tls.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/tls/tls_client.h"

struct lmtp_tls {
	struct tls_client_context *contexts[CONFIG_MAX_BACKENDS];
};

static int make_context(
	const struct config_backend *backend, struct tls_client_context **out, struct text *why)
{
	struct tls_client_config config = {
		.ca_file = backend->tls_ca_file,
		.name = backend->tls_name,
		.pin = backend->tls_pin,
	};

	text_printf(why, "delivery.backends: %s: ", backend->lmtp);
	return tls_client_context_new(&config, out, why);
}

int lmtp_tls_new(const struct config *config, struct lmtp_tls **out, struct text *why)
{
	struct lmtp_tls *tls = calloc(1, sizeof(*tls));

	*out = NULL;
	if (!tls) {
		text_printf(why, "no memory for TLS");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < config->delivery.n_backends; i++) {
		const struct config_backend *backend = &config->delivery.backends[i];
		size_t len = why->len;
		int error;

		if (backend->tls == CONFIG_BACKEND_TLS_OFF)
			continue;
		error = make_context(backend, &tls->contexts[i], why);
		if (error) {
			lmtp_tls_free(tls);
			return error;
		}
		why->len = len;
	}
	*out = tls;
	return 0;
}

void lmtp_tls_free(struct lmtp_tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; i < CONFIG_MAX_BACKENDS; i++)
		tls_client_context_free(tls->contexts[i]);
	free(tls);
}

/* --- struct backend_tls ------------------------------------------------------------------------
 */

static void *open_one(void *context)
{
	return tls_client_new(context);
}

static void close_one(void *tls)
{
	tls_client_free(tls);
}

static int feed(void *tls, struct bytes wire)
{
	return tls_client_feed(tls, wire);
}

static int read_plain(void *tls, uint8_t *buf, size_t cap, size_t *len)
{
	return tls_client_read(tls, buf, cap, len);
}

static int write_plain(void *tls, struct bytes plain)
{
	return tls_client_write(tls, plain);
}

static bool is_open(const void *tls)
{
	return tls_client_is_open(tls);
}

static size_t output(void *tls, uint8_t *buf, size_t cap)
{
	return tls_client_output(tls, buf, cap);
}

static void bye(void *tls)
{
	tls_client_bye(tls);
}

static const char *failure(const void *tls)
{
	return tls_client_failure(tls);
}

struct backend_tls lmtp_tls_of(const struct lmtp_tls *tls, unsigned backend)
{
	if (!tls->contexts[backend])
		return (struct backend_tls){0};
	return (struct backend_tls){
		.arg = tls->contexts[backend],
		.open = open_one,
		.close = close_one,
		.feed = feed,
		.read = read_plain,
		.write = write_plain,
		.is_open = is_open,
		.output = output,
		.bye = bye,
		.failure = failure,
	};
}
