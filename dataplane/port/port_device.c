#include "dataplane/port/port_device.h"

#include <errno.h>
#include <net/if.h>

static const struct {
	const char *word;
	const char *argument;
} kinds[] = {
#define KIND(id, word, argument) [id] = {word, argument},
	PORT_DEVICE_KINDS(KIND)
#undef KIND
};

const char *port_kind_word(enum port_kind kind)
{
	return kinds[kind].word;
}

static int refuse(struct text *why, struct bytes text, const char *reason)
{
	text_printf(why, "device \"");
	for (size_t i = 0; i < text.len && i < 64; i++)
		text_putc(why, ascii_is_vchar(text.data[i]) ? (char)text.data[i] : '?');
	text_printf(why, "\": %s", reason);
	return -EINVAL;
}

static bool is_interface_char(int c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* What the kernel takes for a name, less what would end a DPDK argument (a comma) or a path. */
static bool is_interface(struct bytes name)
{
	struct cursor c = cursor_of(name);

	cursor_take_while(&c, is_interface_char);
	return cursor_done(&c) && name.len > 0 && name.len < IFNAMSIZ &&
	       !bytes_eq(name, BYTES(".")) && !bytes_eq(name, BYTES(".."));
}

static bool take_hex(struct cursor *c, size_t digits, struct text *out)
{
	struct bytes taken;

	if (!cursor_take(c, digits, &taken))
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (ascii_hex_value(taken.data[i]) < 0)
			return false;
	}
	text_put_lower(out, taken);
	return true;
}

/* DDDD:BB:SS.F, or BB:SS.F in domain 0. */
static bool parse_pci(struct bytes text, struct port_device *device)
{
	struct cursor c = cursor_of(text);
	struct text out;

	text_init(&out, device->name, sizeof(device->name));
	if (text.len == strlen("00:00.0"))
		text_put(&out, BYTES("0000:"));
	else if (!take_hex(&c, 4, &out) || !cursor_accept(&c, ':'))
		return false;
	else
		text_putc(&out, ':');
	if (!take_hex(&c, 2, &out) || !cursor_accept(&c, ':'))
		return false;
	text_putc(&out, ':');
	if (!take_hex(&c, 2, &out) || !cursor_accept(&c, '.'))
		return false;
	text_putc(&out, '.');
	if (!take_hex(&c, 1, &out))
		return false;
	text_str(&out);
	return cursor_done(&c);
}

/* ROLE,PATH; both have defaults. */
static bool parse_memif(struct bytes text, struct port_device *device)
{
	struct bytes role, path = BYTES(PORT_MEMIF_PATH);

	if (bytes_split(&text, ',', &role)) {
		if (bytes_eq(role, BYTES("client")))
			device->memif_client = true;
		else if (!bytes_eq(role, BYTES("server")))
			return false;
		if (text.data)
			path = text;
	}
	if (path.len == 0 || path.len >= sizeof(device->path) || path.data[0] != '/')
		return false;
	for (size_t i = 0; i < path.len; i++) {
		if (!ascii_is_vchar(path.data[i]) || path.data[i] == ',')
			return false;
	}
	memcpy(device->path, path.data, path.len);
	device->path[path.len] = 0;
	return true;
}

static bool find_kind(struct bytes word, enum port_kind *kind)
{
	for (unsigned i = 0; i < PORT_KIND_COUNT; i++) {
		if (bytes_eq(word, bytes_str(kinds[i].word))) {
			*kind = (enum port_kind)i;
			return true;
		}
	}
	return false;
}

int port_device_parse(struct bytes text, struct port_device *device, struct text *why)
{
	size_t colon = bytes_find(text, ':');
	bool has_argument = colon != BYTES_NPOS;
	struct bytes word = has_argument ? bytes_slice(text, 0, colon) : text;
	struct bytes argument = has_argument ? bytes_from(text, colon + 1) : (struct bytes){0};

	memset(device, 0, sizeof(*device));
	if (!find_kind(word, &device->kind))
		return refuse(why, text,
			"unknown kind; use tap[:NAME], af_packet:IF, af_xdp:IF, af_xdp-shared:IF, "
			"memif[:ROLE,PATH] or pci:ADDRESS");
	if (kinds[device->kind].argument && argument.len == 0)
		return refuse(why, text, "needs an interface or address after the colon");
	switch (device->kind) {
	case PORT_PCI:
		if (!parse_pci(argument, device))
			return refuse(why, text, "not a PCI address such as 0000:3b:00.0");
		return 0;
	case PORT_MEMIF:
		if (!parse_memif(argument, device))
			return refuse(why, text,
				"not ROLE,PATH with a role of server or client and an absolute "
				"path "
				"under 108 octets");
		return 0;
	case PORT_TAP:
		if (!has_argument)
			argument = BYTES(PORT_TAP_NAME);
		break;
	default: break;
	}
	if (!is_interface(argument))
		return refuse(why, text, "not an interface name (letters, digits, _ - . up to 15)");
	memcpy(device->name, argument.data, argument.len);
	return 0;
}
