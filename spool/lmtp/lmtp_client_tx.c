#include <stdarg.h>

#include "spool/lmtp/lmtp_client_priv.h"

/* What the client sends: commands of its plan as far as they may go, and content. */

static void command(struct lmtp_client *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void command(struct lmtp_client *c, const char *format, ...)
{
	struct text t;
	va_list args;

	text_init(&t, c->command, sizeof(c->command));
	va_start(args, format);
	text_vprintf(&t, format, args);
	va_end(args);
	c->command_len = (unsigned)t.len;
	c->command_at = 0;
	c->outstanding++;
}

static void command_mail(struct lmtp_client *c)
{
	const struct lmtp_mail *m = c->sending;
	struct text t;

	command(c, "MAIL FROM:<");
	text_init(&t, c->command, sizeof(c->command));
	t.len = c->command_len;
	text_put(&t, m->reverse_path);
	text_putc(&t, '>');
	if (m->eight_bit && c->extensions & LMTP_8BITMIME)
		text_printf(&t, " BODY=8BITMIME");
	if (m->utf8)
		text_printf(&t, " SMTPUTF8");
	if (c->extensions & LMTP_SIZE)
		text_printf(&t, " SIZE=%llu", (unsigned long long)m->octets);
	if (m->ret && c->extensions & LMTP_DSN)
		text_printf(&t, " RET=%s", dsn_ret_word(m->ret));
	if (m->envid.len && c->extensions & LMTP_DSN)
		text_printf(&t, " ENVID=%.*s", BYTES_FMT(m->envid));
	text_printf(&t, "\r\n");
	c->command_len = (unsigned)t.len;
}

static void command_rcpt(struct lmtp_client *c)
{
	const struct lmtp_recipient *r = &c->sending->recipients[c->sending->rcpt_sent];
	struct text t;

	command(c, "RCPT TO:<");
	text_init(&t, c->command, sizeof(c->command));
	t.len = c->command_len;
	text_put(&t, r->address);
	text_putc(&t, '>');
	if (r->notify && c->extensions & LMTP_DSN) {
		text_printf(&t, " NOTIFY=");
		dsn_notify_put(&t, r->notify);
	}
	if (r->orcpt.len && c->extensions & LMTP_DSN)
		text_printf(&t, " ORCPT=%.*s", BYTES_FMT(r->orcpt));
	text_printf(&t, "\r\n");
	c->command_len = (unsigned)t.len;
}

static bool by_bdat(const struct lmtp_client *c)
{
	return (c->extensions & LMTP_CHUNKING) != 0;
}

/* DATA waits for their replies. BDAT need not: without a recipient the server throws it away. */
static void after_recipients(struct lmtp_client *c)
{
	c->sending->ahead = c->hurry && lmtp_client_takes(c);
	c->tx = c->sending->ahead ? LMTP_TX_DATA : LMTP_TX_NOTHING;
}

/* Makes the next command of the plan, if it may go now. */
static bool next_command(struct lmtp_client *c)
{
	if (c->outstanding && !(c->extensions & LMTP_PIPELINING) && c->tx != LMTP_TX_LHLO)
		return false;
	switch (c->tx) {
	case LMTP_TX_NOTHING:
	case LMTP_TX_CONTENT: return false;
	case LMTP_TX_LHLO:
		command(c, "LHLO %s\r\n", c->hostname);
		c->tx = LMTP_TX_NOTHING;
		return true;
	case LMTP_TX_STARTTLS:
		command(c, "STARTTLS\r\n");
		c->tx = LMTP_TX_NOTHING;
		return true;
	case LMTP_TX_RSET:
		command(c, "RSET\r\n");
		c->tx = LMTP_TX_MAIL;
		return true;
	case LMTP_TX_MAIL:
		command_mail(c);
		c->tx = LMTP_TX_RCPT;
		return true;
	case LMTP_TX_RCPT:
		command_rcpt(c);
		if (++c->sending->rcpt_sent == c->sending->n_recipients)
			after_recipients(c);
		return true;
	case LMTP_TX_DATA:
		if (by_bdat(c))
			command(c, "BDAT %llu LAST\r\n", (unsigned long long)c->sending->octets);
		else
			command(c, "DATA\r\n");
		c->tx = by_bdat(c) ? LMTP_TX_CONTENT : LMTP_TX_NOTHING;
		return true;
	case LMTP_TX_QUIT:
		command(c, "QUIT\r\n");
		c->tx = LMTP_TX_NOTHING;
		return true;
	}
	return false;
}

static size_t copy_command(struct lmtp_client *c, uint8_t *buf, size_t cap)
{
	size_t n = c->command_len - c->command_at;

	n = n < cap ? n : cap;
	memcpy(buf, c->command + c->command_at, n);
	c->command_at += (unsigned)n;
	return n;
}

/* Content as it is. */
static size_t copy_plain(struct lmtp_client *c, struct bytes rest, uint8_t *buf, size_t cap)
{
	size_t n = rest.len < cap ? rest.len : cap;

	memcpy(buf, rest.data, n);
	c->part_at += n;
	return n;
}

/* One line, or what fits of it, with a dot doubled at its start (RFC 5321 §4.5.2). */
static size_t copy_stuffed(struct lmtp_client *c, struct bytes rest, uint8_t *buf, size_t cap)
{
	size_t stuffing = c->line_start && rest.data[0] == '.';
	const uint8_t *lf = memchr(rest.data, '\n', rest.len);
	size_t n = lf ? (size_t)(lf - rest.data) + 1 : rest.len;

	if (cap <= stuffing)
		return 0;
	n = n < cap - stuffing ? n : cap - stuffing;
	if (stuffing)
		buf[0] = '.';
	memcpy(buf + stuffing, rest.data, n);
	c->line_start = rest.data[n - 1] == '\n';
	c->part_at += n;
	return n + stuffing;
}

static void end_content(struct lmtp_client *c)
{
	if (!by_bdat(c)) {
		command(c, c->line_start ? ".\r\n" : "\r\n.\r\n");
		c->outstanding--; /* the end mark's replies are counted with DATA's */
	}
	lmtp_client_sent(c);
}

bool lmtp_client_bare(struct bytes octets, bool *cr)
{
	for (size_t i = 0; i < octets.len; i++) {
		uint8_t octet = octets.data[i];

		if (*cr != (octet == '\n'))
			return true;
		*cr = octet == '\r';
	}
	return false;
}

/* Parts that were not there when the mail began, and have not been looked at. */
static bool parts_sound(struct lmtp_client *c)
{
	const struct lmtp_mail *m = c->sending;
	uint64_t octets = 0;

	for (unsigned p = 0; p < m->n_parts; p++) {
		octets += m->parts[p].len;
		if (!by_bdat(c) && lmtp_client_bare(m->parts[p], &c->cr))
			return false;
	}
	if (octets == 0 || octets > c->more_left)
		return false;
	c->more_left -= octets;
	return by_bdat(c) || c->more_left || !c->cr;
}

/*
 * False. It is this mail's own doing: untried, it would be sent again at once, and take others
 * along each time.
 */
static bool content_lost(struct lmtp_client *c, const char *why)
{
	lmtp_client_settle(c->sending, LMTP_TEMPORARY, why);
	lmtp_client_fail(c, why);
	return false;
}

static bool load_more(struct lmtp_client *c)
{
	if (c->more_left == c->sending->more_octets)
		for (unsigned p = 0; p < c->sending->n_parts; p++)
			if (c->sending->parts[p].len)
				c->cr = c->sending->parts[p].data[c->sending->parts[p].len - 1] ==
					'\r';
	if (c->sending->more(c->sending) != 0)
		return content_lost(c, "451 4.3.0 the spool cannot be read");
	if (!parts_sound(c))
		return content_lost(c, "451 4.3.0 the spool does not hold what it should");
	c->part = 0;
	c->part_at = 0;
	return true;
}

/* To the next octets of content; false if there are none (any more). */
static bool find_content(struct lmtp_client *c)
{
	for (;;) {
		const struct lmtp_mail *m = c->sending;

		while (c->part < m->n_parts && c->part_at == m->parts[c->part].len) {
			c->part++;
			c->part_at = 0;
		}
		if (c->part < m->n_parts)
			return true;
		if (c->more_left == 0 || !load_more(c))
			return false;
	}
}

static size_t copy_content(struct lmtp_client *c, uint8_t *buf, size_t cap)
{
	struct bytes rest;

	if (!find_content(c)) {
		if (c->state == LMTP_FAILED)
			return 0;
		end_content(c);
		return copy_command(c, buf, cap);
	}
	rest = bytes_from(c->sending->parts[c->part], c->part_at);
	return by_bdat(c) ? copy_plain(c, rest, buf, cap) : copy_stuffed(c, rest, buf, cap);
}

/* One step's octets; 0 when nothing may be sent or nothing fits. */
static size_t step(struct lmtp_client *c, uint8_t *buf, size_t cap)
{
	if (c->command_at == c->command_len && c->tx != LMTP_TX_CONTENT)
		next_command(c);
	if (c->command_at < c->command_len)
		return copy_command(c, buf, cap);
	return c->tx == LMTP_TX_CONTENT ? copy_content(c, buf, cap) : 0;
}

size_t lmtp_client_output(struct lmtp_client *c, uint8_t *buf, size_t cap, uint64_t now_us)
{
	size_t len = 0, n;

	while (c->state != LMTP_FAILED && len < cap) {
		bool content = c->tx == LMTP_TX_CONTENT;

		n = step(c, buf + len, cap - len);
		len += n;
		/* Content that ends without an octet leads on. */
		if (n == 0 && !(content && c->tx != LMTP_TX_CONTENT))
			break;
	}
	if (c->state == LMTP_FAILED)
		return 0;
	if (len)
		c->deadline_us = now_us + c->timeout_us;
	return len;
}
