#include <stdio.h>

#include "spool/lmtp/lmtp_client_priv.h"

const char *lmtp_outcome_name(enum lmtp_outcome outcome)
{
	switch (outcome) {
#define X(id, word)                                                                                \
	case id: return word;
		LMTP_OUTCOMES(X)
#undef X
	}
	return "unknown";
}

void lmtp_client_init(
	struct lmtp_client *c, const char *hostname, uint64_t timeout_us, uint64_t now_us)
{
	memset(c, 0, sizeof(*c));
	c->state = LMTP_OPENING;
	c->rx = LMTP_RX_GREETING;
	c->outstanding = 1;
	c->hostname = hostname;
	c->timeout_us = timeout_us;
	c->deadline_us = now_us + timeout_us;
}

uint64_t lmtp_client_deadline(const struct lmtp_client *c)
{
	return c->state == LMTP_OPENING || c->state == LMTP_BUSY ? c->deadline_us : UINT64_MAX;
}

void lmtp_client_progress(struct lmtp_client *c, uint64_t now_us)
{
	c->deadline_us = now_us + c->timeout_us;
}

const char *lmtp_client_failure(const struct lmtp_client *c)
{
	return c->failure;
}

bool lmtp_client_turns(const struct lmtp_client *c)
{
	return c->state == LMTP_OPENING && c->rx == LMTP_RX_TLS;
}

/* What was said in clear text may have been anybody's (RFC 3207 section 4.2). */
void lmtp_client_secured(struct lmtp_client *c)
{
	c->starttls = false;
	c->extensions = 0;
	c->size_limit = 0;
	c->rx = LMTP_RX_LHLO;
	c->tx = LMTP_TX_LHLO;
}

/* --- results -------------------------------------------------------------------------------- */

/* The enhanced status code (RFC 3463) at the start of a reply's text, if it is one of that class.
 */
