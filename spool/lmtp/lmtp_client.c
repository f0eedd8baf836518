#include "spool/lmtp/lmtp_client.h"

#include <stdio.h>

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

const char *lmtp_client_failure(const struct lmtp_client *c)
{
	return c->failure;
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

static enum lmtp_outcome outcome_of(unsigned code)
{
	if (code >= 200 && code < 300)
		return LMTP_DELIVERED;
	return code >= 500 ? LMTP_PERMANENT : LMTP_TEMPORARY;
}

static void result_set(struct lmtp_result *r, enum lmtp_outcome outcome, const char *text)
{
	static const char classes[] = {'4', '2', '4', '5'}; /* by enum lmtp_outcome */
	char class = classes[outcome];

	r->outcome = outcome;
	snprintf(r->text, sizeof(r->text), "%s", text);
	if (strlen(text) < 5 || !dsn_of(text + 4, class, r->dsn))
		snprintf(r->dsn, sizeof(r->dsn), "%c.0.0", class);
}

/* The reply that was just read. */
static void result_reply(const struct lmtp_client *c, struct lmtp_result *r)
{
	result_set(r, outcome_of(c->code), c->first);
}

/* Everyone who has no result yet gets this one. */
static void settle(struct lmtp_client *c, enum lmtp_outcome outcome, const char *text)
{
	for (unsigned i = 0; c->mail && i < c->mail->n_recipients; i++) {
		struct lmtp_result *r = &c->mail->recipients[i].result;

		if (r->outcome != LMTP_PENDING)
			continue;
		result_set(r, outcome, text);
		r->unsure = c->content_sent && outcome == LMTP_TEMPORARY;
	}
}

static void fail(struct lmtp_client *c, const char *why)
{
	if (c->state == LMTP_FAILED)
		return;
	snprintf(c->failure, sizeof(c->failure), "%s", why);
	settle(c, LMTP_TEMPORARY, why);
	c->untried = c->mail && c->rx == LMTP_RX_RSET;
	c->mail = NULL;
	c->state = LMTP_FAILED;
	c->tx = LMTP_TX_NOTHING;
	c->command_len = c->command_at = 0;
}

void lmtp_client_ended(struct lmtp_client *c, const char *reason)
{
	char text[LMTP_TEXT_MAX];

	snprintf(text, sizeof(text), "451 4.4.2 %s", reason);
	fail(c, text);
}

void lmtp_client_tick(struct lmtp_client *c, uint64_t now_us)
{
	if (now_us >= lmtp_client_deadline(c))
		fail(c, "451 4.4.2 no reply in time");
}

static void finish(struct lmtp_client *c)
{
	c->mail = NULL;
	c->state = LMTP_READY;
	c->tx = LMTP_TX_NOTHING;
	c->rx = LMTP_RX_NOTHING;
}

/* --- beginning ------------------------------------------------------------------------------ */

static bool bare_eol(const struct lmtp_mail *m)
{
	bool cr = false;

	for (unsigned p = 0; p < m->n_parts; p++)
		for (size_t i = 0; i < m->parts[p].len; i++) {
			uint8_t octet = m->parts[p].data[i];

			if (cr != (octet == '\n'))
				return true;
			cr = octet == '\r';
		}
	return cr;
}

static uint64_t octets_of(const struct lmtp_mail *m)
{
	uint64_t octets = 0;

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
static const char *unfit(const struct lmtp_client *c)
{
	const struct lmtp_mail *m = c->mail;

	if (!address_sound(m->reverse_path))
		return "550 5.1.7 the reverse-path cannot be sent";
	for (unsigned i = 0; i < m->n_recipients; i++)
		if (!address_sound(m->recipients[i].address))
			return "550 5.1.3 the forward-path cannot be sent";
	if (m->utf8 && !(c->extensions & LMTP_SMTPUTF8))
		return "550 5.6.7 the server does not announce SMTPUTF8";
	if (c->size_limit && c->octets > c->size_limit)
		return "552 5.3.4 larger than the server announces to take";
	if (!c->bdat && (m->bare_eol || bare_eol(m)))
		return "550 5.6.1 bare CR or LF, and the server does not announce CHUNKING";
	return NULL;
}

void lmtp_client_send(struct lmtp_client *c, struct lmtp_mail *mail, uint64_t now_us)
{
	const char *why;

	c->mail = mail;
	c->octets = octets_of(mail);
	c->bdat = (c->extensions & LMTP_CHUNKING) != 0;
	c->rcpt_sent = c->rcpt_seen = c->accepted = 0;
	c->mail_refused = c->content_sent = false;
	c->part = 0;
	c->part_at = 0;
	c->line_start = true;
	for (unsigned i = 0; i < mail->n_recipients; i++)
		mail->recipients[i].result = (struct lmtp_result){0};
	why = unfit(c);
	if (why) {
		settle(c, LMTP_PERMANENT, why);
		finish(c);
		return;
	}
	c->state = LMTP_BUSY;
	/* What an earlier mail left behind is cleared, and an ended connection found out. */
	c->tx = c->used ? LMTP_TX_RSET : LMTP_TX_MAIL;
	c->rx = c->used ? LMTP_RX_RSET : LMTP_RX_MAIL;
	c->used = true;
	c->deadline_us = now_us + c->timeout_us;
}

void lmtp_client_quit(struct lmtp_client *c)
{
	c->state = LMTP_BUSY;
	c->tx = LMTP_TX_QUIT;
}

/* --- sending -------------------------------------------------------------------------------- */

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
	const struct lmtp_mail *m = c->mail;
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
		text_printf(&t, " SIZE=%llu", (unsigned long long)c->octets);
	text_printf(&t, "\r\n");
	c->command_len = (unsigned)t.len;
}

static void command_rcpt(struct lmtp_client *c)
{
	struct text t;

	command(c, "RCPT TO:<");
	text_init(&t, c->command, sizeof(c->command));
	t.len = c->command_len;
	text_put(&t, c->mail->recipients[c->rcpt_sent].address);
	text_printf(&t, ">\r\n");
	c->command_len = (unsigned)t.len;
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
		if (++c->rcpt_sent == c->mail->n_recipients)
			c->tx = LMTP_TX_NOTHING; /* DATA waits for their replies */
		return true;
	case LMTP_TX_DATA:
		if (c->bdat)
			command(c, "BDAT %llu LAST\r\n", (unsigned long long)c->octets);
		else
			command(c, "DATA\r\n");
		c->tx = c->bdat ? LMTP_TX_CONTENT : LMTP_TX_NOTHING;
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
	c->content_sent = true;
	c->tx = LMTP_TX_NOTHING;
	if (c->bdat)
		return;
	command(c, c->line_start ? ".\r\n" : "\r\n.\r\n");
	c->outstanding--; /* the end mark's replies are counted with DATA's */
}

static size_t copy_content(struct lmtp_client *c, uint8_t *buf, size_t cap)
{
	struct bytes rest;

	while (c->part < c->mail->n_parts && c->part_at == c->mail->parts[c->part].len) {
		c->part++;
		c->part_at = 0;
	}
	if (c->part == c->mail->n_parts) {
		end_content(c);
		return copy_command(c, buf, cap);
	}
	rest = bytes_from(c->mail->parts[c->part], c->part_at);
	return c->bdat ? copy_plain(c, rest, buf, cap) : copy_stuffed(c, rest, buf, cap);
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
		if (n == 0 && !(content && c->tx != LMTP_TX_CONTENT))
			break;
	}
	if (len)
		c->deadline_us = now_us + c->timeout_us;
	return len;
}

