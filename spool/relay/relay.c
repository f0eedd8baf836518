#include "spool/relay/relay.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_MAX    512u
#define RELAY_NAME_MAX 160u

COUNTERS_DEFINE(relay, RELAY_COUNTERS)

/* Who may touch a transfer: the sender's thread where it is free or over, else the relay's. */
enum transfer_state { TRANSFER_FREE, TRANSFER_ASKED, TRANSFER_RUNS, TRANSFER_OVER };

/* A mail on its way. */
struct transfer {
	_Atomic int state;
	struct lmtp_mail *mail; /* NULL: free; the sender's thread looks at it at any time */
	CURL *easy;
	struct curl_slist *to;
	unsigned part;
	size_t part_at;
	bool all_read;
	char reply[LMTP_TEXT_MAX]; /* the last line the server said */
	char error[CURL_ERROR_SIZE];
	struct lmtp_result result;
	struct relay *relay;
	int socket; /* under the lock; -1: none */
};

struct relay {
	struct relay_config config;
	struct relay_events events;
	CURLM *multi;
	int over_fd; /* readable when a transfer is over */
	pthread_mutex_t sockets_lock;
	bool ending;
	unsigned connections;
	char url[ADDRESS_MAX];
	char name[RELAY_NAME_MAX]; /* for log lines */
	struct transfer transfers[RELAY_MAILS_MAX];
	unsigned n_open;
	struct relay_counters counters;
};

/* --- the relay's thread: what libcurl asks for
 * ------------------------------------------------------------------ */

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = arg;
	int fd;

	(void)purpose;
	pthread_mutex_lock(&t->relay->sockets_lock);
	fd = t->relay->ending ? CURL_SOCKET_BAD
			      : socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	t->socket = fd;
	pthread_mutex_unlock(&t->relay->sockets_lock);
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct transfer *t = arg;

	pthread_mutex_lock(&t->relay->sockets_lock);
	if (t->socket == fd)
		t->socket = -1;
	close(fd);
	pthread_mutex_unlock(&t->relay->sockets_lock);
	return 0;
}

static size_t on_read(char *out, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t room = size * n, len = 0;

	while (len < room && t->part < t->mail->n_parts) {
		struct bytes rest = bytes_from(t->mail->parts[t->part], t->part_at);
		size_t take = rest.len < room - len ? rest.len : room - len;

		memcpy(out + len, rest.data, take);
		len += take;
		t->part_at += take;
		if (take == rest.len) {
			t->part++;
			t->part_at = 0;
		}
	}
	t->all_read = t->part == t->mail->n_parts;
	return len;
}

/* Each line of a reply. */
static size_t on_reply(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n, at = 0;

	while (at < len && at < sizeof(t->reply) - 1 && line[at] != '\r' && line[at] != '\n') {
		t->reply[at] = ascii_is_ctl((uint8_t)line[at]) ? '?' : line[at];
		at++;
	}
	t->reply[at] = '\0';
	return len;
}

/* --- results -------------------------------------------------------------------------------- */

/*
 * A reply of the 500s is for good where it answers MAIL, RCPT, DATA or the content. Before that it
 * speaks of us or of the relay, not of the mail: to be put right, and tried again.
 */
static bool is_for_good(const struct transfer *t, CURLcode code, long reply)
{
	if (reply < 500 || reply > 599)
		return false;
	return code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && t->all_read);
}

/* "550 5.1.1 no such user": the enhanced code, if there is one. */
static void take_dsn(const char *reply, const char *fallback, char out[LMTP_DSN_MAX])
{
	struct bytes rest = bytes_from(bytes_str(reply), 4), word;

	snprintf(out, LMTP_DSN_MAX, "%s", fallback);
	if (!bytes_split(&rest, ' ', &word) || word.len < 5 || word.len >= LMTP_DSN_MAX ||
		word.data[0] != (uint8_t)fallback[0] || word.data[1] != '.')
		return;
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_digit(word.data[i]) && word.data[i] != '.')
			return;
	snprintf(out, LMTP_DSN_MAX, "%.*s", BYTES_FMT(word));
}

static void make_result(struct transfer *t, CURLcode code, struct lmtp_result *result)
{
	long reply = 0;

	*result = (struct lmtp_result){0};
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply);
	if (code == CURLE_OK) {
		result->outcome = LMTP_DELIVERED;
		take_dsn(t->reply, "2.0.0", result->dsn);
	} else if (is_for_good(t, code, reply)) {
		result->outcome = LMTP_PERMANENT;
		take_dsn(t->reply, "5.0.0", result->dsn);
	} else {
		result->outcome = LMTP_TEMPORARY;
		/* All was said, and there was no answer to it. */
		result->unsure = t->all_read && reply < 400;
		take_dsn(t->reply, "4.4.2", result->dsn);
	}
	if (code == CURLE_OK || reply >= 400)
		snprintf(result->text, sizeof(result->text), "%s", t->reply);
	else
		snprintf(result->text, sizeof(result->text), "%.190s",
			t->error[0] ? t->error : curl_easy_strerror(code));
}