static bool dsn_of(const char *text, char class, char out[LMTP_DSN_MAX])
{
	size_t len = strspn(text, "0123456789."), dots = 0;

	for (size_t i = 0; i < len; i++)
		dots += text[i] == '.';
	if (text[0] != class || text[1] != '.' || dots != 2 || len < 5 || len >= LMTP_DSN_MAX ||
		text[2] == '.' || text[len - 1] == '.')
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

void lmtp_client_result(struct lmtp_result *r, enum lmtp_outcome outcome, const char *text)
{
	static const char classes[] = {'4', '2', '4', '5'}; /* by enum lmtp_outcome */
	char class = classes[outcome];

	r->outcome = outcome;
	snprintf(r->text, sizeof(r->text), "%s", text);
	if (strlen(text) < 5 || !dsn_of(text + 4, class, r->dsn))
		snprintf(r->dsn, sizeof(r->dsn), "%c.0.0", class);
}

void lmtp_client_settle(struct lmtp_mail *mail, enum lmtp_outcome outcome, const char *text)
{
	for (unsigned i = 0; i < mail->n_recipients; i++) {
		struct lmtp_result *r = &mail->recipients[i].result;

		if (r->outcome != LMTP_PENDING)
			continue;
		lmtp_client_result(r, outcome, text);
		r->unsure = mail->content_sent && outcome == LMTP_TEMPORARY;
	}
}

/* --- mails under way ------------------------------------------------------------------------- */

static void give_back(struct lmtp_client *c, struct lmtp_mail *mail)
{
	mail->next = NULL;
	*(c->over ? c->over_last : &c->over) = mail;
	c->over_last = &mail->next;
}

struct lmtp_mail *lmtp_client_over(struct lmtp_client *c)
{
	struct lmtp_mail *mail = c->over;

	if (mail)
		c->over = mail->next;
	return mail;
}

/* Replies are for this mail from now on. */
static void expect(struct lmtp_client *c, const struct lmtp_mail *mail)
{
	c->rx = mail->reset ? LMTP_RX_RSET : LMTP_RX_MAIL;
}

static void begin(struct lmtp_client *c, struct lmtp_mail *mail)
{
	c->sending = mail;
	c->part = 0;
	c->part_at = 0;
	c->more_left = mail->more_octets;
	c->line_start = true;
	c->cr = false;
	mail->begun = true;
	/* What an earlier mail left behind is cleared, and an ended connection found out. */
	mail->reset = c->used;
	c->tx = mail->reset ? LMTP_TX_RSET : LMTP_TX_MAIL;
	c->used = true;
	if (mail == c->head)
		expect(c, mail);
}

static bool may_follow(const struct lmtp_client *c)
{
	return c->hurry && lmtp_client_takes(c);
}

/* Mails are sent in their order, each from its first command on. */
static void begin_next(struct lmtp_client *c)
{
	if (!c->sending)
		begin(c, c->head);
	else if (c->sending->content_sent && c->sending->next && may_follow(c))
		begin(c, c->sending->next);
}

void lmtp_client_sent(struct lmtp_client *c)
{
	c->sending->content_sent = true;
	c->tx = LMTP_TX_NOTHING;
	if (c->sending->final_seen && c->sending == c->head)
		lmtp_client_finish(c);
	else
		begin_next(c);
}

void lmtp_client_ready(struct lmtp_client *c)
{
	c->state = LMTP_READY;
	c->sending = NULL;
	c->tx = LMTP_TX_NOTHING;
	c->rx = LMTP_RX_NOTHING;
}

void lmtp_client_finish(struct lmtp_client *c)
{
	struct lmtp_mail *mail = c->head;

	c->head = mail->next;
	c->n_mails--;
	if (c->sending == mail) {
		c->sending = NULL;
		c->tx = LMTP_TX_NOTHING;
	}
	give_back(c, mail);
	if (!c->head)
		lmtp_client_ready(c);
	else if (c->head->begun)
		expect(c, c->head);
	else
		begin(c, c->head);
}

/* --- the end of a connection ----------------------------------------------------------------- */

/*
 * A mail that the server has not said a word to is none the worse, if all of it cannot be there;
 * but for the one that has ended the connection itself.
 */
static bool is_untried(const struct lmtp_client *c, const struct lmtp_mail *mail)
{
	return !mail->content_sent && mail->recipients[0].result.outcome == LMTP_PENDING &&
	       (mail != c->head || c->rx == LMTP_RX_RSET);
}

void lmtp_client_fail(struct lmtp_client *c, const char *why)
{
	if (c->state == LMTP_FAILED)
		return;
	snprintf(c->failure, sizeof(c->failure), "%s", why);
	for (struct lmtp_mail *mail = c->head, *next; mail; mail = next) {
		next = mail->next;
		mail->untried = is_untried(c, mail);
		lmtp_client_settle(mail, LMTP_TEMPORARY, why);
		give_back(c, mail);
	}
	c->head = c->tail = c->sending = NULL;
	c->n_mails = 0;
	c->state = LMTP_FAILED;
	c->tx = LMTP_TX_NOTHING;
	c->command_len = c->command_at = 0;
}

void lmtp_client_ended(struct lmtp_client *c, const char *reason)
{
	char text[LMTP_TEXT_MAX];

	snprintf(text, sizeof(text), "451 4.4.2 %s", reason);
	lmtp_client_fail(c, text);
}

void lmtp_client_tick(struct lmtp_client *c, uint64_t now_us)
{
	if (now_us >= lmtp_client_deadline(c))
		lmtp_client_fail(c, "451 4.4.2 no reply in time");
}

/* --- a mail to send --------------------------------------------------------------------------- */

static bool bare_eol(const struct lmtp_mail *m)
{
	bool cr = false;

	for (unsigned p = 0; p < m->n_parts; p++)
		if (lmtp_client_bare(m->parts[p], &cr))
			return true;
	return cr && !m->more;
}

static uint64_t octets_of(const struct lmtp_mail *m)
{
	uint64_t octets = m->more_octets;

	for (unsigned p = 0; p < m->n_parts; p++)
		octets += m->parts[p].len;
	return octets;
}

/* An address that would break the command's line. */
static bool address_sound(struct bytes a)
{
	for (size_t i = 0; i < a.len; i++)
		if (a.data[i] == '\r' || a.data[i] == '\n' || a.data[i] == '\0')
			return false;
	return a.len <= LMTP_COMMAND_MAX / 2;
}

/* Why this server cannot take the mail, or NULL. */
static const char *unfit(const struct lmtp_client *c, const struct lmtp_mail *m)
{
	if (!address_sound(m->reverse_path))
		return "550 5.1.7 the reverse-path cannot be sent";
	for (unsigned i = 0; i < m->n_recipients; i++)
		if (!address_sound(m->recipients[i].address))
			return "550 5.1.3 the forward-path cannot be sent";
	if (m->utf8 && !(c->extensions & LMTP_SMTPUTF8))
		return "550 5.6.7 the server does not announce SMTPUTF8";
	if (c->size_limit && m->octets > c->size_limit)
		return "552 5.3.4 larger than the server announces to take";
	if (!(c->extensions & LMTP_CHUNKING) && (m->bare_eol || bare_eol(m)))
		return "550 5.6.1 bare CR or LF, and the server does not announce CHUNKING";
	return NULL;
}

bool lmtp_client_takes(const struct lmtp_client *c)
{
	return (c->state == LMTP_READY || (c->state == LMTP_BUSY && c->head)) &&
	       (c->extensions & LMTP_PIPELINING) && (c->extensions & LMTP_CHUNKING);
}

static void reset(struct lmtp_mail *m)
{
	m->next = NULL;
	m->octets = octets_of(m);
	m->rcpt_sent = m->rcpt_seen = m->accepted = 0;
	m->untried = m->begun = m->reset = m->ahead = false;
	m->mail_refused = m->content_sent = m->final_seen = false;
	for (unsigned i = 0; i < m->n_recipients; i++)
		m->recipients[i].result = (struct lmtp_result){0};
}

void lmtp_client_send(struct lmtp_client *c, struct lmtp_mail *mail, uint64_t now_us)
{
	const char *why;

	reset(mail);
	why = unfit(c, mail);
	if (why) {
		lmtp_client_settle(mail, LMTP_PERMANENT, why);
		give_back(c, mail);
		return;
	}
	if (c->head)
		c->tail->next = mail;
	else
		c->head = mail;
	c->tail = mail;
	c->n_mails++;
	if (c->state == LMTP_READY)
		c->deadline_us = now_us + c->timeout_us;
	c->state = LMTP_BUSY;
	begin_next(c);
}

void lmtp_client_quit(struct lmtp_client *c)
{
	c->state = LMTP_BUSY;
	c->tx = LMTP_TX_QUIT;
}
