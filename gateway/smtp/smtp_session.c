#include "gateway/smtp/smtp_session.h"

#include "gateway/smtp/smtp_command.h"

/*
 * Blocks of the arena that one transaction may take: with 4 KiB blocks about 250 octets for each of
 * 1,000 recipients.
 */
#define ENVELOPE_BLOCKS_MAX 96

/* Room that the longest answer to one line (EHLO's) needs. */
#define ANSWER_ROOM 1024

static void put(struct text *out, enum smtp_reply_id id)
{
	const struct smtp_reply *reply = smtp_reply_get(id);

	smtp_reply_put(out, reply, bytes_str(reply->text));
}

void smtp_session_init(struct smtp_session *session, const struct smtp_config *config,
	struct slab *lines, struct slab *blocks)
{
	*session = (struct smtp_session){.config = config, .lines = lines};
	arena_init(&session->arena, blocks, ENVELOPE_BLOCKS_MAX);
}

static void line_drop(struct smtp_session *session)
{
	if (session->line)
		slab_put(session->lines, session->line);
	session->line = NULL;
	session->line_len = 0;
}

void smtp_session_fini(struct smtp_session *session)
{
	line_drop(session);
	arena_fini(&session->arena);
}

/* --- the greeting name --------------------------------------------------------------------------
 */

/* Keep the name: in the session if it is short, else in the arena, which has just been reset. */
static bool helo_keep(struct smtp_session *session, struct bytes name)
{
	if (name.len <= sizeof(session->helo_inline)) {
		memcpy(session->helo_inline, name.data, name.len);
		session->helo = bytes_of(session->helo_inline, name.len);
		return true;
	}
	session->helo = arena_dup(&session->arena, name);
	return session->helo.data != NULL;
}

/* --- the transaction ----------------------------------------------------------------------------
 */

static bool in_transaction(const struct smtp_session *session)
{
	return session->state >= SMTP_STATE_MAIL && session->state <= SMTP_STATE_CONTENT;
}

/* Forget the envelope; a long HELO name outlives it. */
static void transaction_end(struct smtp_session *session)
{
	char name[SMTP_HELO_MAX];
	size_t len = session->helo.len;

	session->transaction = (struct smtp_transaction){0};
	session->rcpt = NULL;
	session->refusal = NULL;
	session->asked_rcpt = false;
	if (len > sizeof(session->helo_inline))
		memcpy(name, session->helo.data, len);
	arena_reset(&session->arena);
	if (len > sizeof(session->helo_inline) && !helo_keep(session, bytes_of(name, len)))
		session->helo = BYTES("");
	if (session->state > SMTP_STATE_READY && session->state < SMTP_STATE_CLOSED)
		session->state = SMTP_STATE_READY;
}

/* What may be empty. */
static bool text_keep(struct arena *arena, struct bytes *text)
{
	if (text->len == 0)
		return true;
	*text = arena_dup(arena, *text);
	return text->data != NULL;
}

static bool path_keep(struct arena *arena, struct smtp_path *path)
{
	struct bytes given = path->address;
	struct bytes kept = arena_dup(arena, given);

	if (!kept.data)
		return false;
	if (path->local.data)
		path->local.data = kept.data + (path->local.data - given.data);
	if (path->domain.data)
		path->domain.data = kept.data + (path->domain.data - given.data);
	path->address = kept;
	return true;
}

/* --- replies ------------------------------------------------------------------------------------
 */

static enum smtp_event close_with(
	struct smtp_session *session, enum smtp_reply_id id, struct text *out)
{
	put(out, id);
	smtp_session_close(session);
	return SMTP_EVENT_NONE;
}

void smtp_session_close(struct smtp_session *session)
{
	session->next = in_transaction(session) ? SMTP_EVENT_RESET : SMTP_EVENT_CLOSE;
	session->waiting = 0;
	session->closing = true;
}

/* Refuse a command; too many refusals end the session. */
static enum smtp_event refuse(struct smtp_session *session, enum smtp_reply_id id, struct text *out)
{
	put(out, id);
	if (++session->errors >= session->config->max_errors)
		return close_with(session, SMTP_REPLY_TOO_MANY_ERRORS, out);
	return SMTP_EVENT_NONE;
}

static enum smtp_event say(enum smtp_reply_id id, struct text *out)
{
	put(out, id);
	return SMTP_EVENT_NONE;
}

