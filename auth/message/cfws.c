#include "auth/message/cfws.h"

#define DEPTH_MAX 16

bool cfws_skip_fold(struct cursor *c)
{
	if (cursor_left(c) < 3 || c->at[0] != '\r' || c->at[1] != '\n' || !ascii_is_wsp(c->at[2]))
		return false;
	c->at += 3;
	return true;
}

static bool skip_comment(struct cursor *c)
{
	unsigned depth = 0;

	do {
		int octet = cursor_peek(c);

		if (octet == '\r') {
			if (!cfws_skip_fold(c))
				return false;
			continue;
		}
		c->at += octet >= 0;
		if (octet == '\\')
			octet = cursor_next(c) < 0 ? -1 : 'x';
		if (octet < 0 || (ascii_is_ctl(octet) && octet != '\t'))
			return false;
		if (octet == '(' && ++depth > DEPTH_MAX)
			return false;
		depth -= octet == ')';
	} while (depth > 0);
	return true;
}

bool cfws_skip(struct cursor *c)
{
	for (;;) {
		int octet = cursor_peek(c);

		if (ascii_is_wsp(octet))
			c->at++;
		else if (octet == '\r' && cfws_skip_fold(c))
			continue;
		else if (octet != '(')
			return true;
		else if (!skip_comment(c))
			return false;
	}
}
