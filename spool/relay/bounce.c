#include "spool/relay/bounce.h"

#include "base/mail_date.h"
#include "base/queue_id.h"

/* Fixed text, and what a recipient takes beside its address and reply, at most. */
#define FIXED_MAX     4096u
#define RECIPIENT_MAX (2 * (BOUNCE_ADDRESS_MAX + BOUNCE_REPLY_MAX) + DSN_ORCPT_MAX + 384u)
#define LINE_MAX_QP   76u /* RFC 2045 §6.7 */
/* Longer lines need an encoding (RFC 5322 §2.1.1). */
#define LINE_MAX_PLAIN 998u

static const struct {
	const char *word, *subject;
	char class;
} actions[] = {
#define X(id, word, class, subject) [id] = {word, subject, class},
	BOUNCE_ACTIONS(X)
#undef X
};

bool bounce_may(const struct spool_envelope *e, bool anyone)
{
	if (e->reverse_path.len == 0 || e->flags & SPOOL_MAIL_RELAY)
		return false;
	return anyone || (e->flags & SPOOL_MAIL_SENDER_AUTHENTIC) != 0;
}

bool bounce_wanted(const struct spool_recipient *r, enum bounce_action action)
{
	static const uint8_t bits[] = {
		[BOUNCE_FAILED] = DSN_FAILURE,
		[BOUNCE_DELAYED] = DSN_DELAY,
		[BOUNCE_DELIVERED] = DSN_SUCCESS,
	};

	return ((r->notify ? r->notify : DSN_NOTIFY_DEFAULT) & bits[action]) != 0;
}

/* The header section, without the empty line, cut at a line's end if it is too long. */
static struct bytes header_of(struct bytes content)
{
	size_t end = bytes_find_bytes(content, BYTES("\r\n\r\n"));
	struct bytes header;

	if (bytes_starts(content, BYTES("\r\n")))
		return bytes_slice(content, 0, 0);
	header = bytes_slice(content, 0, end < content.len ? end + 2 : content.len);
	if (header.len > BOUNCE_HEADER_MAX)
		header.len = BOUNCE_HEADER_MAX;
	while (header.len > 0 && header.data[header.len - 1] != '\n')
		header.len--;
	return header;
}

void bounce_put_safe(struct text *out, struct bytes value, size_t max)
{
	for (size_t i = 0; i < value.len && i < max; i++)
		text_putc(out,
			value.data[i] < ' ' || value.data[i] >= 0x7f ? '?' : (char)value.data[i]);
}

/* "5.1.1": class, subject and detail in digits, as far as RFC 3463 lets them grow. */
static bool is_status(struct bytes status)
{
	unsigned part = 0, digits = 0;

	for (size_t i = 0; i < status.len; i++) {
		if (ascii_is_digit(status.data[i])) {
			if (++digits > (part ? 3 : 1))
				return false;
		} else if (status.data[i] == '.' && digits) {
			part++;
			digits = 0;
		} else {
			return false;
		}
	}
	return part == 2 && digits;
}

/* A failure may go back to what was temporary; nothing else may change its class. */
static bool class_fits(char class, enum bounce_action action)
{
	return class == actions[action].class || (class == '4' && action == BOUNCE_FAILED);
}

static void put_status(struct text *out, const struct bounce_recipient *r)
{
	struct bytes status = bytes_str(r->status);

	if (r->expired)
		text_put(out, BYTES("4.4.7")); /* delivery time expired */
	else if (is_status(status) && class_fits(r->status[0], r->action))
		text_put(out, status);
	else
		text_printf(out, "%c.0.0", actions[r->action].class);
}

/* --- fields in front ------------------------------------------------------------------------ */

static void put_boundary(struct text *out, const struct bounce *b)
{
	char id[QUEUE_ID_TEXT_SIZE];

	/* No line of ours starts so: those of the original are encoded where they might. */
	text_printf(out, "=_bounce_%s", queue_id_format(b->queue_id, id));
}

static void put_part(struct text *out, const struct bounce *b, const char *fields)
{
	text_put(out, BYTES("\r\n--"));
	put_boundary(out, b);
	text_printf(out, "\r\n%s\r\n", fields);
}

static bool has_action(const struct bounce *b, enum bounce_action action)
{
	for (uint32_t i = 0; i < b->n_recipients; i++)
		if (b->recipients[i].action == action)
			return true;
	return false;
}

/* What the report is about: the worst of all. */
static enum bounce_action subject_of(const struct bounce *b)
{
	enum bounce_action action = BOUNCE_FAILED;