static enum smtp_event ask(struct smtp_session *session, enum smtp_event event)
{
	session->waiting = (uint8_t)event;
	return event;
}

void smtp_session_greet(struct smtp_session *session, struct text *out)
{
	text_printf(out, "220 %s ESMTP Postern\r\n", session->config->hostname);
}

/* --- commands -----------------------------------------------------------------------------------
 */

static void put_extensions(const struct smtp_session *session, struct text *out)
{
	text_printf(out,
		"250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-DSN\r\n"
		"250 ENHANCEDSTATUSCODES\r\n",
		session->config->hostname, (unsigned long long)session->config->max_size);
}

/* RFC 5321 §4.1.4: a greeting in the middle of a session also resets. */
static enum smtp_event greet(
	struct smtp_session *session, struct bytes name, bool esmtp, struct text *out)
{
	bool had_mail = in_transaction(session);

	if (name.len == 0 || name.len > SMTP_HELO_MAX || bytes_find(name, ' ') != BYTES_NPOS ||
		bytes_find(name, '\t') != BYTES_NPOS)
		return refuse(session, SMTP_REPLY_BAD_HELO, out);
	session->helo = BYTES("");
	transaction_end(session);
	if (!helo_keep(session, name))
		return close_with(session, SMTP_REPLY_NO_MEMORY, out);
	session->esmtp = esmtp;
	session->state = SMTP_STATE_READY;
	if (esmtp)
		put_extensions(session, out);
	else
		text_printf(out, "250 %s\r\n", session->config->hostname);
	if (had_mail) {
		session->next = SMTP_EVENT_HELO;
		return SMTP_EVENT_RESET;
	}
	return SMTP_EVENT_HELO;
}

static enum smtp_event do_ehlo(struct smtp_session *session, struct bytes arg, struct text *out)
{
	return greet(session, arg, true, out);
}

static enum smtp_event do_helo(struct smtp_session *session, struct bytes arg, struct text *out)
{
	return greet(session, arg, false, out);
}

static const enum smtp_reply_id syntax_reply_mail[] = {
	[SMTP_SYNTAX_BAD] = SMTP_REPLY_BAD_SYNTAX,
	[SMTP_SYNTAX_BAD_PATH] = SMTP_REPLY_BAD_SENDER_SYNTAX,
	[SMTP_SYNTAX_UNKNOWN_PARAMETER] = SMTP_REPLY_PARAMETER_UNKNOWN,
};

static const enum smtp_reply_id syntax_reply_rcpt[] = {
	[SMTP_SYNTAX_BAD] = SMTP_REPLY_BAD_SYNTAX,
	[SMTP_SYNTAX_BAD_PATH] = SMTP_REPLY_BAD_RECIPIENT_SYNTAX,
	[SMTP_SYNTAX_UNKNOWN_PARAMETER] = SMTP_REPLY_PARAMETER_UNKNOWN,
};

static enum smtp_event do_mail(struct smtp_session *session, struct bytes arg, struct text *out)
{
	struct smtp_mail_arguments mail;
	enum smtp_syntax syntax;

	if (in_transaction(session))
		return refuse(session, SMTP_REPLY_NESTED_MAIL, out);
	syntax = smtp_command_mail(arg, session->esmtp, &mail);
	if (syntax != SMTP_SYNTAX_OK)
		return refuse(session, syntax_reply_mail[syntax], out);
	if (mail.size > session->config->max_size)
		return refuse(session, SMTP_REPLY_TOO_BIG, out);
	if (session->transactions >= session->config->max_transactions)
		return close_with(session, SMTP_REPLY_TOO_MANY_MAILS, out);
	if (!path_keep(&session->arena, &mail.path) || !text_keep(&session->arena, &mail.envid))
		return say(SMTP_REPLY_NO_SPACE, out);
	session->transaction.reverse_path = mail.path;
	session->transaction.size = mail.size;
	session->transaction.ret = mail.ret;
	session->transaction.envid = mail.envid;
	session->transaction.body = mail.eight_bit ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
	return ask(session, SMTP_EVENT_MAIL);
}

static enum smtp_event do_rcpt(struct smtp_session *session, struct bytes arg, struct text *out)
{
	struct smtp_recipient *rcpt;
	struct smtp_rcpt_arguments given;
	enum smtp_syntax syntax;

