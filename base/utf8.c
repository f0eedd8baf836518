#include "base/utf8.h"

size_t utf8_len(struct bytes b)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = b.data[0] >= 0xf0 ? 4 : b.data[0] >= 0xe0 ? 3 : 2;
	uint32_t value = b.data[0] & (0x7fu >> len);

	if (b.data[0] < 0xc2 || b.data[0] > 0xf4 || b.len < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((b.data[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (b.data[i] & 0x3f);
	}
	return value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0
											     : len;
}
