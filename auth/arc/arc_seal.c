#include "auth/arc/arc_seal.h"

#include "auth/dkim/dkim_sign.h"
#include "base/arena.h"

#include <errno.h>

/* DKIM-Signature fields are signed too, but none is kept from being added (RFC 8617 §4.1.2). */
#define SIGNED_ONCE "dkim-signature"
#define NAMES_MAX   2048
/* Besides the results and the names: tags, a signature of 512 octets, folding. */
#define AAR_ROOM  64
#define AMS_ROOM  2048
#define SEAL_ROOM 2048

const char *arc_seal_refusal_text(enum arc_seal_refusal refusal)
{
	static const char *const texts[] = {[ARC_SEAL_OK] = "",
#define X(name, text) [ARC_SEAL_##name] = text,
		ARC_SEAL_REFUSALS(X)
#undef X
	};
	return texts[refusal];
}

const char *arc_cv_word(enum arc_cv cv)
{
	return cv == ARC_CV_NONE ? "none" : cv == ARC_CV_PASS ? "pass" : "fail";
}

/* --- whether -----------------------------------------------------------------------------------
 */

static bool failed_before(const struct arc_chain *chain)
{
	for (unsigned i = 0; i < chain->length; i++)
		if (chain->set[i].as && bytes_eq(chain->set[i].as->cv, BYTES("fail")))
			return true;
	return false;
}

static enum arc_seal_refusal judge(const struct arc_chain *chain, enum arc_cv cv)
{
	if (arc_chain_is_empty(chain))
		return cv == ARC_CV_NONE ? ARC_SEAL_OK : ARC_SEAL_NO_CHAIN;
	if (failed_before(chain))
		return ARC_SEAL_CHAIN_FAILED;
	if (chain->length >= ARC_MAX_SETS)
		return ARC_SEAL_CHAIN_FULL;
	if (cv == ARC_CV_NONE)
		return ARC_SEAL_CHAIN_UNCHECKED;
	return chain->length == 0 ? ARC_SEAL_CHAIN_UNREADABLE : ARC_SEAL_OK;
}

/* --- the first step ----------------------------------------------------------------------------
 */

static bool choose_names(
	const struct arc_seal_input *input, const struct dkim_header *header, struct text *names)
{
	if (input->names.data) {
		text_put(names, input->names);
	} else {
		dkim_sign_choose_names(header, BYTES(DKIM_SIGN_NAMES_DEFAULT), 1, names);
		dkim_sign_choose_names(header, BYTES(SIGNED_ONCE), 0, names);
	}
	return !names->overflow && names->len > 0;
}

/*
 * Tags in alphabetical order and b= in one piece: so do others, whose seals can then be compared
 * with ours octet by octet.
 */
static void put_ams(const struct arc_seal_key *key, const struct arc_seal_input *input,
	struct bytes names, struct arc_seal *seal, struct text *out)
{
	text_printf(
		out, "ARC-Message-Signature: a=%s;\r\n\tb=", dkim_signer_algorithm(key->signer));
	seal->ams_b = out->len;
	text_put(out, BYTES(";\r\n\tbh="));
	dkim_sign_put_base64(out, bytes_of(input->body_hash, sizeof(input->body_hash)));
	text_put(out, BYTES("; c=relaxed/relaxed;\r\n\td="));
	text_put(out, key->domain);
	text_put(out, BYTES("; h="));
	dkim_sign_put_names(out, names);
	/* Behind a blank: dkimpy looks for " i=N;" in the field as it stands. */
	text_printf(out, "; i=%u;\r\n\ts=", seal->instance);
	text_put(out, key->selector);
	text_printf(out, "; t=%llu", (unsigned long long)seal->now_unix_s);
}

/* What has no value for b= yet is hashed as it stands. */
static struct dkim_sig unsigned_field(enum dkim_sig_kind kind, struct bytes raw, struct bytes names)
{
	return (struct dkim_sig){.kind = kind, .header = DKIM_RELAXED, .names = names, .raw = raw};
}

static enum arc_seal_refusal sign_message(const struct arc_seal_key *key,
	const struct arc_seal_input *input, struct dkim_header *header, struct arena *arena,
	struct arc_seal *seal)
{
	char names_room[NAMES_MAX], room[NAMES_MAX + NAMES_MAX / 8 + AMS_ROOM];
	struct text names, ams;

	text_init(&names, names_room, sizeof(names_room));
	text_init(&ams, room, sizeof(room));
	if (!choose_names(input, header, &names))
		return ARC_SEAL_HEADER;
	put_ams(key, input, text_bytes(&names), seal, &ams);
	if (ams.overflow)
		return ARC_SEAL_HEADER;
	seal->ams = arena_dup(arena, text_bytes(&ams));
	if (!seal->ams.data)
		return ARC_SEAL_NO_MEMORY;
	const struct dkim_sig sig = unsigned_field(DKIM_SIG_AMS, seal->ams, text_bytes(&names));
	return dkim_header_hash(header, &sig, UINT32_MAX, seal->ams_digest) ? ARC_SEAL_HEADER
									    : ARC_SEAL_OK;
}

