#include "gateway/smtp/smtp_command.h"

#include <errno.h>

static const struct bytes verbs[] = {
#define X(name) BYTES(#name),
	SMTP_VERBS(X)
#undef X
};

static bool is_not_wsp(int c)
{
	return !ascii_is_wsp(c);
}

enum smtp_verb smtp_command_verb(struct bytes line, struct bytes *arguments)
{
	struct cursor c = cursor_of(bytes_trim(line));
	struct bytes word = cursor_take_while(&c, is_not_wsp);

	*arguments = bytes_trim(cursor_rest(&c));
	for (unsigned i = 0; i < SMTP_VERB_UNKNOWN; i++)
		if (bytes_eq_nocase(word, verbs[i]))
			return (enum smtp_verb)i;
	return SMTP_VERB_UNKNOWN;
}

bool smtp_command_is_clean(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] > 0x7e)
			return false;
	return true;
}

static bool is_keyword_octet(int c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* esmtp-value: no "=", no control, no blank. */
static bool is_value_octet(int c)
{
	return c > 0x20 && c < 0x7f && c != '=';
}

/* SIZE has at most 20 digits (RFC 1870 §3). */
static enum smtp_syntax take_size(struct smtp_mail_arguments *mail, struct bytes value)
{
	if (mail->has_size || value.len > 20)
		return SMTP_SYNTAX_BAD;
	mail->has_size = true;
	switch (bytes_to_u64(value, UINT64_MAX, &mail->size)) {
	case 0: return SMTP_SYNTAX_OK;
	case -ERANGE:
		mail->size =
			UINT64_MAX; /* as large as can be: refused for its size, not its syntax */
		return SMTP_SYNTAX_OK;
	default: return SMTP_SYNTAX_BAD;
	}
}

/* BODY (RFC 6152 §3). */
static enum smtp_syntax take_body(struct smtp_mail_arguments *mail, struct bytes value)
{
	if (mail->has_body)
		return SMTP_SYNTAX_BAD;
	mail->has_body = true;
	mail->eight_bit = bytes_eq_nocase(value, BYTES("8BITMIME"));
	return mail->eight_bit || bytes_eq_nocase(value, BYTES("7BIT")) ? SMTP_SYNTAX_OK
									: SMTP_SYNTAX_BAD;
}

static const struct {
	struct bytes keyword;
	enum smtp_syntax (*take)(struct smtp_mail_arguments *mail, struct bytes value);
} mail_parameters[] = {
	{BYTES("SIZE"), take_size},
	{BYTES("BODY"), take_body},
};

static enum smtp_syntax take_parameter(struct smtp_mail_arguments *mail, struct cursor *c)
{
	struct bytes keyword = cursor_take_while(c, is_keyword_octet);
	struct bytes value = {0};

	if (keyword.len == 0)
		return SMTP_SYNTAX_BAD;
	if (cursor_accept(c, '='))
		value = cursor_take_while(c, is_value_octet);
	if (!cursor_done(c) && !ascii_is_wsp(cursor_peek(c)))
		return SMTP_SYNTAX_BAD;
	for (unsigned i = 0; i < sizeof(mail_parameters) / sizeof(mail_parameters[0]); i++)
		if (bytes_eq_nocase(keyword, mail_parameters[i].keyword))
			return mail_parameters[i].take(mail, value);
	return SMTP_SYNTAX_UNKNOWN_PARAMETER;
}

/* "FROM:" or "TO:"; real senders put a blank before the colon's address, some before the colon. */
static bool take_keyword(struct bytes *arguments, struct bytes keyword)
{
	struct cursor c = cursor_of(*arguments);

	if (!cursor_accept_nocase(&c, keyword))
		return false;
	cursor_skip_wsp(&c);
	if (!cursor_accept(&c, ':'))
		return false;
	*arguments = cursor_rest(&c);
	return true;
}

enum smtp_syntax smtp_command_mail(
	struct bytes arguments, bool esmtp, struct smtp_mail_arguments *mail)
{
	*mail = (struct smtp_mail_arguments){0};
	if (!take_keyword(&arguments, BYTES("FROM")))
		return SMTP_SYNTAX_BAD;
	if (!smtp_path_parse(&arguments, true, false, &mail->path))
		return SMTP_SYNTAX_BAD_PATH;

	struct cursor c = cursor_of(bytes_trim(arguments));

	if (!cursor_done(&c) && !esmtp)
		return SMTP_SYNTAX_UNKNOWN_PARAMETER;
	while (!cursor_done(&c)) {
		enum smtp_syntax syntax = take_parameter(mail, &c);

		if (syntax != SMTP_SYNTAX_OK)
			return syntax;
		cursor_skip_wsp(&c);
	}
	return SMTP_SYNTAX_OK;
}

enum smtp_syntax smtp_command_rcpt(struct bytes arguments, struct smtp_path *path)
{
	if (!take_keyword(&arguments, BYTES("TO")))
		return SMTP_SYNTAX_BAD;
	if (!smtp_path_parse(&arguments, false, true, path))
		return SMTP_SYNTAX_BAD_PATH;
	return bytes_trim(arguments).len == 0 ? SMTP_SYNTAX_OK : SMTP_SYNTAX_UNKNOWN_PARAMETER;
}
