#include "spool/lmtp/lmtp_client_priv.h"

/* What the server replies: lines, replies, and what each means to the oldest mail under way. */

static void see_extension(struct lmtp_client *c, struct bytes line)
{
	struct cursor at = cursor_of(line);
	struct bytes word = cursor_take_to(&at, ' ');

#define X(id, bit, name)                                                                           \
	if (bytes_eq_nocase(word, BYTES(name)))                                                    \
		c->extensions |= id;
	LMTP_EXTENSIONS(X)
#undef X
	if (bytes_eq_nocase(word, BYTES("SIZE")) && cursor_accept(&at, ' ') &&
		cursor_take_u64(&at, UINT64_MAX, &c->size_limit) != 0)
		c->size_limit = 0;
}

static bool good(const struct lmtp_client *c)
{
	return c->code >= 200 && c->code < 300;
}

/* The reply that was just read. */
static void result_reply(const struct lmtp_client *c, struct lmtp_result *r)
{
	lmtp_client_result(r,
		good(c)          ? LMTP_DELIVERED
		: c->code >= 500 ? LMTP_PERMANENT
				 : LMTP_TEMPORARY,
		c->first);
	r->notify_passed_on = (c->extensions & LMTP_DSN) != 0;
}

static void start_content(struct lmtp_client *c)
{
	c->rx = c->extensions & LMTP_CHUNKING ? LMTP_RX_FINAL : LMTP_RX_DATA;
	if (!c->head->ahead)
		c->tx = LMTP_TX_DATA;
	c->head->rcpt_seen = 0;
}

static void on_rcpt(struct lmtp_client *c)
{
	struct lmtp_mail *m = c->head;
	struct lmtp_result *r = &m->recipients[m->rcpt_seen++].result;

	if (m->mail_refused)
		*r = c->refusal;
	else if (good(c))
		m->accepted++;
	else
		result_reply(c, r);
	if (m->rcpt_seen < m->rcpt_sent || (c->sending == m && c->tx == LMTP_TX_RCPT))
		return;
	if (m->accepted || m->ahead)
		start_content(c); /* ahead of all being refused, it gets one reply */
	else
		lmtp_client_finish(c); /* the next mail begins with RSET */
}

static void on_mail(struct lmtp_client *c)
{
	struct lmtp_mail *m = c->head;

	c->rx = LMTP_RX_RCPT;
	if (good(c))
		return;
	result_reply(c, &c->refusal);
	m->mail_refused = true;
	/* RCPTs that are not out yet need not go. */
	if (m->rcpt_sent == 0) {
		lmtp_client_settle(m, c->refusal.outcome, c->refusal.text);
		lmtp_client_finish(c);
		return;
	}
	if (c->sending == m && c->tx == LMTP_TX_RCPT) {
		for (unsigned i = m->rcpt_sent; i < m->n_recipients; i++)
			m->recipients[i].result = c->refusal;
		c->tx = LMTP_TX_NOTHING;
	}
}

static void on_data(struct lmtp_client *c)
{
	if (c->code == 354) {
		c->tx = LMTP_TX_CONTENT;
		c->rx = LMTP_RX_FINAL;
		c->outstanding++;
		return;
	}
	/* A yes to DATA is no answer; so that nothing is sent twice, it is one for later. */
	lmtp_client_settle(c->head, c->code >= 500 ? LMTP_PERMANENT : LMTP_TEMPORARY, c->first);
	lmtp_client_finish(c);
}

/* One reply for each recipient that was accepted, in their order (RFC 2033 §4.2). */
static void on_final(struct lmtp_client *c)
{
	struct lmtp_mail *m = c->head;
	bool void_content = m->accepted == 0;

	if (!void_content) {
		while (m->recipients[m->rcpt_seen].result.outcome != LMTP_PENDING)
			m->rcpt_seen++;
		result_reply(c, &m->recipients[m->rcpt_seen++].result);
		if (--m->accepted) {
			c->outstanding++;
			return;
		}
	}
	if (m->content_sent && (c->sending != m || c->command_at == c->command_len))
		lmtp_client_finish(c);
	else if (void_content)
		m->final_seen = true; /* what is still to come of it is thrown away */
	else
		lmtp_client_fail(c, "451 4.5.0 replies came before the content was sent");
}

