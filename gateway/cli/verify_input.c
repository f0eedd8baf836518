#include "gateway/cli/verify_input.h"

size_t verify_input_feed(struct verify_input *input, struct bytes raw, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++) {
		uint8_t octet = raw.data[i];

		input->octet++;
		if (octet == '\n' && !input->after_cr) {
			if (input->convert)
				out[n++] = '\r';
			else if (input->bare_lf_at == 0)
				input->bare_lf_at = input->octet;
		}
		out[n++] = octet;
		input->after_cr = octet == '\r';
	}
	return n;
}