	if (!in_transaction(session))
		return refuse(session, SMTP_REPLY_NEED_MAIL, out);
	session->asked_rcpt = true;
	syntax = smtp_command_rcpt(arg, session->esmtp, &given);
	if (syntax != SMTP_SYNTAX_OK)
		return refuse(session, syntax_reply_rcpt[syntax], out);
	if (session->transaction.n_recipients >= session->config->max_recipients)
		return say(SMTP_REPLY_TOO_MANY_RECIPIENTS, out);
	rcpt = ARENA_NEW(&session->arena, struct smtp_recipient);
	if (!rcpt || !path_keep(&session->arena, &given.path) ||
		!text_keep(&session->arena, &given.orcpt))
		return say(SMTP_REPLY_NO_SPACE, out);
	rcpt->path = given.path;
	rcpt->notify = given.notify;
	rcpt->orcpt = given.orcpt;
	session->rcpt = rcpt;
	return ask(session, SMTP_EVENT_RCPT);
}

static enum smtp_event do_data(struct smtp_session *session, struct bytes arg, struct text *out)
{
	if (arg.len > 0)
		return refuse(session, SMTP_REPLY_BAD_SYNTAX, out);
	if (!in_transaction(session))
		return refuse(session, SMTP_REPLY_NEED_MAIL, out);
	if (session->state != SMTP_STATE_RCPT)
		return refuse(session,
			session->asked_rcpt ? SMTP_REPLY_NO_VALID_RECIPIENTS : SMTP_REPLY_NEED_RCPT,
			out);
	return ask(session, SMTP_EVENT_DATA);
}

static enum smtp_event do_rset(struct smtp_session *session, struct bytes arg, struct text *out)
{
	bool had_mail = in_transaction(session);

	if (arg.len > 0)
		return refuse(session, SMTP_REPLY_BAD_SYNTAX, out);
	transaction_end(session);
	put(out, SMTP_REPLY_OK);
	return had_mail ? SMTP_EVENT_RESET : SMTP_EVENT_NONE;
}

static enum smtp_event do_noop(struct smtp_session *session, struct bytes arg, struct text *out)
{
	(void)session, (void)arg;
	return say(SMTP_REPLY_OK, out);
}

static enum smtp_event do_vrfy(struct smtp_session *session, struct bytes arg, struct text *out)
{
	return arg.len > 0 ? say(SMTP_REPLY_VRFY, out)
			   : refuse(session, SMTP_REPLY_BAD_SYNTAX, out);
}

static enum smtp_event do_help(struct smtp_session *session, struct bytes arg, struct text *out)
{
	(void)session, (void)arg;
	return say(SMTP_REPLY_HELP, out);
}

static enum smtp_event do_quit(struct smtp_session *session, struct bytes arg, struct text *out)
{
	if (arg.len > 0)
		return refuse(session, SMTP_REPLY_BAD_SYNTAX, out);
	return close_with(session, SMTP_REPLY_BYE, out);
}

static const struct {
	bool needs_helo;
	enum smtp_event (*run)(struct smtp_session *session, struct bytes arg, struct text *out);
} commands[] = {
	[SMTP_VERB_EHLO] = {false, do_ehlo},
	[SMTP_VERB_HELO] = {false, do_helo},
	[SMTP_VERB_MAIL] = {true, do_mail},
	[SMTP_VERB_RCPT] = {true, do_rcpt},
	[SMTP_VERB_DATA] = {true, do_data},
	[SMTP_VERB_RSET] = {false, do_rset},
	[SMTP_VERB_NOOP] = {false, do_noop},
	[SMTP_VERB_VRFY] = {false, do_vrfy},
	[SMTP_VERB_HELP] = {false, do_help},
	[SMTP_VERB_QUIT] = {false, do_quit},
};

static enum smtp_event run_command(
	struct smtp_session *session, struct bytes line, struct text *out)
{
	struct bytes arguments;
	enum smtp_verb verb;

