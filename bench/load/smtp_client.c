#include "bench/load/smtp_client.h"

#include <errno.h>

#define SERVICE_CLOSING 421

const char *smtp_client_state_name(enum smtp_client_state state)
{
	static const char *const names[] = {
#define X(id, word) word,
		SMTP_CLIENT_STATES(X)
#undef X
	};

	return state < SMTP_CLIENT_STATE_COUNT ? names[state] : "?";
}

/* --- what is said -------------------------------------------------------------------------------
 */

/* Nothing that ends a line or an address early: a command is one line. */
static bool is_word(const char *text)
{
	for (; *text; text++)
		if (ascii_is_ctl((uint8_t)*text) || *text == '<' || *text == '>')
			return false;
	return true;
}

static struct bytes put_line(
	struct text *memory, const char *before, const char *word, const char *behind)
{
	size_t at = memory->len;

	text_printf(memory, "%s%s%s\r\n", before, word, behind);
	return bytes_of(memory->data + at, memory->len - at);
}

int smtp_client_words_init(struct smtp_client_words *words, const char *helo, const char *from,
	const char *to, bool pipelining, struct text *memory)
{
	if (!is_word(helo) || !is_word(from) || !is_word(to))
		return -EINVAL;
	words->pipelining = pipelining;
	words->ehlo = put_line(memory, "EHLO ", helo, "");
	words->mail = put_line(memory, "MAIL FROM:<", from, ">");
	words->rcpt = put_line(memory, "RCPT TO:<", to, ">");
	words->data = put_line(memory, "DATA", "", "");
	words->envelope =
		bytes_of(words->mail.data, words->mail.len + words->rcpt.len + words->data.len);
	return memory->overflow ? -ENOSPC : 0;
}

void smtp_client_init(struct smtp_client *c, const struct smtp_client_words *words)
{
	*c = (struct smtp_client){.words = words, .state = SMTP_CLIENT_GREETING};
}

static void say(struct smtp_client *c, enum smtp_client_state state, struct bytes octets)
{
	c->state = (uint8_t)state;
	c->out = octets;
}

void smtp_client_mail(struct smtp_client *c, struct bytes wire)
{
	c->content = wire;
	c->result = 0;
	c->mail_open = false;
	c->pipelined = c->words->pipelining && c->server_pipelines;
	say(c, SMTP_CLIENT_MAIL, c->pipelined ? c->words->envelope : c->words->mail);
}

void smtp_client_noop(struct smtp_client *c)
{
	say(c, SMTP_CLIENT_NOOP, BYTES("NOOP\r\n"));
}

void smtp_client_quit(struct smtp_client *c)
{
	say(c, SMTP_CLIENT_QUIT, BYTES("QUIT\r\n"));
}

/* --- what a reply means -------------------------------------------------------------------------
 */

static enum smtp_client_event end(struct smtp_client *c, enum smtp_client_event event)
{
	c->state = SMTP_CLIENT_CLOSED;
	c->out = (struct bytes){0};
	return event;
}

static enum smtp_client_event go_on(
	struct smtp_client *c, enum smtp_client_state state, struct bytes octets)
{
	if (c->out.len) /* it answers what we have not said yet */
		return end(c, SMTP_CLIENT_EV_BROKEN);
	say(c, state, octets);
	return SMTP_CLIENT_EV_REPLY;
}

static bool is_good(const struct smtp_client *c, unsigned class)
{
	return c->code / 100 == class;
}

static void note_refusal(struct smtp_client *c)
{
	if (c->result == 0)
		c->result = c->code;
}

static enum smtp_client_event mail_done(struct smtp_client *c)
{
	if (c->out.len)
		return end(c, SMTP_CLIENT_EV_BROKEN);
	c->state = SMTP_CLIENT_READY;
	return SMTP_CLIENT_EV_MAIL_DONE;
}

/* The mail will not be taken: leave the transaction, if there is one. */
static enum smtp_client_event give_up(struct smtp_client *c)
{
	return c->mail_open ? go_on(c, SMTP_CLIENT_RSET, BYTES("RSET\r\n")) : mail_done(c);
}

static enum smtp_client_event on_greeting(struct smtp_client *c)
{
	if (!is_good(c, 2))
		return end(c, SMTP_CLIENT_EV_REFUSED);
	return go_on(c, SMTP_CLIENT_EHLO, c->words->ehlo);
}

static enum smtp_client_event on_ehlo(struct smtp_client *c)
{
	if (c->out.len)
		return end(c, SMTP_CLIENT_EV_BROKEN);
	if (!is_good(c, 2))
		return end(c, SMTP_CLIENT_EV_REFUSED);
	c->state = SMTP_CLIENT_READY;
	return SMTP_CLIENT_EV_READY;
}

/* A reply without a command. */
static enum smtp_client_event on_ready(struct smtp_client *c)
{
	return end(c, SMTP_CLIENT_EV_BROKEN);
}

static enum smtp_client_event on_mail(struct smtp_client *c)
{
	c->mail_open = is_good(c, 2);
	if (!c->mail_open)
		note_refusal(c);
	if (c->pipelined) {
		c->state = SMTP_CLIENT_RCPT;
		return SMTP_CLIENT_EV_REPLY;
	}
	return c->mail_open ? go_on(c, SMTP_CLIENT_RCPT, c->words->rcpt) : give_up(c);
}

