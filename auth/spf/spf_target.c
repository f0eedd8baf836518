#include "auth/spf/spf_ptr_priv.h"
#include "auth/spf/spf_target_priv.h"

struct spf_macro_values spf_target_macros(const struct spf_eval *eval, struct bytes domain)
{
	return (struct spf_macro_values){
		.client = eval->input.client,
		.local_part = eval->input.local_part,
		.sender_domain = eval->input.domain,
		.domain = domain,
		.helo = eval->input.helo,
		.receiver = eval->input.receiver,
		.validated = spf_ptr_validated_name(eval, domain),
		.now_unix_s = eval->input.now_unix_s,
	};
}

bool spf_target_name(
	const struct spf_eval *eval, struct bytes domain, struct bytes spec, struct text *name)
{
	if (spec.len == 0) {
		text_put(name, domain);
		return !name->overflow;
	}
	const struct spf_macro_values values = spf_target_macros(eval, domain);
	return spf_macro_domain(spec, &values, name);
}