	if (!smtp_command_is_clean(line))
		return refuse(session, SMTP_REPLY_BAD_LINE, out);
	verb = smtp_command_verb(line, &arguments);
	if (verb == SMTP_VERB_UNKNOWN)
		return refuse(session, SMTP_REPLY_BAD_COMMAND, out);
	if (commands[verb].needs_helo && session->state == SMTP_STATE_GREETING)
		return refuse(session, SMTP_REPLY_NEED_HELO, out);
	return commands[verb].run(session, arguments, out);
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* Keep the start of a line until its end has come. false: no memory. */
static bool line_gather(struct smtp_session *session, struct bytes part)
{
	if (session->discard_line)
		return true;
	if (session->line_len + part.len > session->config->max_command) {
		session->discard_line = true;
		line_drop(session);
		return true;
	}
	if (!session->line)
		session->line = slab_get(session->lines);
	if (!session->line)
		return false;
	memcpy(session->line + session->line_len, part.data, part.len);
	session->line_len += (uint16_t)part.len;
	return true;
}

/* The line with its line end is whole. */
static enum smtp_event line_done(struct smtp_session *session, struct bytes line, struct text *out)
{
	if (session->discard_line || line.len > session->config->max_command) {
		session->discard_line = false;
		return refuse(session, SMTP_REPLY_LINE_TOO_LONG, out);
	}
	/* A bare LF ends no command: whoever takes it for an end reads other commands than we do.
	 */
	if (line.len < 2 || line.data[line.len - 2] != '\r')
		return refuse(session, SMTP_REPLY_BAD_LINE, out);
	return run_command(session, bytes_slice(line, 0, line.len - 2), out);
}

static enum smtp_event take_line(
	struct smtp_session *session, struct bytes *input, struct text *out)
{
	size_t lf = bytes_find(*input, '\n');
	struct bytes part = bytes_slice(*input, 0, lf == BYTES_NPOS ? input->len : lf + 1);
	enum smtp_event event;

	*input = bytes_from(*input, part.len);
	if (lf != BYTES_NPOS && !session->line)
		return line_done(session, part, out);
	if (!line_gather(session, part))
		return close_with(session, SMTP_REPLY_NO_MEMORY, out);
	if (lf == BYTES_NPOS)
		return SMTP_EVENT_NONE;
	event = line_done(session, bytes_of(session->line, session->line_len), out);
	line_drop(session);
	return event;
}

/* --- content ------------------------------------------------------------------------------------
 */

static bool refused_for_eol(const struct smtp_session *session)
{
	uint16_t flaws = session->data.flaws;

	if (flaws & SMTP_DATA_IN_HEADER)
		return true;
	if ((flaws & (SMTP_DATA_BARE_CR | SMTP_DATA_BARE_LF)) &&
		session->bare_policy == SMTP_EOL_REFUSE)
		return true;
	return (flaws & SMTP_DATA_NUL) && session->nul_policy == SMTP_EOL_REFUSE;
}

static const struct smtp_reply *flaw_in_content(const struct smtp_session *session)
{
	if (session->data.octets > session->config->max_size)
		return smtp_reply_get(SMTP_REPLY_TOO_BIG);
	return refused_for_eol(session) ? smtp_reply_get(SMTP_REPLY_BAD_EOL) : NULL;
}

void smtp_session_refuse(struct smtp_session *session, const struct smtp_reply *reply)
{
	if (session->refusal)
		return;
	session->refusal = reply;
	session->next = SMTP_EVENT_RESET;
	session->waiting = 0;
}

static const char *flaw_name(uint16_t flaw)
{
	if (flaw == SMTP_DATA_NUL)
		return "NUL";
	return flaw == SMTP_DATA_BARE_CR ? "bare CR" : "bare LF";
}

static void put_refusal(struct smtp_session *session, struct text *out)
{
	const struct smtp_reply *reply = session->refusal;
	char buffer[64];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (reply == smtp_reply_get(SMTP_REPLY_BAD_EOL))
		text_printf(&text, "%s at octet %llu", flaw_name(session->data.first_flaw),
			(unsigned long long)session->data.first_flaw_at);
	smtp_reply_put(out, reply, text.len ? text_bytes(&text) : bytes_str(reply->text));
}

static enum smtp_event content_ended(struct smtp_session *session, struct text *out)
{
	if (!session->refusal)
		return ask(session, SMTP_EVENT_CONTENT_END);
	put_refusal(session, out);
	transaction_end(session);
	return SMTP_EVENT_NONE;
}

static enum smtp_event take_content(
	struct smtp_session *session, struct bytes *input, struct text *out)
{
	bool some = smtp_data_feed(&session->data, input, &session->content);

