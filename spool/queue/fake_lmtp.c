#include "spool/queue/fake_lmtp.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/testing.h"

#define IN_MAX (FAKE_LMTP_BODY + 4096)

struct peer {
	int fd;
	bool data;     /* content by DATA comes */
	size_t bdat;   /* octets of BDAT that are to come */
	bool ill_hang; /* hang up after the content */
	struct fake_lmtp_mail mail;
	char late[32]; /* a letter an accepted recipient */
	size_t in_len;
	char in[IN_MAX];
};

struct fake_lmtp {
	struct fake_lmtp_config config;
	int listener;
	in_port_t port; /* as on the wire; 0: not yet chosen */
	bool ill;
	struct peer peers[FAKE_LMTP_CONNECTIONS];
	struct fake_lmtp_mail mails[FAKE_LMTP_MAILS];
	unsigned n_mails;
};

static void say(struct peer *p, const char *text)
{
	if (p->fd >= 0 && send(p->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		errno = 0; /* gone: seen when reading */
}

static void hang_up(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->mail.body);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

static void listen_smtp(struct fake_lmtp *f)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = f->port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int on = 1;

	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(f->listener >= 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(f->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(f->listener, 16), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&in, &len), 0);
	f->port = in.sin_port;
}

unsigned fake_lmtp_port(const struct fake_lmtp *f)
{
	return ntohs(f->port);
}

static void listen_lmtp(struct fake_lmtp *f)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", f->config.path);
	unlink(f->config.path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(f->listener >= 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(f->listener, 16), 0);
}

void fake_lmtp_start(struct fake_lmtp *f)
{
	if (f->config.path)
		listen_lmtp(f);
	else
		listen_smtp(f);
}

void fake_lmtp_stop(struct fake_lmtp *f)
{
	if (f->listener >= 0)
		close(f->listener);
	f->listener = -1;
	for (unsigned i = 0; i < FAKE_LMTP_CONNECTIONS; i++)
		hang_up(&f->peers[i]);
}

struct fake_lmtp *fake_lmtp_new(const struct fake_lmtp_config *config)
{
	struct fake_lmtp *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->config = *config;
	for (unsigned i = 0; i < FAKE_LMTP_CONNECTIONS; i++)
		f->peers[i].fd = -1;
	fake_lmtp_start(f);
	return f;
}

void fake_lmtp_free(struct fake_lmtp *f)
{
	fake_lmtp_stop(f);
	if (f->config.path)
		unlink(f->config.path);
	for (unsigned i = 0; i < f->n_mails; i++)
		free(f->mails[i].body);
	free(f);
}

void fake_lmtp_ill(struct fake_lmtp *f, bool ill)
{
	f->ill = ill;
}

unsigned fake_lmtp_count(const struct fake_lmtp *f)
{
	return f->n_mails;
}

const struct fake_lmtp_mail *fake_lmtp_at(const struct fake_lmtp *f, unsigned index)
{
	return &f->mails[index];
}

static void reset(struct peer *p)
{
	free(p->mail.body);
	p->mail = (struct fake_lmtp_mail){0};
	p->late[0] = '\0';
	p->ill_hang = false;
}

static void take_octets(struct peer *p, size_t n)
{
	memmove(p->in, p->in + n, p->in_len - n);
	p->in_len -= n;
}

/* The content is whole: an answer for each recipient. */
static void take_content(struct fake_lmtp *f, struct peer *p, const char *content, size_t len)
{
	bool taken = false;

	if (p->ill_hang) {
		hang_up(p);
		return;
	}
	for (const char *l = p->late; *l; l++) {
		bool bad = *l == FAKE_LATE && f->ill;

		/* SMTP has one reply, that of the last. */
		if (f->config.path || !l[1])
			say(p, bad ? "452 4.2.2 full\r\n" : "250 2.0.0 saved\r\n");
		taken |= !bad;
	}
	if (taken) {
		p->mail.body = malloc(len + 1);
		memcpy(p->mail.body, content, len);
		p->mail.body[len] = '\0';
		p->mail.len = len;
		assert_true(f->n_mails < FAKE_LMTP_MAILS);
		f->mails[f->n_mails++] = p->mail;
		p->mail.body = NULL;
	}
	reset(p);
}

static void rcpt(struct fake_lmtp *f, struct peer *p, const char *address)
{
	char letter = address[0];
	size_t n = strlen(p->late);

	if (letter == FAKE_PERMANENT) {
		say(p, "550 5.1.1 no such user\r\n");
		return;
	}
	if (letter == FAKE_TEMPORARY && f->ill) {
		say(p, "450 4.2.1 come back\r\n");
		return;
	}
	if (letter == FAKE_HANG_UP && f->ill)
		p->ill_hang = true;
	p->late[n] = letter;
	p->late[n + 1] = '\0';
	snprintf(p->mail.to + strlen(p->mail.to), sizeof(p->mail.to) - strlen(p->mail.to), "%s%s",
		*p->mail.to ? " " : "", address);
	say(p, "250 2.1.5 ok\r\n");
}

static void command(struct fake_lmtp *f, struct peer *p, char *line)
{
	char *address = strchr(line, '<'), *end = address ? strchr(address, '>') : NULL;

	if (address && end) {
		address++;
		*end = '\0';
	}
	if (strncmp(line, f->config.path ? "LHLO" : "EHLO", 4) == 0) {
		say(p, "250-fake\r\n");
		say(p, f->config.chunking ? "250-CHUNKING\r\n" : "250-8BITMIME\r\n");
		say(p, f->config.pipelining ? "250 PIPELINING\r\n" : "250 HELP\r\n");
	} else if (strncmp(line, "MAIL", 4) == 0 && address) {
		snprintf(p->mail.from, sizeof(p->mail.from), "%s", address);
		say(p, "250 ok\r\n");
	} else if (strncmp(line, "RCPT", 4) == 0 && address) {
		rcpt(f, p, address);
	} else if (strcmp(line, "DATA") == 0) {
		p->data = true;
		say(p, "354 go\r\n");
	} else if (strncmp(line, "BDAT ", 5) == 0) {
		p->bdat = strtoul(line + 5, NULL, 10);
	} else if (strcmp(line, "RSET") == 0) {
		reset(p);
		say(p, "250 ok\r\n");
	} else if (strcmp(line, "QUIT") == 0) {
		hang_up(p);
	} else {
		say(p, "500 what?\r\n");
	}
}

/* Deals with one thing out of what has come; false if it is not whole. */
static bool peer_step(struct fake_lmtp *f, struct peer *p)
{
	char line[2048];
	char *end;
	size_t len;

	if (p->bdat) {
		len = p->bdat;
		if (p->in_len < len)
			return false;
		p->bdat = 0;
		take_content(f, p, p->in, len);
	} else if (p->data) {
		end = memmem(p->in, p->in_len, "\r\n.\r\n", 5);
		if (!end)
			return false;
		len = (size_t)(end - p->in) + 5;
		p->data = false;
		take_content(f, p, p->in, len - 3);
	} else {
		end = memchr(p->in, '\n', p->in_len);
		if (!end)
			return false;
		len = (size_t)(end - p->in) + 1;
		assert_true(len >= 2 && len < sizeof(line) && end[-1] == '\r');
		memcpy(line, p->in, len - 2);
		line[len - 2] = '\0';
		command(f, p, line);
	}
	if (p->fd >= 0)
		take_octets(p, len);
	return p->fd >= 0;
}

static void peer_read(struct fake_lmtp *f, struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->in_len, IN_MAX - p->in_len, MSG_DONTWAIT);

	if (n == 0) {
		hang_up(p);
		return;
	}
	if (n > 0)
		p->in_len += (size_t)n;
	while (peer_step(f, p))
		;
}

static void take_peer(struct fake_lmtp *f, struct peer *p)
{
	p->fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK);
	say(p, "220 fake\r\n");
}

void fake_lmtp_step(struct fake_lmtp *f)
{
	for (unsigned i = 0; i < FAKE_LMTP_CONNECTIONS; i++) {
		struct peer *p = &f->peers[i];

		if (p->fd < 0 && f->listener >= 0)
			take_peer(f, p);
		if (p->fd >= 0)
			peer_read(f, p);
	}
}
