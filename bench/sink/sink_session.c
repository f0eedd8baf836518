#include "bench/sink/sink_session.h"

/* --- replies ------------------------------------------------------------------------------------
 */

static void reply(struct text *out, const char *line)
{
	text_printf(out, "%s\r\n", line);
}

static void refuse(struct sink_session *s, struct text *out, const char *line)
{
	s->counts->bad++;
	reply(out, line);
}

static void forget_mail(struct sink_session *s)
{
	s->in_mail = s->refused = false;
	s->recipients = 0;
}

/* RFC 2033 §4.2: one reply for each recipient that was taken. */
static void mail_whole(struct sink_session *s, struct text *out)
{
	s->counts->mails++;
	s->counts->recipients += s->recipients;
	for (uint32_t i = 0; i < s->recipients; i++)
		reply(out, "250 2.0.0 Gone");
	forget_mail(s);
	s->state = SINK_COMMAND;
}

/* --- commands -----------------------------------------------------------------------------------
 */

static void on_lhlo(struct sink_session *s, struct bytes args, struct text *out)
{
	(void)args;
	forget_mail(s);
	reply(out, "250-sink");
	if (s->config->pipelining)
		reply(out, "250-PIPELINING");
	if (s->config->eight_bit)
		reply(out, "250-8BITMIME");
	if (s->config->chunking)
		reply(out, "250-CHUNKING");
	if (s->config->size)
		text_printf(out, "250-SIZE %llu\r\n", (unsigned long long)s->config->size);
	reply(out, "250 ENHANCEDSTATUSCODES");
}

static void on_mail(struct sink_session *s, struct bytes args, struct text *out)
{
	if (!bytes_starts_nocase(args, BYTES("FROM:"))) {
		refuse(s, out, "501 5.5.4 MAIL FROM:<address>");
		return;
	}
	if (s->in_mail) {
		refuse(s, out, "503 5.5.1 One mail at a time");
		return;
	}
	s->in_mail = true;
	reply(out, "250 2.1.0 Ok");
}

static void on_rcpt(struct sink_session *s, struct bytes args, struct text *out)
{
	if (!s->in_mail || !bytes_starts_nocase(args, BYTES("TO:"))) {
		refuse(s, out, "503 5.5.1 MAIL first, then RCPT TO:<address>");
		return;
	}
	if (s->recipients == SINK_RECIPIENTS_MAX) {
		refuse(s, out, "452 4.5.3 Too many recipients");
		return;
	}
	s->recipients++;
	reply(out, "250 2.1.5 Ok");
}

static void on_data(struct sink_session *s, struct bytes args, struct text *out)
{
	(void)args;
	if (s->recipients == 0) {
		refuse(s, out, "503 5.5.1 No recipient");
		return;
	}
	reply(out, "354 Go on");
	s->state = SINK_DATA;
	s->dotted = 2; /* as after a CRLF */
}

/* RFC 3030: BDAT length [LAST] */
static void on_bdat(struct sink_session *s, struct bytes args, struct text *out)
{
	struct cursor c = cursor_of(args);

	if (!s->config->chunking || cursor_take_u64(&c, UINT32_MAX, &s->chunk_left) < 0) {
		refuse(s, out, "501 5.5.4 BDAT length [LAST]");
		return;
	}
	cursor_skip_wsp(&c);
	s->last_chunk = cursor_accept_nocase(&c, BYTES("LAST"));
	s->refused = s->recipients == 0;
	s->state = SINK_BDAT;
}

static void on_rset(struct sink_session *s, struct bytes args, struct text *out)
{
	(void)args;
	forget_mail(s);
	reply(out, "250 2.0.0 Ok");
}

static void on_noop(struct sink_session *s, struct bytes args, struct text *out)
{
	(void)s, (void)args;
	reply(out, "250 2.0.0 Ok");
}

static void on_quit(struct sink_session *s, struct bytes args, struct text *out)
{
	(void)args;
	reply(out, "221 2.0.0 Bye");
	s->state = SINK_CLOSED;
}