	if (!session->refusal && flaw_in_content(session)) {
		smtp_session_refuse(session, flaw_in_content(session));
		return SMTP_EVENT_NONE;
	}
	if (session->refusal &&
		session->data.octets > session->config->max_size + session->config->refuse_bytes) {
		put_refusal(session, out);
		return close_with(session, SMTP_REPLY_TOO_MANY_ERRORS, out);
	}
	if (smtp_data_ended(&session->data))
		return content_ended(session, out);
	return some && !session->refusal ? SMTP_EVENT_CONTENT : SMTP_EVENT_NONE;
}

bool smtp_session_in_content(const struct smtp_session *session)
{
	return session->state == SMTP_STATE_CONTENT && !session->waiting;
}

bool smtp_session_in_line(const struct smtp_session *session)
{
	return session->line_len > 0 || session->discard_line;
}

/* The end mark was taken, its reply is still to be given. */
static bool content_is_ended(const struct smtp_session *session)
{
	return session->state == SMTP_STATE_CONTENT && smtp_data_ended(&session->data);
}

/* --- the step -----------------------------------------------------------------------------------
 */

static enum smtp_event take_next(struct smtp_session *session)
{
	enum smtp_event event = (enum smtp_event)session->next;

	session->next = 0;
	if (session->closing && event != SMTP_EVENT_CLOSE) {
		session->next = SMTP_EVENT_CLOSE;
	} else if (event == SMTP_EVENT_CLOSE) {
		session->state = SMTP_STATE_CLOSED;
		transaction_end(session);
	}
	return event;
}

enum smtp_event smtp_session_step(
	struct smtp_session *session, struct bytes *input, struct text *out)
{
	for (;;) {
		enum smtp_event event;

		if (session->next)
			return take_next(session);
		if (session->state == SMTP_STATE_CLOSED) {
			*input = bytes_from(*input, input->len);
			return SMTP_EVENT_INPUT;
		}
		if (session->waiting)
			return SMTP_EVENT_WAIT;
		if (input->len == 0 && !content_is_ended(session))
			return SMTP_EVENT_INPUT;
		if (out->cap - out->len < ANSWER_ROOM)
			return SMTP_EVENT_OUTPUT;
		event = session->state == SMTP_STATE_CONTENT ? take_content(session, input, out)
							     : take_line(session, input, out);
		if (event != SMTP_EVENT_NONE)
			return event;
	}
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void rcpt_keep(struct smtp_session *session, uint32_t user)
{
	struct smtp_transaction *t = &session->transaction;

	session->rcpt->user = user;
	if (t->last)
		t->last->next = session->rcpt;
	else
		t->first = session->rcpt;
	t->last = session->rcpt;
	t->n_recipients++;
	session->state = SMTP_STATE_RCPT;
}

static void content_begin(struct smtp_session *session)
{
	smtp_data_init(&session->data);
	session->content = (struct bytes){0};
	session->state = SMTP_STATE_CONTENT;
}

void smtp_session_answer(struct smtp_session *session, const struct smtp_reply *reply,
	const char *text, uint32_t user, struct text *out)
{
	enum smtp_event asked = (enum smtp_event)session->waiting;
	bool good = reply->code < 400;

	session->waiting = 0;
	smtp_reply_put(out, reply, bytes_str(text ? text : reply->text));
	if (!good && asked != SMTP_EVENT_CONTENT_END)
		session->errors++;
	switch (asked) {
	case SMTP_EVENT_MAIL:
		/* Each costs look-ups, whether or not a mail follows. */
		session->transactions++;
		if (good)
			session->state = SMTP_STATE_MAIL;
		else
			transaction_end(session);
		break;
	case SMTP_EVENT_RCPT:
		if (good)
			rcpt_keep(session, user);
		break;
	case SMTP_EVENT_DATA:
		if (good)
			content_begin(session);
		break;
	case SMTP_EVENT_CONTENT_END: transaction_end(session); break;
	default: break;
	}
	if (reply->code == 421)
		smtp_session_close(session);
	else if (session->errors >= session->config->max_errors)
		close_with(session, SMTP_REPLY_TOO_MANY_ERRORS, out);
}

void smtp_session_bye(
	struct smtp_session *session, const struct smtp_reply *reply, struct text *out)
{
	smtp_reply_put(out, reply, bytes_str(reply->text));
	smtp_session_close(session);
}
