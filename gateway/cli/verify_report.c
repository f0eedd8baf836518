#include "gateway/cli/verify_report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* JSON is UTF-8; octets above 127 of a value that is not are told as U+FFFD. */
static json_t *json_of_octets(struct bytes value)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *text = malloc(value.len * 3 + 1);
	size_t n = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < 0x80) {
			text[n++] = (char)value.data[i];
		} else {
			memcpy(text + n, replacement, 3);
			n += 3;
		}
	}
	json_t *json = json_stringn(text, n);
	free(text);
	return json;
}

/* The string, empty too. */
static json_t *json_text(struct bytes value)
{
	json_t *json = json_stringn(value.data ? (const char *)value.data : "", value.len);

	return json ? json : json_of_octets(value);
}

/* null where there is nothing. */
static json_t *json_maybe(struct bytes value)
{
	return value.len > 0 ? json_text(value) : json_null();
}

static json_t *json_word(enum auth_result result)
{
	return json_string(auth_result_word(result));
}

static json_t *json_spf(const struct auth_spf *spf)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o}", "result", json_word(spf->result), "domain",
		json_text(spf->domain), "scope", spf->scope == SPF_MFROM ? "mfrom" : "helo",
		"explanation", json_maybe(spf->explanation), "reason", json_maybe(spf->reason));
}

static json_t *json_signature(const struct dkim_result *dkim)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "result", json_word(dkim->result),
		"domain", json_maybe(dkim->domain), "selector", json_maybe(dkim->selector),
		"algorithm", json_maybe(dkim->algorithm), "key_bits",
		dkim->key_bits > 0 ? json_integer(dkim->key_bits) : json_null(), "reason",
		json_maybe(bytes_str(dkim->reason)));
}

/* One element a field: those that no result was kept of are past every limit. */
static json_t *json_dkim(const struct auth_verdict *verdict)
{
	static const struct dkim_result unread = {
		.result = AUTH_POLICY,
		.reason = "too_many_signatures",
	};
	json_t *list = json_array();

	for (unsigned i = 0; i < verdict->n_dkim_fields; i++)
		json_array_append_new(
			list, json_signature(i < verdict->n_dkim ? &verdict->dkim[i] : &unread));
	return list;
}

static json_t *json_arc(const struct auth_arc *arc)
{
	return json_pack("{s:o, s:i, s:o}", "result", json_word(arc->result), "chain_length",
		(int)arc->chain_length, "reason", json_maybe(bytes_str(arc->reason)));
}

/* A mail that is put off has no disposition yet; `policy` tells of it. */
static const char *disposition_word(const struct policy_decision *decision)
{
	switch (decision->action) {
	case POLICY_REJECT: return "reject";
	case POLICY_QUARANTINE: return "quarantine";
	default: return "none";
	}
}

static json_t *json_dmarc(const struct auth_dmarc *dmarc, const struct policy_decision *decision)
{
	const char *policy = dmarc_policy_word(dmarc->policy);

	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "result", json_word(dmarc->result),
		"from_domain", json_maybe(dmarc->from_domain), "org_domain",
		json_maybe(dmarc->org_domain), "policy", json_maybe(bytes_str(policy)),
		"disposition", disposition_word(decision), "reason",
		json_maybe(bytes_str(dmarc->reason)), "override",
		json_maybe(bytes_str(dmarc->override)));
}

/* What the gateway would do with the mail, and say. */
static json_t *json_policy(const struct policy_decision *decision)
{
	const struct smtp_reply *reply = decision->reply;
	char room[POLICY_TEXT_MAX + 64];
	struct text text;

	text_init(&text, room, sizeof(room));
	if (decision->action == POLICY_REJECT || decision->action == POLICY_DEFER)
		text_printf(&text, "%u %s %s", reply->code, reply->status,
			decision->text[0] ? decision->text : reply->text);
	return json_pack("{s:s, s:o, s:o}", "action", policy_action_word(decision->action),
		"reason", json_maybe(bytes_str(decision->reason)), "reply",
		json_maybe(text_bytes(&text)));
}

static json_t *json_verdict(
	const struct auth_verdict *verdict, const struct policy_decision *decision)
{
	return json_pack("{s:o, s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o}", "spf",
		json_spf(&verdict->spf), "helo", "result", json_word(verdict->helo.result),
		"domain", json_text(verdict->helo.domain), "iprev", "result",
		json_word(verdict->iprev.result), "name", json_maybe(verdict->iprev.name), "dkim",
		json_dkim(verdict), "arc", json_arc(&verdict->arc), "dmarc",
		json_dmarc(&verdict->dmarc, decision), "policy", json_policy(decision),
		"authentication_results", json_text(verdict->authentication_results));
}

int verify_report_json(const struct auth_verdict *verdict, const struct policy_decision *decision)
{
	json_t *json = json_verdict(verdict, decision);

	if (!json)
		return -ENOMEM;
	int error = json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(json);
	return error || putchar('\n') == EOF ? -EIO : 0;
}