	while (action < BOUNCE_DELIVERED && !has_action(b, action))
		action++;
	return action;
}

static void put_fields(struct text *out, const struct bounce *b)
{
	char id[QUEUE_ID_TEXT_SIZE];

	text_put(out, BYTES("Date: "));
	mail_date_put(out, b->now_unix_s);
	text_printf(out, "\r\nFrom: Mail delivery <MAILER-DAEMON@%s>\r\nTo: <", b->hostname);
	bounce_put_safe(out, b->reverse_path, BOUNCE_ADDRESS_MAX);
	text_printf(out,
		">\r\nMessage-ID: <%s@%s>\r\nSubject: %s\r\n"
		"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"",
		queue_id_format(b->queue_id, id), b->hostname, actions[subject_of(b)].subject);
	put_boundary(out, b);
	text_put(out, BYTES("\"\r\n\r\nThis is a report in MIME format.\r\n"));
}

/* --- the parts ------------------------------------------------------------------------------ */

static void put_words_of(struct text *out, const struct bounce *b, enum bounce_action action)
{
	static const char *const heads[] = {
		[BOUNCE_FAILED] = "could not be delivered to:",
		[BOUNCE_DELAYED] = "could not yet be delivered to:",
		[BOUNCE_DELIVERED] = "was delivered to:",
	};
	char id[QUEUE_ID_TEXT_SIZE];

	if (!has_action(b, action))
		return;
	text_printf(out, "\r\nYour mail, known here as %s, %s\r\n",
		queue_id_format(b->original_id, id), heads[action]);
	for (uint32_t i = 0; i < b->n_recipients; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		if (r->action != action)
			continue;
		text_put(out, BYTES("\r\n  <"));
		bounce_put_safe(out, r->address, BOUNCE_ADDRESS_MAX);
		text_put(out, r->expired
				      ? BYTES(">\r\n    not in time; the last answer was:\r\n    ")
				      : BYTES(">\r\n    "));
		bounce_put_safe(out, bytes_str(r->reply), BOUNCE_REPLY_MAX);
		text_put(out, BYTES("\r\n"));
	}
	if (action == BOUNCE_FAILED)
		text_put(out, BYTES("\r\nIt will not be tried again.\r\n"));
	if (action != BOUNCE_DELAYED)
		return;
	text_put(out, BYTES("\r\nThere is nothing you have to do: it is tried again until "));
	mail_date_put(out, b->retry_until_unix_s);
	text_put(out, BYTES(".\r\n"));
}

static void put_words(struct text *out, const struct bounce *b)
{
	put_part(out, b,
		"Content-Type: text/plain; charset=us-ascii\r\nContent-Description: "
		"Notification\r\n");
	text_printf(out, "This is the mail system at %s.\r\n", b->hostname);
	for (enum bounce_action action = 0; action < BOUNCE_N_ACTIONS; action++)
		put_words_of(out, b, action);
}

/* The type as it is, the address as it was before it became xtext (RFC 3464 §2.3.1). */
static void put_original_recipient(struct text *out, struct bytes orcpt)
{
	size_t semicolon = bytes_find(orcpt, ';');

	if (orcpt.len == 0 || semicolon == BYTES_NPOS)
		return;
	text_put(out, BYTES("\r\nOriginal-Recipient: "));
	bounce_put_safe(out, bytes_slice(orcpt, 0, semicolon), BOUNCE_ADDRESS_MAX);
	text_put(out, BYTES("; "));
	dsn_xtext_decode(out, bytes_slice(orcpt, semicolon + 1, DSN_ORCPT_MAX));
}

/* RFC 3464 §2.3 */
static void put_report_of(
	struct text *out, const struct bounce *b, const struct bounce_recipient *r)
{
	put_original_recipient(out, r->orcpt);
	text_put(out, BYTES("\r\nFinal-Recipient: rfc822; "));
	bounce_put_safe(out, r->address, BOUNCE_ADDRESS_MAX);
	text_printf(out, "\r\nAction: %s\r\nStatus: ", actions[r->action].word);
	put_status(out, r);
	if (r->reply[0]) {
		text_put(out, BYTES("\r\nDiagnostic-Code: smtp; "));
		bounce_put_safe(out, bytes_str(r->reply), BOUNCE_REPLY_MAX);
	}
	if (r->action == BOUNCE_DELAYED) {
		text_put(out, BYTES("\r\nWill-Retry-Until: "));
		mail_date_put(out, b->retry_until_unix_s);
	}
	text_put(out, BYTES("\r\n"));
}