static enum smtp_client_event on_rcpt(struct smtp_client *c)
{
	if (!is_good(c, 2))
		note_refusal(c);
	if (c->pipelined) {
		c->state = SMTP_CLIENT_DATA;
		return SMTP_CLIENT_EV_REPLY;
	}
	return c->result ? give_up(c) : go_on(c, SMTP_CLIENT_DATA, c->words->data);
}

static enum smtp_client_event on_data(struct smtp_client *c)
{
	if (!is_good(c, 3)) {
		note_refusal(c);
		return give_up(c);
	}
	/* RFC 2920 §3.1: 354 may come though no recipient was taken; then send an empty mail. */
	return go_on(c, SMTP_CLIENT_CONTENT, c->result ? BYTES(".\r\n") : c->content);
}

static enum smtp_client_event on_content(struct smtp_client *c)
{
	note_refusal(c);
	return mail_done(c);
}

static enum smtp_client_event on_rset(struct smtp_client *c)
{
	return mail_done(c);
}

static enum smtp_client_event on_noop(struct smtp_client *c)
{
	if (c->out.len)
		return end(c, SMTP_CLIENT_EV_BROKEN);
	c->state = SMTP_CLIENT_READY;
	return SMTP_CLIENT_EV_NOOP_DONE;
}

static enum smtp_client_event on_quit(struct smtp_client *c)
{
	return end(c, SMTP_CLIENT_EV_BYE);
}

static enum smtp_client_event (*const on_reply[])(struct smtp_client *c) = {
	[SMTP_CLIENT_GREETING] = on_greeting,
	[SMTP_CLIENT_EHLO] = on_ehlo,
	[SMTP_CLIENT_READY] = on_ready,
	[SMTP_CLIENT_MAIL] = on_mail,
	[SMTP_CLIENT_RCPT] = on_rcpt,
	[SMTP_CLIENT_DATA] = on_data,
	[SMTP_CLIENT_CONTENT] = on_content,
	[SMTP_CLIENT_RSET] = on_rset,
	[SMTP_CLIENT_NOOP] = on_noop,
	[SMTP_CLIENT_QUIT] = on_quit,
	[SMTP_CLIENT_CLOSED] = on_ready,
};

static enum smtp_client_event take_reply(struct smtp_client *c)
{
	c->lines = 0;
	if (c->code == SERVICE_CLOSING) { /* RFC 5321 §3.8: to any command, or to none */
		if (smtp_client_in_mail(c))
			note_refusal(c);
		return end(c,
			c->state <= SMTP_CLIENT_EHLO ? SMTP_CLIENT_EV_REFUSED : SMTP_CLIENT_EV_BYE);
	}
	return on_reply[c->state](c);
}

/* --- reply lines, RFC 5321 §4.2.1 --------------------------------------------------------------
 */

static void start_line(struct smtp_client *c)
{
	c->line_len = 0;
	c->line_code = 0;
	c->text_len = 0;
	c->last_line = true;
}

/* One octet of a line: three digits, a blank or a hyphen, text. False: it is no reply. */
static bool take_octet(struct smtp_client *c, uint8_t octet)
{
	unsigned at = c->line_len++;

	if (at >= SMTP_CLIENT_LINE_MAX)
		return false;
	if (at < 3) {
		c->line_code = (uint16_t)(c->line_code * 10 + (octet - '0'));
		return ascii_is_digit(octet);
	}
	if (at == 3) {
		c->last_line = octet != '-';
		return octet == '-' || octet == ' ' || octet == '\r';
	}
	if (c->text_len < SMTP_CLIENT_TEXT_MAX)
		c->text[c->text_len++] = (char)octet;
	return true;
}

static void trim_text(struct smtp_client *c)
{
	while (c->text_len && (c->text[c->text_len - 1] == '\r' || c->text[c->text_len - 1] == ' '))
		c->text_len--;
}

/* False: the line is no part of a reply. */
static bool end_line(struct smtp_client *c)
{
	if (c->line_len < 3 || c->line_code < 200 || c->line_code > 599)
		return false;
	if (c->lines > 0 && c->line_code != c->code)
		return false;
	trim_text(c);
	c->code = c->line_code;
	if (++c->lines > SMTP_CLIENT_LINES_MAX)
		return false;
	if (c->state == SMTP_CLIENT_EHLO &&
		bytes_eq_nocase(smtp_client_text(c), BYTES("PIPELINING")))
		c->server_pipelines = true;
	return true;
}

enum smtp_client_event smtp_client_input(struct smtp_client *c, struct bytes *input)
{
	while (input->len && c->state != SMTP_CLIENT_CLOSED) {
		uint8_t octet = *input->data;

		*input = bytes_from(*input, 1);
		if (octet != '\n') {
			if (c->line_len == 0)
				start_line(c);
			if (!take_octet(c, octet))
				return end(c, SMTP_CLIENT_EV_BROKEN);
			continue;
		}
		if (!end_line(c))
			return end(c, SMTP_CLIENT_EV_BROKEN);
		c->line_len = 0;
		if (c->last_line)
			return take_reply(c);
	}
	return SMTP_CLIENT_EV_INPUT;
}
