#include "auth/spf/spf_ask_priv.h"
#include "auth/spf/spf_mech_priv.h"
#include "auth/spf/spf_ptr_priv.h"
#include "auth/spf/spf_target_priv.h"

/* Whether the first `bits` are the same. */
static bool same_prefix(const struct ip_addr *a, const struct ip_addr *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a->octets, b->octets, whole) != 0)
		return false;
	return rest == 0 || ((a->octets[whole] ^ b->octets[whole]) >> (8 - rest)) == 0;
}

/* An IPv4 client, mapped or not, is matched by IPv4 networks only (§5). */
static bool in_network(
	const struct spf_eval *eval, const struct spf_term *term, const struct ip_addr *net)
{
	bool v4 = ip_addr_is_v4(&eval->input.client);

	return same_prefix(net, &eval->input.client, v4 ? 96u + term->cidr4 : term->cidr6);
}

static bool answer_matches(
	const struct spf_eval *eval, const struct spf_term *term, const struct dns_answer *answer)
{
	if (answer->outcome != DNS_OK)
		return false;
	for (unsigned i = 0; i < answer->n; i++) {
		if (in_network(eval, term, &answer->records[i].addr))
			return true;
	}
	return false;
}

static void begin_all(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term, (void)target;
	spf_eval_decide(eval, true);
}

static void begin_ip4(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	bool v4 = ip_addr_is_v4(&eval->input.client);

	(void)target;
	spf_eval_decide(eval, v4 && in_network(eval, term, &term->net));
}

static void begin_ip6(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	bool v4 = ip_addr_is_v4(&eval->input.client);

	(void)target;
	spf_eval_decide(eval, !v4 && in_network(eval, term, &term->net));
}

static void begin_include(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term;
	if (target.data)
		spf_eval_enter(eval, target, false);
	else
		spf_eval_permerror(eval, "include of what is no domain name");
}

static void ask(struct spf_eval *eval, enum spf_wait wait, enum dns_type type, struct bytes target)
{
	if (!target.data || spf_ask_one(eval, wait, type, DNS_USE_RAW, target) == SPF_NOT_A_NAME)
		spf_eval_decide(eval, false);
}

static void begin_a(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term;
	ask(eval, SPF_WAIT_ADDRESS, spf_ask_address_type(eval), target);
}

static void begin_exists(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term;
	ask(eval, SPF_WAIT_EXISTS, DNS_A, target);
}

static void begin_mx(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term;
	ask(eval, SPF_WAIT_MX, DNS_MX, target);
}

static void begin_ptr(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	(void)term;
	if (!target.data)
		spf_eval_decide(eval, false);
	else if (!eval->ptr_void || !spf_ask_over_void_limit(eval))
		spf_eval_decide(eval, spf_ptr_matches(eval, target));
}

/* A term that asks is counted (§4.6.4), and its `target` is a name, or was no name (data NULL). */
static const struct {
	bool asks;
	void (*begin)(struct spf_eval *eval, const struct spf_term *term, struct bytes target);
} mechanisms[SPF_MECHANISM_COUNT] = {
	[SPF_ALL] = {false, begin_all},
	[SPF_INCLUDE] = {true, begin_include},
	[SPF_A] = {true, begin_a},
	[SPF_MX] = {true, begin_mx},
	[SPF_PTR] = {true, begin_ptr},
	[SPF_IP4] = {false, begin_ip4},
	[SPF_IP6] = {false, begin_ip6},
	[SPF_EXISTS] = {true, begin_exists},
};

void spf_mech_step(struct spf_eval *eval, struct spf_frame *frame)
{
	const struct spf_term *term = &frame->record->terms[frame->term];
	struct bytes target = {NULL, 0};
	char room[DNS_NAME_MAX + 2];
	struct text name;

	if (mechanisms[term->mechanism].asks) {
		if (!spf_ask_may(eval, term->domain_spec, term->mechanism == SPF_PTR))
			return;
		text_init(&name, room, sizeof(room));
		if (spf_target_name(eval, frame->domain, term->domain_spec, &name))
			target = text_bytes(&name);
	}
	mechanisms[term->mechanism].begin(eval, term, target);
}

void spf_mech_on_address(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_frame *frame = spf_eval_top(eval);
	const struct spf_term *term = &frame->record->terms[frame->term];
	bool exists = eval->wait == SPF_WAIT_EXISTS;

	eval->wait = SPF_WAIT_NOTHING;
	if (dns_answer_is_temporary(answer))
		spf_eval_temperror(eval, answer);
	else if (!spf_ask_is_void(answer) || !spf_ask_over_void_limit(eval))
		spf_eval_decide(eval,
			exists ? !spf_ask_is_void(answer) : answer_matches(eval, term, answer));
}

void spf_mech_on_mx(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_batch *batch = &eval->mx;

	if (dns_answer_is_temporary(answer)) {
		spf_eval_temperror(eval, answer);
		return;
	}
	if (spf_ask_is_void(answer)) {
		eval->wait = SPF_WAIT_NOTHING;
		if (!spf_ask_over_void_limit(eval))
			spf_eval_decide(eval, false);
		return;
	}
	if (answer->n > eval->limits.mx_names || answer->n > SPF_MAX_NAMES) {
		spf_eval_permerror(eval, "too many MX names");
		return;
	}
	*batch = (struct spf_batch){.n = 0};
	for (unsigned i = 0; i < answer->n; i++)
		batch->names[batch->n++] = answer->records[i].name;
	spf_ask_batch(eval, batch, SPF_WAIT_MX_ADDRESSES);
	if (eval->stage != SPF_STAGE_DONE && batch->open == 0) {
		eval->wait = SPF_WAIT_NOTHING;
		spf_eval_decide(eval, false);
	}
}

/*
 * One host that matches is enough; a failed look-up counts only when none does, since MX hosts come
 * in no order that would make one of them first.
 */
void spf_mech_on_mx_address(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_frame *frame = spf_eval_top(eval);
	struct spf_batch *batch = &eval->mx;

	if (dns_answer_is_temporary(answer))
		batch->failed = true;
	else if (!spf_ask_is_void(answer))
		batch->found = true;
	bool match = answer_matches(eval, &frame->record->terms[frame->term], answer);
	if (--batch->open > 0 && !match)
		return;
	eval->wait = SPF_WAIT_NOTHING;
	eval->serial++;
	if (match)
		spf_eval_decide(eval, true);
	else if (batch->failed)
		spf_eval_finish(eval, AUTH_TEMPERROR, BYTES("address of an MX host"));
	else if (batch->found || !spf_ask_over_void_limit(eval))
		spf_eval_decide(eval, false);
}
