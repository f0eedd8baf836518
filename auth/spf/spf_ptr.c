#include "auth/spf/spf_ask_priv.h"
#include "auth/spf/spf_ptr_priv.h"

static void done(struct spf_eval *eval)
{
	eval->ptr_known = true;
	eval->wait = SPF_WAIT_NOTHING;
}

/* An error of the PTR look-up only means that no name is known (§5.5). */
void spf_ptr_on_answer(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_batch *batch = &eval->ptr;
	unsigned max =
		eval->limits.ptr_names < SPF_MAX_NAMES ? eval->limits.ptr_names : SPF_MAX_NAMES;

	eval->ptr_void = spf_ask_is_void(answer);
	if (answer->outcome == DNS_OK) {
		/* Names past the limit are left out, the answer is not an error (§4.6.4). */
		for (unsigned i = 0; i < answer->n && batch->n < max; i++)
			batch->names[batch->n++] = answer->records[i].name;
	}
	spf_ask_batch(eval, batch, SPF_WAIT_PTR_ADDRESSES);
	if (eval->stage != SPF_STAGE_DONE && batch->open == 0)
		done(eval);
}

static bool has_client(const struct spf_eval *eval, const struct dns_answer *answer)
{
	if (answer->outcome != DNS_OK)
		return false;
	for (unsigned i = 0; i < answer->n; i++) {
		if (ip_addr_eq(&answer->records[i].addr, &eval->input.client))
			return true;
	}
	return false;
}

void spf_ptr_on_address(struct spf_eval *eval, unsigned index, const struct dns_answer *answer)
{
	eval->ptr.valid[index] = has_client(eval, answer);
	if (--eval->ptr.open == 0)
		done(eval);
}

static bool is_subdomain(struct bytes name, struct bytes domain)
{
	return name.len > domain.len && bytes_ends_nocase(name, domain) &&
	       name.data[name.len - domain.len - 1] == '.';
}

/* %{p}: the domain itself if it is among the validated names, else a subdomain, else any (§7.3). */
struct bytes spf_ptr_validated_name(const struct spf_eval *eval, struct bytes domain)
{
	struct bytes sub = {NULL, 0}, any = {NULL, 0};

	for (unsigned i = 0; i < eval->ptr.n; i++) {
		struct bytes name = eval->ptr.names[i];
		if (!eval->ptr.valid[i])
			continue;
		if (bytes_eq_nocase(name, domain))
			return name;
		if (!sub.data && is_subdomain(name, domain))
			sub = name;
		if (!any.data)
			any = name;
	}
	return sub.data ? sub : any.data ? any : BYTES("unknown");
}

bool spf_ptr_matches(const struct spf_eval *eval, struct bytes target)
{
	for (unsigned i = 0; i < eval->ptr.n; i++) {
		struct bytes name = eval->ptr.names[i];
		if (eval->ptr.valid[i] &&
			(bytes_eq_nocase(name, target) || is_subdomain(name, target)))
			return true;
	}
	return false;
}
