#include "auth/dkim/dkim_canon.h"

/* --- header field ---------------------------------------------------------------------------- */

#define FIELD_PIECE 512

struct field_out {
	dkim_canon_sink_fn give;
	void *sink;
	bool wsp, any; /* a blank is due before the next octet; an octet of the value was put */
	size_t n;
	uint8_t piece[FIELD_PIECE];
};

static void field_put(struct field_out *out, uint8_t c)
{
	if (out->n == sizeof(out->piece)) {
		out->give(out->sink, bytes_of(out->piece, out->n));
		out->n = 0;
	}
	out->piece[out->n++] = c;
}

static void field_put_run(struct field_out *out, struct bytes run)
{
	while (run.len > 0) {
		size_t room = sizeof(out->piece) - out->n;
		size_t n = run.len < room ? run.len : room;

		memcpy(out->piece + out->n, run.data, n);
		out->n += n;
		run = bytes_from(run, n);
		if (run.len > 0) {
			out->give(out->sink, bytes_of(out->piece, out->n));
			out->n = 0;
		}
	}
}

static bool is_wsp_or_cr(int c)
{
	return ascii_is_wsp(c) || c == '\r';
}

/* §3.4.2: unfolded, runs of WSP to one SP, none at either end. */
static void field_put_relaxed(struct field_out *out, struct bytes value)
{
	struct cursor c = cursor_of(value);

	while (!cursor_done(&c)) {
		const uint8_t *from = c.at;

		if (ascii_is_wsp(*from)) {
			c.at++;
			out->wsp = true;
			continue;
		}
		if (*from == '\r' && c.end - from > 1 && from[1] == '\n') {
			c.at += 2;
			continue;
		}
		c.at++; /* whatever it is */
		while (!cursor_done(&c) && !is_wsp_or_cr(*c.at))
			c.at++;
		if (out->wsp && out->any)
			field_put(out, ' ');
		out->wsp = false;
		out->any = true;
		field_put_run(out, bytes_of(from, (size_t)(c.at - from)));
	}
}

static void field_relaxed(struct field_out *out, struct bytes before, struct bytes after)
{
	size_t colon = bytes_find(before, ':');
	struct bytes name = bytes_slice(before, 0, colon == BYTES_NPOS ? before.len : colon);
	name = bytes_trim_fws(name);
	for (size_t i = 0; i < name.len; i++)
		field_put(out, (uint8_t)ascii_lower(name.data[i]));
	if (colon == BYTES_NPOS)
		return;
	field_put(out, ':');
	field_put_relaxed(out, bytes_from(before, colon + 1));
	field_put_relaxed(out, after);
}

void dkim_canon_field(enum dkim_canon canon, struct bytes raw, struct bytes cut,
	dkim_canon_sink_fn give, void *sink)
{
	struct bytes before = raw, after = {NULL, 0};
	if (cut.len) {
		size_t from = (size_t)(cut.data - raw.data);
		before = bytes_slice(raw, 0, from);
		after = bytes_from(raw, from + cut.len);
	}
	if (canon == DKIM_SIMPLE) {
		give(sink, before);
		give(sink, after);
		return;
	}
	struct field_out out = {.give = give, .sink = sink};
	field_relaxed(&out, before, after);
	give(sink, bytes_of(out.piece, out.n));
}

/* --- body ------------------------------------------------------------------------------------ */

void dkim_canon_body_init(struct dkim_canon_body *body, enum dkim_canon canon)
{
	*body = (struct dkim_canon_body){.canon = canon};
}

/* A piece of the line ends held back, at most `limit` octets. */
static struct bytes take_crlfs(struct dkim_canon_body *body, size_t limit)
{
	static const uint8_t crlfs[] =
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	size_t n = sizeof(crlfs) / 2 < limit / 2 ? sizeof(crlfs) / 2 : limit / 2;
	if (body->crlfs < n)
		n = (size_t)body->crlfs;
	body->crlfs -= n;
	return bytes_of(crlfs, 2 * n);
}

