#include "base/json_text.h"

#include "base/utf8.h"

void json_text_put(struct text *out, struct bytes value)
{
	text_putc(out, '"');
	for (size_t taken; value.len > 0; value = bytes_from(value, taken)) {
		int c = value.data[0];

		taken = 1;
		if (c == '"' || c == '\\') {
			text_putc(out, '\\');
			text_putc(out, (char)c);
		} else if (c < ' ' || c == 0x7f) {
			text_printf(out, "\\u%04x", (unsigned)c);
		} else if (c < 0x80) {
			text_putc(out, (char)c);
		} else if ((taken = utf8_len(value)) > 0) {
			text_put(out, bytes_slice(value, 0, taken));
		} else {
			taken = 1;
			text_put(out, BYTES("\xef\xbf\xbd"));
		}
	}
	text_putc(out, '"');
}
