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
static enum smtp_syntax take_size(void *arguments, struct bytes value)
{
	struct smtp_mail_arguments *mail = arguments;

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
static enum smtp_syntax take_body(void *arguments, struct bytes value)
{
	struct smtp_mail_arguments *mail = arguments;

	if (mail->has_body)
		return SMTP_SYNTAX_BAD;
	mail->has_body = true;
	mail->eight_bit = bytes_eq_nocase(value, BYTES("8BITMIME"));
	return mail->eight_bit || bytes_eq_nocase(value, BYTES("7BIT")) ? SMTP_SYNTAX_OK
									: SMTP_SYNTAX_BAD;
}

/* RET and ENVID (RFC 3461 §4.3, §4.4), NOTIFY and ORCPT (§4.1, §4.2): each at most once. */
static enum smtp_syntax take_ret(void *arguments, struct bytes value)
{
	struct smtp_mail_arguments *mail = arguments;

	return mail->ret == DSN_RET_NONE && dsn_ret_parse(value, &mail->ret) ? SMTP_SYNTAX_OK
									     : SMTP_SYNTAX_BAD;
}

static enum smtp_syntax take_envid(void *arguments, struct bytes value)
{
	struct smtp_mail_arguments *mail = arguments;

	if (mail->envid.len > 0 || !dsn_envid_valid(value))
		return SMTP_SYNTAX_BAD;
	mail->envid = value;
	return SMTP_SYNTAX_OK;
}

static enum smtp_syntax take_notify(void *arguments, struct bytes value)
{
	struct smtp_rcpt_arguments *rcpt = arguments;

	return rcpt->notify == 0 && dsn_notify_parse(value, &rcpt->notify) ? SMTP_SYNTAX_OK
									   : SMTP_SYNTAX_BAD;
}

static enum smtp_syntax take_orcpt(void *arguments, struct bytes value)
{
	struct smtp_rcpt_arguments *rcpt = arguments;

	if (rcpt->orcpt.len > 0 || !dsn_orcpt_valid(value))
		return SMTP_SYNTAX_BAD;
	rcpt->orcpt = value;
	return SMTP_SYNTAX_OK;
}

/* `take` gets the arguments of that command. */
struct parameter {
	struct bytes keyword;
	enum smtp_syntax (*take)(void *arguments, struct bytes value);
};

static const struct parameter mail_parameters[] = {
	{BYTES("SIZE"), take_size},
	{BYTES("BODY"), take_body},
	{BYTES("RET"), take_ret},
	{BYTES("ENVID"), take_envid},
	{{0}, NULL},
};

static const struct parameter rcpt_parameters[] = {
	{BYTES("NOTIFY"), take_notify},
	{BYTES("ORCPT"), take_orcpt},
	{{0}, NULL},
};

static enum smtp_syntax take_parameter(
	const struct parameter *known, void *arguments, struct cursor *c)
{
	struct bytes keyword = cursor_take_while(c, is_keyword_octet);
	struct bytes value = {0};

	if (keyword.len == 0)
		return SMTP_SYNTAX_BAD;
	if (cursor_accept(c, '='))
		value = cursor_take_while(c, is_value_octet);
	if (!cursor_done(c) && !ascii_is_wsp(cursor_peek(c)))
		return SMTP_SYNTAX_BAD;
	for (; known->take; known++)
		if (bytes_eq_nocase(keyword, known->keyword))
			return known->take(arguments, value);
	return SMTP_SYNTAX_UNKNOWN_PARAMETER;
}

/* What stands behind the path. */
static enum smtp_syntax take_parameters(
	const struct parameter *known, struct bytes text, bool esmtp, void *arguments)
{
	struct cursor c = cursor_of(bytes_trim(text));

	if (!cursor_done(&c) && !esmtp)
		return SMTP_SYNTAX_UNKNOWN_PARAMETER;
	while (!cursor_done(&c)) {
		enum smtp_syntax syntax = take_parameter(known, arguments, &c);

		if (syntax != SMTP_SYNTAX_OK)
			return syntax;
		cursor_skip_wsp(&c);
	}
	return SMTP_SYNTAX_OK;
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
	return take_parameters(mail_parameters, arguments, esmtp, mail);
}

enum smtp_syntax smtp_command_rcpt(
	struct bytes arguments, bool esmtp, struct smtp_rcpt_arguments *rcpt)
{
	*rcpt = (struct smtp_rcpt_arguments){0};
	if (!take_keyword(&arguments, BYTES("TO")))
		return SMTP_SYNTAX_BAD;
	if (!smtp_path_parse(&arguments, false, true, &rcpt->path))
		return SMTP_SYNTAX_BAD_PATH;
	return take_parameters(rcpt_parameters, arguments, esmtp, rcpt);
}
