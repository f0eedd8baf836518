#include "auth/verdict_authres.h"

#include "auth/message/authres.h"

/*
 * Values come from strangers. One that is longer than any name or address can be is left out: the
 * field must stay whole, and quoting may double what is put in.
 */
#define MAX_VALUE  320
#define MAX_REASON 160
/* One signature with all its values doubled; and everything that may follow the last of them. */
#define DKIM_ROOM 3072
#define TAIL_ROOM 4096

static void put_property(
	struct authres *ar, const char *ptype, const char *property, struct bytes value)
{
	if (value.len > 0 && value.len <= MAX_VALUE)
		authres_property(ar, ptype, property, value);
}

static void put_reason(struct authres *ar, struct bytes reason)
{
	if (reason.len > 0)
		authres_reason(ar, bytes_slice(reason, 0, MAX_REASON));
}

/* A reason is told where something went wrong; where a mechanism decided, the record says it. */
static void put_spf(
	struct authres *ar, const struct auth_spf *spf, const char *property, struct bytes value)
{
	authres_method(ar, "spf", spf->result);
	if (spf->result == AUTH_TEMPERROR || spf->result == AUTH_PERMERROR)
		put_reason(ar, spf->reason);
	put_property(ar, "smtp", property, value);
}

static void put_iprev(
	struct authres *ar, const struct auth_verdict *verdict, const struct ip_addr *client)
{
	char address[IP_ADDR_TEXT_MAX];
	size_t len = ip_addr_format(client, address);

	authres_method(ar, "iprev", verdict->iprev.result);
	put_property(ar, "policy", "iprev", bytes_of(address, len));
	if (verdict->iprev.name.len > 0)
		authres_comment(ar, verdict->iprev.name);
}

static void put_dkim(struct authres *ar, const struct dkim_result *dkim)
{
	authres_method(ar, "dkim", dkim->result);
	put_reason(ar, bytes_str(dkim->reason));
	put_property(ar, "header", "d", dkim->domain);
	put_property(ar, "header", "s", dkim->selector);
	put_property(ar, "header", "a", dkim->algorithm);
	put_property(ar, "header", "b", dkim->b);
}

static void put_signatures(
	struct authres *ar, const struct auth_verdict *verdict, bool passing, unsigned *n)
{
	for (unsigned i = 0; i < verdict->n_dkim && *n < VERDICT_AUTHRES_MAX_DKIM; i++) {
		if ((verdict->dkim[i].result == AUTH_PASS) != passing)
			continue;
		if (ar->out->cap - ar->out->len < DKIM_ROOM + TAIL_ROOM)
			return;
		put_dkim(ar, &verdict->dkim[i]);
		(*n)++;
	}
}

static void put_dmarc(struct authres *ar, const struct auth_dmarc *dmarc)
{
	char room[96];
	struct text policy;

	authres_method(ar, "dmarc", dmarc->result);
	put_reason(ar, bytes_str(dmarc->reason));
	if (dmarc->policy != DMARC_POLICY_ABSENT) {
		text_init(&policy, room, sizeof(room));
		text_printf(&policy, "p=%s", dmarc_policy_word(dmarc->policy));
		if (dmarc->override)
			text_printf(&policy, " override=local_policy %s", dmarc->override);
		authres_comment(ar, text_bytes(&policy));
	}
	put_property(ar, "header", "from", dmarc->from_domain);
}

static void put_arc(struct authres *ar, const struct auth_arc *arc)
{
	authres_method(ar, "arc", arc->result);
	put_reason(ar, bytes_str(arc->reason));
	put_property(ar, "header", "d", arc->sealer);
}

void verdict_authres_write(const struct auth_verdict *verdict,
	const struct verdict_envelope *envelope, struct text *out)
{
	struct authres ar;
	unsigned n = 0;

	authres_begin(&ar, out, envelope->authserv_id);
	if (verdict->spf.scope == SPF_MFROM)
		put_spf(&ar, &verdict->spf, "mailfrom", envelope->mail_from);
	put_spf(&ar, &verdict->helo, "helo", envelope->helo);
	put_iprev(&ar, verdict, &envelope->client);
	put_signatures(&ar, verdict, true, &n);
	put_signatures(&ar, verdict, false, &n);
	if (verdict->n_dkim == 0)
		authres_method(&ar, "dkim", AUTH_NONE);
	put_dmarc(&ar, &verdict->dmarc);
	if (verdict->arc.result != AUTH_NONE)
		put_arc(&ar, &verdict->arc);
	authres_end(&ar);
}
