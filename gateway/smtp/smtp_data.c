#include "gateway/smtp/smtp_data.h"

#include "gateway/smtp/smtp_data_lines.h"

#include <emmintrin.h>

enum state {
	LINE_START, /* behind CRLF */
	IN_LINE,
	CR,     /* a CR was given out; only a LF makes it a line end */
	DOT,    /* a dot at the start of a line is held back */
	DOT_CR, /* so is the CR behind it */
	END,
};

/* What has been seen of a mark that only careless servers take for the end: EOL, dot, EOL. */
enum odd_state { ODD_NONE, ODD_EOL, ODD_DOT, ODD_END };

void smtp_data_init(struct smtp_data *data)
{
	*data = (struct smtp_data){.state = LINE_START, .in_header = true, .line_empty = true};
}

bool smtp_data_ended(const struct smtp_data *data)
{
	return data->state == END;
}

static void flaw(struct smtp_data *data, enum smtp_data_flaw kind, uint64_t octet)
{
	if (!data->first_flaw) {
		data->first_flaw = (uint16_t)kind;
		data->first_flaw_at = octet;
	}
	data->flaws |= (uint16_t)kind;
	if (data->in_header)
		data->flaws |= SMTP_DATA_IN_HEADER;
}

static bool is_special(uint8_t c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/*
 * Octets before the first CR, LF or NUL; tells of octets above 127 among them. `len` may be cut by
 * a few where the block reads stop; the caller goes on from there.
 */
static size_t plain_run(const uint8_t *at, size_t len, bool *eight_bit)
{
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
	size_t i = 0;

	for (; i + 16 <= len; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(at + i));
		__m128i hit =
			_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)),
				_mm_cmpeq_epi8(v, _mm_setzero_si128()));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);
		unsigned high = (unsigned)_mm_movemask_epi8(v);

		if (mask) {
			unsigned n = (unsigned)__builtin_ctz(mask);

			*eight_bit |= (high & ((1u << n) - 1)) != 0;
			return i + n;
		}
		*eight_bit |= high != 0;
	}
	for (; i < len && !is_special(at[i]); i++)
		*eight_bit |= at[i] > 127;
	return i;
}

/* The octets of one run in the middle of a line, up to and with the CR that may end it. */
static size_t take_line(struct smtp_data *data, struct bytes in)
{
	bool eight_bit = false;
	size_t n = 0;

	while (n < in.len) {
		size_t run = plain_run(in.data + n, in.len - n, &eight_bit);

		if (run > 0)
			data->line_empty = false;
		n += run;
		if (n == in.len)
			break;
		if (in.data[n] == '\r') {
			n++;
			data->state = CR;
			break;
		}
		data->line_empty = false;
		flaw(data, in.data[n] == '\n' ? SMTP_DATA_BARE_LF : SMTP_DATA_NUL,
			data->octets + n + 1);
		n++;
	}
	if (eight_bit)
		data->flaws |= SMTP_DATA_8BIT;
	return n;
}

static void line_ended(struct smtp_data *data)
{
	if (data->line_empty)
		data->in_header = false;
	data->line_empty = true;
	data->state = LINE_START;
}

/* Whole lines that need no thought; 0 where there are none. */
static size_t take_lines(struct smtp_data *data, struct bytes in, bool at_start)
{
	struct smtp_data_lines seen;
	size_t n = smtp_data_lines(in, at_start, &seen);

	if (n == 0)
		return 0;
	if (seen.empty)
		data->in_header = false;
	if (seen.eight_bit)
		data->flaws |= SMTP_DATA_8BIT;
	data->line_empty = true;
	data->state = LINE_START;
	return n;
}

/* One step: how many octets of `in` are taken, and of them from which on they are content. */
static size_t step(struct smtp_data *data, struct bytes in, struct bytes *content)
{
	static const uint8_t held_cr = '\r';
	size_t n;

	switch ((enum state)data->state) {
	case LINE_START:
		if (in.data[0] == '.') {
			data->state = DOT;
			return 1;
		}
		data->state = IN_LINE;
		n = take_lines(data, in, true);
		*content = bytes_slice(in, 0, n);
		return n;
	case IN_LINE:
		n = take_lines(data, in, false);
		if (n == 0)
			n = take_line(data, in);
		*content = bytes_slice(in, 0, n);
		return n;
	case CR:
		if (in.data[0] == '\n') {
			*content = bytes_slice(in, 0, 1);
			line_ended(data);
			return 1;
		}
		flaw(data, SMTP_DATA_BARE_CR, data->octets);
		data->line_empty = false;
		data->state = IN_LINE;
		return 0;
	case DOT:
		if (in.data[0] == '\r') {
			data->state = DOT_CR;
			return 1;
		}
		data->state = IN_LINE;
		return 0;
	case DOT_CR:
		if (in.data[0] == '\n') {
			data->state = END;
			return 1;
		}
		*content = bytes_of(&held_cr, 1);
		data->state = CR;
		return 0;
	case END: break;
	}
	return 0;
}

static bool is_eol(uint8_t c)
{
	return c == '\r' || c == '\n';
}

/* Follow the last octets taken, to know whether an odd end mark is the last thing that came. */
static void watch_odd_end(struct smtp_data *data, struct bytes taken)
{
	struct bytes tail = taken.len > 8 ? bytes_from(taken, taken.len - 8) : taken;

	if (tail.len != taken.len)
		data->odd = ODD_NONE;
	for (size_t i = 0; i < tail.len; i++) {
		uint8_t c = tail.data[i];

		if (is_eol(c))
			data->odd = data->odd >= ODD_DOT ? ODD_END : ODD_EOL;
		else
			data->odd = c == '.' && data->odd == ODD_EOL ? ODD_DOT : ODD_NONE;
	}
}

bool smtp_data_odd_end(const struct smtp_data *data)
{
	return data->odd == ODD_END && data->state != END;
}

/* Whether what comes next lies behind the run so far: no dot was taken out between them. */
static bool continues(struct bytes content, struct bytes input)
{
	return content.len == 0 || content.data + content.len == input.data;
}

bool smtp_data_feed(struct smtp_data *data, struct bytes *input, struct bytes *content)
{
	*content = (struct bytes){0};
	while (input->len > 0 && data->state != END && continues(*content, *input)) {
		struct bytes more = {0};
		size_t n = step(data, *input, &more);

		watch_odd_end(data, bytes_slice(*input, 0, n));
		*input = bytes_from(*input, n);
		data->octets += more.len;
		if (content->len == 0)
			*content = more;
		else
			content->len += more.len;
	}
	return content->len > 0;
}