/* The mail is over: tell the sender's thread. */
static void finish(struct relay *r, struct transfer *t, CURLcode code)
{
	uint64_t one = 1;

	make_result(t, code, &t->result);
	curl_multi_remove_handle(r->multi, t->easy);
	curl_slist_free_all(t->to);
	t->to = NULL;
	atomic_store_explicit(&t->state, TRANSFER_OVER, memory_order_release);
	if (write(r->over_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/* --- sending -------------------------------------------------------------------------------- */

static bool add_recipients(struct transfer *t)
{
	for (unsigned i = 0; i < t->mail->n_recipients; i++) {
		struct bytes address = t->mail->recipients[i].address;
		char text[ADDRESS_MAX];
		struct curl_slist *more;

		snprintf(text, sizeof(text), "%.*s", BYTES_FMT(address));
		more = address.len < sizeof(text) ? curl_slist_append(t->to, text) : NULL;
		if (!more)
			return false;
		t->to = more;
	}
	return true;
}

/* What is the same for every mail. */
static void set_server(struct relay *r, CURL *easy)
{
	static const long levels[] = {
		[RELAY_TLS_MAY] = CURLUSESSL_TRY,
		[RELAY_TLS_REQUIRE] = CURLUSESSL_ALL,
		[RELAY_TLS_NEVER] = CURLUSESSL_NONE,
	};
	const struct relay_config *c = &r->config;
	bool verify = c->tls == RELAY_TLS_REQUIRE;

	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_USE_SSL, levels[c->tls]);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	if (c->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
	if (c->user) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, c->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, c->password ? c->password : "");
	}
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)c->reply_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L); /* else the end waits for idle ones */
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
}

static bool set_mail(struct transfer *t)
{
	char from[ADDRESS_MAX];
	curl_off_t octets = 0;

	if (t->mail->reverse_path.len >= sizeof(from) || !add_recipients(t))
		return false;
	for (unsigned i = 0; i < t->mail->n_parts; i++)
		octets += (curl_off_t)t->mail->parts[i].len;
	snprintf(from, sizeof(from), "%.*s", BYTES_FMT(t->mail->reverse_path));
	/* NULL is MAIL FROM:<>. */
	curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, from[0] ? from : NULL);
	curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->to);
	curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, octets);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, t);
	return true;
}

static void begin(struct relay *r, struct transfer *t)
{
	t->part = 0;
	t->part_at = 0;
	t->all_read = false;
	t->reply[0] = t->error[0] = '\0';
	atomic_store_explicit(&t->state, TRANSFER_RUNS, memory_order_relaxed);
	if (!set_mail(t) || curl_multi_add_handle(r->multi, t->easy) != CURLM_OK)
		finish(r, t, CURLE_OUT_OF_MEMORY);
}

static void take_finished(struct relay *r)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(r->multi, &left))) {
		CURLcode code = message->data.result;
		char *of;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of);
		finish(r, (struct transfer *)of, code);
	}
}

void relay_run_once(struct relay *r, int timeout_ms)
{
	int running;

	for (unsigned i = 0; i < r->connections; i++)
		if (atomic_load_explicit(&r->transfers[i].state, memory_order_acquire) ==
			TRANSFER_ASKED)
			begin(r, &r->transfers[i]);
	curl_multi_perform(r->multi, &running);
	take_finished(r);
	curl_multi_poll(r->multi, NULL, 0, timeout_ms, NULL);
}

/*
 * libcurl says QUIT and waits for the answer, for minutes, even when it gives up. On a socket that
 * was shut down it does not.
 */
void relay_end(struct relay *r)
{
	pthread_mutex_lock(&r->sockets_lock);
	r->ending = true;
	for (unsigned i = 0; i < r->connections; i++)
		if (r->transfers[i].socket >= 0)
			shutdown(r->transfers[i].socket, SHUT_RDWR);
	pthread_mutex_unlock(&r->sockets_lock);
	curl_multi_wakeup(r->multi);
}

/* --- the sender's thread -------------------------------------------------------------------- */

bool relay_has_room(const struct relay *r)
{
	return r->n_open < r->connections;
}

bool relay_send(struct relay *r, struct lmtp_mail *mail)
{
	struct transfer *t = r->transfers;

	if (!relay_has_room(r))
		return false;
	while (t->mail)
		t++;
	t->mail = mail;
	r->n_open++;
	atomic_store_explicit(&t->state, TRANSFER_ASKED, memory_order_release);
	curl_multi_wakeup(r->multi);
	return true;
}

