#include "auth/message/authres.h"
#include "auth/pipeline_priv.h"

static void note_cut(struct auth_mail *mail, const struct field *field)
{
	uint32_t from = (uint32_t)(field->raw.data - mail->header);
	uint32_t to = from + (uint32_t)field->raw.len + 2; /* its CRLF */

	/* More cuts than are kept would let some of these fields through (DESIGN §7). */
	if (mail->n_cuts == AUTH_MAX_CUTS) {
		mail->fed = AUTH_FEED_HEADER_TOO_LARGE;
		return;
	}
	mail->cuts[mail->n_cuts++] = (struct auth_cut){from, to};
}

static bool is_to_be_cut(const struct auth_mail *mail, const struct field *field)
{
	if (bytes_starts_nocase(field->name, BYTES("X-Postern-")))
		return true;
	return (field_is(field, BYTES("Authentication-Results")) ||
		       (!field->well_formed &&
			       field_resembles(field, BYTES("Authentication-Results")))) &&
	       authres_claims(field->value, bytes_str(mail->engine->authserv_id));
}

/*
 * The DMARC look-ups start here. A second From field makes the mail a permerror, whatever comes
 * of them (DESIGN §7).
 */
static void on_from(struct auth_mail *mail, const struct field *field)
{
	if (++mail->from_fields > 1)
		return;
	mail->from_status = mailbox_domains_parse(field->value, &mail->arena, &mail->from);
	if (mail->from_status != MAILBOX_OK || mail->from.n != 1)
		return;
	mail->dmarc = dmarc_eval_new(&mail->arena, &mail->asks, mail->from.domain[0]);
	if (!mail->dmarc)
		mail->fed = AUTH_FEED_NO_MEMORY;
}

void pipeline_header_field(struct auth_mail *mail, const struct field *field)
{
	dkim_verifier_field(mail->dkim, field);
	arc_verifier_field(mail->arc, field);
	if (is_to_be_cut(mail, field))
		note_cut(mail, field);
	else if (field_is(field, BYTES("From")))
		on_from(mail, field);
	else if (field_resembles(field, BYTES("From")))
		mail->from_disguised = true;
	else if (field_is(field, BYTES("Received")) &&
		 ++mail->received > mail->engine->config.max_received)
		mail->fed = AUTH_FEED_LOOP;
}