static bool put_aar(const struct arc_seal_input *input, struct arena *arena, struct arc_seal *seal)
{
	size_t size = AAR_ROOM + input->results.len;
	char *room = arena_alloc(arena, size, 1);
	struct text text;

	if (!room)
		return false;
	text_init(&text, room, size);
	text_printf(&text, "ARC-Authentication-Results: i=%u; ", seal->instance);
	text_put(&text, input->results);
	seal->aar = text_bytes(&text);
	return true;
}

/* A failed chain is sealed as if this set were its only one (§5.1.2). */
static enum arc_seal_refusal begin_seal(const struct arc_seal_input *input,
	const struct arc_chain *chain, struct arena *arena, struct arc_seal *seal)
{
	struct dkim_header_sum sum;

	dkim_header_sum_init(&sum, UINT32_MAX);
	for (unsigned i = 0; seal->cv == ARC_CV_PASS && i < chain->length; i++) {
		dkim_header_sum_field(&sum, DKIM_RELAXED, chain->set[i].aar);
		dkim_header_sum_field(&sum, DKIM_RELAXED, chain->set[i].ams->raw);
		dkim_header_sum_field(&sum, DKIM_RELAXED, chain->set[i].as->raw);
	}
	if (!put_aar(input, arena, seal))
		return ARC_SEAL_NO_MEMORY;
	dkim_header_sum_field(&sum, DKIM_RELAXED, seal->aar);
	seal->sealed = sum.state;
	return ARC_SEAL_OK;
}

enum arc_seal_refusal arc_seal_prepare(const struct arc_seal_key *key,
	const struct arc_seal_input *input, const struct arc_chain *chain,
	struct dkim_header *header, struct arena *arena, struct arc_seal *seal)
{
	enum arc_seal_refusal refusal = judge(chain, input->cv);

	if (refusal == ARC_SEAL_OK && input->cv == ARC_CV_PASS && arc_chain_check(chain))
		refusal = ARC_SEAL_CHAIN_UNCHECKED;
	if (refusal != ARC_SEAL_OK)
		return refusal;
	*seal = (struct arc_seal){
		.instance = chain->length + 1, .cv = input->cv, .now_unix_s = input->now_unix_s};
	refusal = sign_message(key, input, header, arena, seal);
	return refusal == ARC_SEAL_OK ? begin_seal(input, chain, arena, seal) : refusal;
}

/* --- the second step ---------------------------------------------------------------------------
 */

size_t arc_seal_room(const struct arc_seal *seal)
{
	return seal->aar.len + seal->ams.len + AMS_ROOM + SEAL_ROOM;
}

static int put_seal(const struct arc_seal_key *key, const struct arc_seal *seal, struct bytes ams,
	struct text *out)
{
	struct dkim_header_sum sum = {.state = seal->sealed, .max = UINT32_MAX};
	char room[1024];
	struct text tail;
	uint8_t digest[32];
	size_t start = out->len;

	text_init(&tail, room, sizeof(room));
	text_printf(&tail, "; cv=%s; d=%.*s; i=%u;\r\n\ts=%.*s; t=%llu", arc_cv_word(seal->cv),
		BYTES_FMT(key->domain), seal->instance, BYTES_FMT(key->selector),
		(unsigned long long)seal->now_unix_s);
	text_printf(out, "ARC-Seal: a=%s;\r\n\tb=", dkim_signer_algorithm(key->signer));
	size_t b = out->len;
	text_put(out, text_bytes(&tail));
	if (out->overflow || tail.overflow)
		return -ENOSPC;
	const struct dkim_sig sig = unsigned_field(DKIM_SIG_AS,
		bytes_of(out->data + start, out->len - start), (struct bytes){NULL, 0});
	dkim_header_sum_field(&sum, DKIM_RELAXED, ams);
	dkim_header_sum_signature(&sum, &sig);
	if (dkim_header_sum_end(&sum, digest))
		return -ENOSPC;
	out->len = b;
	int error = dkim_sign_digest(key->signer, digest, out);
	text_put(out, text_bytes(&tail));
	text_put(out, BYTES("\r\n"));
	return error ? error : out->overflow ? -ENOSPC : 0;
}

int arc_seal_sign(const struct arc_seal_key *key, const struct arc_seal *seal, struct text *out)
{
	char room[NAMES_MAX + NAMES_MAX / 8 + 2 * AMS_ROOM];
	struct text ams;

	text_init(&ams, room, sizeof(room));
	text_put(&ams, bytes_slice(seal->ams, 0, seal->ams_b));
	int error = dkim_sign_digest(key->signer, seal->ams_digest, &ams);
	text_put(&ams, bytes_from(seal->ams, seal->ams_b));
	if (!error)
		error = ams.overflow ? -ENOSPC : put_seal(key, seal, text_bytes(&ams), out);
	text_put(out, text_bytes(&ams));
	text_put(out, BYTES("\r\n"));
	text_put(out, seal->aar);
	text_put(out, BYTES("\r\n"));
	return error ? error : out->overflow ? -ENOSPC : 0;
}
