#include "auth/arc/arc_chain.h"

#include "auth/message/cfws.h"
#include "base/arena.h"

void arc_chain_init(struct arc_chain *chain, struct arena *arena)
{
	*chain = (struct arc_chain){.arena = arena};
}

/* ARC-Authentication-Results begins with its instance: "i=N;" (RFC 8617 §4.1.1). 0 where it does
 * not. */
static unsigned aar_instance(struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint64_t instance;
	bool good = cfws_skip(&c) && cursor_accept(&c, 'i') && cfws_skip(&c) &&
		    cursor_accept(&c, '=') && cfws_skip(&c) &&
		    cursor_take_u64(&c, ARC_MAX_SETS, &instance) == 0 && cfws_skip(&c) &&
		    cursor_accept(&c, ';');
	return good ? (unsigned)instance : 0;
}

static void spoil(struct arc_chain *chain, const char *why)
{
	if (!chain->wrong)
		chain->wrong = why;
}

static const struct dkim_sig *read_signature(
	struct arc_chain *chain, enum arc_part part, const struct field *field)
{
	struct dkim_sig *sig = ARENA_NEW(chain->arena, struct dkim_sig);
	if (!sig) {
		spoil(chain, "no_memory");
		return NULL;
	}
	const char *wrong = dkim_sig_parse(
		sig, part == ARC_AMS ? DKIM_SIG_AMS : DKIM_SIG_AS, field, chain->arena);
	if (!wrong && sig->sha1)
		wrong = "algorithm_too_weak";
	if (wrong)
		spoil(chain, wrong);
	return wrong ? NULL : sig;
}

static bool has_part(const struct arc_set *set, enum arc_part part)
{
	switch (part) {
	case ARC_AAR: return set->aar.data != NULL;
	case ARC_AMS: return set->ams != NULL;
	default: return set->as != NULL;
	}
}

static const struct dkim_sig *add_part(
	struct arc_chain *chain, enum arc_part part, const struct field *field)
{
	const struct dkim_sig *sig = NULL;

	/* Each kind has one field a set; more of a kind cannot be a chain, so they are not read. */
	if (++chain->n_fields[part] > ARC_MAX_SETS) {
		spoil(chain, "too_many_sets");
		return NULL;
	}
	if (part != ARC_AAR && !(sig = read_signature(chain, part, field)))
		return NULL;
	unsigned instance = sig ? sig->instance : aar_instance(field->value);
	if (instance == 0) {
		spoil(chain, "instance_malformed");
		return NULL;
	}
	struct arc_set *set = &chain->set[instance - 1];
	if (has_part(set, part)) {
		spoil(chain, "duplicate_instance");
		return NULL;
	}
	if (part == ARC_AAR)
		set->aar = field->raw;
	else if (part == ARC_AMS)
		set->ams = sig;
	else
		set->as = sig;
	if (instance > chain->length)
		chain->length = instance;
	return sig;
}

const struct dkim_sig *arc_chain_add(struct arc_chain *chain, const struct field *field)
{
	static const struct bytes names[ARC_PARTS] = {
		[ARC_AAR] = {(const uint8_t *)"arc-authentication-results", 26},
		[ARC_AMS] = {(const uint8_t *)"arc-message-signature", 21},
		[ARC_AS] = {(const uint8_t *)"arc-seal", 8},
	};
	for (enum arc_part part = 0; part < ARC_PARTS; part++)
		if (field_is(field, names[part]))
			return add_part(chain, part, field);
	return NULL;
}

const char *arc_chain_check(const struct arc_chain *chain)
{
	if (chain->wrong)
		return chain->wrong;
	for (unsigned i = 0; i < chain->length; i++)
		for (enum arc_part part = 0; part < ARC_PARTS; part++)
			if (!has_part(&chain->set[i], part))
				return "set_incomplete";
	/* Newest first: what the last sealer found counts. */
	for (unsigned i = chain->length; i-- > 0;) {
		struct bytes cv = chain->set[i].as->cv;
		if (bytes_eq(cv, BYTES("fail")))
			return "chain_failed_before";
		if (!bytes_eq(cv, i == 0 ? BYTES("none") : BYTES("pass")))
			return "cv_wrong";
	}
	return NULL;
}