int relay_fd(const struct relay *r)
{
	return r->over_fd;
}

static void hand_back(struct relay *r, struct transfer *t)
{
	static const enum relay_counter counts[] = {
		[LMTP_PENDING] = RELAY_DEFERRED,
		[LMTP_DELIVERED] = RELAY_SENT,
		[LMTP_TEMPORARY] = RELAY_DEFERRED,
		[LMTP_PERMANENT] = RELAY_REFUSED,
	};
	struct lmtp_mail *mail = t->mail;

	for (unsigned i = 0; i < mail->n_recipients; i++)
		mail->recipients[i].result = t->result;
	counter_inc(&r->counters.v[counts[t->result.outcome]]);
	t->mail = NULL;
	r->n_open--;
	atomic_store_explicit(&t->state, TRANSFER_FREE, memory_order_relaxed);
	r->events.done(r->events.arg, mail, r->name);
}

void relay_handle(struct relay *r)
{
	uint64_t n;

	if (read(r->over_fd, &n, sizeof(n)) < 0)
		return; /* nothing is over */
	for (unsigned i = 0; i < r->connections; i++)
		if (atomic_load_explicit(&r->transfers[i].state, memory_order_acquire) ==
			TRANSFER_OVER)
			hand_back(r, &r->transfers[i]);
}

const struct counter_block *relay_counters(const struct relay *r)
{
	return &r->counters.block;
}

/* --- life ----------------------------------------------------------------------------------- */

static int make_url(struct relay *r, struct text *why)
{
	bool smtps = bytes_starts_nocase(bytes_str(r->config.url), BYTES("smtps://"));
	struct bytes url = bytes_str(r->config.url);
	struct bytes host = bytes_from(url, smtps ? 8 : 7);

	if ((!smtps && !bytes_starts_nocase(url, BYTES("smtp://"))) || host.len == 0 ||
		bytes_find(host, '/') != BYTES_NPOS || bytes_find(host, '@') != BYTES_NPOS) {
		text_printf(why, "relay.url: %s is not smtp://HOST[:PORT] or smtps://HOST[:PORT]",
			r->config.url);
		return -EINVAL;
	}
	/* The path is what libcurl says in EHLO. */
	if (snprintf(r->url, sizeof(r->url), "%s/%s", r->config.url, r->config.hostname) >=
		(int)sizeof(r->url)) {
		text_printf(why, "relay.url: too long");
		return -EINVAL;
	}
	snprintf(r->name, sizeof(r->name), "%.*s", BYTES_FMT(url));
	return 0;
}

static int check(const struct relay_config *c, struct text *why)
{
	if (c->user && c->tls != RELAY_TLS_REQUIRE) {
		text_printf(
			why, "relay.user: a password is only sent by TLS; set relay.tls: require");
		return -EINVAL;
	}
	return 0;
}

static int make_transfers(struct relay *r)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(r->multi = curl_multi_init()))
		return -ENOMEM;
	for (unsigned i = 0; i < r->connections; i++) {
		struct transfer *t = &r->transfers[i];

		t->relay = r;
		t->socket = -1;
		t->easy = curl_easy_init();
		if (!t->easy)
			return -ENOMEM;
		set_server(r, t->easy);
		curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	}
	return 0;
}

int relay_new(const struct relay_config *config, const struct relay_events *events,
	struct relay **out, struct text *why)
{
	struct relay *r;
	int error = check(config, why);

	*out = NULL;
	if (error)
		return error;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->events = *events;
	r->connections = config->connections ? config->connections : 1;
	if (r->connections > RELAY_MAILS_MAX)
		r->connections = RELAY_MAILS_MAX;
	pthread_mutex_init(&r->sockets_lock, NULL);
	relay_counters_init(&r->counters);
	r->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = r->over_fd < 0 ? -errno : make_url(r, why);
	if (error == 0)
		error = make_transfers(r);
	if (error) {
		relay_free(r);
		return error;
	}
	/* libcurl has copies of all strings. */
	memset(&r->config, 0, sizeof(r->config));
	*out = r;
	return 0;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->connections; i++)
		if (atomic_load(&r->transfers[i].state) == TRANSFER_RUNS)
			curl_multi_remove_handle(r->multi, r->transfers[i].easy);
	for (unsigned i = 0; i < r->connections; i++) {
		curl_slist_free_all(r->transfers[i].to);
		if (r->transfers[i].easy)
			curl_easy_cleanup(r->transfers[i].easy);
	}
	if (r->multi)
		curl_multi_cleanup(r->multi);
	if (r->over_fd >= 0)
		close(r->over_fd);
	pthread_mutex_destroy(&r->sockets_lock);
	free(r);
}