/* Per-message fields, then those of each recipient (RFC 3464 §2.2, §2.3). */
static void put_report(struct text *out, const struct bounce *b)
{
	char id[QUEUE_ID_TEXT_SIZE];

	put_part(out, b,
		"Content-Type: message/delivery-status\r\nContent-Description: Delivery "
		"report\r\n");
	if (b->envid.len) {
		text_put(out, BYTES("Original-Envelope-Id: "));
		dsn_xtext_decode(out, bytes_slice(b->envid, 0, DSN_ENVID_MAX));
		text_put(out, BYTES("\r\n"));
	}
	text_printf(out,
		"Reporting-MTA: dns; %s\r\nX-Postern-Queue-ID: %s\r\nArrival-Date: ", b->hostname,
		queue_id_format(b->original_id, id));
	mail_date_put(out, b->arrival_unix_s);
	text_put(out, BYTES("\r\n"));
	for (uint32_t i = 0; i < b->n_recipients; i++)
		put_report_of(out, b, &b->recipients[i]);
}

/* 7-bit, short lines, all ending in CRLF; with no `dashes` none begins like a boundary. */
static bool is_plain(struct bytes header, bool dashes)
{
	size_t line = 0;

	for (size_t i = 0; i < header.len; i++) {
		uint8_t c = header.data[i];
		bool start = line == 0;

		if (c == '\r' && i + 1 < header.len && header.data[i + 1] == '\n') {
			line = 0;
			i++;
			continue;
		}
		if ((c < ' ' && c != '\t') || c >= 0x7f || ++line > LINE_MAX_PLAIN ||
			(start && c == '-' && !dashes))
			return false;
	}
	return true;
}

/* Quoted-printable (RFC 2045 §6.7); line ends stay. */
static void put_quoted(struct text *out, struct bytes b)
{
	size_t line = 0;

	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];
		bool eol = c == '\r' && i + 1 < b.len && b.data[i + 1] == '\n';
		bool blank = (c == ' ' || c == '\t') && !(i + 1 < b.len && b.data[i + 1] == '\r');

		if (eol) {
			text_put(out, BYTES("\r\n"));
			line = 0;
			i++;
			continue;
		}
		if (line + 3 >= LINE_MAX_QP) {
			text_put(out, BYTES("=\r\n"));
			line = 0;
		}
		if (blank || (c > ' ' && c < 0x7f && c != '=' && !(c == '-' && line == 0))) {
			text_putc(out, (char)c);
			line++;
		} else {
			text_printf(out, "=%02X", c);
			line += 3;
		}
	}
}

/* A body cannot be encoded inside message/rfc822 (RFC 2046 §5.2.1). */
static bool may_go_whole(const struct bounce *b)
{
	char boundary[QUEUE_ID_TEXT_SIZE + 16];
	struct text t;

	text_init(&t, boundary, sizeof(boundary));
	put_boundary(&t, b);
	return b->full && b->content.len <= BOUNCE_FULL_MAX && is_plain(b->content, true) &&
	       bytes_find_bytes(b->content, text_bytes(&t)) >= b->content.len;
}

static void put_original(struct text *out, const struct bounce *b)
{
	struct bytes header = header_of(b->content);

	if (may_go_whole(b)) {
		put_part(out, b, "Content-Type: message/rfc822\r\n");
		text_put(out, b->content);
	} else if (is_plain(header, false)) {
		put_part(out, b, "Content-Type: text/rfc822-headers\r\n");
		text_put(out, header);
	} else {
		put_part(out, b,
			"Content-Type: text/rfc822-headers\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n");
		put_quoted(out, header);
	}
}

size_t bounce_size_max(const struct bounce *b)
{
	/* Quoted, an octet takes three, and a line's end comes after 72 of them. */
	size_t original = 4 * (size_t)header_of(b->content).len;

	if (b->full && b->content.len <= BOUNCE_FULL_MAX && b->content.len > original)
		original = b->content.len;
	return FIXED_MAX + 6 * strlen(b->hostname) + BOUNCE_ADDRESS_MAX +
	       (size_t)b->n_recipients * RECIPIENT_MAX + original;
}

void bounce_put(const struct bounce *b, struct text *out)
{
	put_fields(out, b);
	put_words(out, b);
	put_report(out, b);
	put_original(out, b);
	text_put(out, BYTES("\r\n--"));
	put_boundary(out, b);
	text_put(out, BYTES("--\r\n"));
}