static void on_lhlo(struct lmtp_client *c)
{
	if (!good(c)) {
		lmtp_client_fail(c, c->first);
	} else if (!c->starttls) {
		lmtp_client_ready(c);
	} else if (c->extensions & LMTP_STARTTLS) {
		c->rx = LMTP_RX_STARTTLS;
		c->tx = LMTP_TX_STARTTLS;
	} else {
		lmtp_client_fail(c, "451 4.7.4 the server does not announce STARTTLS");
	}
}

static void on_reply(struct lmtp_client *c)
{
	if (c->outstanding == 0 || c->code < 200) {
		lmtp_client_fail(c, c->code == 421 ? c->first : "451 4.5.0 a reply to no command");
		return;
	}
	c->outstanding--;
	if (c->code == 421 && c->rx != LMTP_RX_FINAL) {
		lmtp_client_fail(c, c->first);
		return;
	}
	switch (c->rx) {
	case LMTP_RX_NOTHING: lmtp_client_fail(c, c->first); return;
	case LMTP_RX_GREETING:
		if (!good(c)) {
			lmtp_client_fail(c, c->first);
			return;
		}
		c->rx = LMTP_RX_LHLO;
		c->tx = LMTP_TX_LHLO;
		return;
	case LMTP_RX_LHLO: on_lhlo(c); return;
	case LMTP_RX_STARTTLS:
		c->rx = LMTP_RX_TLS;
		if (!good(c))
			lmtp_client_fail(c, c->first);
		return;
	case LMTP_RX_TLS: return; /* never: nothing is outstanding */
	case LMTP_RX_RSET:
		c->rx = LMTP_RX_MAIL;
		if (!good(c))
			lmtp_client_fail(c, c->first);
		return;
	case LMTP_RX_MAIL: on_mail(c); return;
	case LMTP_RX_RCPT: on_rcpt(c); return;
	case LMTP_RX_DATA: on_data(c); return;
	case LMTP_RX_FINAL: on_final(c); return;
	}
}

/* "250-text" or "250 text" or "250"; false if it is none of them. */
static bool line_sound(const struct lmtp_client *c, unsigned *code, bool *last)
{
	const char *l = c->line;

	if (c->line_len < 3 || !ascii_is_digit(l[0]) || !ascii_is_digit(l[1]) ||
		!ascii_is_digit(l[2]) || l[0] < '1' || l[0] > '5')
		return false;
	if (c->line_len > 3 && l[3] != ' ' && l[3] != '-')
		return false;
	*code = (unsigned)(l[0] - '0') * 100 + (unsigned)(l[1] - '0') * 10 + (unsigned)(l[2] - '0');
	*last = c->line_len == 3 || l[3] == ' ';
	return c->lines == 0 || *code == c->code;
}

static void keep_first(struct lmtp_client *c)
{
	size_t n = c->line_len < sizeof(c->first) - 1 ? c->line_len : sizeof(c->first) - 1;

	for (size_t i = 0; i < n; i++)
		c->first[i] = c->line[i] ? c->line[i] : ' ';
	c->first[n] = '\0';
}

static void on_line(struct lmtp_client *c)
{
	unsigned code;
	bool last;

	if (c->line_len && c->line[c->line_len - 1] == '\r')
		c->line_len--;
	if (!line_sound(c, &code, &last) || c->lines == LMTP_REPLY_LINES) {
		lmtp_client_fail(c, "451 4.5.0 the server's reply makes no sense");
		return;
	}
	if (c->lines == 0) {
		c->code = code;
		keep_first(c);
	} else if (c->rx == LMTP_RX_LHLO && code == 250) {
		see_extension(c, bytes_from(bytes_of(c->line, c->line_len), 4));
	}
	c->lines++;
	if (last) {
		c->lines = 0;
		on_reply(c);
	}
}

void lmtp_client_input(struct lmtp_client *c, struct bytes octets, uint64_t now_us)
{
	if (octets.len)
		c->deadline_us = now_us + c->timeout_us;
	for (size_t i = 0; i < octets.len && c->state != LMTP_FAILED; i++) {
		if (c->rx == LMTP_RX_TLS)
			lmtp_client_fail(c, "451 4.7.0 the server spoke on after STARTTLS");
		else if (octets.data[i] == '\n') {
			on_line(c);
			c->line_len = 0;
		} else if (c->line_len < sizeof(c->line)) {
			c->line[c->line_len++] = (char)octets.data[i];
		}
	}
}