static const struct {
	const char *name;
	void (*run)(struct sink_session *s, struct bytes args, struct text *out);
} commands[] = {
	{"LHLO", on_lhlo},
	{"MAIL", on_mail},
	{"RCPT", on_rcpt},
	{"DATA", on_data},
	{"BDAT", on_bdat},
	{"RSET", on_rset},
	{"NOOP", on_noop},
	{"QUIT", on_quit},
};

static void run_line(struct sink_session *s, struct text *out)
{
	struct bytes rest = bytes_trim_fws(bytes_of(s->line, s->line_len)), name;

	s->line_len = 0;
	if (s->line_too_long) {
		s->line_too_long = false;
		refuse(s, out, "500 5.5.2 Line too long");
		return;
	}
	name = bytes_slice(rest, 0, 4);
	rest = bytes_trim(bytes_from(rest, 4));
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (bytes_eq_nocase(name, bytes_str(commands[i].name))) {
			commands[i].run(s, rest, out);
			return;
		}
	}
	refuse(s, out, "500 5.5.2 Unknown command");
}

/* --- octets -------------------------------------------------------------------------------------
 */

static void take_command(struct sink_session *s, struct bytes *input, struct text *out)
{
	size_t end = bytes_find(*input, '\n');
	struct bytes part = bytes_slice(*input, 0, end == BYTES_NPOS ? input->len : end + 1);

	*input = bytes_from(*input, part.len);
	if (part.len > SINK_LINE_MAX - s->line_len) {
		s->line_too_long = true;
		s->line_len = 0;
	} else if (!s->line_too_long) {
		memcpy(s->line + s->line_len, part.data, part.len);
		s->line_len = (uint16_t)(s->line_len + part.len);
	}
	if (end != BYTES_NPOS)
		run_line(s, out);
}

/* How far CRLF.CRLF has come with one more octet. */
static uint8_t next_dotted(uint8_t dotted, uint8_t octet)
{
	static const char mark[] = "\r\n.\r\n";

	if (octet == (uint8_t)mark[dotted])
		return (uint8_t)(dotted + 1);
	return octet == '\r' ? 1 : 0;
}

static void take_data(struct sink_session *s, struct bytes *input, struct text *out)
{
	size_t i = 0;

	while (i < input->len && s->dotted < 5) {
		if (s->dotted == 0) { /* most octets are in the middle of a line */
			size_t cr = bytes_find(bytes_from(*input, i), '\r');

			if (cr == BYTES_NPOS) {
				i = input->len;
				break;
			}
			i += cr;
		}
		s->dotted = next_dotted(s->dotted, input->data[i++]);
	}
	s->counts->octets += i;
	*input = bytes_from(*input, i);
	if (s->dotted == 5)
		mail_whole(s, out);
}

static void take_chunk(struct sink_session *s, struct bytes *input, struct text *out)
{
	size_t n = input->len < s->chunk_left ? input->len : s->chunk_left;

	s->chunk_left -= n;
	s->counts->octets += n;
	*input = bytes_from(*input, n);
	if (s->chunk_left > 0)
		return;
	s->state = SINK_COMMAND;
	if (s->refused)
		refuse(s, out, "503 5.5.1 No recipient");
	else if (s->last_chunk)
		mail_whole(s, out);
	else
		reply(out, "250 2.0.0 Ok");
}

void sink_session_init(struct sink_session *s, const struct sink_config *config,
	struct sink_counts *counts, struct text *out)
{
	*s = (struct sink_session){.config = config, .counts = counts};
	counts->sessions++;
	reply(out, "220 sink LMTP");
}

void sink_session_input(struct sink_session *s, struct bytes *input, struct text *out)
{
	static void (*const take[])(
		struct sink_session * s, struct bytes * input, struct text * out) = {
		[SINK_COMMAND] = take_command,
		[SINK_DATA] = take_data,
		[SINK_BDAT] = take_chunk,
	};

	/* A chunk of no octets is over at once. */
	while ((input->len || (s->state == SINK_BDAT && s->chunk_left == 0)) &&
		s->state != SINK_CLOSED && out->cap - out->len > SINK_REPLIES_MAX)
		take[s->state](s, input, out);
}
