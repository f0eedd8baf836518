#include "gateway/sealer.h"

#include "gateway/mail.h"
#include "gateway/signing_key.h"

COUNTERS_DEFINE(sealer, SEALER_COUNTERS)

#define BURST  32
#define NAP_US 1000000

int sealer_init(struct sealer_thread *sealer, const struct config *config, struct text *why)
{
	int error = doorbell_init(&sealer->bell);

	sealer_counters_init(&sealer->counters);
	if (error || !config->auth.seal_key)
		return error;
	error = signing_key_load(config->auth.seal_key, &sealer->signer, why);
	sealer->key = (struct arc_seal_key){
		.signer = sealer->signer,
		.domain = bytes_str(config->auth.seal_domain),
		.selector = bytes_str(config->auth.seal_selector),
	};
	return error;
}

void sealer_fini(struct sealer_thread *sealer)
{
	dkim_signer_free(sealer->signer);
	doorbell_fini(&sealer->bell);
}

/* The set goes on top of the fields that are there; a mail that cannot be signed goes on as it is.
 */
static void seal(struct sealer_thread *sealer, struct mail *mail)
{
	struct bytes *prepend = &mail->envelope.prepend;
	struct text text;

	text_init(&text, mail->seal_room, arc_seal_room(mail->seal) + prepend->len);
	int error = arc_seal_sign(&sealer->key, mail->seal, &text);
	text_put(&text, *prepend);
	if (error || text.overflow) {
		counter_inc(&sealer->counters.v[SEALER_FAILED]);
		return;
	}
	*prepend = text_bytes(&text);
	counter_inc(&sealer->counters.v[SEALER_SEALED]);
}

static unsigned seal_some(struct sealer_thread *sealer, struct worker *worker)
{
	struct mail *mails[BURST];
	unsigned n = handoff_take(worker->to_sealer, mails, BURST);

	for (unsigned i = 0; i < n; i++) {
		seal(sealer, mails[i]);
		/* As many as there are mails find room. */
		handoff_post(worker->sealed, &mails[i]);
		handoff_ring(worker->sealed);
	}
	return n;
}

static unsigned seal_all(struct sealer_thread *sealer)
{
	unsigned n = 0;

	for (unsigned w = 0; w < sealer->n_workers; w++)
		n += seal_some(sealer, sealer->workers[w]);
	return n;
}

void *sealer_main(void *arg)
{
	struct sealer_thread *sealer = arg;

	while (sealer->signer && !atomic_load_explicit(&sealer->stop, memory_order_acquire)) {
		if (seal_all(sealer) > 0)
			continue;
		doorbell_prepare(&sealer->bell);
		if (seal_all(sealer) > 0)
			doorbell_cancel(&sealer->bell);
		else
			doorbell_wait(&sealer->bell, NULL, 0, NAP_US);
	}
	return NULL;
}
