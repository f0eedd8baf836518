#include "spool/lmtp/backend_lookup.h"

#include <netdb.h>
#include <stdlib.h>

#define HOST_MAX 256
#define PORT_MAX 8

/* All of it belongs to the C library while it runs. */
struct backend_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[HOST_MAX], port[PORT_MAX];
	bool running;
	uint64_t asked_us;
};

/* "tcp:HOST:PORT" in its parts; false where it is none. */
static bool split(const char *text, struct backend_lookup *l)
{
	struct bytes t = bytes_str(text), host, port;
	size_t colon;

	if (!bytes_starts(t, BYTES("tcp:")))
		return false;
	t = bytes_from(t, 4);
	colon = bytes_rfind(t, ':');
	if (colon == BYTES_NPOS)
		return false;
	host = bytes_slice(t, 0, colon);
	port = bytes_from(t, colon + 1);
	if (host.len == 0 || host.len >= HOST_MAX || port.len >= PORT_MAX || host.data[0] == '[')
		return false;
	memcpy(l->host, host.data, host.len);
	memcpy(l->port, port.data, port.len);
	return true;
}

static bool is_numeric(const struct backend_lookup *l)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;

	if (getaddrinfo(l->host, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

struct backend_lookup *backend_lookup_new(const char *text, uint64_t now_us)
{
	struct backend_lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	if (!split(text, l) || is_numeric(l)) {
		free(l);
		return NULL;
	}
	l->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	l->request =
		(struct gaicb){.ar_name = l->host, .ar_service = l->port, .ar_request = &l->hints};
	l->asked_us = now_us;
	return l;
}

/* True once it is over. */
static bool is_over(struct backend_lookup *l)
{
	return gai_error(&l->request) != EAI_INPROGRESS;
}

static void forget_answer(struct backend_lookup *l)
{
	if (l->request.ar_result)
		freeaddrinfo(l->request.ar_result);
	l->request.ar_result = NULL;
	l->running = false;
}

void backend_lookup_free(struct backend_lookup *l)
{
	if (!l)
		return;
	/* One that the library works on cannot be taken back: it keeps its memory. */
	if (l->running && !is_over(l) && gai_cancel(&l->request) != EAI_CANCELED)
		return;
	forget_answer(l);
	free(l);
}

/* What cannot be looked up now leaves the address as it was. */
static void take_answer(struct backend_lookup *l, struct backend_address *address)
{
	const struct addrinfo *found = l->request.ar_result;

	if (gai_error(&l->request) == 0 && found && found->ai_addrlen <= sizeof(address->addr)) {
		memcpy(&address->addr, found->ai_addr, found->ai_addrlen);
		address->len = found->ai_addrlen;
	}
	forget_answer(l);
}

void backend_lookup_use(struct backend_lookup *l, uint64_t now_us, struct backend_address *address)
{
	struct gaicb *list[] = {&l->request};

	if (l->running && !is_over(l))
		return;
	if (l->running)
		take_answer(l, address);
	if (now_us - l->asked_us < BACKEND_LOOKUP_AGE_US)
		return;
	l->asked_us = now_us;
	l->running = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0;
}