/* --- replies -------------------------------------------------------------------------------- */

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

static void start_content(struct lmtp_client *c)
{
	c->rx = c->bdat ? LMTP_RX_FINAL : LMTP_RX_DATA;
	c->tx = LMTP_TX_DATA;
	c->rcpt_seen = 0;
}

static void on_rcpt(struct lmtp_client *c)
{
	struct lmtp_result *r = &c->mail->recipients[c->rcpt_seen++].result;

	if (c->mail_refused)
		*r = c->refusal;
	else if (good(c))
		c->accepted++;
	else
		result_reply(c, r);
	if (c->rcpt_seen < c->rcpt_sent || c->tx == LMTP_TX_RCPT)
		return;
	if (c->accepted)
		start_content(c);
	else
		finish(c); /* the next mail begins with RSET */
}

static void on_mail(struct lmtp_client *c)
{
	c->rx = LMTP_RX_RCPT;
	if (good(c))
		return;
	result_reply(c, &c->refusal);
	c->mail_refused = true;
	/* RCPTs that are not out yet need not go. */
	if (c->rcpt_sent == 0) {
		settle(c, c->refusal.outcome, c->refusal.text);
		finish(c);
		return;
	}
	if (c->tx == LMTP_TX_RCPT) {
		for (unsigned i = c->rcpt_sent; i < c->mail->n_recipients; i++)
			c->mail->recipients[i].result = c->refusal;
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
	settle(c, c->code >= 500 ? LMTP_PERMANENT : LMTP_TEMPORARY, c->first);
	finish(c);
}

/* One reply for each recipient that was accepted, in their order (RFC 2033 §4.2). */
static void on_final(struct lmtp_client *c)
{
	while (c->mail->recipients[c->rcpt_seen].result.outcome != LMTP_PENDING)
		c->rcpt_seen++;
	result_reply(c, &c->mail->recipients[c->rcpt_seen++].result);
	if (--c->accepted) {
		c->outstanding++;
		return;
	}
	if (c->content_sent && c->command_at == c->command_len)
		finish(c);
	else
		fail(c, "451 4.5.0 replies came before the content was sent");
}

static void on_reply(struct lmtp_client *c)
{
	if (c->outstanding == 0 || c->code < 200) {
		fail(c, c->code == 421 ? c->first : "451 4.5.0 a reply to no command");
		return;
	}
	c->outstanding--;
	if (c->code == 421 && c->rx != LMTP_RX_FINAL) {
		fail(c, c->first);
		return;
	}
	switch (c->rx) {
	case LMTP_RX_NOTHING: fail(c, c->first); return;
	case LMTP_RX_GREETING:
		if (!good(c)) {
			fail(c, c->first);
			return;
		}
		c->rx = LMTP_RX_LHLO;
		c->tx = LMTP_TX_LHLO;
		return;
	case LMTP_RX_LHLO:
		if (good(c))
			finish(c);
		else
			fail(c, c->first);
		return;
	case LMTP_RX_RSET:
		c->rx = LMTP_RX_MAIL;
		if (!good(c))
			fail(c, c->first);
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
		fail(c, "451 4.5.0 the server's reply makes no sense");
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
		if (octets.data[i] == '\n') {
			on_line(c);
			c->line_len = 0;
		} else if (c->line_len < sizeof(c->line)) {
			c->line[c->line_len++] = (char)octets.data[i];
		}
	}
}
