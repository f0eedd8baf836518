#include "spool/lmtp/backend_address.h"

#include <errno.h>
#include <netdb.h>
#include <sys/un.h>

#define HOST_MAX 256

static int parse_unix(struct bytes path, struct backend_address *out, struct text *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->addr;

	if (path.len == 0 || path.data[0] != '/' || path.len >= sizeof(un->sun_path)) {
		text_printf(why, "unix: takes an absolute path of at most %zu octets",
			sizeof(un->sun_path) - 1);
		return -EINVAL;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.data, path.len);
	out->len = sizeof(*un);
	return 0;
}

static int look_up(
	const char *host, const char *port, struct backend_address *out, struct text *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int e = getaddrinfo(host, port, &hints, &found);

	if (e != 0 || !found) {
		text_printf(why, "%s: %s", host, gai_strerror(e));
		return -EHOSTUNREACH;
	}
	memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int parse_tcp(struct bytes text, struct backend_address *out, struct text *why)
{
	size_t colon = bytes_rfind(text, ':');
	struct bytes host = bytes_slice(text, 0, colon == BYTES_NPOS ? 0 : colon);
	struct bytes port = bytes_from(text, colon == BYTES_NPOS ? text.len : colon + 1);
	char host_text[HOST_MAX], port_text[8];
	uint64_t number;

	if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = bytes_slice(host, 1, host.len - 2);
	if (host.len == 0 || host.len >= HOST_MAX || bytes_to_u64(port, 65535, &number) != 0 ||
		number == 0) {
		text_printf(why, "tcp: takes HOST:PORT or [ADDRESS]:PORT");
		return -EINVAL;
	}
	memcpy(host_text, host.data, host.len);
	host_text[host.len] = '\0';
	memcpy(port_text, port.data, port.len);
	port_text[port.len] = '\0';
	return look_up(host_text, port_text, out, why);
}

int backend_address_parse(const char *text, struct backend_address *out, struct text *why)
{
	struct bytes t = bytes_str(text);

	memset(out, 0, sizeof(*out));
	if (bytes_starts(t, BYTES("unix:")))
		return parse_unix(bytes_from(t, 5), out, why);
	if (bytes_starts(t, BYTES("tcp:")))
		return parse_tcp(bytes_from(t, 4), out, why);
	text_printf(why, "%s: a backend is unix:/path or tcp:HOST:PORT", text);
	return -EINVAL;
}
