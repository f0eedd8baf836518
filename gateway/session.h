#pragma once

#include "dataplane/tcp/tcp.h"
#include "gateway/stream.h"
#include "gateway/worker.h"

/* The receive window before and in DATA (DESIGN §3, Memory). */
#define SESSION_WINDOW_COMMANDS 4096
#define SESSION_WINDOW_DATA     262144

/*
 * One connection: a stream below, SMTP above, and at most one mail under way.
 */
struct session {
	struct worker *worker;
	TAILQ_ENTRY(session) link; /* the worker's list of all */
	struct stream stream;
	struct mail *mail;
	struct client *client; /* its address among all that are connected; NULL: not counted */
	struct smtp_session smtp;
	struct wheel_timer timer;
	uint64_t active_us;  /* when the peer last got something done: a line, octets of content */
	uint64_t content_us; /* when the content began */
	uint8_t *rest;       /* replies that TCP had no room for */
	uint16_t rest_from, rest_len;
	bool peer_shut;
	bool closed; /* no more is read; it ends when the rest is sent */
	bool wide;   /* the receive window is DATA's */
	bool asked_early;
	struct ip_addr peer;
};

/* A client that no other connection comes from, and its place among all. */
#define SESSION_CLIENT_OCTETS (sizeof(struct client) + 2 * sizeof(void *))
/* DESIGN §5: an idle plaintext connection costs 1 KiB at most, in all. The rest is for what is
 * shared: replies that were on their way at once, pages begun. */
_Static_assert(sizeof(struct session) + TCP_CONNECTION_OCTETS + SESSION_CLIENT_OCTETS <= 976,
	"what is idle is small");
_Static_assert(sizeof(struct session) % 64 == 0, "sessions share no cache line");

/* A connection was opened. NULL: it was refused, and the handle is no longer ours. */
struct session *session_open(struct worker *worker, struct stream stream);
/* Something happened to it (enum tcp_ready). */
void session_ready(struct session *session, unsigned ready);
/* Its timer ran out. */
void session_timeout(struct session *session);
/* The answer to what its mail waited for. */
void session_answer(struct session *session, const struct smtp_reply *reply, const char *text);
/* Content is arriving, and what came of it has been taken. */
bool session_waits_for_content(const struct session *session);
/* Then: its mail is dropped at once, and refused at the true end. */
void session_refuse(struct session *session, const struct smtp_reply *reply);
/* Shutting down: 421 to those with no mail under way. False while it is still busy. */
bool session_drain(struct session *session);

/* Nothing is under way: no transaction, no reply that was not read. */
bool session_is_idle(const struct session *session);
/* 421 to one that is idle, whose place others need. */
void session_shed(struct session *session);

/* Reset the connection, and drop the mail that it had not finished. */
void session_cut(struct session *session);
/* It may be read from again. */
void session_resume(struct session *session);
/* Give up the mail that is arriving, for the memory it takes: 421. */
void session_give_up(struct session *session);