/*
 * §3.4.3: the octets themselves, the line ends at the end of each portion held back. No octet is
 * copied.
 */
static bool simple_step(struct dkim_canon_body *body, struct bytes *input, struct bytes *piece)
{
	if (input->len == 0)
		return false;
	if (body->cr) {
		if (input->data[0] == '\n') {
			body->cr = false;
			body->crlfs++;
			*input = bytes_from(*input, 1);
			*piece = bytes_of(input->data, 0);
			return true;
		}
		if (body->crlfs) {
			*piece = take_crlfs(body, SIZE_MAX);
			return true;
		}
		body->cr = false;
		body->any = true;
		*piece = BYTES("\r");
		return true;
	}
	size_t kept = input->len;
	bool cr = input->data[kept - 1] == '\r';
	uint64_t crlfs = 0;
	kept -= cr;
	while (kept >= 2 && input->data[kept - 1] == '\n' && input->data[kept - 2] == '\r') {
		kept -= 2;
		crlfs++;
	}
	if (kept && body->crlfs) {
		*piece = take_crlfs(body, SIZE_MAX);
		return true;
	}
	*piece = bytes_of(input->data, kept);
	*input = bytes_from(*input, input->len);
	body->any |= kept > 0;
	body->crlfs += crlfs;
	body->cr = cr;
	return true;
}

/* Room for the longest output of one octet: a blank and a CR held back, and the octet. */
#define RELAXED_OCTET_MAX 3

/* §3.4.4, octet by octet: what the vector code must agree with. */
size_t dkim_canon_relaxed_plain(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity)
{
	const uint8_t *at = input->data, *end = at + input->len;
	size_t n = 0;

	while (at < end && n + RELAXED_OCTET_MAX <= capacity) {
		uint8_t c = *at;
		if (body->cr && c == '\n') {
			body->cr = body->wsp = false;
			body->crlfs++;
			at++;
			continue;
		}
		bool held = !body->cr && (ascii_is_wsp(c) || c == '\r');
		if (held) {
			body->wsp |= c != '\r';
			body->cr = c == '\r';
			at++;
			continue;
		}
		if (body->crlfs) {
			struct bytes ends = take_crlfs(body, capacity - n);
			memcpy(out + n, ends.data, ends.len);
			n += ends.len;
			if (body->crlfs || n + RELAXED_OCTET_MAX > capacity)
				break;
		}
		if (body->wsp)
			out[n++] = ' ';
		if (body->cr)
			out[n++] = '\r';
		body->any = true;
		body->wsp = false;
		if (body->cr) {
			body->cr = false;
			continue; /* this octet may be a blank or another CR */
		}
		out[n++] = c;
		at++;
	}
	*input = bytes_of(at, (size_t)(end - at));
	return n;
}

bool dkim_canon_body_step(struct dkim_canon_body *body, struct bytes *input, uint8_t *scratch,
	size_t capacity, struct bytes *piece)
{
	if (body->canon == DKIM_SIMPLE)
		return simple_step(body, input, piece);
	if (input->len == 0)
		return false;
	*piece = bytes_of(scratch, dkim_canon_relaxed(body, input, scratch, capacity));
	return true;
}

/* A body that does not end in CRLF gets one; an empty one is CRLF in simple and nothing in relaxed.
 */
bool dkim_canon_body_end(
	struct dkim_canon_body *body, uint8_t *scratch, size_t capacity, struct bytes *piece)
{
	(void)capacity;
	if (body->ended)
		return false;
	if (body->cr && body->crlfs) {
		*piece = take_crlfs(body, SIZE_MAX);
		return true;
	}
	size_t n = 0;
	if (body->cr) {
		if (body->wsp)
			scratch[n++] = ' ';
		scratch[n++] = '\r';
		body->any = true;
	}
	/* Any line ends held back are that of the last line with octets and of empty lines after
	 * it. */
	if (body->any || body->canon == DKIM_SIMPLE) {
		scratch[n++] = '\r';
		scratch[n++] = '\n';
	}
	body->ended = true;
	*piece = bytes_of(scratch, n);
	return true;
}
