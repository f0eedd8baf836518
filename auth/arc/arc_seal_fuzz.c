/*
 * Any mail, verified, sealed with what came out, and verified again: a seal on no chain or a good
 * one passes and is one set longer, and a failure stays a failure.
 */
#include "auth/arc/arc_harness.h"
#include "auth/arc/arc_seal_message.h"
#include "auth/dkim/dkim_sign.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 32768

/* RFC 8463 appendix A */
static const char private_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";
static const char zone_text[] =
	"s._domainkey.a. 60 IN TXT \"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

static struct dkim_harness h;
static struct arc_verifier *arc;
static struct arc_seal_options options;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void begin(void)
{
	static struct dns_zone *zone;
	struct dkim_signer *signer;
	char why[128];
	struct text problem;

	text_init(&problem, why, sizeof(why));
	require(dns_zone_parse(bytes_str(zone_text), "zone", &zone, &problem) == 0);
	require(dkim_signer_new(bytes_str(private_key), &signer) == 0);
	dkim_harness_init(&h, zone);
	h.hooks = &arc_harness_hooks;
	h.ctx = &arc;
	options = (struct arc_seal_options){
		.key = {signer, BYTES("a"), BYTES("s")},
		.authserv_id = BYTES("mx.a"),
		.now_unix_s = h.now_unix_s,
	};
}

static enum auth_result verify(struct bytes message, unsigned *length)
{
	dkim_harness_run(&h, message);
	require(arc_verifier_done(arc));
	*length = arc_verifier_chain_length(arc);
	return arc_verifier_result(arc);
}

/* With the result in front, and the seal before it. false: there is nothing to seal. */
static bool seal(struct bytes message, enum auth_result result, struct text *out)
{
	static char with_result[MESSAGE_MAX + 128];
	enum arc_seal_refusal refusal;
	struct text text;

	text_init(&text, with_result, sizeof(with_result));
	text_printf(&text, "Authentication-Results: mx.a; arc=%s\r\n", auth_result_word(result));
	text_put(&text, message);
	if (arc_seal_message(&options, text_bytes(&text), out, &refusal) != 0 ||
		refusal != ARC_SEAL_OK)
		return false;
	text_put(out, text_bytes(&text));
	require(!out->overflow);
	return true;
}

static void check(struct bytes message)
{
	static char sealed[4 * MESSAGE_MAX];
	unsigned before, after;
	enum auth_result result;
	struct text out;

	/* The result's field would take the first line for its own. */
	if (message.len > 0 && ascii_is_wsp(message.data[0]))
		return;
	text_init(&out, sealed, sizeof(sealed));
	result = verify(message, &before);
	if ((result != AUTH_NONE && result != AUTH_PASS && result != AUTH_FAIL) ||
		!seal(message, result, &out))
		return;
	if (result == AUTH_FAIL)
		require(verify(text_bytes(&out), &after) == AUTH_FAIL);
	else
		require(verify(text_bytes(&out), &after) == AUTH_PASS && after == before + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MESSAGE_MAX)
		return 0;
	if (!options.key.signer)
		begin();
	check(bytes_of(data, size));
	dkim_harness_end(&h);
	return 0;
}
